package lvs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/golvs/lvs/internal/genl"
	"github.com/golvs/lvs/internal/hostnet"
	"golang.org/x/sys/unix"
)

// openKernel opens the namespace of the options once, for all that a host does there.
func (o *options) openKernel() (*guard, genl.Dialer, error) {
	ns, err := o.openNamespace()
	if err != nil {
		return nil, nil, err
	}
	return &guard{files: threadFiles{}, network: hostnet.New(), inside: ns.Do, release: ns.Close}, dialerIn(ns), nil
}

// threadFiles are the files of /proc as seen by the calling thread, which is in the
// namespace.
type threadFiles struct{}

func (threadFiles) ReadFile(path string) ([]byte, error) {
	read := readWhole
	if path == quickFile {
		read = readServices
	}
	text, err := read(ofThread(path))
	return text, oneWay(path, 0o444, err)
}

// readWhole is os.ReadFile without the preparations of an os.File for files that make a
// reader wait. Files of /proc are many, and do not.
func readWhole(path string) (text []byte, err error) {
	fail := func(op string, err error) ([]byte, error) { return nil, &fs.PathError{Op: op, Path: path, Err: err} }
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fail("open", err)
	}
	defer unix.Close(fd)
	for text = make([]byte, 0, 4096); ; {
		if len(text) == cap(text) {
			text = slices.Grow(text, len(text))
		}
		n, err := unix.Read(fd, text[len(text):cap(text)])
		switch {
		case err == unix.EINTR:
		case err != nil:
			return fail("read", err)
		case n == 0:
			return text, nil
		default:
			text = text[:len(text)+n]
		}
	}
}

// Open opens a file, which stays that of the namespace in which it was opened.
func (threadFiles) Open(path string) (io.ReadCloser, error) {
	f, err := os.Open(ofThread(path))
	if err != nil {
		return nil, err // and not a nil *os.File in an interface
	}
	return f, nil
}

func (f threadFiles) ReadFiles(paths []string) ([]content, error) {
	return readEach(paths, f.ReadFile), nil
}

func (threadFiles) WriteFile(path string, data []byte) error {
	f, err := os.OpenFile(ofThread(path), os.O_WRONLY, 0)
	if err != nil {
		return oneWay(path, 0o222, err)
	}
	defer f.Close()
	// File.Write panics where the kernel says that it took more than it was given,
	// as Linux 6.1 does for an empty text of IPv6's forwarding.
	if _, err := unix.Write(int(f.Fd()), data); err != nil {
		return &fs.PathError{Op: "write", Path: path, Err: err}
	}
	return nil
}

// oneWay returns errOneWay for the permission error of a file that no process may read,
// or write. For others, this process lacks the permission.
func oneWay(path string, needs fs.FileMode, err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	if info, serr := os.Stat(ofThread(path)); serr == nil && info.Mode().Perm()&needs == 0 {
		return errOneWay
	}
	return err
}

// ofThread returns the path of the thread's own /proc/net, which is the process's
// otherwise.
func ofThread(path string) string {
	if name, ok := strings.CutPrefix(path, "/proc/net/"); ok {
		return "/proc/thread-self/net/" + name
	}
	return path
}
