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
	needsLinux = `quickstart: IPVS is a part of Linux, and this is another system. Without -kernel
it runs here, in a simulated kernel.

On a Linux machine for x86-64 with Debian's apt, this runs it, without root, in a
kernel of its own that has IPVS (from the root of the repository):
` + inKernel

	needsIPVS = `quickstart: this kernel has no IPVS. Without -kernel it runs here, in a simulated
kernel.

This runs it, without root and without touching this machine, in a kernel of its
own that has IPVS (from the root of the repository):
` + inKernel + `
If this kernel does have the module but could not load it by itself, load it as
root, and try again:

    modprobe ip_vs
`

	needsRoot = `quickstart: IPVS is here, but it takes root to use it. Without -kernel it runs in
a simulated kernel.

As root of this machine (root of a container is often not enough):

    go build -o quickstart ./examples/quickstart && sudo ./quickstart -kernel

Or without root and without touching this machine, in a kernel of its own that
has IPVS (from the root of the repository):
` + inKernel
)

// advice returns what is wrong and what to do about it. Whoever just wants to
// see the library at work should not have to know what an errno is.
func advice(err error) string {
	switch {
	case errors.Is(err, lvs.ErrUnavailable) && runtime.GOOS != "linux":
		return needsLinux
	case errors.Is(err, lvs.ErrUnavailable):
		return needsIPVS
	case errors.Is(err, os.ErrPermission): // lvs.ErrPermission is one, and so is being refused a namespace
		return needsRoot
	case errors.Is(err, context.Canceled):
		return "quickstart: stopped; nothing of what it made is left"
	}
	return "quickstart: " + err.Error()
}
