package genl

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// inbox receives up to two datagrams with one system call. The kernel makes the next
// datagram of a dump, often its last, while it hands out the one before.
type inbox struct {
	headers [2]receiveHeader
	senders [2]unix.RawSockaddrNetlink
	vectors [2]unix.Iovec
	second  []byte // where the second datagram goes; the first goes to the caller

	filled, taken int // how many of the datagrams were received, and handed out
}

// receiveHeader is the kernel's struct mmsghdr.
type receiveHeader struct {
	unix.Msghdr
	length uint32
}

// fill receives datagrams, the first of them into b.
func (in *inbox) fill(fd uintptr, b []byte) error {
	if in.second == nil {
		in.second = make([]byte, len(b))
	}
	in.filled, in.taken = 0, 0
	for i, b := range [][]byte{b, in.second} {
		in.vectors[i].Base = &b[0]
		in.vectors[i].SetLen(len(b))
		h := &in.headers[i]
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(&in.senders[i])), unix.SizeofSockaddrNetlink
		h.Iov = &in.vectors[i]
		h.SetIovlen(1)
	}
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&in.headers)), uintptr(len(in.headers)),
		unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return errno
	}
	in.filled = int(n)
	return nil
}

// take hands out the next datagram that the kernel sent, in b, and skips those that
// another process did.
func (in *inbox) take(b []byte) (n int, ok bool, err error) {
	for in.taken < in.filled {
		i := in.taken
		in.taken++
		h := &in.headers[i]
		switch n := int(h.length); {
		case h.Flags&unix.MSG_TRUNC != 0 || n > len(b):
			return 0, false, unix.EMSGSIZE
		case h.Namelen != unix.SizeofSockaddrNetlink || in.senders[i].Pid != 0:
		case i == 0:
			return n, true, nil // fill has put it there
		default:
			return copy(b, in.second[:n]), true, nil
		}
	}
	return 0, false, nil
}
