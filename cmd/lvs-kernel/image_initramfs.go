package main

import (
	"fmt"
	"io"
	"os"
)

// An archive is an initramfs: the first file system of a kernel, a cpio
// archive in the form "newc".
type archive struct {
	w   io.Writer
	ino int
	err error
}

// Types of files in the archive, as in stat(2).
const (
	cpioDir  = 0o040000
	cpioChar = 0o020000
	cpioFile = 0o100000
)

// entry writes one file; major and minor are those of a device.
func (a *archive) entry(name string, mode, major, minor int, data []byte) {
	if a.err != nil {
		return
	}
	a.ino++
	head := fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		a.ino, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(name)+1, 0, name)
	a.write([]byte(head))
	a.write(data)
}

// write pads to four bytes: the head with the name, and the data.
func (a *archive) write(b []byte) {
	if a.err != nil {
		return
	}
	if _, a.err = a.w.Write(b); a.err != nil {
		return
	}
	if pad := -len(b) & 3; pad > 0 {
		_, a.err = a.w.Write(make([]byte, pad))
	}
}

func (a *archive) dir(name string) { a.entry(name, cpioDir|0o755, 0, 0, nil) }

// copy writes a file of the host.
func (a *archive) copy(name, from string) {
	b, err := os.ReadFile(from)
	if err != nil && a.err == nil {
		a.err = err
	}
	a.entry(name, cpioFile|0o755, 0, 0, b)
}

// close ends the archive.
func (a *archive) close() error {
	a.entry("TRAILER!!!", 0, 0, 0, nil)
	return a.err
}
