package hostnet

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Network is the network of the namespace that the calling thread is in. It has no
// sockets of its own: each call opens those that it needs where it runs, so that
// none can be in another namespace than the caller's.
type Network struct{ routes netlink.Handle }

// New returns the network.
func New() *Network { return &Network{} }

// Find returns what is there in the place of a fact, nil if nothing is.
func (n *Network) Find(f Fact) (Fact, error) {
	switch f := f.(type) {
	case Link:
		return optional(n.findLink(f.Name))
	case Address:
		return optional(n.findAddress(f))
	case Route:
		return optional(n.findRoute(f))
	case Rule:
		return optional(n.findRule(f))
	case SourceNAT:
		return optional(n.findNAT(f))
	case FOUPort:
		return optional(n.findFOU(f))
	case SecurityPolicy:
		return optional(n.findPolicy(f))
	case SecurityAssociation:
		return optional(n.findAssociation(f))
	case Module:
		return optional(n.findModule(f))
	}
	return nil, fmt.Errorf("%T cannot be read", f)
}

// optional makes a fact of what may be missing.
func optional[T Fact](found *T, err error) (Fact, error) {
	if err != nil || found == nil {
		return nil, err
	}
	return *found, nil
}

// Put makes a fact true, whatever is in its place.
func (n *Network) Put(f Fact) error {
	switch f := f.(type) {
	case Link:
		return n.putLink(f)
	case Address:
		return n.putAddress(f)
	case Route:
		return n.putRoute(f)
	case Rule:
		return n.routes.RuleAdd(f.rule())
	case SourceNAT:
		return n.putNAT(f)
	case FOUPort:
		return n.putFOU(f)
	case SecurityPolicy:
		return n.putPolicy(f)
	case SecurityAssociation:
		return n.putAssociation(f)
	case Module:
		return n.putModule(f)
	}
	return fmt.Errorf("%T cannot be written", f)
}

// Remove removes what a fact tells of.
func (n *Network) Remove(f Fact) error {
	switch f := f.(type) {
	case Link:
		return n.removeLink(f)
	case Address:
		return n.removeAddress(f)
	case Route:
		return n.removeRoute(f)
	case Rule:
		return n.routes.RuleDel(f.rule())
	case SourceNAT:
		return n.removeNAT(f)
	case FOUPort:
		return n.removeFOU(f)
	case SecurityPolicy:
		return n.removePolicy(f)
	case SecurityAssociation:
		return n.removeAssociation(f)
	}
	return fmt.Errorf("%T cannot be removed", f)
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

// retry repeats a listing that others changed while it was read.
func retry[T any](list func() ([]T, error)) (all []T, err error) {
	for range 5 {
		if all, err = list(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return all, err
		}
	}
	return all, err
}

// notThere tells whether the kernel says that a thing is not there.
func notThere(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENODEV) || errors.Is(err, os.ErrNotExist)
}
