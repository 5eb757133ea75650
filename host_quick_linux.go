package lvs

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// readServices reads /proc/net/ip_vs. Each read begins at a number of services, and
// before Linux 7.1 the kernel counts those of other namespaces as well where it goes on
// from one service to the next, but not where a read begins. So reads that return several
// services are followed by reads that begin too late, and services are left out. A read
// behind the end of what was read shows that, because for it the kernel goes through all
// services at once. Reads that are not longer than any service return one each.
func readServices(path string) ([]byte, error) {
	text, isComplete, err := readServicesBy(page, path)
	for size := page; err == nil && !isComplete; {
		shortest := shortestService(text)
		if shortest >= size {
			break
		}
		size = shortest
		text, isComplete, err = readServicesBy(size, path)
	}
	return text, err
}

// page is the size of a read. The kernel fills 4 KB of it, or more if a service is longer.
const page = 64 << 10

// readServicesBy reads the file by reads of a size, and reports whether it is complete.
func readServicesBy(size int, path string) (text []byte, isComplete bool, err error) {
	fail := func(op string, err error) ([]byte, bool, error) {
		return nil, false, &fs.PathError{Op: op, Path: path, Err: err}
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fail("open", err)
	}
	defer unix.Close(fd)
	if used := quickRoom.Swap(nil); used != nil {
		text = (*used)[:0]
	}
	for {
		if cap(text)-len(text) < size {
			text = slices.Grow(text, max(size, len(text)))
		}
		n, err := readAtOnce(fd, text[len(text):len(text)+size])
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fail("read", err)
		case n == 0 && hasOwnServices(path):
			return text, true, nil
		case n == 0:
			more, err := unix.Pread(fd, make([]byte, 1), int64(len(text)+1))
			if err != nil {
				return fail("read", err)
			}
			return text, more == 0, nil
		default:
			text = text[:len(text)+n]
		}
	}
}

// hasOwnServices reports whether the kernel lists the services of a namespace from a table
// of its own, as Linux does since 7.1, which has a file about that table.
func hasOwnServices(path string) bool { return unix.Access(path+"_status", unix.F_OK) == nil }

// readAtOnce is unix.Read without a word to the scheduler of Go, which with one processor
// hands it to another thread whenever a system call lasts for more than 20 µs, as most of
// these do. The kernel lists under RCU, so a read does not wait for anything.
func readAtOnce(fd int, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// shortestService returns the length of the shortest service of the file, with its real
// servers.
func shortestService(text []byte) int {
	shortest, length := len(text), 0
	for line := range bytes.Lines(text) {
		if !bytes.HasPrefix(line, []byte("  ->")) && length > 0 {
			shortest, length = min(shortest, length), 0
		}
		length += len(line)
	}
	return max(1, min(shortest, length))
}
