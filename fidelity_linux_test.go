package lvs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// kernelSide is a namespace of the kernel that the tests run in. The packets
// come from the director itself, by raw sockets, and leave by the dummy device,
// where they are seen again.
type kernelSide struct {
	*kernelGround
	files
	started time.Time
	senders map[sender]int // sockets
	capture int            // socket
	lists   map[string]*os.File
	sent    uint32 // packets
	buf     []byte
}

// sender is what a socket sends.
type sender struct {
	family int
	mark   uint32
}

func openKernelSide(t testing.TB) side {
	t.Helper()
	g := openKernelGround(t).(*kernelGround)
	s := &kernelSide{
		kernelGround: g, files: &guard{files: threadFiles{}, inside: g.ns.Do}, started: time.Now(),
		senders: make(map[sender]int), lists: make(map[string]*os.File), buf: make([]byte, 1<<16),
	}
	t.Cleanup(s.close)
	if err := g.ns.Do(s.openCapture); err != nil {
		t.Fatalf("watching %s: %v", groundDevice, err)
	}
	return s
}

func (s *kernelSide) close() {
	_ = unix.Close(s.capture)
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
	_ = s.ns.Do(func() error { do(threadFiles{}); return nil })
}

func (s *kernelSide) Elapsed() time.Duration { return time.Since(s.started) }

func (s *kernelSide) Send(packets []packet) []string {
	first := s.sent
	fates := make([]string, len(packets))
	for i, p := range packets {
		s.sent++
		fates[i] = "vanished"
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

var tagMagic = []byte("lvs\xf1")

// encode returns the packet, with a tag in its data.
func (p packet) encode(tag uint32) []byte {
	data := binary.BigEndian.AppendUint32(bytes.Clone(tagMagic), tag)
	data = append(data, make([]byte, p.data)...)
	var b []byte
	src, dst := p.from.Addr().AsSlice(), p.to.Addr().AsSlice()
	if p.from.Addr().Is4() {
		b = append(b, 0x45, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(p.length()))
		b = append(b, 0, 0, 0, 0, startTTL, p.protocol, 0, 0) // the kernel adds what is missing
	} else {
		b = append(b, 0x60, 0, 0, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(p.length()-40))
		b = append(b, p.protocol, startTTL)
	}
	b = append(append(b, src...), dst...)
	header := len(b)
	b = binary.BigEndian.AppendUint16(b, p.from.Port())
	b = binary.BigEndian.AppendUint16(b, p.to.Port())
	checksum := header + 6
	if p.protocol == protocolUDP {
		b = binary.BigEndian.AppendUint16(b, uint16(8+len(data)))
		b = append(b, 0, 0)
	} else {
		checksum = header + 16
		b = append(b, 0, 0, 0, 1, 0, 0, 0, 1, 5<<4, p.tcp, 0xff, 0xff, 0, 0, 0, 0)
	}
	b = append(b, data...)
	pseudo := append(append(bytes.Clone(src), dst...), 0, p.protocol, byte((len(b)-header)>>8), byte(len(b)-header))
	binary.BigEndian.PutUint16(b[checksum:], internetChecksum(append(pseudo, b[header:]...)))
	return b
}

func internetChecksum(b []byte) uint16 {
	var sum uint32
	for i, c := range b {
		if i%2 == 0 {
			sum += uint32(c) << 8
		} else {
			sum += uint32(c)
		}
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// seen tells which packet left, and how.
func seen(b []byte) (tag uint32, fate string) {
	const strange = ^uint32(0)
	tagged := bytes.LastIndex(b, tagMagic)
	if tagged < 0 || len(b) < tagged+tagLength {
		return strange, ""
	}
	tag = binary.BigEndian.Uint32(b[tagged+len(tagMagic):])
	var from, to netip.Addr
	var protocol, ttl byte
	header := 20
	switch b[0] >> 4 {
	case 4:
		protocol, ttl = b[9], b[8]
		from, to = netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:]))
	case 6:
		header = 40
		protocol, ttl = b[6], b[7]
		from, to = netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:]))
	}
	switch inner := tagged - header; {
	case protocol == unix.IPPROTO_ICMP, protocol == unix.IPPROTO_ICMPV6:
		return strange, "" // tells of the packet
	case protocol == protocolTCP && inner == 20, protocol == protocolUDP && inner == 8:
		sport, dport := binary.BigEndian.Uint16(b[header:]), binary.BigEndian.Uint16(b[header+2:])
		return tag, fateOf(netip.AddrPortFrom(from, sport), netip.AddrPortFrom(to, dport), int(ttl))
	}
	return tag, fateTunnelled(to)
}

func (s *kernelSide) String() string { return fmt.Sprint("Linux ", s.release) }
