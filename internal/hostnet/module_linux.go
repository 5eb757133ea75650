package hostnet

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// findModule looks for what a module brings where that can be seen, for a module
// may be built in.
func (n *Network) findModule(f Module) (*Module, error) {
	if device, ok := DeviceOf(f.Name); ok {
		link, err := n.findLink(device.Name)
		if err != nil || link != nil {
			return &f, err
		}
	}
	if f.Name == "fou" && n.hasFOU() {
		return &f, nil
	}
	if _, err := os.Stat("/sys/module/" + f.Name); err == nil {
		return &f, nil
	}
	return nil, nil
}

// putModule lets the kernel load a module by itself, as it does when a device is
// asked for whose name a module has claimed.
func (n *Network) putModule(f Module) error {
	if device, ok := DeviceOf(f.Name); ok {
		if err := askFor(device.Name); err != nil {
			return err
		}
	}
	if found, err := n.findModule(f); err != nil || found != nil {
		return err
	}
	return fmt.Errorf("%w: run 'modprobe %s'", ErrNoModule, f.Name)
}

// askFor asks for the flags of a device.
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
