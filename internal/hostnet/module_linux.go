package hostnet

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/golvs/lvs/internal/netstate"
)

// module reads and changes a kernel module.
type module netstate.Module

var _ = serve(func(r netstate.Module) kind { return module(r) })

// find looks for what the module provides where that can be seen, for a module may be
// built in.
func (f module) find(n *Network) (netstate.Resource, error) {
	isThere, err := f.isThere(n)
	if err != nil || !isThere {
		return nil, err
	}
	return netstate.Module(f), nil
}

func (f module) isThere(n *Network) (bool, error) {
	if device, ok := netstate.DeviceOf(f.Name); ok {
		link, err := n.findLink(device.Name)
		if err != nil || link != nil {
			return err == nil, err
		}
	}
	if f.Name == "fou" && n.hasFOU() {
		return true, nil
	}
	_, err := os.Stat("/sys/module/" + f.Name)
	return err == nil, nil
}

// put makes the kernel load the module, as it does when a device is requested whose
// name a module has claimed.
func (f module) put(n *Network) error {
	if device, ok := netstate.DeviceOf(f.Name); ok {
		if err := askFor(device.Name); err != nil {
			return err
		}
	}
	if isThere, err := f.isThere(n); err != nil || isThere {
		return err
	}
	return fmt.Errorf("%w: run 'modprobe %s'", netstate.ErrNoModule, f.Name)
}

func (module) remove(*Network) error { return errors.ErrUnsupported }

// askFor requests the flags of a device.
func askFor(device string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq(device)
	if err != nil {
		return err
	}
	_ = unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, request) // that it is not there is seen later
	return nil
}
