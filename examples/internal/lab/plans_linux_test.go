package lab

import (
	"context"
	"flag"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/testbed"
)

// fewPlans is how many plans are enough for every day.
const fewPlans = 30

var trafficPlans = flag.Int("traffic.plans", fewPlans, "how many plans are applied in each lab while traffic passes")

// While plans change, drain, remove and restore real servers, no connection breaks that
// a plan did not name, and none is refused while the plan wants a usable server.
func TestTrafficWhilePlans(t *testing.T) {
	testbed.InKernel(t)
	half := *trafficPlans == fewPlans && !testbed.IsNewest() // the other kernels are slower
	for _, mode := range []string{"dr", "nat"} {
		// Real servers drain until their connections have ended, and schedulers stay, so
		// nothing may break.
		patient := func(t *testing.T) {
			p := newPlanner(t, Options{Mode: mode}, "0")
			p.flux = 0.02
			p.schedulers = map[string][]lvs.Scheduler{"dr": {lvs.WLC}, "nat": {lvs.WRR}}[mode]
			p.drains = []time.Duration{time.Hour}
			p.applyUnderTraffic(t)
		}
		// Some are removed at once, or soon. What a plan cuts then is reset. Schedulers
		// change, and for a moment the kernel then has none.
		impatient := func(t *testing.T) {
			p := newPlanner(t, Options{Mode: mode, Family: "6"}, "1")
			p.flux = 0.5
			p.schedulers = []lvs.Scheduler{lvs.RR, lvs.WRR, lvs.LC, lvs.WLC, lvs.SED, lvs.NQ, lvs.SH, lvs.MH}
			p.drains = []time.Duration{0, 300 * time.Millisecond, 2 * time.Second, time.Hour}
			p.applyUnderTraffic(t)
		}
		if !half || mode == "dr" {
			t.Run(mode+" patient", patient)
		}
		if !half || mode == "nat" {
			t.Run(mode+" impatient", impatient)
		}
	}
}

// planner applies random tables, and remembers what they must do to connections.
type planner struct {
	lab               *Lab
	random            *rand.Rand
	state             string // file
	always, sometimes lvs.ServiceID
	schedulers        []lvs.Scheduler // of which each plan picks
	drains            []time.Duration // likewise, how long real servers may drain
	flux              float64         // how likely it is that each of the following changes
	wanted            [2][]bool       // real servers of both services, by their places in the lab
	both              bool            // sometimes is wanted
	cuts, gaps        []cut
	gap               time.Time // when sometimes was last not wanted any more; zero while it is
	ended             map[lvs.DrainReason]int
	applied           []appliedPlan
}

// appliedPlan is when a plan was applied.
type appliedPlan struct {
	plan       lvs.TablePlan
	began, end time.Time
}

// cut is a time in which a real server was removed with the connections that it had. A
// gap has no server: it is a time in which a service was not wanted, or got another
// scheduler.
type cut struct {
	service    lvs.ServiceID
	server     netip.Addr
	began, end time.Time
}

func newPlanner(t *testing.T, o Options, expireNoDest string) *planner {
	t.Helper()
	o.Servers = 5
	l := newLab(t, o)
	if err := l.SetUp(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := l.Director.SetSysctl(context.Background(), lvs.SysctlExpireNoDestConn, expireNoDest); err != nil {
		t.Fatal(err)
	}
	vip := l.VIP().Addr()
	p := &planner{
		lab: l, random: rand.New(rand.NewPCG(1, 2)), state: filepath.Join(t.TempDir(), "state.json"), both: true, ended: map[lvs.DrainReason]int{},
		always: lvs.TCP(netip.AddrPortFrom(vip, 7001)), sometimes: lvs.TCP(netip.AddrPortFrom(vip, 7002)),
	}
	for n := range p.wanted {
		p.wanted[n] = slices.Repeat([]bool{true}, len(l.table))
	}
	return p
}

// applyUnderTraffic applies plans while there is traffic.
func (p *planner) applyUnderTraffic(t *testing.T) {
	t.Helper()
	p.apply(t)
	f := newTraffic(t, p.lab, p.always, p.sometimes)
	f.talk(1, p.always, func() time.Duration { return time.Hour })
	f.talk(3, p.always, func() time.Duration { return rand.N(30 * time.Second) })
	f.talk(8, p.always, func() time.Duration { return rand.N(2 * time.Second) })
	f.talk(2, p.always, func() time.Duration { return echoPause }) // mostly new connections
	f.talk(2, p.sometimes, func() time.Duration { return rand.N(2 * time.Second) })
	for range *trafficPlans {
		time.Sleep(20*time.Millisecond + rand.N(100*time.Millisecond))
		p.apply(t)
	}
	p.judge(t, f)
}

func (p *planner) flips() bool { return p.random.Float64() < p.flux }

// table returns a random table: each service with some of the real servers in random
// order, at least one of which is usable.
func (p *planner) table() (want lvs.Table) {
	p.both = p.both != p.flips()
	for i, id := range []lvs.ServiceID{p.always, p.sometimes} {
		wanted := p.wanted[i]
		for n := range wanted {
			wanted[n] = wanted[n] != p.flips()
		}
		if !slices.Contains(wanted, true) {
			wanted[p.random.IntN(len(wanted))] = true
		}
		if id == p.always || p.both {
			want.Services = append(want.Services, p.service(id, wanted))
		}
	}
	return want
}

func (p *planner) service(id lvs.ServiceID, wanted []bool) lvs.TableService {
	s := lvs.TableService{Service: lvs.Service{ID: id, Scheduler: p.schedulers[p.random.IntN(len(p.schedulers))]}}
	if s.Scheduler == lvs.SH || s.Scheduler == lvs.MH {
		s.SchedulerFlags = lvs.HashFallback // or clients of a real server that drains are refused
	}
	for _, n := range p.random.Perm(len(wanted)) {
		if !wanted[n] {
			continue
		}
		server := p.lab.table[n]
		server.Addr = netip.AddrPortFrom(server.Addr.Addr(), id.AddrPort().Port())
		if server.Weight = p.random.IntN(4); len(s.RealServers) == 0 {
			server.Weight++
		}
		s.RealServers = append(s.RealServers, server)
	}
	return s
}

// apply continues the drains, and makes the table what is wanted next.
func (p *planner) apply(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	state, err := lvs.ReadTableState(p.state)
	if err != nil {
		t.Fatal(err)
	}
	p.continueDrains(t, ctx, &state)
	want, drain := p.table(), p.drains[p.random.IntN(len(p.drains))]
	plan, err := p.lab.Director.Client().PlanTable(ctx, want, lvs.TableOptions{Last: &state, Prune: true, Drain: drain})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_, err = p.lab.Director.Client().ApplyTable(ctx, plan, lvs.ApplyOptions{StateFile: p.state})
	if err != nil {
		t.Fatalf("%v, of\n%s", err, plan)
	}
	p.note(plan, began)
}

// continueDrains looks at the drains of a state once.
func (p *planner) continueDrains(t *testing.T, ctx context.Context, state *lvs.TableState) {
	t.Helper()
	began := time.Now()
	left, ended, err := p.lab.Director.Client().ContinueDrains(ctx, state.Drains)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range ended {
		p.ended[e.Reason]++
		if e.Reason == lvs.DrainedDeadline && e.Conns > 0 {
			p.cuts = append(p.cuts, cut{e.Drain.Service, e.Drain.RealServer.Addr(), began, time.Now()})
		}
	}
	if state.Drains = left; len(ended) > 0 {
		if err := state.WriteFile(p.state); err != nil {
			t.Fatal(err)
		}
	}
}

// note remembers what a plan that was applied may do to connections.
func (p *planner) note(plan lvs.TablePlan, began time.Time) {
	now := time.Now()
	p.applied = append(p.applied, appliedPlan{plan, began, now})
	for _, s := range plan.Steps {
		was, _ := s.Was.Service()
		if is, ok := s.Change.Service(); ok && s.Change.Op() == lvs.OpUpdateService && is.Scheduler != was.Scheduler {
			p.gaps = append(p.gaps, cut{service: is.ID, began: began, end: now})
		}
		if removal := s.Change.Op() == lvs.OpRemoveRealServer || s.Change.Op() == lvs.OpRemoveService; removal && s.Drain == 0 {
			p.cuts = append(p.cuts, cut{s.Change.ServiceID(), s.Change.RealServerAddr().Addr(), began, now})
		}
	}
	switch {
	case !p.both && p.gap.IsZero():
		p.gap = began
	case p.both && !p.gap.IsZero():
		p.gaps = append(p.gaps, cut{service: p.sometimes, began: p.gap, end: now})
		p.gap = time.Time{}
	}
}

// judge ends the traffic, and reports each connection that broke or was refused without a
// plan that says so.
func (p *planner) judge(t *testing.T, f *traffic) {
	t.Helper()
	f.end()
	wrong, refused := p.wrong(f.broken)
	for _, b := range wrong[:min(10, len(wrong))] {
		t.Errorf("%s: the connection to server %d, opened %s before, broke at %s: %v", b.service, b.server,
			b.broke.Sub(b.opened), b.broke.Format(time.StampMicro), b.err)
		for _, a := range p.applied {
			if a.began.Before(b.broke) && a.end.After(b.opened) {
				t.Logf("from %s to %s this plan was applied:\n%s", a.began.Format(time.StampMicro), a.end.Format(time.StampMicro), a.plan)
			}
		}
	}
	steps := 0
	for _, a := range p.applied {
		steps += len(a.plan.Steps)
	}
	t.Logf("%d plans with %d steps, drains ended %v; %d connections, %d messages, slowest %s; %d cut by plans, %d refused in gaps, %d wrong",
		*trafficPlans, steps, p.ended, f.opened, f.messages, f.slowest, len(f.broken)-len(wrong)-refused, refused, len(wrong))
	if steps < *trafficPlans || f.messages < f.opened || f.opened < *trafficPlans {
		t.Error("there was too little to see anything")
	}
}

// wrong returns those of the connections that no plan explains, and how many were
// refused by a service that was not wanted.
func (p *planner) wrong(broken []brokenConn) (wrong []brokenConn, refused int) {
	gaps := p.gaps
	if !p.gap.IsZero() {
		gaps = append(gaps, cut{service: p.sometimes, began: p.gap, end: time.Now()})
	}
	for _, b := range broken {
		switch {
		case b.refused() && slices.ContainsFunc(gaps, b.during):
			refused++
		case b.refused() || !slices.ContainsFunc(p.cuts, func(c cut) bool { return b.during(c) && p.lab.hit(b, c) }):
			wrong = append(wrong, b)
		}
	}
	return wrong, refused
}

// during reports whether a cut can be why a connection broke, by the time.
func (b brokenConn) during(c cut) bool {
	return c.service == b.service && c.began.Before(b.broke) && c.end.After(b.opened) && c.end.After(b.broke.Add(-echoPatience-time.Second))
}

// hit reports whether a cut was of the server of a connection. A client may not have
// heard which one it was.
func (l *Lab) hit(b brokenConn, c cut) bool {
	return b.server < 0 || !c.server.IsValid() || l.table[b.server].Addr.Addr() == c.server
}
