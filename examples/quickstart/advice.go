package main

import (
	"context"
	"errors"
	"os"
	"runtime"

	"github.com/golvs/lvs"
)

const inKernel = `
    go run -exec 'go run ./cmd/lvs-kernel 6.12 --' ./examples/quickstart -kernel
`

const (
	needsLinux = `quickstart: IPVS is part of Linux, and this is another system. Without -kernel
it runs here, in a simulated kernel.

On a Linux machine for x86-64 with Debian's apt, this runs it, without root, in a
kernel of its own that has IPVS (from the root of the repository):
` + inKernel

	needsIPVS = `quickstart: this kernel has no IPVS. Without -kernel it runs here, in a simulated
kernel.

This runs it, without root and without touching this machine, in a kernel of its
own that has IPVS (from the root of the repository):
` + inKernel + `
If this kernel does have the module but could not load it automatically, load it
as root and try again:

    modprobe ip_vs
`

	needsRoot = `quickstart: IPVS is available, but using it needs root. Without -kernel it runs in
a simulated kernel.

As root of this machine (root of a container is often not enough):

    go build -o quickstart ./examples/quickstart && sudo ./quickstart -kernel

Or without root and without touching this machine, in a kernel of its own that
has IPVS (from the root of the repository):
` + inKernel
)

// advice returns what is wrong and what to do about it. A newcomer who wants to see
// the library at work need not know what an errno is.
func advice(err error) string {
	switch {
	case errors.Is(err, lvs.ErrUnavailable) && runtime.GOOS != "linux":
		return needsLinux
	case errors.Is(err, lvs.ErrUnavailable):
		return needsIPVS
	case errors.Is(err, os.ErrPermission): // lvs.ErrPermission is one, and so is being refused a namespace
		return needsRoot
	case errors.Is(err, context.Canceled):
		return "quickstart: stopped; everything that it made is removed"
	}
	return "quickstart: " + err.Error()
}
