package main

import (
	"errors"
	"os/exec"
)

func unpackQEMU(f *fetcher, k stored) (release string, err error) {
	return "", errors.New("not written yet")
}

func qemuCommand(o options, k stored, run string, g *guestConfig) (*exec.Cmd, error) {
	return nil, errors.New("not written yet")
}
