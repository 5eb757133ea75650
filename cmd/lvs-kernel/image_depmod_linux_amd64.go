package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// indexForKmod lets the host's depmod write the binary indexes that the host's
// modprobe reads. Where the host has no kmod nothing is to be done: our own
// modprobe stands in, and reads the text.
func indexForKmod(k stored) error {
	_, err := os.Stat(filepath.Join(k.modules(), "modules.dep.bin"))
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	depmod, err := exec.LookPath("depmod")
	if err != nil {
		depmod = "/usr/sbin/depmod" // Not on every user's PATH.
		if _, err := os.Stat(depmod); err != nil {
			return nil
		}
	}
	base, err := os.MkdirTemp(k.Dir, "depmod-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(base)
	// depmod looks in one of these, by how it was built.
	for _, d := range []string{"lib", "usr/lib"} {
		if err := os.MkdirAll(filepath.Join(base, d), 0o755); err != nil {
			return err
		}
		if err := os.Symlink(filepath.Join(k.Dir, "modules"), filepath.Join(base, d, "modules")); err != nil {
			return err
		}
	}
	if out, err := exec.Command(depmod, "-b", base, k.Release).CombinedOutput(); err != nil {
		return fmt.Errorf("depmod for %s: %w: %s", k.Release, err, lastLines(string(out), 3))
	}
	return nil
}
