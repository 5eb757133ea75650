package workload

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/testbed"
	"golang.org/x/sys/unix"
)

// Two directors of a real kernel, and two simulators that are copies of them, are
// asked the same by the same code. Each packet is real, and what became of it is
// seen on the wire.
func TestDirectorsInKernel(t *testing.T) {
	testbed.InKernel(t)
	const servers = 10
	cases := []struct {
		about   string
		service lvs.Service
		second  []int // servers of the second director
		clients int
	}{
		{"mh, another order", lvs.Service{Scheduler: lvs.MH}, countdown(servers), 1000},
		{"mh, one server more", lvs.Service{Scheduler: lvs.MH, SchedulerFlags: lvs.HashPort}, countup(servers + 1), 100},
		{"rr", lvs.Service{Scheduler: lvs.RR}, countup(servers), 100},
	}
	first, second := newKernelDirector(t), newKernelDirector(t)
	const questions = 3 // each is put to a service without connections
	for i, c := range cases {
		for q := range questions {
			c.service.ID = serviceAt(i, q)
			first.serve(t, c.service, countup(servers))
			second.serve(t, c.service, c.second)
		}
	}
	real, copies := pair{first, second, second.host}, copyOf(t, first, second)
	for i, c := range cases {
		t.Run(c.about, func(t *testing.T) {
			ask := func(question int) *asker {
				clients := Clients{Count: c.clients, PerAddress: 2, From: netip.MustParsePrefix("10.64.0.0/10")}
				a, err := newAsker(serviceAt(i, question), clients)
				if err != nil {
					t.Fatal(err)
				}
				return a
			}
			a := ask(0)
			d := alike(t, real, copies, func(p pair) (*Disagreement, error) {
				return a.disagreement(t.Context(), 1, []director{p.first, p.second})
			})
			t.Logf("%d of %d clients are sent to different servers", d.Pairs[0].Different, d.Clients)
			for sloppy := range 2 {
				a := ask(1 + sloppy)
				f := alike(t, real, copies, func(p pair) (*FailoverReport, error) {
					if err := p.host.SetSysctl(t.Context(), lvs.SysctlSloppyTCP, strconv.Itoa(sloppy)); err != nil {
						return nil, err
					}
					return a.takeover(t.Context(), 1, p.first, p.second, 0, nil)
				})
				t.Logf("%d of %d connections survive with sloppy_tcp=%d", f.Kept, f.Connections, sloppy)
				first.holds(t, a.service, f.Connections)
			}
		})
	}
}

// pair is a director and another one, with the host that this is on.
type pair struct {
	first, second director
	host          *lvs.Host
}

// copyOf returns simulators that are copies of directors.
func copyOf(t *testing.T, directors ...*kernelDirector) pair {
	t.Helper()
	var sims []*lvs.Simulator
	for _, d := range directors {
		sim, _, err := lvs.SimulatorFrom(t.Context(), d.host, lvs.SimOptions{})
		if err != nil {
			t.Fatal(err)
		}
		sims = append(sims, sim)
	}
	host := sims[1].Host()
	t.Cleanup(func() { host.Close() })
	return pair{sims[0], sims[1], host}
}

// alike returns what directors of a kernel and their copies both answer.
func alike[T any](t *testing.T, real, copies pair, ask func(pair) (*T, error)) *T {
	t.Helper()
	predicted, err := ask(copies)
	if err != nil {
		t.Fatal(err)
	}
	happened, err := ask(real)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(predicted, happened) {
		t.Errorf("predicted %+v, but it was %+v", *predicted, *happened)
	}
	return happened
}

// serviceAt is the service of a case and a question.
func serviceAt(i, question int) lvs.ServiceID {
	return lvs.TCP(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 200, byte(i), byte(1 + question)}), 80))
}

func countup(n int) (all []int) {
	for i := range n {
		all = append(all, i)
	}
	return all
}

func countdown(n int) []int {
	all := countup(n)
	slices.Reverse(all)
	return all
}

// kernelDirector is a director in a network namespace. Its clients are on it too,
// by raw sockets. What it forwards leaves by a dummy device, in a tunnel to the
// server.
type kernelDirector struct {
	ns        *testbed.Namespace
	host      *lvs.Host
	out, seen int // sockets
	buf       []byte
}

func newKernelDirector(t *testing.T) *kernelDirector {
	t.Helper()
	const device = "dummy0"
	ns := testbed.New(t)
	ns.Dummy(device, "10.168.0.1/8") // the way to clients, virtual addresses and servers
	d := &kernelDirector{ns: ns, buf: make([]byte, 1<<10)}
	err := ns.Do(func() (err error) {
		const headersIncluded = unix.IPPROTO_RAW
		if d.out, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, headersIncluded); err != nil {
			return err
		}
		t.Cleanup(func() { unix.Close(d.out) })
		if d.seen, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		t.Cleanup(func() { unix.Close(d.seen) })
		link, err := net.InterfaceByName(device)
		if err != nil {
			return err
		}
		const everything = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8 // in network order
		return unix.Bind(d.seen, &unix.SockaddrLinklayer{Protocol: everything, Ifindex: link.Index})
	})
	if err == nil {
		d.host, err = lvs.OpenHost(t.Context(), lvs.InNamespaceFile(ns.File))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = d.host.Client().Flush(context.Background()) // a namespace that has services takes long to go
		d.host.Close()
	})
	return d
}

// serve adds a service with real servers, by their numbers.
func (d *kernelDirector) serve(t *testing.T, s lvs.Service, servers []int) {
	t.Helper()
	changes := []lvs.Change{lvs.AddService(s)}
	for _, i := range servers {
		changes = append(changes, lvs.AddRealServer(s.ID, lvs.NewRealServer(addrOf(i), lvs.IPIP())))
	}
	if err := d.host.Client().Do(t.Context(), changes...); err != nil {
		t.Fatal(err)
	}
}

// holds checks that so many connections to a service are established.
func (d *kernelDirector) holds(t *testing.T, id lvs.ServiceID, want int) {
	t.Helper()
	servers, err := d.host.Client().RealServers(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	established := 0
	for _, s := range servers {
		established += int(s.ActiveConns)
	}
	if established != want {
		t.Errorf("%d connections are established, want %d", established, want)
	}
}

// Deliver sends a TCP packet, and tells to which server it went, if it went to one.
func (d *kernelDirector) Deliver(p lvs.SimPacket) (v lvs.Verdict, err error) {
	packet := encode(p)
	err = unix.Sendto(d.out, packet, 0, &unix.SockaddrInet4{Addr: p.Destination.Addr().As4()})
	if errors.Is(err, unix.EPERM) {
		return lvs.Verdict{Action: lvs.ActionRefused}, nil
	}
	if err != nil {
		return v, fmt.Errorf("sending a packet: %w", err)
	}
	for {
		// It has left already: a dummy device has no queue.
		n, _, err := unix.Recvfrom(d.seen, d.buf, unix.MSG_DONTWAIT)
		if err != nil {
			return v, fmt.Errorf("looking for the packet on the device: %w", err)
		}
		const header, tunnelled = 20, 4
		outer, inner := d.buf[:n], d.buf[:n]
		v.Action, v.Server = lvs.ActionPassed, netip.AddrPort{}
		if n > header && outer[9] == tunnelled {
			inner = outer[header:]
			v.Action = lvs.ActionForwarded
			v.Server = netip.AddrPortFrom(netip.AddrFrom4([4]byte(outer[16:])), p.Destination.Port())
		}
		// What else leaves are answers of this host's.
		if len(inner) >= len(packet) && bytes.Equal(inner[12:24], packet[12:24]) { // addresses and ports
			return v, nil
		}
	}
}

// encode returns a TCP packet without data. The kernel adds the length and the
// checksum of the IP header.
func encode(p lvs.SimPacket) []byte {
	const tcpLength, protocol, ttl = 20, 6, 64
	src, dst := p.Source.Addr().As4(), p.Destination.Addr().As4()
	ip := append([]byte{0x45, 0, 0, 0, 0, 0, 0, 0, ttl, protocol, 0, 0}, append(src[:], dst[:]...)...)
	var tcp []byte
	tcp = binary.BigEndian.AppendUint16(tcp, p.Source.Port())
	tcp = binary.BigEndian.AppendUint16(tcp, p.Destination.Port())
	tcp = append(tcp, 0, 0, 0, 1, 0, 0, 0, 1, tcpLength/4<<4, byte(p.TCP), 0xff, 0xff, 0, 0, 0, 0)
	pseudo := append(bytes.Clone(ip[12:]), 0, protocol, 0, tcpLength)
	sum := uint32(0)
	for i, b := 0, append(pseudo, tcp...); i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	binary.BigEndian.PutUint16(tcp[16:], ^uint16(sum))
	return append(ip, tcp...)
}
