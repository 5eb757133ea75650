package lvs

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/simipvs"
)

// A copy of a host is explained as it delivers: netfilter does not stop a client that
// uses the port of a connection again that has ended.
func TestExplainCopy(t *testing.T) {
	ctx := context.Background()
	l := newSimLab(t, SimOptions{})
	l.sysctl("conntrack", "1")
	l.serve(Service{ID: simWeb, Scheduler: LC}, NAT(), 1)
	f := Flow{Client: netip.MustParseAddrPort("10.9.0.1:4000"), VIP: simWeb.AddrPort()}
	c, err := l.Connect(f)
	must(t, err)
	must(t, c.Close())
	copied, _, err := SimulatorFrom(ctx, l.Host(), SimOptions{})
	must(t, err)
	x, err := copied.Host().Explain(ctx, f)
	must(t, err)
	v, err := copied.Deliver(SimPacket{Protocol: ProtocolTCP, Source: f.Client, Destination: f.VIP, TCP: SimSYN})
	must(t, err)
	if v.Reason != ReasonScheduled || x.Verdicts[0] != v {
		t.Errorf("the packet was %s, and was explained as\n%s", v, x)
	}
}

// Short of memory, a kernel shows drop_packet=1 as 2, and drops packets.
func TestExplainDropRateOfMemory(t *testing.T) {
	ctx := context.Background()
	l := newSimLab(t, SimOptions{})
	l.serve(Service{ID: simWeb, Scheduler: LC}, NAT(), 1)
	h := l.Host()
	h.guard.files = aliveFiles{h.guard.files}
	l.sysctl("drop_packet", "1")
	l.SetFreePages(1)
	l.wait(time.Second)
	x, err := h.Explain(ctx, Flow{Client: netip.MustParseAddrPort("10.9.0.1:4000"), VIP: simWeb.AddrPort()})
	must(t, err)
	if x.Certain || x.Verdicts[1].Reason != ReasonDropRate || !strings.Contains(x.Unseen[0], "drop_packet") {
		t.Errorf("it is explained as\n%s", x)
	}
}

// While drop_entry acts, what it may have ended is not certain to be there.
func TestExplainDropEntry(t *testing.T) {
	const age = 70 * time.Second
	for name, c := range map[string]struct {
		mode       string
		persistent bool
		packets    []SimTCPFlags // of the client
		wait       time.Duration // since then
		unseen     string        // "": nothing that drop_entry ends
	}{
		"half-open":            {mode: "3", packets: []SimTCPFlags{SimSYN}, unseen: "the connection"},
		"half-open, off":       {mode: "1", packets: []SimTCPFlags{SimSYN}},
		"established":          {mode: "3", packets: []SimTCPFlags{SimSYN, SimACK}},
		"established and idle": {mode: "3", packets: []SimTCPFlags{SimSYN, SimACK}, wait: age, unseen: "the connection"},
		"closing":              {mode: "3", packets: []SimTCPFlags{SimSYN, SimACK, SimFIN}, wait: age},
		"a template":           {mode: "3", persistent: true, packets: []SimTCPFlags{SimSYN, 0}, wait: 20 * time.Second, unseen: "the persistence template"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newSimLab(t, SimOptions{})
			s := Service{ID: simWeb, Scheduler: WLC}
			if c.persistent {
				s.Persistence.Timeout = 10 * time.Minute
			}
			l.serve(s, DR(), 1, 1)
			f := l.flow()
			for _, flags := range c.packets {
				_, err := l.Deliver(SimPacket{Protocol: ProtocolTCP, Source: f.Client, Destination: f.VIP, TCP: flags})
				must(t, err)
			}
			l.wait(c.wait)
			l.sysctl("drop_entry", c.mode)
			h := l.Host()
			h.guard.files = aliveFiles{h.guard.files}
			x, err := h.Explain(context.Background(), f)
			must(t, err)
			unseen := strings.Join(x.Unseen, "; ")
			if c.unseen == "" && strings.Contains(unseen, "drop_entry") || !strings.Contains(unseen, c.unseen) {
				t.Errorf("it depends on %q, want %q", unseen, c.unseen)
			}
		})
	}
}

// What changes no verdict is not reported: of a quiesced server nothing depends on where
// wrr stands, whatever else is unknown.
func TestExplainNamesWhatMatters(t *testing.T) {
	ctx := context.Background()
	l := newSimLab(t, SimOptions{})
	l.serve(Service{ID: simWeb, Scheduler: WRR}, NAT(), 0, 3)
	l.sysctl("drop_packet", "3")
	h := l.Host()
	h.guard.files = aliveFiles{h.guard.files}
	x, err := h.Explain(ctx, Flow{Client: netip.MustParseAddrPort("10.9.0.1:4000"), VIP: simWeb.AddrPort()})
	must(t, err)
	if len(x.Unseen) != 1 || !strings.Contains(x.Unseen[0], "drop_packet") {
		t.Errorf("it is explained as\n%s", x)
	}
}

// The worlds of an unknown are compared as sets, whatever their order.
func TestExploreComparesWorlds(t *testing.T) {
	l := newSimLab(t, SimOptions{})
	l.serve(Service{ID: simWeb, Scheduler: RR}, NAT(), 1, 1)
	first, second := l.server(0), l.server(1)
	both := []netip.AddrPort{first, second}
	for name, c := range map[string]struct {
		worlds [2][]netip.AddrPort // that the scheduler may pick in each world
		want   int                 // unknowns
	}{
		"equal":   {[2][]netip.AddrPort{{first}, {first}}, 0},
		"order":   {[2][]netip.AddrPort{both, {second, first}}, 1}, // the pick
		"other":   {[2][]netip.AddrPort{{first}, {second}}, 1},
		"subset":  {[2][]netip.AddrPort{both, {first}}, 2},
		"another": {[2][]netip.AddrPort{{first}, both}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			p := simipvs.Packet{Protocol: 6, TCP: simipvs.TCPSyn, Length: 40}
			source, destination := netip.MustParseAddrPort("10.9.0.1:4000"), simWeb.AddrPort()
			p.Source, p.Destination = &source, &destination
			e := explainer{kernel: l.kernel, packet: &p}
			_, err := e.explore(simipvs.Suppose{}, []question{
				func(w simipvs.Suppose, _ *simipvs.Explanation) unknown {
					gone := w
					gone.Gone = true
					return unknown{name: "the world", worlds: []simipvs.Suppose{w, gone}}
				},
				func(w simipvs.Suppose, _ *simipvs.Explanation) unknown {
					n := 0
					if w.Gone {
						n = 1
					}
					return unknown{name: "the pick", worlds: picking(w, c.worlds[n])}
				},
			})
			must(t, err)
			if len(e.x.Unseen) != c.want {
				t.Errorf("it depends on %q", e.x.Unseen)
			}
		})
	}
}

// Every verdict of the simulated kernel has an action and a reason, of the same number.
func TestVerdictsOfKernel(t *testing.T) {
	for a := simipvs.Forwarded; a <= simipvs.Passed; a++ {
		if actionOf[a] != Action(a) {
			t.Errorf("action %d is %s", a, actionOf[a])
		}
	}
	for r := simipvs.Connected; r <= simipvs.NotTracked; r++ {
		if reasonOf[r] != Reason(r) {
			t.Errorf("reason %d is %q", r, reasonOf[r])
		}
	}
	for _, known := range reasonTexts[1:] {
		if known.name == "" || known.words == "" {
			t.Errorf("a reason is %+v", known)
		}
	}
}
