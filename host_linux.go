package lvs

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/golvs/lvs/internal/genl"
	"github.com/golvs/lvs/internal/hostnet"
	"golang.org/x/sys/unix"
)

// namespaceFiles are the files of /proc as a thread in a network namespace sees
// them.
type namespaceFiles struct{ namespace *os.File }

const threadNamespace = "/proc/thread-self/ns/net"

// namespaceSeams returns the files and the network of the options' namespace.
func (o *options) namespaceSeams() (files, network, func() error, error) {
	f, err := o.openNamespace()
	if err != nil {
		return nil, nil, nil, err
	}
	files := namespaceFiles{f}
	network, err := hostnet.Open(files.do)
	if err != nil {
		f.Close()
		return nil, nil, nil, err
	}
	return files, network, func() error { return errors.Join(network.Close(), f.Close()) }, nil
}

func (o *options) openNamespace() (*os.File, error) {
	open := func() (*os.File, error) { return os.Open(threadNamespace) }
	if o.namespace != nil {
		open = o.namespace
	}
	f, err := open()
	if err != nil {
		return nil, fmt.Errorf("network namespace: %w", err)
	}
	kind, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_NSTYPE)
	if err != nil || kind != unix.CLONE_NEWNET {
		f.Close()
		return nil, fmt.Errorf("network namespace %s: %w", f.Name(), genl.ErrNotNamespace)
	}
	return f, nil
}

func (n namespaceFiles) ReadFile(path string) (text []byte, err error) {
	err = n.do(func() error {
		text, err = readOfThread(path)
		return err
	})
	return text, err
}

// ReadFiles enters the namespace once.
func (n namespaceFiles) ReadFiles(paths []string) (all []content, err error) {
	err = n.do(func() error {
		all = readEach(paths, readOfThread)
		return nil
	})
	return all, err
}

func readOfThread(path string) ([]byte, error) { return os.ReadFile(ofThread(path)) }

func (n namespaceFiles) WriteFile(path string, data []byte) error {
	return n.do(func() error {
		f, err := os.OpenFile(ofThread(path), os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.Write(data)
		f.Close()
		return err
	})
}

// ofThread makes /proc/net that of the thread. It is the process's otherwise.
func ofThread(path string) string {
	if name, ok := strings.CutPrefix(path, "/proc/net/"); ok {
		return "/proc/thread-self/net/" + name
	}
	return path
}

// do runs fn on a thread that is in the namespace. A thread that cannot be set
// back ends with its goroutine, and is never used for anything else.
func (n namespaceFiles) do(fn func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		err, clean := n.enterAndDo(fn)
		if clean {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}

func (n namespaceFiles) enterAndDo(fn func() error) (err error, clean bool) {
	home, err := os.Open(threadNamespace)
	if err != nil {
		return err, true
	}
	defer home.Close()
	moved, err := n.enter(home)
	if err != nil {
		return err, true
	}
	err = fn()
	return err, !moved || unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil
}

// enter moves the thread to the namespace unless it is there. Moving takes a
// privilege, and being there does not.
func (n namespaceFiles) enter(home *os.File) (moved bool, err error) {
	here, herr := home.Stat()
	there, terr := n.namespace.Stat()
	if herr == nil && terr == nil && os.SameFile(here, there) {
		return false, nil
	}
	raw, err := n.namespace.SyscallConn()
	if err != nil {
		return false, err
	}
	cerr := raw.Control(func(fd uintptr) {
		err = os.NewSyscallError("setns", unix.Setns(int(fd), unix.CLONE_NEWNET))
	})
	return true, cmp.Or(cerr, err)
}
