package netspace

import (
	"cmp"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Namespace is a network namespace. One without a name lasts until its file is
// closed and nothing is in it.
type Namespace struct{ File *os.File }

// ofThread is the network namespace of the thread that opens it.
const ofThread = "/proc/thread-self/ns/net"

// Here returns the namespace of the calling thread. The error matches
// [os.ErrNotExist] without /proc, and in a kernel without namespaces.
func Here() (*Namespace, error) {
	f, err := os.Open(ofThread)
	if err != nil {
		return nil, err
	}
	return &Namespace{f}, nil
}

// Open returns the namespace with a path.
func Open(path string) (*Namespace, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return check(f)
}

// Of returns the namespace of an open file, which stays the caller's.
func Of(f *os.File) (*Namespace, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var own int
	if raw.Control(func(fd uintptr) { own, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }) != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), os.ErrClosed)
	}
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return check(os.NewFile(uintptr(own), f.Name()))
}

// check closes what is not a namespace.
func check(f *os.File) (*Namespace, error) {
	kind, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_NSTYPE)
	if err != nil || kind != unix.CLONE_NEWNET {
		f.Close()
		return nil, fmt.Errorf("%s: %w", f.Name(), ErrNotNamespace)
	}
	return &Namespace{f}, nil
}

// New makes a namespace, which needs root.
func New() (ns *Namespace, err error) {
	err = onThread(func() (err error, isClean bool) {
		home, err := Here()
		if err != nil {
			return err, true
		}
		defer home.Close()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("unshare", err), true
		}
		ns, err = Here()
		return err, unix.Setns(int(home.File.Fd()), unix.CLONE_NEWNET) == nil
	})
	if err != nil {
		return nil, fmt.Errorf("making a network namespace: %w", err)
	}
	return ns, nil
}

// Do runs fn inside the namespace. Sockets and processes that it makes stay there.
// After [Namespace.Close], fn is not run, and the error is [os.ErrClosed].
func (ns *Namespace) Do(fn func() error) error {
	return onThread(func() (err error, isClean bool) { return ns.enterAndDo(fn) })
}

// Close closes the file.
func (ns *Namespace) Close() error { return ns.File.Close() }

// onThread runs fn on a thread on which nothing else runs. A thread that fn does not
// leave clean ends, and is never used for anything else. Only the main thread cannot end:
// what fn leaves it in, such as a namespace, lasts as long as the program.
func onThread(fn func() (err error, isClean bool)) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		err, isClean := fn()
		if isClean {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}

func (ns *Namespace) enterAndDo(fn func() error) (err error, isClean bool) {
	home, err := Here()
	if err != nil {
		return err, true
	}
	defer home.Close()
	moved, err := ns.enter(home)
	if err != nil {
		return fmt.Errorf("entering a network namespace: %w", err), true
	}
	err = fn()
	return err, !moved || unix.Setns(int(home.File.Fd()), unix.CLONE_NEWNET) == nil
}

// enter moves the thread to the namespace unless it is there. Only moving needs a
// privilege.
func (ns *Namespace) enter(home *Namespace) (moved bool, err error) {
	there, err := ns.File.Stat()
	if err != nil {
		return false, err
	}
	if here, err := home.File.Stat(); err == nil && os.SameFile(here, there) {
		return false, nil
	}
	raw, err := ns.File.SyscallConn()
	if err != nil {
		return false, err
	}
	cerr := raw.Control(func(fd uintptr) {
		err = os.NewSyscallError("setns", unix.Setns(int(fd), unix.CLONE_NEWNET))
	})
	return true, cmp.Or(cerr, err)
}
