// Package hostnet reads and changes the network of a network namespace of Linux, by
// netlink and nftables, in the values of package netstate.
package hostnet

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strconv"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/golvs/lvs/internal/netstate"
)

// Network is the network of the namespace that the calling thread is in. It has no
// sockets of its own: each call opens those that it needs where it runs, so that
// none can be in another namespace than the caller's.
type Network struct{ routes netlink.Handle }

// New returns the network.
func New() *Network { return &Network{} }

// kind is one resource, with how the kernel reads and changes it. Each kind has a
// file.
type kind interface {
	// find returns what is in its place, nil for nothing.
	find(*Network) (netstate.Resource, error)
	// put makes the resource, whatever is in its place.
	put(*Network) error
	// remove removes what is in its place.
	remove(*Network) error
}

// kinds holds what makes a kind of each type of resource. The files of the kinds
// fill it while the package is initialized, and nothing changes it later.
var kinds = make(map[reflect.Type]func(netstate.Resource) kind)

// serve adds a type of resource to kinds.
func serve[R netstate.Resource](of func(R) kind) bool {
	kinds[reflect.TypeFor[R]()] = func(r netstate.Resource) kind { return of(r.(R)) }
	return true
}

// kindOf returns the kind of a resource.
func kindOf(r netstate.Resource) (kind, error) {
	of, ok := kinds[reflect.TypeOf(r)]
	if !ok {
		return nil, fmt.Errorf("%T: %w", r, errors.ErrUnsupported)
	}
	return of(r), nil
}

// Find returns what is in the place of a resource, nil for nothing.
func (n *Network) Find(r netstate.Resource) (netstate.Resource, error) {
	k, err := kindOf(r)
	if err != nil {
		return nil, err
	}
	return k.find(n)
}

// Put makes a resource, whatever is in its place.
func (n *Network) Put(r netstate.Resource) error {
	k, err := kindOf(r)
	if err != nil {
		return err
	}
	return k.put(n)
}

// Remove removes what is in the place of a resource.
func (n *Network) Remove(r netstate.Resource) error {
	k, err := kindOf(r)
	if err != nil {
		return err
	}
	return k.remove(n)
}

// found returns what a search found, nil for nothing.
func found[R netstate.Resource](r *R, err error) (netstate.Resource, error) {
	if err != nil || r == nil {
		return nil, err
	}
	return *r, nil
}

// Identity returns the kernel's number of the namespace, which no other one gets as
// long as the machine runs. Kernels before 5.14 do not tell it.
func (n *Network) Identity() (string, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return "", os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	if err != nil {
		return "", nil
	}
	return strconv.FormatUint(cookie, 10), nil
}

// retry repeats a listing that was interrupted by changes.
func retry[T any](list func() ([]T, error)) (all []T, err error) {
	for range 5 {
		if all, err = list(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return all, err
		}
	}
	return all, err
}

// notThere reports whether an error means that something does not exist.
func notThere(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENODEV) || errors.Is(err, os.ErrNotExist)
}
