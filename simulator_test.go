package lvs

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// simLab is a simulator with a service, for tests of what packets do. Its
// releases are one of each way of counting connections.
type simLab struct {
	testing.TB
	*Simulator
	client *Client
	id     ServiceID
	port   uint16 // of the client that came last
}

var simReleases = []string{"6.1.176", "7.2.7"}

// forEachRelease runs a test on a simulator of each kind of kernel.
func forEachRelease(t *testing.T, test func(t *testing.T, l *simLab)) {
	t.Helper()
	for _, release := range simReleases {
		t.Run(release, func(t *testing.T) { test(t, newSimLab(t, SimulatorOptions{Kernel: release})) })
	}
}

func newSimLab(t testing.TB, o SimulatorOptions) *simLab {
	t.Helper()
	sim, err := NewSimulator(o)
	must(t, err)
	c := sim.Client()
	t.Cleanup(func() { c.Close() })
	return &simLab{TB: t, Simulator: sim, client: c, port: 1023}
}

// serve adds a service with servers 10.2.0.1 and so on, of port 80 or the
// service's if that is 0.
func (l *simLab) serve(s Service, mode Mode, weights ...int) {
	l.Helper()
	l.id = s.ID
	must(l, l.client.AddService(context.Background(), s))
	for i, w := range weights {
		server := RealServer{Addr: l.server(i), Mode: mode, Weight: w}
		must(l, l.client.AddServer(context.Background(), s.ID, server))
	}
}

func (l *simLab) server(i int) netip.AddrPort {
	port := uint16(80)
	if l.id.FWMark() != 0 || l.id.VIP().Port() == 0 {
		port = 0
	}
	if l.id.Is6() {
		return netip.AddrPortFrom(netip.MustParseAddr(fmt.Sprintf("fd00:2::%x", i+1)), port)
	}
	return netip.AddrPortFrom(netip.MustParseAddr(fmt.Sprintf("10.2.0.%d", i+1)), port)
}

func (l *simLab) sysctl(name string, value string) {
	l.Helper()
	must(l, l.Host().SetSysctl(context.Background(), "net.ipv4.vs."+name, value))
}

// flow returns a flow to the service from a port that nobody had before.
func (l *simLab) flow() Flow {
	l.port++
	f := Flow{Protocol: l.id.Protocol(), Client: netip.AddrPortFrom(netip.MustParseAddr("10.9.0.1"), l.port), VIP: l.id.VIP(), FWMark: l.id.FWMark()}
	if f.FWMark != 0 {
		f.Protocol, f.VIP = ProtocolTCP, netip.MustParseAddrPort("10.1.0.77:8080")
	}
	return f
}

func (l *simLab) connect() *Conn {
	l.Helper()
	c, err := l.Connect(l.flow())
	must(l, err)
	return c
}

// syn is the first packet of a flow.
func (l *simLab) syn(f Flow) Verdict {
	l.Helper()
	return l.packet(f, SYN)
}

func (l *simLab) packet(f Flow, flags TCPFlags) Verdict {
	l.Helper()
	if f.protocol() != ProtocolTCP {
		flags = 0
	}
	v, err := l.Deliver(Packet{Protocol: f.protocol(), Source: f.Client, Destination: f.VIP, TCP: flags, FWMark: f.FWMark})
	must(l, err)
	return v
}

func (l *simLab) wants(v Verdict, a Action, r Reason) {
	l.Helper()
	if v.Action != a || v.Reason != r {
		l.Errorf("the packet was %s, want %s: %s", v, a, r)
	}
}

func (l *simLab) wait(d time.Duration) {
	l.Helper()
	must(l, l.Advance(d))
}

// status returns the only server's, or that of a server.
func (l *simLab) status(i int) RealServerStatus {
	l.Helper()
	s, err := l.client.Server(context.Background(), l.id, l.server(i))
	must(l, err)
	return s
}

func (l *simLab) counts(i int, active, inactive, persistent uint32) {
	l.Helper()
	s := l.status(i)
	if s.ActiveConns != active || s.InactiveConns != inactive || s.PersistentConns != persistent {
		l.Errorf("server %d has %d active, %d inactive, %d persistent; want %d, %d, %d",
			i, s.ActiveConns, s.InactiveConns, s.PersistentConns, active, inactive, persistent)
	}
}

// table returns the connection table, sorted, without expiry.
func (l *simLab) table() (rows []string) {
	l.Helper()
	all, err := l.Host().Connections(context.Background())
	must(l, err)
	for _, c := range all {
		rows = append(rows, fmt.Sprintf("%s %s %s %s %s", c.Protocol, c.Client, c.VIP, c.Server, c.State))
	}
	slices.Sort(rows)
	return rows
}

func (l *simLab) expiry(i int) time.Duration {
	l.Helper()
	all, err := l.Host().Connections(context.Background())
	must(l, err)
	return all[i].Expires
}

// picks opens connections and tells by letters which servers got them.
func (l *simLab) picks(n int) string {
	l.Helper()
	var b strings.Builder
	for range n {
		v := l.syn(l.flow())
		l.wants(v, Forwarded, ReasonScheduled)
		for i := range 26 {
			if v.Server == l.server(i) {
				b.WriteByte("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i])
			}
		}
	}
	return b.String()
}

var simWeb = TCP(netip.MustParseAddrPort("10.1.0.1:80"))

// The vectors of the documentation, through the whole stack.
func TestSimulatorPicks(t *testing.T) {
	for _, c := range []struct {
		scheduler Scheduler
		weights   []int
		want      string
	}{
		{RR, []int{1, 1, 1}, "CBACBACBACBA"},
		{WRR, []int{1, 1, 1}, "CBACBACBACBACBACBACB"},
		{WRR, []int{4, 3, 2}, "CBAABACBACBAABACBACB"},
		{WRR, []int{2, 0, 1}, "CAACAACAACAACAACAACA"},
		{WRR, []int{6, 4, 2}, "CBAABACBAABACBAABACB"},
		{WRR, []int{3, 1}, "BAAABAAABAAABAAABAAA"},
		{LC, []int{1, 1, 1}, "CBACBACBA"},
		{WLC, []int{2, 1, 1}, "CBAACBAA"},
	} {
		t.Run(fmt.Sprint(c.scheduler, c.weights), func(t *testing.T) {
			forEachRelease(t, func(t *testing.T, l *simLab) {
				l.serve(Service{ID: simWeb, Scheduler: c.scheduler}, DR, c.weights...)
				if got := l.picks(len(c.want)); got != c.want {
					t.Errorf("picked %s, want %s", got, c.want)
				}
			})
		})
	}
}

// The two generations weigh an active connection differently: as much as 256
// inactive ones, or 257.
func TestSimulatorLoad(t *testing.T) {
	for release, want := range map[string]string{"6.1.182": "A", "6.1.183": "B", "6.12.103": "A", "6.12.104": "B", "7.1.8": "A", "7.2.0": "B"} {
		t.Run(release, func(t *testing.T) {
			l := newSimLab(t, SimulatorOptions{Kernel: release})
			l.serve(Service{ID: simWeb, Scheduler: LC}, DR, 1, 0)
			l.syn(l.flow()) // A has an active one
			l.setWeight(0, 0)
			l.setWeight(1, 1)
			for range 257 { // B has inactive ones
				f := l.flow()
				l.syn(f)
				l.packet(f, FIN)
			}
			l.counts(0, 1, 0, 0)
			l.counts(1, 0, 257, 0)
			l.setWeight(0, 1)
			if got := l.picks(1); got != want {
				t.Errorf("picked %s, want %s", got, want)
			}
		})
	}
}

func (l *simLab) setWeight(i, weight int) {
	l.Helper()
	_, err := l.client.SetWeight(context.Background(), l.id, l.server(i), weight)
	must(l, err)
}

// What each packet makes of a connection, with and without sight of replies.
func TestSimulatorStates(t *testing.T) {
	type step struct {
		do      func(c *Conn) error
		want    ConnState
		expires time.Duration
	}
	send := func(c *Conn) error { return c.Send(100) }
	reply := func(c *Conn) error { return c.Reply(100) }
	for _, c := range []struct {
		name  string
		mode  Mode
		steps []step
	}{
		{"DR", DR, []step{
			{send, StateEstablished, 900 * time.Second},
			{reply, StateEstablished, 900 * time.Second},
			{(*Conn).CloseClient, StateFinWait, 120 * time.Second},
			{(*Conn).CloseServer, StateFinWait, 120 * time.Second},
		}},
		{"DR, reset", DR, []step{{(*Conn).Reset, StateClose, 10 * time.Second}}},
		{"NAT, the client closes", NAT, []step{
			{send, StateEstablished, 900 * time.Second},
			{(*Conn).CloseClient, StateCloseWait, 60 * time.Second},
			{reply, StateCloseWait, 60 * time.Second},
			{(*Conn).CloseServer, StateTimeWait, 120 * time.Second},
		}},
		{"NAT, the server closes", NAT, []step{
			{(*Conn).CloseServer, StateFinWait, 120 * time.Second},
			{(*Conn).CloseClient, StateTimeWait, 120 * time.Second},
		}},
		{"NAT, reset", NAT, []step{{(*Conn).Reset, StateClose, 10 * time.Second}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			forEachRelease(t, func(t *testing.T, l *simLab) {
				l.serve(Service{ID: simWeb, Scheduler: RR}, c.mode, 1)
				conn := l.connect()
				if conn.State() != StateEstablished || conn.Opened().State != StateSynRecv {
					t.Errorf("opened to %s by %s, want ESTABLISHED by SYN_RECV", conn.State(), conn.Opened().State)
				}
				l.counts(0, 1, 0, 0)
				for i, s := range c.steps {
					must(t, s.do(conn))
					if got := conn.State(); got != s.want || l.expiry(0) != s.expires {
						t.Errorf("step %d: %s for %s, want %s for %s", i, got, l.expiry(0), s.want, s.expires)
					}
				}
				last := c.steps[len(c.steps)-1]
				if last.want != StateEstablished {
					l.counts(0, 0, 1, 0)
				}
				l.wait(last.expires - time.Second/250)
				if len(l.table()) != 1 {
					t.Error("it expired too early")
				}
				l.wait(time.Second / 250)
				if got := l.table(); len(got) != 0 {
					t.Errorf("it did not expire: %v", got)
				}
				l.counts(0, 0, 0, 0)
			})
		})
	}
}

// A reset in SYN_RECV is not believed when replies are not seen.
func TestSimulatorHalfOpen(t *testing.T) {
	forEachRelease(t, func(t *testing.T, l *simLab) {
		l.serve(Service{ID: simWeb, Scheduler: RR}, DR, 1)
		f := l.flow()
		l.wants(l.syn(f), Forwarded, ReasonScheduled)
		l.counts(0, 1, 0, 0)
		if v := l.packet(f, RST); v.State != StateSynRecv {
			t.Errorf("the state is %s, want SYN_RECV", v.State)
		}
		if l.expiry(0) != 60*time.Second {
			t.Errorf("it expires in %s, want 1m", l.expiry(0))
		}
		if v := l.packet(f, 0); v.State != StateClose {
			t.Errorf("a packet without flags: %s, want CLOSE", v.State)
		}
	})
}

// secure_tcp=3 uses the other table: a SYN that only the client's side shows is
// not half of a handshake.
func TestSimulatorSecureTCP(t *testing.T) {
	l := newSimLab(t, SimulatorOptions{})
	l.serve(Service{ID: simWeb, Scheduler: RR}, DR, 1)
	l.sysctl("secure_tcp", "3")
	if v := l.syn(l.flow()); v.State != StateSynAck {
		t.Errorf("the state is %s, want SYNACK", v.State)
	}
}

func TestSimulatorUDP(t *testing.T) {
	forEachRelease(t, func(t *testing.T, l *simLab) {
		l.serve(Service{ID: UDP(simWeb.VIP()), Scheduler: RR}, NAT, 1)
		conn := l.connect()
		l.counts(0, 0, 1, 0)
		if conn.State() != StateUDP || l.expiry(0) != 300*time.Second {
			t.Errorf("%s for %s, want UDP for 5m", conn.State(), l.expiry(0))
		}
		l.wait(299 * time.Second)
		must(t, conn.Reply(10))
		l.wait(299 * time.Second)
		must(t, conn.Send(10))
		must(t, conn.Close()) // says nothing
		l.wait(300 * time.Second)
		l.counts(0, 0, 0, 0)
	})
}

// UDP is never active: sed goes by weight alone, and nq and ovf always take the same
// server; lc and wlc count what is inactive. With one-packet scheduling nothing is
// left to count.
func TestSimulatorUDPPicks(t *testing.T) {
	for _, c := range []struct {
		scheduler       Scheduler
		want, onePacket string
	}{
		{LC, "CBACBA", "CCCCCC"}, {WLC, "CBAABA", "CCCCCC"}, {SED, "AAAAAA", "AAAAAA"}, {NQ, "CCCCCC", "CCCCCC"}, {OVF, "AAAAAA", "AAAAAA"},
	} {
		t.Run(c.scheduler.String(), func(t *testing.T) {
			forEachRelease(t, func(t *testing.T, l *simLab) {
				l.serve(Service{ID: UDP(simWeb.VIP()), Scheduler: c.scheduler}, DR, 3, 2, 1)
				if got := l.picks(len(c.want)); got != c.want {
					t.Errorf("picked %s, want %s", got, c.want)
				}
				l.serve(Service{ID: UDP(netip.MustParseAddrPort("10.1.0.2:80")), Scheduler: c.scheduler, OnePacket: true}, DR, 3, 2, 1)
				if got := l.picks(len(c.onePacket)); got != c.onePacket {
					t.Errorf("with one-packet scheduling picked %s, want %s", got, c.onePacket)
				}
			})
		})
	}
}

func TestSimulatorOnePacket(t *testing.T) {
	forEachRelease(t, func(t *testing.T, l *simLab) {
		l.serve(Service{ID: UDP(simWeb.VIP()), Scheduler: RR, OnePacket: true}, DR, 1, 1)
		f := l.flow()
		for i := range 4 {
			v := l.packet(f, 0)
			if v.Server != l.server(1-i%2) {
				t.Errorf("datagram %d of one flow went to %s, want the servers in turn", i, v.Server)
			}
		}
		if got := l.table(); len(got) != 0 {
			t.Errorf("there are connections: %v", got)
		}
		l.counts(0, 0, 0, 0)
		l.wait(3 * time.Second)
		if n := l.status(0).Stats.Conns; n != 2 {
			t.Errorf("%d connections were counted, want 2", n)
		}
	})
}

// Which service a packet is for, and what becomes of it when none can take it.
func TestSimulatorLookup(t *testing.T) {
	const client = "10.9.0.1:1024"
	vip := netip.MustParseAddr("10.1.0.1")
	tcp := func(port uint16, flags TCPFlags) Packet {
		return Packet{Protocol: ProtocolTCP, Source: netip.MustParseAddrPort(client), Destination: netip.AddrPortFrom(vip, port), TCP: flags}
	}
	from := func(p Packet, source string) Packet { p.Source = netip.MustParseAddrPort(source); return p }
	marked := func(p Packet) Packet { p.FWMark = 7; return p }
	at := func(port uint16) ServiceID { return TCP(netip.AddrPortFrom(vip, port)) }
	persistent := Persistence{Timeout: time.Minute}
	for _, c := range []struct {
		name   string
		has    []Service
		packet Packet
		want   string
		of     ServiceID
	}{
		{"no service", nil, tcp(80, SYN), "passed on: no service is for it", ServiceID{}},
		{"another port", []Service{{ID: at(80)}}, tcp(81, SYN), "passed on: no service is for it", ServiceID{}},
		{"its service", []Service{{ID: at(80)}}, tcp(80, SYN), "forwarded to 10.2.0.1:80 by nat: the scheduler picked it", at(80)},
		{"not a SYN", []Service{{ID: at(80)}}, tcp(80, ACK), "passed on: it belongs to no connection and cannot open one", at(80)},
		{"SYN and RST", []Service{{ID: at(80)}}, tcp(80, SYN|RST), "passed on: it belongs to no connection and cannot open one", at(80)},
		{"from port 20", []Service{{ID: at(80)}}, from(tcp(80, SYN), "10.9.0.1:20"), "passed on: it comes from port 20", at(80)},
		{"a mark before an address", []Service{{ID: at(80)}, {ID: FWMark(7)}}, marked(tcp(80, SYN)), "forwarded to 10.2.0.1:80 by nat: the scheduler picked it", FWMark(7)},
		{"another mark", []Service{{ID: at(80)}, {ID: FWMark(8)}}, marked(tcp(80, SYN)), "forwarded to 10.2.0.1:80 by nat: the scheduler picked it", at(80)},
		{"any port", []Service{{ID: at(0), Persistence: persistent}}, tcp(8080, SYN), "forwarded to 10.2.0.1:8080 by nat: the scheduler picked it", at(0)},
		{"its port before any port", []Service{{ID: at(0), Persistence: persistent}, {ID: at(80)}}, tcp(80, SYN), "forwarded to 10.2.0.1:80 by nat: the scheduler picked it", at(80)},
		{"FTP", []Service{{ID: at(21)}}, tcp(21, SYN), "forwarded to 10.2.0.1:21 by nat: the scheduler picked it", at(21)},
		{"FTP data", []Service{{ID: at(21), Persistence: persistent}}, tcp(20, SYN), "forwarded to 10.2.0.1:20 by nat: the scheduler picked it", at(21)},
		{"passive FTP data", []Service{{ID: at(21), Persistence: persistent}}, tcp(1024, SYN), "forwarded to 10.2.0.1:1024 by nat: the scheduler picked it", at(21)},
		{"not FTP data", []Service{{ID: at(21), Persistence: persistent}}, tcp(1023, SYN), "passed on: no service is for it", ServiceID{}},
		{"FTP data without persistence", []Service{{ID: at(21)}}, tcp(1024, SYN), "passed on: it may be FTP data, for which the service must be persistent", at(21)},
		{"no scheduler", []Service{{ID: at(80), Scheduler: NoScheduler}}, tcp(80, SYN), "refused: the service has no scheduler", at(80)},
	} {
		t.Run(c.name, func(t *testing.T) {
			forEachRelease(t, func(t *testing.T, l *simLab) {
				ctx := context.Background()
				for _, s := range c.has {
					must(t, l.client.AddService(ctx, s))
					port := s.ID.VIP().Port()
					must(t, l.client.AddServer(ctx, s.ID, NewRealServer(netip.AddrPortFrom(netip.MustParseAddr("10.2.0.1"), port), NAT)))
				}
				v, err := l.Deliver(c.packet)
				must(t, err)
				if v.String() != c.want || v.Service != c.of {
					t.Errorf("of %q: %s\nwant of %q: %s", v.Service, v, c.of, c.want)
				}
			})
		})
	}
}

// A service of port 0 that is not persistent refuses all ports. The client
// would not make one; other tools do.
func TestSimulatorBlackHole(t *testing.T) {
	l := newSimLab(t, SimulatorOptions{})
	conn := dialRaw(t, l.dial)
	conn.must(newService(serviceOf("tcp 10.1.0.1:0")))
	l.id = simWeb
	l.wants(l.syn(l.flow()), Refused, ReasonNotPersistent)
}

// Why a service takes no one.
func TestSimulatorNoServer(t *testing.T) {
	forEachRelease(t, func(t *testing.T, l *simLab) {
		l.serve(Service{ID: simWeb, Scheduler: RR}, DR)
		l.wants(l.syn(l.flow()), Refused, ReasonNoServers)
		must(t, l.client.AddServer(context.Background(), simWeb, RealServer{Addr: l.server(0)}))
		l.wants(l.syn(l.flow()), Refused, ReasonNoServerUsable)
		_, err := l.Connect(l.flow())
		var refused *NotForwardedError
		if !errors.As(err, &refused) || refused.Verdict.Action != Refused {
			t.Errorf("connecting: %v, want a refusal", err)
		}
	})
}

func TestSimulatorBypass(t *testing.T) {
	forEachRelease(t, func(t *testing.T, l *simLab) {
		l.serve(Service{ID: FWMark(7), Scheduler: RR}, DR, 0)
		f := l.flow()
		l.wants(l.syn(f), Refused, ReasonNoServerUsable)
		l.sysctl("cache_bypass", "1")
		l.wants(l.syn(f), Forwarded, ReasonBypass)
		if v := l.packet(f, ACK); v.Mode != Bypass || v.Server != f.VIP || v.State != StateEstablished {
			t.Errorf("the bypass goes to %s by %s in %s", v.Server, v.Mode, v.State)
		}
		compare(t, "table", []string{"tcp 10.9.0.1:1024 10.1.0.77:8080 0.0.0.0:0 ESTABLISHED"}, l.table())
		f.VIP = netip.MustParseAddrPort("127.0.0.1:80") // the director's own
		l.wants(l.syn(f), Refused, ReasonNoServerUsable)
	})
}

// A server at its upper threshold takes new connections again below its lower
// one, by default three quarters.
func TestSimulatorThresholds(t *testing.T) {
	forEachRelease(t, func(t *testing.T, l *simLab) {
		l.serve(Service{ID: simWeb, Scheduler: RR}, DR)
		server := RealServer{Addr: l.server(0), Weight: 1, UpperThreshold: 5}
		must(t, l.client.AddServer(context.Background(), simWeb, server))
		var conns []*Conn
		for range 5 {
			conns = append(conns, l.connect())
		}
		l.wants(l.syn(l.flow()), Refused, ReasonNoServerUsable)
		for left := 4; left >= 3; left-- {
			must(t, conns[left].Reset())
			l.wait(10 * time.Second)
			l.counts(0, uint32(left), 0, 0)
			if left == 4 {
				l.wants(l.syn(l.flow()), Refused, ReasonNoServerUsable)
			}
		}
		l.connect()
	})
}

// A lower threshold that is given is the number that a server must fall below.
func TestSimulatorLowerThreshold(t *testing.T) {
	forEachRelease(t, func(t *testing.T, l *simLab) {
		l.serve(Service{ID: simWeb, Scheduler: RR}, DR)
		server := RealServer{Addr: l.server(0), Weight: 1, UpperThreshold: 3, LowerThreshold: 2}
		must(t, l.client.AddServer(context.Background(), simWeb, server))
		conns := []*Conn{l.connect(), l.connect(), l.connect()}
		for left := 2; left >= 1; left-- {
			must(t, conns[left].Reset())
			l.wait(10 * time.Second)
			l.counts(0, uint32(left), 0, 0)
			if left == 2 {
				l.wants(l.syn(l.flow()), Refused, ReasonNoServerUsable)
			}
		}
		l.connect()
	})
}

// What persistence ties to a server comes although the server is at its threshold.
func TestSimulatorThresholdOfTemplates(t *testing.T) {
	forEachRelease(t, func(t *testing.T, l *simLab) {
		l.serve(Service{ID: simWeb, Scheduler: RR, Persistence: Persistence{Timeout: time.Minute}}, DR)
		must(t, l.client.AddServer(context.Background(), simWeb, RealServer{Addr: l.server(0), Weight: 1, UpperThreshold: 3}))
		for range 4 {
			l.connect()
		}
		l.counts(0, 4, 0, 1)
		other := l.flow()
		other.Client = netip.MustParseAddrPort("10.9.0.2:1024")
		l.wants(l.syn(other), Refused, ReasonNoServerUsable)
	})
}

// Lowering a threshold below what a server has takes effect at once only in
// kernels that count all connections together.
func TestSimulatorLoweredThreshold(t *testing.T) {
	forEachRelease(t, func(t *testing.T, l *simLab) {
		l.serve(Service{ID: simWeb, Scheduler: RR}, DR, 1)
		for range 4 {
			l.connect()
		}
		must(t, l.client.UpdateServer(context.Background(), simWeb, RealServer{Addr: l.server(0), Weight: 1, UpperThreshold: 3}))
		r, err := parseRelease(l.kernel.Release().String())
		must(t, err)
		if r.countsTotals() {
			l.wants(l.syn(l.flow()), Refused, ReasonNoServerUsable)
		} else {
			l.wants(l.syn(l.flow()), Forwarded, ReasonScheduled)
			l.wants(l.syn(l.flow()), Refused, ReasonNoServerUsable)
		}
	})
}

func TestSimulatorDropPacket(t *testing.T) {
	l := newSimLab(t, SimulatorOptions{})
	l.serve(Service{ID: simWeb, Scheduler: RR}, DR, 1)
	l.sysctl("drop_packet", "3")
	l.sysctl("am_droprate", "4")
	var got string
	for range 9 {
		got += map[Action]string{Forwarded: "f", Dropped: "d"}[l.syn(l.flow()).Action]
	}
	if got != "dfffdfffd" {
		t.Errorf("packets fared %s, want every fourth dropped", got)
	}
}

func TestSimulatorConnectionLimit(t *testing.T) {
	l := newSimLab(t, SimulatorOptions{Kernel: "7.2.7"})
	l.serve(Service{ID: simWeb, Scheduler: RR, Persistence: Persistence{Timeout: time.Minute}}, DR, 1)
	l.sysctl("conn_max", "3") // the template counts
	l.connect()
	l.connect()
	l.wants(l.syn(l.flow()), Dropped, ReasonConnectionLimit)
	l.counts(0, 2, 0, 1)
	err := newSimLab(t, SimulatorOptions{Kernel: "7.1.8"}).Host().SetSysctl(context.Background(), "net.ipv4.vs.conn_max", "3")
	ofKind(t, "conn_max of Linux 7.1", err, ErrNotFound)
}

func TestSimulatorBackupOnly(t *testing.T) {
	l := newSimLab(t, SimulatorOptions{Interfaces: []SimulatedInterface{{Name: "eth0", Addresses: prefixesOf("10.1.0.1/8")}}})
	l.serve(Service{ID: simWeb, Scheduler: RR}, DR, 1)
	l.sysctl("backup_only", "1")
	l.wants(l.syn(l.flow()), Forwarded, ReasonScheduled)
	must(t, l.client.StartDaemon(context.Background(), Daemon{Role: Backup, Interface: "eth0"}))
	l.wants(l.syn(l.flow()), Passed, ReasonBackupOnly)
}

func TestSimulatorSloppyTCP(t *testing.T) {
	l := newSimLab(t, SimulatorOptions{})
	l.serve(Service{ID: simWeb, Scheduler: RR}, DR, 1)
	l.sysctl("sloppy_tcp", "1")
	f := l.flow()
	l.wants(l.packet(f, RST), Passed, ReasonNotOpening)
	l.wants(l.packet(f, ACK), Forwarded, ReasonScheduled)
	l.counts(0, 1, 0, 0)
}

// What is not simulated says so, and does nothing.
func TestSimulatorUnsupported(t *testing.T) {
	l := newSimLab(t, SimulatorOptions{})
	id := UDP(simWeb.VIP())
	l.serve(Service{ID: id, Scheduler: RR, Persistence: Persistence{Timeout: time.Minute, Engine: "sip"}}, DR, 1)
	flow := l.flow()
	for name, protocol := range map[string]Protocol{"sctp": ProtocolSCTP, "esp": 50, "sip": ProtocolUDP} {
		_, err := l.Deliver(Packet{Protocol: protocol, Source: flow.Client, Destination: flow.VIP})
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v, want ErrUnsupported", name, err)
		}
	}
	for key, value := range map[string]string{"drop_entry": "3", "schedule_icmp": "1"} {
		if err := l.Host().SetSysctl(context.Background(), "net.ipv4.vs."+key, value); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s=%s: %v, want ErrUnsupported", key, value, err)
		}
	}
	if got := l.table(); len(got) != 0 {
		t.Errorf("there are connections: %v", got)
	}
}

// What is no packet is refused.
func TestSimulatorBadPackets(t *testing.T) {
	l := newSimLab(t, SimulatorOptions{})
	l.serve(Service{ID: simWeb, Scheduler: RR}, DR, 1)
	good := Packet{Protocol: ProtocolTCP, Source: l.flow().Client, Destination: simWeb.VIP(), TCP: SYN}
	for name, spoil := range map[string]func(*Packet){
		"no source":      func(p *Packet) { p.Source = netip.AddrPort{} },
		"no destination": func(p *Packet) { p.Destination = netip.AddrPort{} },
		"two families":   func(p *Packet) { p.Source = netip.MustParseAddrPort("[fd00::1]:80") },
		"port 0":         func(p *Packet) { p.Source = netip.MustParseAddrPort("10.9.0.1:0") },
		"length":         func(p *Packet) { p.Length = -1 },
		"protocol":       func(p *Packet) { p.Protocol = 300 },
	} {
		p := good
		spoil(&p)
		_, err := l.Deliver(p)
		ofKind(t, name, err, ErrInvalid)
	}
	ofKind(t, "going back", l.Advance(-1), ErrInvalid)
	for name, o := range map[string]SimulatorOptions{
		"no release":           {Kernel: "newest"},
		"an interface's name":  {Interfaces: []SimulatedInterface{{Name: "lo"}}},
		"an algorithm's name":  {Algorithms: map[Scheduler]Algorithm{"MINE": func(*Servers) Picker { return nil }}},
		"no algorithm at all ": {Algorithms: map[Scheduler]Algorithm{"mine": nil}},
	} {
		_, err := NewSimulator(o)
		ofKind(t, name, err, ErrInvalid)
	}
}
