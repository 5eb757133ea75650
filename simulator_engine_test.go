package lvs

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// serveCalls serves calls by the engine sip.
func (l *simLab) serveCalls(o SchedulerFlags, mode Mode, weights ...int) {
	l.Helper()
	l.serve(Service{
		ID: UDP(netip.MustParseAddrPort("10.1.0.1:5060")), Scheduler: RR, OnePacket: o != 0,
		Persistence: Persistence{Timeout: time.Minute, Engine: "sip"},
	}, mode, weights...)
}

// say is a flow whose datagrams have a Call-ID.
func (l *simLab) say(id string) Flow {
	f := l.flow()
	f.Data = "INVITE sip:bob@example.com SIP/2.0\r\nCall-ID: " + id + "\r\n\r\n"
	return f
}

// Each call of a client has a server of its own, which the listing shows and a copy of
// the host has too.
func TestSimulatorCalls(t *testing.T) {
	forEachRelease(t, func(t *testing.T, l *simLab) {
		l.serveCalls(0, NAT(), 1, 1)
		servers := make(map[string]netip.AddrPort)
		for _, id := range []string{"a", "b", "c@h"} {
			servers[id] = l.call(l.Simulator, id, ReasonScheduled)
		}
		if servers["a"] == servers["b"] {
			t.Error("rr picked one server twice")
		}
		all, err := CollectConnections(l.Host().Connections(context.Background(), ConnectionFilter{}))
		must(t, err)
		var keys []string
		for _, c := range all {
			if c.IsTemplate() {
				keys = append(keys, c.Engine+" "+c.Data)
			}
		}
		if slices.Sort(keys); !slices.Equal(keys, []string{"sip a", "sip b", "sip c@h"}) {
			t.Errorf("templates of %q", keys)
		}
		copied, _, err := SimulatorFrom(context.Background(), l.Host(), SimOptions{})
		must(t, err)
		for id, server := range servers {
			for _, sim := range []*Simulator{l.Simulator, copied} {
				if got := l.call(sim, id, ReasonPersistence); got != server {
					t.Errorf("%s goes to %s, want %s", id, got, server)
				}
			}
		}
	})
}

// call opens a connection by a Call-ID and returns the server.
func (l *simLab) call(sim *Simulator, id string, why Reason) netip.AddrPort {
	l.Helper()
	c, err := sim.Connect(l.say(id))
	must(l, err)
	l.wants(c.Verdict(), ActionForwarded, why)
	must(l, c.Reply(500))
	return c.Server()
}

// Without connections that last, each reply opens one of its own, from the virtual address.
func TestSimulatorCallsOfOnePacket(t *testing.T) {
	forEachRelease(t, func(t *testing.T, l *simLab) {
		l.serveCalls(1, NAT(), 1, 1)
		c, err := l.Connect(l.say("a"))
		must(t, err)
		reply := SimPacket{Protocol: ProtocolUDP, Source: c.Server(), Destination: c.flow.Client, Data: c.flow.Data}
		v, err := l.Deliver(reply)
		must(t, err)
		l.wants(v, ActionReplied, ReasonServerFirst)
		reply.Data = "SIP/2.0 200 OK\r\n\r\n"
		v, err = l.Deliver(reply)
		must(t, err)
		l.wants(v, ActionPassed, ReasonNoService)
		if conns := l.status(slices.Index([]netip.AddrPort{l.server(0), l.server(1)}, c.Server())).Stats.Conns; conns != 0 {
			t.Errorf("the estimator saw %d connections already", conns)
		}
		l.wait(3 * time.Second)
		total, err := l.client.Service(context.Background(), l.id)
		must(t, err)
		if total.Stats.Conns != 2 || total.Stats.OutPackets != 1 {
			t.Errorf("%d connections and %d packets out, want 2 and 1", total.Stats.Conns, total.Stats.OutPackets)
		}
	})
}

// Without the data of the flow, its call may be any of the client's, another one, or none.
func TestExplainCalls(t *testing.T) {
	ctx := context.Background()
	l := newSimLab(t, SimOptions{})
	l.serveCalls(0, NAT(), 1, 1, 1)
	server := l.call(l.Simulator, "a", ReasonScheduled)
	alive := l.Host()
	alive.guard.files = aliveFiles{alive.guard.files}
	for name, h := range map[string]*Host{"simulator": l.Host(), "live": alive} {
		known := l.say("a")
		x, err := h.Explain(ctx, known)
		must(t, err)
		if !x.Certain || x.Verdicts[0].Server != server || x.Template == nil || x.Template.Data != "a" {
			t.Errorf("%s: a known call: %v", name, x)
		}
		nothing := known
		nothing.Data = "\r\n"
		if x, err = h.Explain(ctx, nothing); err != nil || !x.Certain || x.Verdicts[0].Reason != ReasonEngine {
			t.Errorf("%s: no call: %v, %v", name, x, err)
		}
		unknown := known
		unknown.Data = ""
		x, err = h.Explain(ctx, unknown)
		must(t, err)
		has := func(a Action, r Reason) bool {
			return slices.ContainsFunc(x.Verdicts, func(v Verdict) bool { return v.Action == a && v.Reason == r })
		}
		if x.Certain || !has(ActionDropped, ReasonEngine) || !has(ActionForwarded, ReasonPersistence) || !has(ActionForwarded, ReasonScheduled) {
			t.Errorf("%s: an unknown call: %v", name, x)
		}
		if !strings.Contains(strings.Join(x.Unseen, "\n"), "the persistence engine sip") {
			t.Errorf("%s: unseen is %q", name, x.Unseen)
		}
	}
}

// The effect of a plan on calls is known as far as templates show the calls.
func TestEffectOnCalls(t *testing.T) {
	ctx := context.Background()
	l := newSimLab(t, SimOptions{})
	l.serveCalls(0, NAT(), 1, 1)
	server := l.call(l.Simulator, "a", ReasonScheduled)
	l.call(l.Simulator, "b", ReasonScheduled)
	l.sysctl("expire_quiescent_template", "1")
	table, err := l.client.Snapshot(ctx)
	must(t, err)
	wanted := table.Table()
	servers := wanted.Services[0].RealServers
	servers[slices.IndexFunc(servers, func(s RealServer) bool { return s.Addr == server })].Weight = 0
	plan, err := l.client.PlanTable(ctx, wanted, TableOptions{})
	must(t, err)
	effect, err := plan.Effect(ctx, l.Host())
	must(t, err)
	if len(effect.AtOnce.Moved) != 1 || effect.AtOnce.Moved[0].Was != server {
		t.Errorf("moved are %v, want the call of %s", effect.AtOnce.Moved, server)
	}
	if !strings.Contains(strings.Join(effect.Unseen, "\n"), "a persistence engine looks at their data") {
		t.Errorf("unseen is %q", effect.Unseen)
	}
}

// Keys of custom engines may be any bytes, also in a listing and in a copy.
func TestSimulatorEngineKeys(t *testing.T) {
	engine := func(p SimPacket) (string, bool) { return p.Data, p.Data != "-" }
	options := SimOptions{Engines: map[string]SimEngine{"all": engine}}
	l := newSimLab(t, options)
	l.serve(Service{ID: UDP(simWeb.AddrPort()), Scheduler: RR, Persistence: Persistence{Timeout: time.Minute, Engine: "all"}}, DR(), 1, 1)
	keys := []string{"user 7", "a\nb", `"quoted"`, "\xff\x00", "é", "two  spaces", strings.Repeat("k", 255)}
	servers := make(map[string]netip.AddrPort)
	open := func(sim *Simulator, key string) Verdict {
		f := l.flow()
		v, err := sim.Deliver(SimPacket{Protocol: ProtocolUDP, Source: f.Client, Destination: f.VIP, Data: key})
		must(t, err)
		return v
	}
	for _, key := range keys {
		v := open(l.Simulator, key)
		l.wants(v, ActionForwarded, ReasonScheduled)
		servers[key] = v.Server
	}
	for _, key := range []string{"", "-", strings.Repeat("k", 256)} {
		l.wants(open(l.Simulator, key), ActionDropped, ReasonEngine)
	}
	copied, _, err := SimulatorFrom(context.Background(), l.Host(), options)
	must(t, err)
	for _, sim := range []*Simulator{l.Simulator, copied} {
		for _, key := range keys {
			if v := open(sim, key); v.Reason != ReasonPersistence || v.Server != servers[key] {
				t.Errorf("%q: %s, want %s by persistence", key, v, servers[key])
			}
		}
	}
}
