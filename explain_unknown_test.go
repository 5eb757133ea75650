package lvs

import (
	"context"
	"net/netip"
	"strings"
	"testing"

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
	h.guard.files = shortOfMemory{h.guard.files}
	x, err := h.Explain(ctx, Flow{Client: netip.MustParseAddrPort("10.9.0.1:4000"), VIP: simWeb.AddrPort()})
	must(t, err)
	if x.Certain || x.Verdicts[1].Reason != ReasonDropRate || !strings.Contains(x.Unseen[0], "drop_packet") {
		t.Errorf("it is explained as\n%s", x)
	}
}

type shortOfMemory struct{ files }

func (s shortOfMemory) ReadFile(path string) ([]byte, error) {
	if strings.HasSuffix(path, "/drop_packet") {
		return []byte("2\n"), nil
	}
	return s.files.ReadFile(path)
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
