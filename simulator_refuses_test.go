package lvs

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// What no simulator can be made of is refused by the name of its field.
func TestSimulatorRefusesOptions(t *testing.T) {
	prefix := netip.MustParsePrefix("10.1.0.1/16")
	eth0 := func(change func(*SimInterface)) SimOptions {
		i := SimInterface{Name: "eth0", Addresses: []netip.Prefix{prefix}}
		change(&i)
		return SimOptions{Interfaces: []SimInterface{i}}
	}
	named := func(name string) SimOptions {
		return eth0(func(i *SimInterface) { i.Name = name })
	}
	mtu := func(mtu int) SimOptions { return eth0(func(i *SimInterface) { i.MTU = mtu }) }
	addressed := func(p ...netip.Prefix) SimOptions {
		return eth0(func(i *SimInterface) { i.Addresses = p })
	}
	address := prefix.Addr()
	mapped := netip.PrefixFrom(netip.MustParseAddr("::ffff:10.1.0.1"), 112)
	for field, all := range map[string][]SimOptions{
		"Kernel": {
			{Kernel: "-1.2"}, {Kernel: "1.-2"}, {Kernel: "6"}, {Kernel: "6."}, {Kernel: ".6"}, {Kernel: "+6.1"}, {Kernel: " 6.1"}, {Kernel: "6.1.-3"},
			{Kernel: "99999.1"}, {Kernel: "6.x"}, {Kernel: "newest"}, {Kernel: "6.1\x00"}, {Kernel: strings.Repeat("9", 1<<16)},
		},
		"Interfaces": {
			named(""), named("lo"), named("../x"), named("a/b"), named("."), named(".."), named("all"), named("default"), named("a b"), named("a:1"),
			named("sixteen-letters-"), named("a\x00"), named("a\n"), mtu(-1), mtu(1), mtu(67), mtu(65536), mtu(math.MinInt),
			addressed(netip.Prefix{}), addressed(netip.PrefixFrom(address, 33)), addressed(netip.PrefixFrom(address, -1)), addressed(mapped),
			addressed(netip.MustParsePrefix("0.0.0.0/0")), addressed(netip.MustParsePrefix("224.0.0.1/4")), addressed(netip.MustParsePrefix("ff02::1/64")),
			addressed(prefix, prefix), {Interfaces: []SimInterface{{Name: "eth0"}, {Name: "eth0"}}},
		},
		"SHTableBits":  {{SHTableBits: -1}, {SHTableBits: 3}, {SHTableBits: 21}, {SHTableBits: math.MaxInt}},
		"FTPPorts":     {{FTPPorts: []uint16{0}}, {FTPPorts: []uint16{21, 21}}, {FTPPorts: []uint16{1, 2, 3, 4, 5, 6, 7, 8, 9}}},
		"MHTableIndex": {{MHTableIndex: -1}, {MHTableIndex: 7}, {MHTableIndex: 18}},
		"Algorithms":   {{Algorithms: map[Scheduler]SimAlgorithm{"mine": nil}}, {Algorithms: map[Scheduler]SimAlgorithm{"": newest}}},
	} {
		for _, o := range all {
			_, err := NewSimulator(o)
			ofKind(t, field, err, ErrInvalid)
			if err != nil && !strings.Contains(err.Error(), field) {
				t.Errorf("%v does not name %s", err, field)
			}
		}
	}
	for _, release := range []string{"6.1", "6.12.101", "7.3-rc7", "6.1.0-56-amd64", "5.10.16.3-microsoft", "4.18.0-553.el8_10.x86_64", "6.12.101+deb13"} {
		if _, err := NewSimulator(SimOptions{Kernel: release}); err != nil {
			t.Error(err)
		}
	}
}

// newest is an algorithm that picks the server that was added last.
func newest(service *SimService) SimPicker { return newestPicker{service} }

type newestPicker struct{ *SimService }

func (p newestPicker) Pick(Flow) (last SimServer) {
	for s := range p.Servers() {
		return s
	}
	return last
}

// Packets that cannot be are refused by the name of their field.
func TestSimulatorRefusesPackets(t *testing.T) {
	l := newSimLab(t, SimOptions{})
	l.serve(Service{ID: UDP(simWeb.AddrPort()), Scheduler: RR}, DR(), 1)
	good := SimPacket{Protocol: ProtocolUDP, Source: netip.MustParseAddrPort("10.9.0.1:1"), Destination: simWeb.AddrPort()}
	for field, spoil := range map[string]func(*SimPacket){
		"TCP":         func(p *SimPacket) { p.TCP = SimSYN },
		"Protocol":    func(p *SimPacket) { p.Protocol = 256 },
		"Source":      func(p *SimPacket) { p.Source = netip.MustParseAddrPort("[fe80::1%eth0]:1") },
		"Destination": func(p *SimPacket) { p.Destination = netip.MustParseAddrPort("[fe80::1%eth0]:1") },
		"Length":      func(p *SimPacket) { p.Length = 27 },
	} {
		p := good
		spoil(&p)
		_, err := l.Deliver(p)
		ofKind(t, field, err, ErrInvalid)
		if err != nil && !strings.Contains(err.Error(), field) {
			t.Errorf("%v does not name %s", err, field)
		}
	}
	c, err := l.Connect(Flow{Protocol: ProtocolUDP, Client: good.Source, VIP: simWeb.AddrPort()})
	if err != nil {
		t.Fatal(err)
	}
	for _, bytes := range []int{-1, -28, math.MinInt, 65536, math.MaxInt} {
		ofKind(t, "sending", c.Send(bytes), ErrInvalid)
	}
}

// Time ends after 292 years, and does not begin again.
func TestSimulatorEndOfTime(t *testing.T) {
	l := newSimLab(t, SimOptions{})
	l.serve(Service{ID: UDP(simWeb.AddrPort()), Scheduler: RR}, DR(), 1)
	l.connect()
	const half = time.Duration(math.MaxInt64/2 + 1)
	if err := l.Advance(half); err != nil {
		t.Fatal(err)
	}
	now := l.Now()
	ofKind(t, "passing the end of time", l.Advance(half), ErrInvalid)
	ofKind(t, "passing the end of time", l.Advance(math.MaxInt64), ErrInvalid)
	ofKind(t, "going back", l.Advance(math.MinInt64), ErrInvalid)
	if !l.Now().Equal(now) {
		t.Errorf("it is %s, want %s", l.Now(), now)
	}
	if err := l.Advance(half - 1); err != nil {
		t.Error(err)
	}
	l.counts(0, 0, 0, 0)
	l.connect()
}

// A fault that strikes often costs no more than one that strikes once.
func TestInjectMany(t *testing.T) {
	l := newSimLab(t, SimOptions{})
	if err := l.Inject(SimFault{Op: OpZeroAllCounters, Times: math.MaxInt, Errno: EPERM}); err != nil {
		t.Fatal(err)
	}
	if err := l.Inject(SimFault{Op: OpZeroAllCounters, Errno: ENOENT}); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		ofKind(t, "zero", l.client.ZeroAllCounters(t.Context()), ErrPermission)
	}
}

// A clock that panics leaves the simulator usable. The panic is the caller's who can
// recover.
func TestSimulatorClockPanics(t *testing.T) {
	broken := false
	l := newSimLab(t, SimOptions{Clock: func() time.Time {
		if broken {
			panic("the battery is empty")
		}
		return time.Unix(0, 0)
	}})
	l.serve(Service{ID: UDP(simWeb.AddrPort()), Scheduler: RR}, DR(), 1)
	query := SimPacket{Protocol: ProtocolUDP, Source: netip.MustParseAddrPort("10.9.0.1:1"), Destination: simWeb.AddrPort()}
	deliver := func() (panicked any) {
		defer func() { panicked = recover() }()
		_, _ = l.Deliver(query)
		return nil
	}
	broken = true
	if deliver() == nil {
		t.Error("the panic of a packet reached no caller")
	}
	h := l.Host()
	defer h.Close()
	if _, err := l.client.Services(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := h.Sysctl(t.Context(), "net.ipv4.vs.conntrack"); err != nil {
		t.Error(err)
	}
	broken = false
	if deliver() == nil {
		t.Error("the panic of a call reached no caller")
	}
	if v := deliver(); v != nil {
		t.Errorf("it came twice: %v", v)
	}
}

// Whatever a simulator is made of, it is made and works, or is refused.
func FuzzSimulatorOptions(f *testing.F) {
	f.Add("6.1.176", "eth0", 1500, []byte{10, 1, 0, 1}, 16, "eth1", 8, 12, int64(time.Second), uint8(0))
	f.Add("-1.2", "../x", -1, []byte{}, 0, "../x", -1, 99, int64(-1), uint8(SimSYN))
	f.Add("7.2", "eth0", 0, make([]byte, 16), 129, "eth0", 4, 17, int64(math.MaxInt64), uint8(255))
	f.Fuzz(func(t *testing.T, release, name string, mtu int, addr []byte, bits int, other string, sh, mh int, advance int64, flags uint8) {
		a, _ := netip.AddrFromSlice(addr)
		s, err := NewSimulator(SimOptions{
			Kernel: release, SHTableBits: sh % 12, MHTableIndex: mh % 14, // larger ones take long
			Interfaces: []SimInterface{{name, mtu, []netip.Prefix{netip.PrefixFrom(a, bits)}}, {Name: other}},
		})
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		c := s.Client()
		defer c.Close()
		ctx := context.Background()
		vip := netip.AddrPortFrom(a, 80)
		if err := c.AddService(ctx, Service{ID: TCP(vip), Scheduler: SH}); err == nil {
			_ = c.AddRealServer(ctx, TCP(vip), RealServer{Addr: vip, Mode: NAT(), Weight: 1})
		}
		_ = s.Advance(time.Duration(advance))
		_, _ = s.Connect(Flow{Client: netip.AddrPortFrom(a, uint16(bits)), VIP: vip})
		_, _ = s.Deliver(SimPacket{Protocol: Protocol(mtu), Source: vip, Destination: vip, TCP: SimTCPFlags(flags), Length: mh})
		_ = s.Inject(SimFault{Op: Op(name), Times: mtu, Errno: Errno(bits)})
	})
}

func prefixesOf(texts ...string) (all []netip.Prefix) {
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// brokenLog is a log that panics while it is broken.
type brokenLog struct {
	slog.Handler
	broken *bool
}

func (b brokenLog) Enabled(context.Context, slog.Level) bool {
	if *b.broken {
		panic("the disk is full")
	}
	return true
}

// A log that panics leaves the client and the simulator usable.
func TestSimulatorLogPanics(t *testing.T) {
	broken := false
	s, err := NewSimulator(SimOptions{Logger: slog.New(brokenLog{slog.DiscardHandler, &broken})})
	must(t, err)
	c := s.Client()
	defer c.Close()
	broken = true
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic reached no caller")
			}
		}()
		_ = c.Flush(t.Context())
	}()
	broken = false
	must(t, c.Flush(t.Context()))
	must(t, s.Advance(time.Second))
}
