package lvs

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/testbed"
)

var allSchedulers = []Scheduler{RR, WRR, LC, WLC, SED, NQ, FO, OVF, DH, SH, MH, LBLC, LBLCR, TWOS, NoScheduler}

// explained is a random history of one simulator, in which flows are explained
// before they come, and of a second one, in which they are not.
type explained struct {
	*testing.T
	*rand.Rand
	sim, plain *Simulator
	clients    [2]*Client
	scheduler  Scheduler
	ids        []ServiceID
	live       bool // explain as if the simulator were a live host
	certain    int
	forwarded  map[Flow]Verdict // on the last packet of a flow that was
	last       Flow             // the latest of those
}

func newExplained(t *testing.T, scheduler Scheduler, seed uint64) *explained {
	e := &explained{T: t, Rand: rand.New(rand.NewPCG(seed, 2)), scheduler: scheduler, forwarded: make(map[Flow]Verdict)}
	o := SimOptions{Kernel: []string{"6.12.90", "6.12.117", "7.2.7"}[e.IntN(3)], Seed: seed, SHTableBits: 8}
	for i, to := range []**Simulator{&e.sim, &e.plain} {
		sim, err := NewSimulator(o)
		must(t, err)
		*to, e.clients[i] = sim, sim.Client()
		t.Cleanup(func() { e.clients[i].Close() })
	}
	vip := netip.MustParseAddr("10.1.0.1")
	for _, id := range []ServiceID{
		TCP(netip.AddrPortFrom(vip, 80)), UDP(netip.AddrPortFrom(vip, 80)), TCP(netip.AddrPortFrom(vip, 21)),
		TCP(netip.AddrPortFrom(vip, 0)), FWMark(7), FWMark(9),
	} {
		if id.Protocol() == ProtocolTCP && id.AddrPort().Port() == 0 && slices.Contains(e.ids, TCP(netip.AddrPortFrom(vip, 21))) {
			continue // they share templates, which do not say whose they are
		}
		if e.IntN(3) > 0 {
			e.ids = append(e.ids, id)
			e.both(AddService(e.service(id)))
		}
	}
	return e
}

func (e *explained) service(id ServiceID) Service {
	s := Service{ID: id, Scheduler: e.scheduler, SchedulerFlags: []SchedulerFlags{0, HashFallback, HashPort, HashFallback | HashPort}[e.IntN(4)]}
	if e.IntN(2) == 0 || id.FWMark() == 0 && id.AddrPort().Port() == 0 {
		s.Persistence = Persistence{Timeout: time.Duration(1+e.IntN(100)) * time.Second, Mask: PrefixMask(24 + 8*e.IntN(2))}
	}
	s.OnePacket = id.Protocol() == ProtocolUDP && e.IntN(4) == 0
	return s
}

// both makes a change on both simulators, whatever comes of it.
func (e *explained) both(c Change) {
	for _, client := range e.clients {
		_ = client.Do(context.Background(), c)
	}
}

func (e *explained) server(id ServiceID) RealServer {
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, byte(1 + e.IntN(6))}), id.AddrPort().Port())
	mode := []Mode{DR(), NAT(), IPIP()}[e.IntN(3)]
	if mode == NAT() && id.AddrPort().Port() == 80 && e.IntN(2) == 0 {
		addr = netip.AddrPortFrom(addr.Addr(), 8000)
	}
	s := RealServer{Addr: addr, Mode: mode, Weight: []int{0, 1, 1, 1, 2, 3, 40}[e.IntN(7)]}
	switch last := int(addr.Addr().As4()[3]); {
	case e.live: // older kernels do not show when thresholds were changed
		s.UpperThreshold, s.LowerThreshold = last/2*3, last%3
	case e.IntN(2) == 0:
		s.UpperThreshold = 1 + e.IntN(8)
		s.LowerThreshold = e.IntN(s.UpperThreshold + 1)
	}
	return s
}

func (e *explained) step() {
	id := FWMark(1)
	if len(e.ids) > 0 {
		id = e.ids[e.IntN(len(e.ids))]
	}
	switch n := e.IntN(200); {
	case n < 20:
		e.both(AddRealServer(id, e.server(id)))
	case n < 25:
		e.both(UpdateRealServer(id, e.server(id)))
	case n < 30:
		e.both(RemoveRealServer(id, e.server(id).Addr))
	case n < 32:
		e.both(UpdateService(e.service(id)))
	case n < 36:
		e.sysctl()
	case n < 45:
		d := time.Duration(e.IntN(1<<e.IntN(18))) * time.Millisecond
		must(e.T, e.sim.Advance(d))
		must(e.T, e.plain.Advance(d))
	case n < 60:
		e.others()
	case n < 90:
		e.error()
	default:
		e.flow()
	}
}

func (e *explained) sysctl() {
	names := []string{
		"expire_nodest_conn", "expire_quiescent_template", "conn_reuse_mode", "cache_bypass", "conntrack", "drop_packet", "conn_max", "backup_only", "drop_entry", "secure_tcp",
		"schedule_icmp",
	}
	name, value := names[e.IntN(len(names))], e.IntN(2)
	switch name {
	case "drop_packet", "drop_entry", "secure_tcp":
		value = e.IntN(4)
		pages := e.IntN(2048) // amemthresh is 1024
		e.sim.SetFreePages(pages)
		e.plain.SetFreePages(pages)
	case "conn_max":
		value = 1 + e.IntN(1000) // too few for a while, perhaps
		if e.live {
			value = 1 << 30 // which connections count there is not all visible
		}
	case "conn_reuse_mode":
		value = e.IntN(4)
	}
	for _, sim := range []*Simulator{e.sim, e.plain} {
		_ = sim.Host().SetSysctl(context.Background(), SysctlKey("net.ipv4.vs."+name), fmt.Sprint(value)) // some releases have no conn_max
	}
}

// randomFlow is one of few, so that they come back.
func (e *explained) randomFlow() Flow {
	f := Flow{Protocol: ProtocolTCP}
	if e.IntN(3) == 0 {
		f.Protocol = ProtocolUDP
	}
	f.Client = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, byte(e.IntN(2)), byte(e.IntN(10))}), uint16(1000+e.IntN(30)))
	f.FWMark = []uint32{0, 0, 0, 7, 9}[f.Client.Port()%5] // always the same
	if e.IntN(50) == 0 {
		f.Client = netip.AddrPortFrom(f.Client.Addr(), 20)
	}
	ports := []uint16{80, 80, 80, 80, 21, 20, 8080}
	f.VIP = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 0, byte(1 + e.IntN(12)/11)}), ports[e.IntN(len(ports))])
	return f
}

func (e *explained) packet(p SimPacket) Verdict {
	e.Helper()
	v, err := e.sim.Deliver(p)
	must(e.T, err)
	other, err := e.plain.Deliver(p)
	must(e.T, err)
	if v != other {
		e.Fatalf("%+v was %s, and without explanations %s", p, v, other)
	}
	if v.Action == ActionForwarded {
		e.last = Flow{Protocol: p.Protocol, Client: p.Source, VIP: p.Destination, FWMark: p.FWMark}
		e.forwarded[e.last] = v
	}
	return v
}

// others are packets of a flow that do not open it.
func (e *explained) others() {
	f := e.randomFlow()
	p := SimPacket{Protocol: f.Protocol, Source: f.Client, Destination: f.VIP, FWMark: f.FWMark}
	if f.Protocol == ProtocolTCP {
		p.TCP = []SimTCPFlags{SimACK, SimFIN | SimACK, SimRST}[e.IntN(3)]
	}
	if v := e.packet(p); v.Action == ActionForwarded && v.Mode == NAT() {
		e.packet(SimPacket{Protocol: f.Protocol, Source: v.Target(), Destination: f.Client, TCP: p.TCP})
	}
}

// flow explains a flow and lets it come.
func (e *explained) flow() {
	f := e.randomFlow()
	p := SimPacket{Protocol: f.Protocol, Source: f.Client, Destination: f.VIP, FWMark: f.FWMark}
	if f.Protocol == ProtocolTCP {
		p.TCP = SimSYN
	}
	x := e.explain(f, nil)
	if !e.live {
		if again := e.explain(f, nil); !again.Equal(x) {
			e.Fatalf("it says\n%s\nand then\n%s", x, again)
		}
	}
	e.comes(x, e.packet(p))
}

// comes checks that what came is what was explained.
func (e *explained) comes(x Explanation, v Verdict) {
	e.Helper()
	if e.live {
		v = e.visible(x, v)
	}
	if x.Certain {
		e.certain++
	}
	switch {
	case x.Certain != (len(x.Verdicts) == 1) || !x.Certain && len(x.Unseen) == 0:
		e.Fatalf("%d verdicts, certain %t, depending on %q", len(x.Verdicts), x.Certain, x.Unseen)
	case !e.live && !x.Certain:
		e.Fatalf("it is not certain: %s", x)
	case !slices.Contains(x.Verdicts, v):
		e.Fatalf("the packet was %s, and was to be\n%s\n%s", inFull(v), x, inFull(x.Verdicts...))
	}
	e.readable(x)
}

// visible makes equal what a host does not show: the mode and the state that a
// connection will have, and the service of a server that was removed.
func (e *explained) visible(x Explanation, v Verdict) Verdict {
	for _, known := range x.Verdicts {
		switch {
		case known.Reason != v.Reason || known.Server.Addr() != v.Server.Addr():
		case v.Reason == ReasonRelated && known.Action == v.Action && known.Mode.method() == v.Mode.method():
			v = known // unless the mode was changed
		case v.Reason == ReasonConnection && known.Service == v.Service:
			v.Mode, v.State = known.Mode, known.State
		case v.Reason == ReasonServerRemoved:
			v = known
		}
	}
	return v
}

func (e *explained) explain(f Flow, about *FlowError) Explanation {
	h := e.sim.Host()
	defer h.Close()
	if e.live {
		h.guard.files = aliveFiles{h.guard.files}
	}
	var x Explanation
	var err error
	if about == nil {
		x, err = h.Explain(context.Background(), f)
	} else {
		x, err = h.ExplainError(context.Background(), f, *about)
	}
	must(e.T, err)
	return x
}

// aliveFiles hide that a host is simulated.
type aliveFiles struct{ files }

func inFull(all ...Verdict) string {
	text, _ := json.Marshal(all)
	return string(text)
}

// readable checks the text, and that JSON keeps everything.
func (e *explained) readable(x Explanation) {
	if text := x.String(); !strings.HasPrefix(text, x.subject()+"\n") || strings.Contains(text, "%!") {
		e.Fatalf("the text is %q", text)
	}
	text, err := json.Marshal(x)
	must(e.T, err)
	var got Explanation
	if err := json.Unmarshal(text, &got); err != nil || !got.Equal(x) {
		e.Fatalf("%s\nis read as %+v, %v", text, got, err)
	}
}

// same compares all that can be seen of both simulators.
func (e *explained) same() {
	ctx := context.Background()
	for _, path := range []string{"/proc/net/ip_vs_conn", "/proc/net/ip_vs_stats"} {
		a, err := e.sim.kernel.ReadFile(path)
		must(e.T, err)
		b, err := e.plain.kernel.ReadFile(path)
		must(e.T, err)
		compare(e.T, path, string(b), string(a))
	}
	a, err := e.clients[0].Snapshot(ctx)
	must(e.T, err)
	b, err := e.clients[1].Snapshot(ctx)
	must(e.T, err)
	compare(e.T, "the table", b, a)
}

var explanations = flag.Uint64("explanations", 2, "random histories in which flows are explained, for each scheduler")

func explainHistories(t *testing.T, live bool, steps int) {
	for _, scheduler := range allSchedulers {
		t.Run(string(scheduler), func(t *testing.T) {
			t.Parallel()
			flows, certain := 0, 0
			for seed := range *explanations {
				e := newExplained(t, scheduler, seed)
				e.live = live
				defer func() {
					if t.Failed() {
						t.Log("seed", seed, e.sim.kernel.Release())
					}
				}()
				for range steps {
					e.step()
				}
				e.same()
				flows, certain = flows+steps, certain+e.certain
			}
			t.Logf("%d of about %d answers were certain", certain, flows)
			if certain*10 < flows {
				t.Errorf("only %d of about %d answers were certain", certain, flows)
			}
		})
	}
}

// What is explained comes to pass, and nothing changes by it.
func TestExplainHistories(t *testing.T) { explainHistories(t, false, 500/testbed.Stride()) }

// What is certain of a live host comes to pass, and what is not is one of what may
// come.
func TestExplainHistoriesOfLiveHosts(t *testing.T) { explainHistories(t, true, 200/testbed.Stride()) }

func TestExplainRefuses(t *testing.T) {
	ctx := context.Background()
	l := newSimLab(t, SimOptions{})
	alive := l.Host()
	alive.guard.files = aliveFiles{alive.guard.files}
	good := Flow{Client: netip.MustParseAddrPort("10.9.0.1:4000"), VIP: simWeb.AddrPort()}
	for name, c := range map[string]struct {
		change func(*Flow)
		kind   error
	}{
		"no client":    {func(f *Flow) { f.Client = netip.AddrPort{} }, ErrInvalid},
		"no port":      {func(f *Flow) { f.Client = netip.AddrPortFrom(f.Client.Addr(), 0) }, ErrInvalid},
		"two families": {func(f *Flow) { f.VIP = netip.MustParseAddrPort("[fd00::1]:80") }, ErrInvalid},
		"no protocol":  {func(f *Flow) { f.Protocol = 300 }, ErrInvalid},
		"ESP's ports":  {func(f *Flow) { f.Protocol = ProtocolESP }, ErrInvalid},
	} {
		f := good
		c.change(&f)
		for _, h := range []*Host{l.Host(), alive} {
			_, err := h.Explain(ctx, f)
			ofKind(t, name, err, c.kind)
		}
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	for _, h := range []*Host{l.Host(), alive} {
		if _, err := h.Explain(cancelled, good); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	}
}

// A custom algorithm is not asked, because that could change it.
func TestExplainOwnAlgorithm(t *testing.T) {
	l, m := moodyLab(t)
	l.serve(Service{ID: simWeb, Scheduler: "moody"}, DR(), 1, 1)
	m.pick = "asked"
	x, err := l.Host().Explain(context.Background(), l.flow())
	must(t, err)
	if x.Certain || len(x.Verdicts) != 3 || len(x.Servers()) != 2 || x.Verdicts[2].Action != ActionRefused {
		t.Errorf("it says %s", x)
	}
}

// A copy of a host has the templates for all ports of services that have them, and
// no others.
func TestSimulatorFromTemplates(t *testing.T) {
	ctx := context.Background()
	l := newSimLab(t, SimOptions{})
	tied := Persistence{Timeout: time.Minute}
	vip := netip.MustParseAddr("10.1.0.1")
	server := NewRealServer(netip.MustParseAddrPort("10.2.0.1:8000"), NAT())
	for _, id := range []ServiceID{FWMark(7), FWMark(9), TCP(netip.AddrPortFrom(vip, 21)), UDP(netip.AddrPortFrom(vip, 0)), TCP(netip.AddrPortFrom(vip, 80))} {
		must(t, l.client.Do(ctx, AddService(Service{ID: id, Scheduler: RR, Persistence: tied}), AddRealServer(id, server)))
		l.id = id
		f := l.flow()
		if f.VIP.Port() == 0 {
			f.VIP = netip.AddrPortFrom(vip, 5000)
		}
		l.wants(l.packet(f, SimSYN), ActionForwarded, ReasonScheduled)
	}
	copied, _, err := SimulatorFrom(ctx, l.Host(), SimOptions{})
	must(t, err)
	templates := func(sim *Simulator) (those []Connection) {
		all, err := CollectConnections(sim.Host().Connections(ctx, ConnectionFilter{}))
		must(t, err)
		those, _ = split(all, Connection.IsTemplate)
		slices.SortFunc(those, func(a, b Connection) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		return those
	}
	compare(t, "templates", templates(l.Simulator), templates(copied))
}

func split[T any](all []T, is func(T) bool) (those, others []T) {
	for _, v := range all {
		if is(v) {
			those = append(those, v)
		} else {
			others = append(others, v)
		}
	}
	return those, others
}

func TestVerdictTextThatIsRefused(t *testing.T) {
	ofKind(t, "an action", new(Action).UnmarshalText([]byte("eaten")), ErrInvalid)
	ofKind(t, "a reason", new(Reason).UnmarshalText([]byte("hunger")), ErrInvalid)
	ofKind(t, "a protocol", new(Protocol).UnmarshalText([]byte("icmp")), ErrInvalid)
	for a := ActionForwarded; a <= ActionPassed; a++ {
		text, _ := a.MarshalText()
		var got Action
		if err := got.UnmarshalText(text); err != nil || got != a {
			t.Errorf("%s is read as %s, %v", a, got, err)
		}
	}
	for r := ReasonConnection; int(r) < len(reasonTexts); r++ {
		text, _ := r.MarshalText()
		var got Reason
		if err := got.UnmarshalText(text); err != nil || got != r {
			t.Errorf("%q is read as %d, %v", text, got, err)
		}
	}
}

// What explanations say in words.
func TestExplanationText(t *testing.T) {
	for name, c := range map[string]struct {
		service Service
		weights []int
		before  func(l *simLab)
		live    bool
		want    string
	}{
		"wlc": {Service{Scheduler: WLC}, []int{1, 3, 0}, func(l *simLab) { l.connect() }, false, `
  forwarded to 10.2.0.1:80 by dr: the scheduler picked it
  wlc: 10.2.0.1:80 has load 0 for weight 1 (0 active and 0 inactive); the next, 10.2.0.2:80, has load 256 for weight 3 (1 active and 0 inactive)
  passed over: 10.2.0.3:80 has weight 0`},
		"rr of a simulator": {Service{Scheduler: RR}, []int{1, 1}, func(l *simLab) { l.connect() }, false, `
  forwarded to 10.2.0.1:80 by dr: the scheduler picked it
  rr: 10.2.0.2:80 was the last`},
		"rr of a live host": {Service{Scheduler: RR}, []int{1, 1, 0}, nil, true, `
  not certain; one of these:
  - forwarded to 10.2.0.2:80 by dr: the scheduler picked it
  - forwarded to 10.2.0.1:80 by dr: the scheduler picked it
  it depends on where in its round rr stands
  passed over: 10.2.0.3:80 has weight 0`},
		"rr of a live host with one server": {Service{Scheduler: RR}, []int{1, 0}, nil, true, `
  forwarded to 10.2.0.1:80 by dr: the scheduler picked it
  passed over: 10.2.0.2:80 has weight 0`},
		"a fallback": {Service{Scheduler: SH, SchedulerFlags: HashFallback}, []int{0, 1, 1}, nil, true, `
  forwarded to 10.2.0.3:80 by dr: the scheduler picked it
  sh: bucket 224 of 256 is 10.2.0.1:80's, which has weight 0; the fallback found 10.2.0.3:80 at step 1`},
		"no fallback": {Service{Scheduler: SH}, []int{0, 1, 1}, nil, true, `
  refused: the scheduler finds no server with a weight and below its upper threshold
  sh: bucket 224 of 256 is 10.2.0.1:80's, which has weight 0`},
		"a template": {Service{Scheduler: RR, Persistence: Persistence{Timeout: time.Minute, Mask: PrefixMask(24)}}, []int{1, 1}, func(l *simLab) { l.connect() }, true, `
  forwarded to 10.2.0.2:80 by dr: persistence ties the client to it
  a template ties 10.9.0.0 for tcp 10.1.0.1:80 to 10.2.0.2:80`},
		"no servers": {Service{Scheduler: LC}, nil, nil, true, `
  refused: the service has no servers`},
	} {
		t.Run(name, func(t *testing.T) {
			l := newSimLab(t, SimOptions{Kernel: "6.1.176"})
			c.service.ID = simWeb
			l.serve(c.service, DR(), c.weights...)
			if c.before != nil {
				c.before(l)
			}
			h := l.Host()
			if c.live {
				h.guard.files = aliveFiles{h.guard.files}
			}
			f := l.flow()
			x, err := h.Explain(context.Background(), f)
			must(t, err)
			compare(t, "text", f.String()+c.want, x.String())
		})
	}
}
