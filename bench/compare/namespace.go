//go:build linux

package main

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// namespace is a network namespace, and so an IPVS table of its own. It lasts
// as long as the program: the kernel would remove it in the background, in
// the time of the next contender.
type namespace struct {
	fd int
}

// newNamespace makes a network namespace whose lo is up: without it there is
// no table of local addresses, and IPVS refuses every real server.
func newNamespace() (*namespace, error) {
	ns := new(namespace)
	err := onOwnThread(func() (err error) {
		if err = unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("unshare: %w", err)
		}
		if err = bringUpLo(); err != nil {
			return fmt.Errorf("bringing up lo: %w", err)
		}
		ns.fd, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("making a network namespace: %w", err)
	}
	return ns, nil
}

// path names the namespace for those who want to open it by themselves.
func (ns *namespace) path() string { return fmt.Sprintf("/proc/self/fd/%d", ns.fd) }

// do calls fn on a thread that is in the namespace.
func (ns *namespace) do(fn func() error) error {
	return onOwnThread(func() error {
		if err := unix.Setns(ns.fd, unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("entering the network namespace: %w", err)
		}
		return fn()
	})
}

// onOwnThread calls fn on a thread that ends with it, whatever namespace it is
// in by then.
func onOwnThread(fn func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked
		done <- fn()
	}()
	return <-done
}

func bringUpLo() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}
