package lvs

import (
	"context"
	"net/netip"
	"testing"
	"time"
)

// The four forms of templates, as the kernel lists them.
func TestSimulatorTemplates(t *testing.T) {
	persistent := Persistence{Timeout: time.Minute, Mask: PrefixMask(24)}
	for _, c := range []struct {
		name    string
		service Service
		vip     string // that the client connects to, if not the service's
		want    []string
	}{
		{"its port", Service{ID: simWeb, Persistence: persistent}, "", []string{
			"tcp 10.9.0.0:0 10.1.0.1:80 10.2.0.1:80 ASSURED",
			"tcp 10.9.0.1:1024 10.1.0.1:80 10.2.0.1:80 ESTABLISHED",
		}},
		{"port 21", Service{ID: TCP(netip.MustParseAddrPort("10.1.0.1:21")), Persistence: persistent}, "", []string{
			"tcp 10.9.0.0:0 10.1.0.1:0 10.2.0.1:0 ASSURED",
			"tcp 10.9.0.1:1024 10.1.0.1:21 10.2.0.1:80 ESTABLISHED",
		}},
		{"any port", Service{ID: TCP(netip.MustParseAddrPort("10.1.0.1:0")), Persistence: persistent}, "10.1.0.1:8080", []string{
			"tcp 10.9.0.0:0 10.1.0.1:0 10.2.0.1:0 ASSURED",
			"tcp 10.9.0.1:1024 10.1.0.1:8080 10.2.0.1:8080 ESTABLISHED",
		}},
		{"a mark", Service{ID: FWMark(9), Persistence: persistent}, "", []string{
			"protocol-0 10.9.0.0:0 0.0.0.9:0 10.2.0.1:0 ASSURED",
			"tcp 10.9.0.1:1024 10.1.0.77:8080 10.2.0.1:8080 ESTABLISHED",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			forEachRelease(t, func(t *testing.T, l *simLab) {
				l.serve(c.service, NAT(), 1)
				f := l.flow()
				if c.vip != "" {
					f.VIP = netip.MustParseAddrPort(c.vip)
				}
				_, err := l.Connect(f)
				must(t, err)
				compare(t, "table", c.want, l.table())
				l.counts(0, 1, 0, 1)
			})
		})
	}
}

// An IPv6 client is tied by its prefix.
func TestSimulatorPersistence6(t *testing.T) {
	forEachRelease(t, func(t *testing.T, l *simLab) {
		l.serve(Service{
			ID: TCP(netip.MustParseAddrPort("[fd00:1::1]:80")), Scheduler: RR,
			Persistence: Persistence{Timeout: time.Minute, Mask: PrefixMask(60)},
		}, DR(), 1, 1)
		from := func(addr string) netip.AddrPort {
			l.port++
			c, err := l.Connect(Flow{Client: netip.AddrPortFrom(netip.MustParseAddr(addr), l.port), VIP: l.id.AddrPort()})
			must(t, err)
			return c.Server()
		}
		first := from("fd00:9:0:1230::1")
		if from("fd00:9:0:123f:ffff::1") != first {
			t.Error("a client of the same /60 went to another server")
		}
		if from("fd00:9:0:1240::1") == first {
			t.Error("a client of another /60 went to the same server")
		}
	})
}

// Persistence beats weight 0 and thresholds, until expire_quiescent_template.
func TestSimulatorQuiescedTemplate(t *testing.T) {
	forEachRelease(t, func(t *testing.T, l *simLab) {
		l.serve(Service{ID: simWeb, Scheduler: RR, Persistence: Persistence{Timeout: time.Minute}}, DR(), 1, 1)
		tied := l.connect().Server()
		old := 1 // server B, which is the first to be picked
		if tied != l.server(old) {
			t.Fatalf("the client is tied to %s", tied)
		}
		l.setWeight(old, 0)
		l.wants(l.syn(l.flow()), ActionForwarded, ReasonPersistence)
		l.sysctl("expire_quiescent_template", "1")
		v := l.syn(l.flow())
		l.wants(v, ActionForwarded, ReasonScheduled)
		if v.Server != l.server(0) {
			t.Errorf("the client is tied to %s now", v.Server)
		}
		l.counts(old, 2, 0, 1) // the old template stays until its time is over
		l.counts(0, 1, 0, 1)
		l.setWeight(old, 1)
		v = l.syn(l.flow())
		l.wants(v, ActionForwarded, ReasonPersistence)
		if v.Server != l.server(0) {
			t.Errorf("the client went back to %s", v.Server)
		}
	})
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

// A client that opens a connection anew from the same port gets a server by the
// scheduler when the old one has ended, unless conn_reuse_mode is 0.
func TestSimulatorReuse(t *testing.T) {
	forEachRelease(t, func(t *testing.T, l *simLab) {
		l.serve(Service{ID: simWeb, Scheduler: RR}, NAT(), 1, 1)
		f := l.flow()
		open := func() *SimConn {
			c, err := l.Connect(f)
			must(t, err)
			return c
		}
		first := open()
		must(t, first.Close())
		if first.State() != StateTimeWait {
			t.Fatalf("it is %s after it was closed", first.State())
		}
		second := open()
		l.wants(second.Verdict(), ActionForwarded, ReasonScheduled)
		if second.Server() == first.Server() {
			t.Error("the scheduler was not asked")
		}
		l.wants(l.syn(f), ActionForwarded, ReasonConnection) // it is established
		must(t, second.Close())
		l.sysctl("conn_reuse_mode", "0")
		l.wants(l.syn(f), ActionForwarded, ReasonConnection)
	})
}

// In FIN_WAIT it takes bit 2 of conn_reuse_mode, and that replies are not seen.
func TestSimulatorReuseFinWait(t *testing.T) {
	forEachRelease(t, func(t *testing.T, l *simLab) {
		l.serve(Service{ID: simWeb, Scheduler: RR}, DR(), 1, 1)
		for mode, want := range map[string]Reason{"1": ReasonConnection, "2": ReasonScheduled, "3": ReasonScheduled} {
			l.sysctl("conn_reuse_mode", mode)
			f := l.flow()
			c, err := l.Connect(f)
			must(t, err)
			must(t, c.Close())
			if c.State() != StateFinWait {
				t.Fatalf("it is %s after it was closed", c.State())
			}
			l.wants(l.syn(f), ActionForwarded, want)
		}
	})
}

// Packets of a connection whose server was removed are dropped, and with
// expire_nodest_conn scheduled again.
func TestSimulatorRemovedServer(t *testing.T) {
	ctx := context.Background()
	forEachRelease(t, func(t *testing.T, l *simLab) {
		l.serve(Service{ID: simWeb, Scheduler: RR}, DR(), 1, 1)
		f := l.flow()
		c, err := l.Connect(f)
		must(t, err)
		must(t, l.client.RemoveRealServer(ctx, simWeb, c.Server()))
		l.wants(l.packet(f, SimACK), ActionDropped, ReasonServerRemoved)
		l.wants(l.packet(f, SimSYN), ActionDropped, ReasonServerRemoved)
		if n := len(l.table()); n != 1 {
			t.Errorf("there are %d connections, want the old one", n)
		}
		l.sysctl("expire_nodest_conn", "1")
		l.wants(l.packet(f, SimACK), ActionPassed, ReasonNotOpening)
		l.wants(l.packet(f, SimSYN), ActionForwarded, ReasonScheduled)
		l.counts(0, 1, 0, 0)

		must(t, l.client.RemoveRealServer(ctx, simWeb, l.server(0))) // at once now
		if got := l.table(); len(got) != 0 {
			t.Errorf("connections are left: %v", got)
		}
	})
}

// A SYN on the connection of a server that has weight 0 is scheduled again with
// expire_nodest_conn.
func TestSimulatorQuiescedServer(t *testing.T) {
	forEachRelease(t, func(t *testing.T, l *simLab) {
		l.serve(Service{ID: simWeb, Scheduler: RR}, DR(), 1, 1)
		f := l.flow()
		l.syn(f)
		l.setWeight(1, 0)
		l.wants(l.syn(f), ActionForwarded, ReasonConnection)
		l.sysctl("expire_nodest_conn", "1")
		l.wants(l.packet(f, SimACK), ActionForwarded, ReasonConnection)
		v := l.syn(f)
		l.wants(v, ActionForwarded, ReasonScheduled)
		if v.Server != l.server(0) {
			t.Errorf("it went to %s", v.Server)
		}
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

// After a flush packets of old connections pass: nothing looks at them.
func TestSimulatorFlush(t *testing.T) {
	forEachRelease(t, func(t *testing.T, l *simLab) {
		l.serve(Service{ID: simWeb, Scheduler: RR}, DR(), 1)
		f := l.flow()
		l.syn(f)
		must(t, l.client.Flush(context.Background()))
		l.wants(l.packet(f, SimACK), ActionPassed, ReasonNoService)
		if len(l.table()) != 1 {
			t.Error("the connection is gone")
		}
	})
}
