// Package netspace makes network namespaces, and runs functions in them. For
// tests, labs and examples.
package netspace

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Namespace is a network namespace without a name: it lasts as long as its file
// is open and as what is in it.
type Namespace struct{ File *os.File }

// New makes a namespace, which takes root.
func New() (*Namespace, error) {
	ns := &Namespace{}
	err := onOwnThread(func() (err error) {
		if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
			ns.File, err = os.Open("/proc/thread-self/ns/net")
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("making a network namespace: %w", err)
	}
	return ns, nil
}

// Do runs fn inside the namespace. Sockets and processes that it makes stay there.
func (ns *Namespace) Do(fn func() error) error {
	return onOwnThread(func() error {
		if err := unix.Setns(int(ns.File.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("entering a network namespace: %w", err)
		}
		return fn()
	})
}

// Close gives the namespace up.
func (ns *Namespace) Close() error { return ns.File.Close() }

// onOwnThread runs fn on a thread that nothing else runs on, and that ends with
// fn: its network namespace may be changed without a way back.
func onOwnThread(fn func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked
		done <- fn()
	}()
	return <-done
}
