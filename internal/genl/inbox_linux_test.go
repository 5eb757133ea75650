package genl

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// The answers of the kernel come in order, one in each receive, though the system is
// called once for two of them. What another process sends is not among them.
func TestInboxHasTheKernelsDatagrams(t *testing.T) {
	s, err := Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	meddle := func() { sendAsAnotherProcess(t, s.(*netlinkSocket)) }
	b := make([]byte, datagramLen)
	for round := range uint32(20) {
		const answers = 3
		var requests []byte
		for i := range uint32(answers) {
			requests = appendRequest(requests, controller, 0, round<<8|i, func(b []byte) []byte {
				return append(b, cmdGetFamily, controllerVersion, 0, 0, 6, 0, attrFamilyID, 0, controller, 0, 0, 0)
			})
		}
		meddle()
		if err := s.Send(requests); err != nil {
			t.Fatal(err)
		}
		meddle()
		for i := range uint32(answers) {
			n, err := s.Receive(b)
			if err != nil {
				t.Fatal(err)
			}
			m, rest, err := splitMessage(b[:n])
			if err != nil || m.kind != controller || m.seq != round<<8|i || len(rest) > 0 {
				t.Fatalf("round %d, answer %d: %+v, %d bytes more, %v", round, i, m, len(rest), err)
			}
		}
	}
}

// A datagram that does not fit is not handed out in part, be it the first of a system
// call or the second.
func TestInboxRefusesWhatDoesNotFit(t *testing.T) {
	for first := range 2 {
		s, err := Dial()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		var requests []byte
		for range first {
			requests = appendRequest(requests, typeNoop, flagAck, 1, nil)
		}
		requests = appendRequest(requests, controller, 0, 2, func(b []byte) []byte {
			return append(b, cmdGetFamily, controllerVersion, 0, 0, 6, 0, attrFamilyID, 0, controller, 0, 0, 0)
		})
		if err := s.Send(requests); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 40) // an acknowledgement fits
		for range first {
			if _, err := s.Receive(b); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Receive(b); !errors.Is(err, unix.EMSGSIZE) {
			t.Errorf("after %d others: %v, want EMSGSIZE", first, err)
		}
	}
}

// sendAsAnotherProcess sends a datagram from another socket. That needs a privilege;
// without it no process could send one.
func sendAsAnotherProcess(t *testing.T, to *netlinkSocket) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	var port uint32
	err = to.raw.Control(func(fd uintptr) {
		if name, err := unix.Getsockname(int(fd)); err == nil {
			port = name.(*unix.SockaddrNetlink).Pid
		}
	})
	if err != nil || port == 0 {
		t.Fatalf("the socket's port is %d: %v", port, err)
	}
	err = unix.Sendto(fd, fakeAck(7, 1), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Pid: port})
	if err != nil && !errors.Is(err, unix.EPERM) {
		t.Fatal(err)
	}
}
