package main

import (
	"fmt"
	"strings"
)

// A kernel is an entry of the catalogue: a name for the command line, and the
// Debian package that holds the kernel.
type kernel struct {
	name  string
	suite string // Debian suite that the package comes from.
	pkg   string // Binary package, or a metapackage that depends on it.
	qemu  bool   // Runs in QEMU; a program of its own (UML) otherwise.
	about string

	// How many bytes of processor state it gives to a process that it traces; 0
	// means as many as the host has.
	saves   int
	instead string // What to use where it cannot run.
}

// cannotRun says what to use instead.
func (k kernel) cannotRun(err error) error {
	return fmt.Errorf("the kernel %s cannot run here: %w; use %s instead", k.name, err, k.instead)
}

// catalogue lists every kernel that can be asked for.
var catalogue = []kernel{
	{name: "6.1", suite: "bookworm", pkg: "user-mode-linux", about: "User-Mode Linux of Debian 12",
		saves: 2696, instead: "newest or qemu-6.1"},
	{name: "6.12", suite: "trixie", pkg: "user-mode-linux", about: "User-Mode Linux of Debian 13",
		saves: 2696, instead: "newest or qemu-6.12"},
	{name: "newest", suite: "sid", pkg: "user-mode-linux", about: "User-Mode Linux of Debian unstable",
		instead: "6.12 or qemu-6.12"},
	{name: "qemu-6.1", suite: "bookworm", pkg: "linux-image-amd64", qemu: true, about: "kernel of Debian 12 in QEMU, two CPUs",
		instead: "6.1"},
	{name: "qemu-6.12", suite: "trixie", pkg: "linux-image-amd64", qemu: true, about: "kernel of Debian 13 in QEMU, two CPUs",
		instead: "6.12 or newest"},
}

// findKernel looks a kernel up by the name given on the command line.
func findKernel(name string) (kernel, error) {
	for _, k := range catalogue {
		if k.name == name {
			return k, nil
		}
	}
	return kernel{}, fmt.Errorf("no kernel is named %q; the names are %s", name, strings.Join(kernelNames(), ", "))
}

func kernelNames() []string {
	var names []string
	for _, k := range catalogue {
		names = append(names, k.name)
	}
	return names
}
