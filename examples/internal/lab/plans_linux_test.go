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

var trafficPlans = flag.Int("traffic.plans", 30, "how many plans are applied in each lab while traffic passes")

// While plans change, drain, remove and restore real servers, no connection breaks that
// a plan did not name, and none is refused while the plan wants a usable server.
func TestTrafficWhilePlans(t *testing.T) {
	testbed.InKernel(t)
	for _, mode := range []string{"dr", "nat"} {
		// Real servers drain until their connections have ended, so none may break.
		t.Run(mode+" patient", func(t *testing.T) {
			planUnderTraffic(t, mode, "0", 0.02, func(*rand.Rand) time.Duration { return time.Hour })
		})
		// Some are removed at once, or soon. What a plan cuts then is reset.
		t.Run(mode+" impatient", func(t *testing.T) {
			planUnderTraffic(t, mode, "1", 0.5, func(r *rand.Rand) time.Duration {
				return []time.Duration{0, 300 * time.Millisecond, 2 * time.Second, time.Hour}[r.IntN(4)]
			})
		})
	}
}

// planUnderTraffic applies plans in a lab with traffic. flux is how likely each real
// server is removed or restored by a plan, and drain returns how long it may drain.
func planUnderTraffic(t *testing.T, mode, expireNoDest string, flux float64, drain func(*rand.Rand) time.Duration) {
	ctx := context.Background()
	l := newLab(t, Options{Mode: mode, Servers: 5})
	if err := l.SetUp(ctx); err != nil {
		t.Fatal(err)
	}
	if err := l.Director.SetSysctl(ctx, lvs.SysctlExpireNoDestConn, expireNoDest); err != nil {
		t.Fatal(err)
	}
	p := newPlanner(t, l)
	p.flux = flux
	p.apply(t, time.Hour)
	f := newTraffic(t, l, p.always, p.sometimes)
	f.talk(1, p.always, func() time.Duration { return time.Hour })
	f.talk(3, p.always, func() time.Duration { return rand.N(30 * time.Second) })
	f.talk(8, p.always, func() time.Duration { return rand.N(2 * time.Second) })
	f.talk(2, p.always, func() time.Duration { return echoPause }) // mostly new connections
	f.talk(2, p.sometimes, func() time.Duration { return rand.N(2 * time.Second) })
	for range *trafficPlans {
		time.Sleep(20*time.Millisecond + rand.N(100*time.Millisecond))
		p.apply(t, drain(p.random))
	}
	p.judge(t, f)
}

// planner applies random tables, and remembers what they must do to connections.
type planner struct {
	lab               *Lab
	random            *rand.Rand
	state             string // file
	always, sometimes lvs.ServiceID
	flux              float64   // how likely it is that each of the following changes
	wanted            [2][]bool // real servers of both services, by their places in the lab
	both              bool      // sometimes is wanted
	cuts, gaps        []cut
	gap               time.Time // when sometimes was last not wanted any more; zero while it is
	ended             map[lvs.DrainReason]int
	steps             int
}

// cut is a time in which a real server was removed with the connections that it had. A
// gap is one in which a service was not wanted; it has no server.
type cut struct {
	service    lvs.ServiceID
	server     netip.Addr
	began, end time.Time
}

func newPlanner(t *testing.T, l *Lab) *planner {
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
	s := lvs.TableService{Service: lvs.Service{ID: id, Scheduler: p.scheduler()}}
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

// scheduler returns one that finds a usable real server if there is one.
func (p *planner) scheduler() lvs.Scheduler {
	all := []lvs.Scheduler{lvs.WLC, lvs.WLC, lvs.RR, lvs.WRR, lvs.LC, lvs.SED, lvs.NQ, lvs.SH, lvs.MH}
	return all[p.random.IntN(len(all))]
}

// apply continues the drains, and makes the table what is wanted next.
func (p *planner) apply(t *testing.T, drain time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	state, err := lvs.ReadTableState(p.state)
	if err != nil {
		t.Fatal(err)
	}
	p.continueDrains(t, ctx, &state)
	want := p.table()
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
	p.steps += len(plan.Steps)
	for _, s := range plan.Steps {
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
	}
	t.Logf("%d plans with %d steps, drains ended %v; %d connections, %d messages, slowest %s; %d cut by plans, %d refused by services that were not wanted, %d wrong",
		*trafficPlans, p.steps, p.ended, f.opened, f.messages, f.slowest, len(f.broken)-len(wrong)-refused, refused, len(wrong))
	if p.steps < *trafficPlans || f.messages < f.opened || f.opened < *trafficPlans {
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
