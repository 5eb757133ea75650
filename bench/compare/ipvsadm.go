//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// ipvsadm restores the table from a file. The time has the start of the
// program in it, as there is no other way to use it.
func ipvsadmAdding() contender {
	return contender{"ipvsadm", func(ns *namespace, j job) (session, error) {
		file, err := j.ipvsadmFile()
		if err != nil {
			return session{}, err
		}
		run := func() (int, error) {
			_, err := ipvsadm(ns, file, "-R")
			return j.objects(), err
		}
		return session{run, file.Close}, nil
	}}
}

func ipvsadmReading() contender {
	return contender{"ipvsadm", func(ns *namespace, j job) (session, error) {
		run := func() (int, error) {
			out, err := ipvsadm(ns, nil, "-S", "-n")
			return bytes.Count(out, []byte("\n")), err // a line an object
		}
		return session{run, func() error { return nil }}, nil
	}}
}

func ipvsadm(ns *namespace, stdin *os.File, args ...string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	err := ns.do(func() error {
		cmd := exec.Command("ipvsadm", args...)
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if stdin != nil {
			cmd.Stdin = stdin
		}
		return cmd.Run()
	})
	if err == nil && stderr.Len() > 0 {
		err = fmt.Errorf("ipvsadm %q complains", args)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.Bytes(), nil
}

// ipvsadmFile writes the job in ipvsadm's own format, and returns the file at
// its beginning. It has no name any more.
func (j job) ipvsadmFile() (*os.File, error) {
	f, err := os.CreateTemp("", "ipvsadm-rules-")
	if err != nil {
		return nil, err
	}
	os.Remove(f.Name())
	if _, err = f.WriteString(j.ipvsadm()); err == nil {
		_, err = f.Seek(0, 0)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (j job) ipvsadm() string {
	var b strings.Builder
	for s := range j.services {
		fmt.Fprintf(&b, "-A -t %s -s %s\n", j.vip(s), scheduler)
		for r := range j.servers {
			fmt.Fprintf(&b, "-a -t %s -r %s -g -w %d\n", j.vip(s), j.rip(s, r), j.weight(s, r))
		}
	}
	return b.String()
}
