package conformance

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// What the kernel does with the clients of a real server that drains, by UDP flows.

// drainGround is a ground with a service of two real servers, the first of which
// drains.
type drainGround struct {
	ground
	t     testing.TB
	c     *lvs.Client
	ctx   context.Context
	flows uint16
}

var (
	drainServer = netip.MustParseAddrPort(dnsServer)
	otherServer = netip.MustParseAddrPort("10.2.0.3:53")
)

// drainFlowTimeout is how long the kernel remembers a flow here.
const drainFlowTimeout = 2 * time.Second

func conformDrain(t *testing.T, s lvs.Service, server lvs.RealServer, test func(t *testing.T, g *drainGround)) {
	t.Helper()
	conformOne(t, func(t *testing.T, plain ground) {
		g := &drainGround{ground: plain, t: t, c: groundClient(t, plain), ctx: groundContext(t)}
		server.Addr, server.Weight = drainServer, 1
		must(t, g.c.Do(g.ctx, lvs.SetTimeouts(lvs.Timeouts{UDP: drainFlowTimeout}), lvs.AddService(s),
			lvs.AddRealServer(s.ID, server), lvs.AddRealServer(s.ID, lvs.NewRealServer(otherServer, lvs.DR()))))
		test(t, g)
	})
}

// flow sends a datagram from a new port of a client.
func (g *drainGround) flow(client string) (from netip.AddrPort) {
	g.t.Helper()
	g.flows++
	from = netip.AddrPortFrom(netip.MustParseAddr(client), 5000+g.flows)
	must(g.t, g.Datagram(from, dnsVIP))
	return from
}

// flowToDrain sends a datagram from a new port of each of two clients, and returns the
// one that reached the server that drains.
func (g *drainGround) flowToDrain() (from netip.AddrPort) {
	g.t.Helper()
	for _, client := range []string{"10.1.0.1", "10.2.0.1"} {
		before := g.flowsOf(drainServer)
		if sent := g.flow(client); g.flowsOf(drainServer) != before {
			from = sent
		}
	}
	return from
}

// flowsOf returns how many flows a real server has.
func (g *drainGround) flowsOf(addr netip.AddrPort) int { return g.server(addr).InactiveConns }

func (g *drainGround) server(addr netip.AddrPort) lvs.RealServerStatus {
	g.t.Helper()
	s, err := g.c.RealServer(g.ctx, dnsID, addr)
	must(g.t, err)
	return s
}

func (g *drainGround) begin(wait bool) lvs.Drain {
	g.t.Helper()
	d, err := g.c.BeginDrain(g.ctx, dnsID, drainServer, lvs.DrainOptions{Timeout: time.Hour, WaitPersistent: wait})
	must(g.t, err)
	return d
}

// end continues a drain until it ends, and returns how long that took.
func (g *drainGround) end(d lvs.Drain) (end lvs.DrainEnd, took time.Duration) {
	g.t.Helper()
	const step = 100 * time.Millisecond
	for began := time.Now(); took < patience/2; took = max(took+step, time.Since(began)) {
		_, ended, err := g.c.ContinueDrains(g.ctx, []lvs.Drain{d})
		must(g.t, err)
		if len(ended) == 1 {
			return ended[0], took
		}
		g.Wait(step)
	}
	g.t.Fatalf("%s does not end", d)
	return end, took
}

// A flow continues while its server drains, other flows go elsewhere, even if the
// server was full, and the drain ends when the flow does.
func TestConformanceDrain(t *testing.T) {
	for name, server := range map[string]lvs.RealServer{"with room": {}, "full": {UpperThreshold: 1}} {
		t.Run(name, func(t *testing.T) {
			conformDrain(t, lvs.Service{ID: dnsID, Scheduler: lvs.RR}, server, func(t *testing.T, g *drainGround) {
				old := g.flowToDrain()
				d := g.begin(false)
				for range 4 {
					g.flow("10.1.0.1")
				}
				must(t, g.Datagram(old, dnsVIP))
				if n := g.flowsOf(drainServer); n != 1 {
					t.Errorf("the server that drains has %d flows, want the old one", n)
				}
				end, took := g.end(d)
				if end.Reason != lvs.DrainedConns || took < drainFlowTimeout-500*time.Millisecond {
					t.Errorf("after %s: %v", took, end)
				}
			})
		})
	}
}

// The only server of a service drains: new flows are refused, the old one continues.
func TestConformanceDrainLast(t *testing.T) {
	conformDrain(t, lvs.Service{ID: dnsID, Scheduler: lvs.RR}, lvs.RealServer{}, func(t *testing.T, g *drainGround) {
		old := g.flowToDrain()
		d, err := g.c.BeginServiceDrain(g.ctx, dnsID, lvs.DrainOptions{Timeout: time.Hour})
		must(t, err)
		if g.Datagram(netip.MustParseAddrPort("10.1.0.1:4999"), dnsVIP) == nil {
			t.Error("a new flow was forwarded")
		}
		must(t, g.Datagram(old, dnsVIP))
		if end, _ := g.end(d); end.Reason != lvs.DrainedConns {
			t.Errorf("got %v", end)
		}
		if all, err := g.c.Services(g.ctx); err != nil || len(all) != 0 {
			t.Errorf("the services are %v, %v", all, err)
		}
	})
}

// Single datagrams are not counted, so a service that schedules each has nothing to
// wait for.
func TestConformanceDrainOnePacket(t *testing.T) {
	conformDrain(t, lvs.Service{ID: dnsID, Scheduler: lvs.RR, OnePacket: true}, lvs.RealServer{}, func(t *testing.T, g *drainGround) {
		g.flow("10.1.0.1")
		g.flow("10.1.0.1")
		if end, took := g.end(g.begin(false)); end.Reason != lvs.DrainedConns || took != 0 {
			t.Errorf("after %s: %v", took, end)
		}
	})
}

// The flows that are left at the deadline are cut: their packets are dropped, or go to
// another server with expire_nodest_conn.
func TestConformanceDrainDeadline(t *testing.T) {
	for _, expire := range []string{"0", "1"} {
		t.Run("expire_nodest_conn="+expire, func(t *testing.T) {
			conformDrain(t, lvs.Service{ID: dnsID, Scheduler: lvs.RR}, lvs.RealServer{}, func(t *testing.T, g *drainGround) {
				must(t, g.Host(t).SetSysctl(g.ctx, lvs.SysctlExpireNoDestConn, expire))
				old := g.flowToDrain()
				d := g.begin(false)
				d.Deadline = time.Now() // as after a long restart
				end, took := g.end(d)
				if end.Reason != lvs.DrainedDeadline || end.Conns != 1 || took != 0 {
					t.Errorf("after %s: %v", took, end)
				}
				before := g.flowsOf(otherServer)
				err := g.Datagram(old, dnsVIP)
				if moved := g.flowsOf(otherServer) - before; expire == "0" && (err == nil || moved != 0) || expire == "1" && (err != nil || moved != 1) {
					t.Errorf("the flow that was cut: %d moved, %v", moved, err)
				}
			})
		})
	}
}

var persistentDNS = lvs.Service{ID: dnsID, Scheduler: lvs.RR, Persistence: lvs.Persistence{Timeout: 4 * time.Second}}

// A client that persistence keeps on the server still reaches it with new flows, and
// the drain ends without waiting for that. Afterwards the client is scheduled again.
func TestConformanceDrainPersistent(t *testing.T) {
	conformDrain(t, persistentDNS, lvs.RealServer{}, func(t *testing.T, g *drainGround) {
		client := g.flowToDrain().Addr().String()
		d := g.begin(false)
		if g.flow(client); g.flowsOf(drainServer) != 2 {
			t.Errorf("the client's second flow: %v", g.server(drainServer))
		}
		end, _ := g.end(d)
		if end.Reason != lvs.DrainedConns || end.PersistentConns != 1 {
			t.Errorf("got %v with %d clients", end, end.PersistentConns)
		}
		if g.flow(client); g.flowsOf(otherServer) == 0 {
			t.Errorf("the client's flow after the drain: %v", g.server(otherServer))
		}
	})
}

// On request a drain waits for the clients that persistence keeps, whose new flows go
// elsewhere with expire_quiescent_template.
func TestConformanceDrainWaitPersistent(t *testing.T) {
	for _, expire := range []string{"0", "1"} {
		t.Run("expire_quiescent_template="+expire, func(t *testing.T) {
			conformDrain(t, persistentDNS, lvs.RealServer{}, func(t *testing.T, g *drainGround) {
				must(t, g.Host(t).SetSysctl(g.ctx, lvs.SysctlExpireQuiescentTemplate, expire))
				client := g.flowToDrain().Addr().String()
				d := g.begin(true)
				g.flow(client)
				want := map[string]int{"0": 2, "1": 1}[expire]
				if n := g.flowsOf(drainServer); n != want {
					t.Errorf("the server has %d flows, want %d", n, want)
				}
				end, took := g.end(d)
				if end.Reason != lvs.DrainedConns || end.PersistentConns != 0 || took < persistentDNS.Persistence.Timeout-time.Second {
					t.Errorf("after %s: %v with %d clients", took, end, end.PersistentConns)
				}
			})
		})
	}
}
