package lvs

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"
)

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

// What each packet does to a connection, whether its replies are seen or not.
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

// Why a service has no server for a client.
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

// What is not a packet is refused.
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
		"no engine":            {Engines: map[string]SimEngine{"mine": nil}},
		"an engine's name":     {Engines: map[string]SimEngine{"sixteen letters!": func(SimPacket) (string, bool) { return "", false }}},
		"no algorithm at all ": {Algorithms: map[Scheduler]SimAlgorithm{"mine": nil}},
	} {
		_, err := NewSimulator(o)
		ofKind(t, name, err, ErrInvalid)
	}
}

// A template that runs out while it has connections goes on, by a minute each
// time.
func TestSimulatorTemplateTimeout(t *testing.T) {
	forEachRelease(t, func(t *testing.T, l *simLab) {
		l.serve(Service{ID: simWeb, Scheduler: RR, Persistence: Persistence{Timeout: 5 * time.Second}}, DR(), 1)
		conn := l.connect()
		l.counts(0, 1, 0, 1)
		l.wait(5 * time.Second)
		l.counts(0, 1, 0, 1)
		must(t, conn.Reset())
		l.wait(10 * time.Second)
		l.counts(0, 0, 0, 1)
		l.wait(49 * time.Second)
		l.counts(0, 0, 0, 1)
		l.wait(time.Second)
		l.counts(0, 0, 0, 0)
	})
}

// A server that is removed and added again has its connections and counters
// back; after some minutes without any it is forgotten.
func TestSimulatorRevival(t *testing.T) {
	ctx := context.Background()
	forEachRelease(t, func(t *testing.T, l *simLab) {
		l.serve(Service{ID: simWeb, Scheduler: RR}, DR(), 1)
		f := l.flow()
		c, err := l.Connect(f)
		must(t, err)
		l.wait(4 * time.Second)
		again := func() {
			t.Helper()
			must(t, l.client.Do(ctx, RemoveRealServer(simWeb, l.server(0)), AddRealServer(simWeb, NewRealServer(l.server(0), DR()))))
		}
		again()
		l.counts(0, 1, 0, 0)
		l.wants(l.packet(f, SimACK), ActionForwarded, ReasonConnection)
		if n := l.status(0).Stats.Conns; n != 1 {
			t.Errorf("%d connections are counted, want 1", n)
		}

		must(t, c.Reset())
		l.wait(10 * time.Second)
		again()
		if n := l.status(0).Stats.Conns; n != 1 {
			t.Errorf("%d connections are counted, want 1", n)
		}
		must(t, l.client.RemoveRealServer(ctx, simWeb, l.server(0)))
		l.wait(4 * time.Minute)
		must(t, l.client.AddRealServer(ctx, simWeb, NewRealServer(l.server(0), DR())))
		if n := l.status(0).Stats.Conns; n != 0 {
			t.Errorf("%d connections are counted by a new server", n)
		}
	})
}
