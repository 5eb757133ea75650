package main

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"os"
)

// guestConfigEnv names the environment variable that holds the path of the
// configuration for the guest's init. The kernel sets it from its command line.
const guestConfigEnv = "LVS_KERNEL_INIT"

// A guestConfig is what the runner asks of the guest's init.
type guestConfig struct {
	Name    string   // VERSION of the command line.
	Dir     string   // Working folder.
	Args    []string // Command and arguments.
	Env     []string
	Modules string   // Folder of the kernel's modules, on the host's file system.
	Load    []string // Modules to load before the command starts.
	Self    string   // This binary, on the host's file system.
	Writes  []writeMount
	// Boot holds module files that must be loaded to see the host's file
	// system at all, in order; they are in the initramfs.
	Boot []string
	// HostTag is the 9p tag of the host's file system. Empty means that the
	// kernel's root already is that file system, as in User-Mode Linux.
	HostTag string
	// Control, Stdout and Stderr are the devices that lead to the runner.
	Control, Stdout, Stderr string
}

// A writeMount is a folder of the host that is writable inside.
type writeMount struct {
	Path string
	Tag  string // 9p tag; empty for hostfs.
}

// writeGuestConfig uses gob, which keeps words and names that are not UTF-8.
func writeGuestConfig(file string, c guestConfig) error {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(c); err != nil {
		return err
	}
	// The environment may hold secrets.
	return os.WriteFile(file, b.Bytes(), 0o600)
}

func readGuestConfig(file string) (guestConfig, error) {
	var c guestConfig
	b, err := os.ReadFile(file)
	if err != nil {
		return c, err
	}
	if err := gob.NewDecoder(bytes.NewReader(b)).Decode(&c); err != nil {
		return c, fmt.Errorf("%s: %w", file, err)
	}
	if len(c.Args) == 0 {
		return c, fmt.Errorf("%s: no command", file)
	}
	return c, nil
}
