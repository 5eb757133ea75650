package lvs

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"
)

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
				l.serve(Service{ID: simWeb, Scheduler: c.scheduler}, DR(), c.weights...)
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
			l := newSimLab(t, SimOptions{Kernel: release})
			l.serve(Service{ID: simWeb, Scheduler: LC}, DR(), 1, 0)
			l.syn(l.flow()) // A has an active one
			l.setWeight(0, 0)
			l.setWeight(1, 1)
			for range 257 { // B has inactive ones
				f := l.flow()
				l.syn(f)
				l.packet(f, SimFIN)
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

// What each packet makes of a connection, with and without sight of replies.
func TestSimulatorStates(t *testing.T) {
	type step struct {
		do      func(c *SimConn) error
		want    ConnState
		expires time.Duration
	}
	send := func(c *SimConn) error { return c.Send(100) }
	reply := func(c *SimConn) error { return c.Reply(100) }
	for _, c := range []struct {
		name  string
		mode  Mode
		steps []step
	}{
		{"DR", DR(), []step{
			{send, StateEstablished, 900 * time.Second},
			{reply, StateEstablished, 900 * time.Second},
			{(*SimConn).CloseClient, StateFinWait, 120 * time.Second},
			{(*SimConn).CloseServer, StateFinWait, 120 * time.Second},
		}},
		{"DR, reset", DR(), []step{{(*SimConn).Reset, StateClose, 10 * time.Second}}},
		{"NAT, the client closes", NAT(), []step{
			{send, StateEstablished, 900 * time.Second},
			{(*SimConn).CloseClient, StateCloseWait, 60 * time.Second},
			{reply, StateCloseWait, 60 * time.Second},
			{(*SimConn).CloseServer, StateTimeWait, 120 * time.Second},
		}},
		{"NAT, the server closes", NAT(), []step{
			{(*SimConn).CloseServer, StateFinWait, 120 * time.Second},
			{(*SimConn).CloseClient, StateTimeWait, 120 * time.Second},
		}},
		{"NAT, reset", NAT(), []step{{(*SimConn).Reset, StateClose, 10 * time.Second}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			forEachRelease(t, func(t *testing.T, l *simLab) {
				l.serve(Service{ID: simWeb, Scheduler: RR}, c.mode, 1)
				conn := l.connect()
				if conn.State() != StateEstablished || conn.Verdict().State != StateSynRecv {
					t.Errorf("opened to %s by %s, want ESTABLISHED by SYN_RECV", conn.State(), conn.Verdict().State)
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
		l.serve(Service{ID: simWeb, Scheduler: RR}, DR(), 1)
		f := l.flow()
		l.wants(l.syn(f), ActionForwarded, ReasonScheduled)
		l.counts(0, 1, 0, 0)
		if v := l.packet(f, SimRST); v.State != StateSynRecv {
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
	l := newSimLab(t, SimOptions{})
	l.serve(Service{ID: simWeb, Scheduler: RR}, DR(), 1)
	l.sysctl("secure_tcp", "3")
	if v := l.syn(l.flow()); v.State != StateSynAck {
		t.Errorf("the state is %s, want SYNACK", v.State)
	}
}

func TestSimulatorUDP(t *testing.T) {
	forEachRelease(t, func(t *testing.T, l *simLab) {
		l.serve(Service{ID: UDP(simWeb.AddrPort()), Scheduler: RR}, NAT(), 1)
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
				l.serve(Service{ID: UDP(simWeb.AddrPort()), Scheduler: c.scheduler}, DR(), 3, 2, 1)
				if got := l.picks(len(c.want)); got != c.want {
					t.Errorf("picked %s, want %s", got, c.want)
				}
				l.serve(Service{ID: UDP(netip.MustParseAddrPort("10.1.0.2:80")), Scheduler: c.scheduler, OnePacket: true}, DR(), 3, 2, 1)
				if got := l.picks(len(c.onePacket)); got != c.onePacket {
					t.Errorf("with one-packet scheduling picked %s, want %s", got, c.onePacket)
				}
			})
		})
	}
}

func TestSimulatorOnePacket(t *testing.T) {
	forEachRelease(t, func(t *testing.T, l *simLab) {
		l.serve(Service{ID: UDP(simWeb.AddrPort()), Scheduler: RR, OnePacket: true}, DR(), 1, 1)
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
	tcp := func(port uint16, flags SimTCPFlags) SimPacket {
		return SimPacket{Protocol: ProtocolTCP, Source: netip.MustParseAddrPort(client), Destination: netip.AddrPortFrom(vip, port), TCP: flags}
	}
	from := func(p SimPacket, source string) SimPacket { p.Source = netip.MustParseAddrPort(source); return p }
	marked := func(p SimPacket) SimPacket { p.FWMark = 7; return p }
	at := func(port uint16) ServiceID { return TCP(netip.AddrPortFrom(vip, port)) }
	persistent := Persistence{Timeout: time.Minute}
	for _, c := range []struct {
		name   string
		has    []Service
		packet SimPacket
		want   string
		of     ServiceID
	}{
		{"no service", nil, tcp(80, SimSYN), "passed on: no service is for it", ServiceID{}},
		{"another port", []Service{{ID: at(80)}}, tcp(81, SimSYN), "passed on: no service is for it", ServiceID{}},
		{"its service", []Service{{ID: at(80)}}, tcp(80, SimSYN), "forwarded to 10.2.0.1:80 by nat: the scheduler picked it", at(80)},
		{"not a SYN", []Service{{ID: at(80)}}, tcp(80, SimACK), "passed on: it belongs to no connection and cannot open one", at(80)},
		{"SYN and RST", []Service{{ID: at(80)}}, tcp(80, SimSYN|SimRST), "passed on: it belongs to no connection and cannot open one", at(80)},
		{"from port 20", []Service{{ID: at(80)}}, from(tcp(80, SimSYN), "10.9.0.1:20"), "passed on: it comes from port 20", at(80)},
		{"a mark before an address", []Service{{ID: at(80)}, {ID: FWMark(7)}}, marked(tcp(80, SimSYN)), "forwarded to 10.2.0.1:80 by nat: the scheduler picked it", FWMark(7)},
		{"another mark", []Service{{ID: at(80)}, {ID: FWMark(8)}}, marked(tcp(80, SimSYN)), "forwarded to 10.2.0.1:80 by nat: the scheduler picked it", at(80)},
		{"any port", []Service{{ID: at(0), Persistence: persistent}}, tcp(8080, SimSYN), "forwarded to 10.2.0.1:8080 by nat: the scheduler picked it", at(0)},
		{"its port before any port", []Service{{ID: at(0), Persistence: persistent}, {ID: at(80)}}, tcp(80, SimSYN), "forwarded to 10.2.0.1:80 by nat: the scheduler picked it", at(80)},
		{"FTP", []Service{{ID: at(21)}}, tcp(21, SimSYN), "forwarded to 10.2.0.1:21 by nat: the scheduler picked it", at(21)},
		{"FTP data", []Service{{ID: at(21), Persistence: persistent}}, tcp(20, SimSYN), "forwarded to 10.2.0.1:20 by nat: the scheduler picked it", at(21)},
		{"passive FTP data", []Service{{ID: at(21), Persistence: persistent}}, tcp(1024, SimSYN), "forwarded to 10.2.0.1:1024 by nat: the scheduler picked it", at(21)},
		{"not FTP data", []Service{{ID: at(21), Persistence: persistent}}, tcp(1023, SimSYN), "passed on: no service is for it", ServiceID{}},
		{"FTP data without persistence", []Service{{ID: at(21)}}, tcp(1024, SimSYN), "passed on: it may be FTP data, for which the service must be persistent", at(21)},
		{"no scheduler", []Service{{ID: at(80), Scheduler: NoScheduler}}, tcp(80, SimSYN), "refused: the service has no scheduler", at(80)},
	} {
		t.Run(c.name, func(t *testing.T) {
			forEachRelease(t, func(t *testing.T, l *simLab) {
				ctx := context.Background()
				for _, s := range c.has {
					must(t, l.client.AddService(ctx, s))
					port := s.ID.AddrPort().Port()
					must(t, l.client.AddRealServer(ctx, s.ID, NewRealServer(netip.AddrPortFrom(netip.MustParseAddr("10.2.0.1"), port), NAT())))
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

// Why a service takes no one.
func TestSimulatorNoServer(t *testing.T) {
	forEachRelease(t, func(t *testing.T, l *simLab) {
		l.serve(Service{ID: simWeb, Scheduler: RR}, DR())
		l.wants(l.syn(l.flow()), ActionRefused, ReasonNoServers)
		must(t, l.client.AddRealServer(context.Background(), simWeb, RealServer{Addr: l.server(0)}))
		l.wants(l.syn(l.flow()), ActionRefused, ReasonNoServerUsable)
		_, err := l.Connect(l.flow())
		var refused *NotForwardedError
		if !errors.As(err, &refused) || refused.Verdict.Action != ActionRefused {
			t.Errorf("connecting: %v, want a refusal", err)
		}
	})
}

func TestSimulatorBypass(t *testing.T) {
	forEachRelease(t, func(t *testing.T, l *simLab) {
		l.serve(Service{ID: FWMark(7), Scheduler: RR}, DR(), 0)
		f := l.flow()
		l.wants(l.syn(f), ActionRefused, ReasonNoServerUsable)
		l.sysctl("cache_bypass", "1")
		l.wants(l.syn(f), ActionForwarded, ReasonBypass)
		if v := l.packet(f, SimACK); v.Mode != ModeBypass() || v.Server != f.VIP || v.State != StateEstablished {
			t.Errorf("the bypass goes to %s by %s in %s", v.Server, v.Mode, v.State)
		}
		compare(t, "table", []string{"tcp 10.9.0.1:1024 10.1.0.77:8080 0.0.0.0:0 ESTABLISHED"}, l.table())
		f.VIP = netip.MustParseAddrPort("127.0.0.1:80") // the director's own
		l.wants(l.syn(f), ActionRefused, ReasonNoServerUsable)
	})
}

func TestSimulatorSloppyTCP(t *testing.T) {
	l := newSimLab(t, SimOptions{})
	l.serve(Service{ID: simWeb, Scheduler: RR}, DR(), 1)
	l.sysctl("sloppy_tcp", "1")
	f := l.flow()
	l.wants(l.packet(f, SimRST), ActionPassed, ReasonNotOpening)
	l.wants(l.packet(f, SimACK), ActionForwarded, ReasonScheduled)
	l.counts(0, 1, 0, 0)
}

// What is not simulated says so, and does nothing.
func TestSimulatorUnsupported(t *testing.T) {
	l := newSimLab(t, SimOptions{})
	id := UDP(simWeb.AddrPort())
	l.serve(Service{ID: id, Scheduler: RR, Persistence: Persistence{Timeout: time.Minute, Engine: "sip"}}, DR(), 1)
	flow := l.flow()
	for name, protocol := range map[string]Protocol{"sctp": ProtocolSCTP, "esp": 50, "sip": ProtocolUDP} {
		_, err := l.Deliver(SimPacket{Protocol: protocol, Source: flow.Client, Destination: flow.VIP})
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v, want ErrUnsupported", name, err)
		}
	}
	for key, value := range map[string]string{"drop_entry": "3", "schedule_icmp": "1"} {
		if err := l.Host().SetSysctl(context.Background(), "net.ipv4.vs."+SysctlKey(key), value); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s=%s: %v, want ErrUnsupported", key, value, err)
		}
	}
	if got := l.table(); len(got) != 0 {
		t.Errorf("there are connections: %v", got)
	}
}

// What is no packet is refused.
func TestSimulatorBadPackets(t *testing.T) {
	l := newSimLab(t, SimOptions{})
	l.serve(Service{ID: simWeb, Scheduler: RR}, DR(), 1)
	good := SimPacket{Protocol: ProtocolTCP, Source: l.flow().Client, Destination: simWeb.AddrPort(), TCP: SimSYN}
	for name, spoil := range map[string]func(*SimPacket){
		"no source":      func(p *SimPacket) { p.Source = netip.AddrPort{} },
		"no destination": func(p *SimPacket) { p.Destination = netip.AddrPort{} },
		"two families":   func(p *SimPacket) { p.Source = netip.MustParseAddrPort("[fd00::1]:80") },
		"port 0":         func(p *SimPacket) { p.Source = netip.MustParseAddrPort("10.9.0.1:0") },
		"length":         func(p *SimPacket) { p.Length = -1 },
		"protocol":       func(p *SimPacket) { p.Protocol = 300 },
	} {
		p := good
		spoil(&p)
		_, err := l.Deliver(p)
		ofKind(t, name, err, ErrInvalid)
	}
	ofKind(t, "going back", l.Advance(-1), ErrInvalid)
	for name, o := range map[string]SimOptions{
		"no release":           {Kernel: "newest"},
		"an interface's name":  {Interfaces: []SimInterface{{Name: "lo"}}},
		"an algorithm's name":  {Algorithms: map[Scheduler]SimAlgorithm{"MINE": func(*SimService) SimPicker { return nil }}},
		"no algorithm at all ": {Algorithms: map[Scheduler]SimAlgorithm{"mine": nil}},
	} {
		_, err := NewSimulator(o)
		ofKind(t, name, err, ErrInvalid)
	}
}
