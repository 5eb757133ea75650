package conformance

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/golvs/lvs/internal/testbed"
)

// kernelSide is a namespace of the kernel that the tests run in. The packets
// come from the director itself, by raw sockets, and leave by the dummy device,
// where they are seen again.
type kernelSide struct {
	*kernelGround
	started time.Time
	senders map[sender]int // sockets
	capture int            // socket
	lists   map[string]*os.File
	sent    uint32 // packets
	buf     []byte
	ear     syncEar
	t       testing.TB
}

// sender is what a socket sends.
type sender struct {
	family int
	mark   uint32
}

func openKernelSide(t testing.TB) side {
	t.Helper()
	s := newKernelSide(t, openKernelGround(t).(*kernelGround))
	if err := s.ns.Do(s.openCapture); err != nil {
		t.Fatalf("watching %s: %v", groundDevice, err)
	}
	return s
}

func newKernelSide(t testing.TB, g *kernelGround) *kernelSide {
	s := &kernelSide{
		kernelGround: g, started: time.Now(), capture: -1, t: t,
		senders: make(map[sender]int), lists: make(map[string]*os.File), buf: make([]byte, 1<<16),
	}
	t.Cleanup(s.close)
	return s
}

func (s *kernelSide) close() {
	_ = unix.Close(s.capture)
	if s.ear.socket != 0 {
		_ = unix.Close(s.ear.socket)
	}
	for _, fd := range s.senders {
		_ = unix.Close(fd)
	}
	for _, f := range s.lists {
		f.Close()
	}
}

// ReadFile keeps the file open: a thread in the namespace is slow to make.
func (s *kernelSide) ReadFile(path string) (text []byte, err error) {
	if s.lists[path] == nil {
		err = s.ns.Do(func() (err error) {
			s.lists[path], err = os.Open(ofThread(path))
			return err
		})
	}
	if err == nil {
		_, err = s.lists[path].Seek(0, io.SeekStart)
	}
	for err == nil {
		var n int
		n, err = s.lists[path].Read(s.buf)
		text = append(text, s.buf[:n]...)
	}
	if err == io.EOF {
		err = nil
	}
	return text, err
}

func (s *kernelSide) WriteFile(path string, data []byte) error {
	return s.ns.Do(func() error { return threadFiles{}.WriteFile(path, data) })
}

// threadFiles are the files of /proc as the calling thread sees them.
type threadFiles struct{}

func (threadFiles) ReadFile(path string) ([]byte, error) { return os.ReadFile(ofThread(path)) }

// WriteFile writes once: what the kernel leaves of a text is not written again.
func (threadFiles) WriteFile(path string, data []byte) error {
	f, err := os.OpenFile(ofThread(path), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = unix.Write(int(f.Fd()), data)
	return err
}

// ofThread makes /proc/net that of the thread; otherwise it is the process's.
func ofThread(path string) string {
	return strings.Replace(path, "/proc/net/", "/proc/thread-self/net/", 1)
}

// openCapture opens a socket that gets what leaves, from its IP header on.
func (s *kernelSide) openCapture() (err error) {
	device, err := net.InterfaceByName(groundDevice)
	if err != nil {
		return err
	}
	const all, room = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8, 1 << 22
	if s.capture, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, all); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(s.capture, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, room); err != nil {
		return err
	}
	return unix.Bind(s.capture, &unix.SockaddrLinklayer{Protocol: all, Ifindex: device.Index})
}

func (s *kernelSide) withFiles(do func(files)) {
	_ = s.ns.Do(func() error {
		open := make(openFiles)
		defer open.close()
		do(open)
		return nil
	})
}

// openFiles are the files of /proc as the calling thread sees them, open to be read and
// written again: to open one takes longest.
type openFiles map[openFile]*os.File

type openFile struct {
	path string
	mode int
}

func (o openFiles) file(path string, mode int) (f *os.File, err error) {
	if f = o[openFile{path, mode}]; f == nil {
		if f, err = os.OpenFile(ofThread(path), mode, 0); err == nil {
			o[openFile{path, mode}] = f
		}
	}
	return f, err
}

func (o openFiles) ReadFile(path string) ([]byte, error) {
	f, err := o.file(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.NewSectionReader(f, 0, math.MaxInt64))
}

// WriteFile writes once, as that of threadFiles does.
func (o openFiles) WriteFile(path string, data []byte) error {
	f, err := o.file(path, os.O_WRONLY)
	if err != nil {
		return err
	}
	_, err = unix.Pwrite(int(f.Fd()), data, 0)
	return err
}

func (o openFiles) close() {
	for _, f := range o {
		f.Close()
	}
}

func (s *kernelSide) Elapsed() time.Duration { return time.Since(s.started) }

func (s *kernelSide) Send(packets []packet) []string {
	first := s.sent
	fates := make([]string, len(packets))
	for i, p := range packets {
		s.sent++
		fates[i] = fateVanished
		if err := s.send(p, first+uint32(i)); errors.Is(err, unix.EPERM) {
			fates[i] = fateStopped
		} else if err != nil {
			fates[i] = err.Error()
		}
	}
	for {
		n, _, err := unix.Recvfrom(s.capture, s.buf, unix.MSG_DONTWAIT)
		if err != nil {
			return fates
		}
		if tag, fate := seen(s.buf[:n]); tag-first < uint32(len(packets)) {
			fates[tag-first] = fate
		} else {
			s.ear.hear(s.buf[:n])
		}
	}
}

func (s *kernelSide) send(p packet, tag uint32) error {
	fd, err := s.sender(p)
	if err != nil {
		return err
	}
	var to unix.Sockaddr = &unix.SockaddrInet4{Addr: mapped(p.to)}
	if p.to.Addr().Is6() {
		to = &unix.SockaddrInet6{Addr: p.to.Addr().As16()}
	}
	return unix.Sendto(fd, p.encode(tag), 0, to)
}

func mapped(a netip.AddrPort) (b [4]byte) {
	if a.Addr().Is4() {
		b = a.Addr().As4()
	}
	return b
}

// sender returns the socket for a packet's family and mark.
func (s *kernelSide) sender(p packet) (fd int, err error) {
	kind := sender{unix.AF_INET, p.mark}
	if p.to.Addr().Is6() {
		kind.family = unix.AF_INET6
	}
	if fd, ok := s.senders[kind]; ok {
		return fd, nil
	}
	err = s.ns.Do(func() error {
		// This protocol says that the packets have their headers.
		if fd, err = unix.Socket(kind.family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW); err != nil {
			return err
		}
		s.senders[kind] = fd
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(kind.mark))
	})
	return fd, err
}

// encode returns the packet, which carries a tag.
func (p packet) encode(tag uint32) []byte { return p.bytes().Encode(tag) }

// seen returns the tag of a packet that left, and how it left.
func seen(b []byte) (tag uint32, fate string) {
	tag, s, ok := testbed.See(b)
	switch {
	case !ok:
		return ^uint32(0), ""
	case s.Tunnel != "":
		return tag, fateTunnelled(s.Tunnel, s.To.Addr())
	}
	return tag, fateOf(s.From, s.To, s.TTL)
}

func (s *kernelSide) String() string { return fmt.Sprint("Linux ", s.release) }
