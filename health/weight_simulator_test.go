package health

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// ground is a simulated director with the servers of one service.
type ground struct {
	*testing.T
	sim    *lvs.Simulator
	id     lvs.ServiceID
	flows  int
	counts map[netip.Addr]int
}

// newGround returns a director with four servers of some weight. Its service is for all
// destinations, so that there can be many.
func newGround(t *testing.T, scheduler lvs.Scheduler, weight int) *ground {
	t.Helper()
	sim, err := lvs.NewSimulator(lvs.SimOptions{Kernel: "6.12.118", Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	g := &ground{T: t, sim: sim, id: lvs.FWMark(7), counts: map[netip.Addr]int{}}
	g.do(lvs.AddService(lvs.Service{ID: g.id, Scheduler: scheduler}))
	g.put(many(4, plain(weight))...)
	return g
}

func (g *ground) do(changes ...lvs.Change) {
	g.Helper()
	if err := g.sim.Client().Do(g.Context(), changes...); err != nil {
		g.Fatal(err)
	}
}

func (g *ground) server(i int) netip.Addr { return rip(i).Addr() }

// put gives the servers the weights that follow from their standings.
func (g *ground) put(servers ...standing) {
	g.Helper()
	service, err := g.sim.Client().Service(g.Context(), g.id)
	if err != nil {
		g.Fatal(err)
	}
	for i, w := range weigh(service.Scheduler, "", servers) {
		g.do(lvs.PutRealServer(g.id, lvs.RealServer{Addr: netip.AddrPortFrom(g.server(i), 0), Weight: w.Effective}))
	}
}

// connect opens a connection of a client to a destination, and returns its server; none
// if all servers are full.
func (g *ground) connect(client, destination int) netip.Addr {
	g.Helper()
	g.flows++
	conn, err := g.sim.Connect(lvs.Flow{
		Client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{100, 64, byte(client >> 8), byte(client)}), uint16(1024+g.flows%60_000)),
		VIP:    netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 168, byte(destination >> 8), byte(destination)}), 80),
		FWMark: g.id.FWMark(),
	})
	if errors.As(err, new(*lvs.NotForwardedError)) {
		return netip.Addr{}
	}
	if err != nil {
		g.Fatal(err)
	}
	g.counts[conn.Server().Addr()]++
	return conn.Server().Addr()
}

// gets returns how many of the next 1,000 connections, to so many destinations from a
// first one, the fifth server gets.
func (g *ground) gets(destinations, first int) int {
	g.Helper()
	got := 0
	for i := range 1000 {
		if g.connect(20_000+i, first+i%destinations) == g.server(4) {
			got++
		}
	}
	return got
}

// newServer returns how many of the next 1,000 connections a new server of some weight
// gets beside four of weight 100 with 2,500 connections each.
func newServer(t *testing.T, scheduler lvs.Scheduler, weight, destinations, first int) int {
	t.Helper()
	g := newGround(t, scheduler, 100)
	for i := range 10_000 {
		g.connect(i, i%destinations)
	}
	g.put(append(many(4, plain(100)), plain(weight))...)
	return g.gets(destinations, first)
}

// TestSlowStartRefused holds that the numbers with which slow start is refused are true.
func TestSlowStartRefused(t *testing.T) {
	said := map[lvs.Scheduler]bool{}
	says := func(scheduler lvs.Scheduler, format string, args ...any) {
		t.Helper()
		said[scheduler] = true
		err := SlowStart{Window: time.Minute}.validate(scheduler)
		refused(t, "Window", err)
		if want := fmt.Sprintf(format, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", scheduler, err, want)
		}
	}
	for _, c := range []struct {
		scheduler    lvs.Scheduler
		destinations int
	}{{lvs.RR, 1}, {lvs.LC, 1}, {lvs.DH, 100}} {
		got := newServer(t, c.scheduler, 100, c.destinations, 0)
		for _, weight := range []int{10, 1} {
			if other := newServer(t, c.scheduler, weight, c.destinations, 0); other != got {
				t.Errorf("%s: at weight %d, %d instead of %d", c.scheduler, weight, other, got)
			}
		}
		says(c.scheduler, "gets %s of the next 1,000", thousands(got))
	}
	says(lvs.FO, "gets %d of the next 1,000 connections at a tenth of its weight, and then all", newServer(t, lvs.FO, 10, 1, 0))
	if got := newServer(t, lvs.FO, 101, 1, 0); got != 1000 {
		t.Errorf("fo: a new server of the greatest weight gets %d", got)
	}
	says(lvs.OVF, "gets %d of the next 1,000 at a weight of 10", newServer(t, lvs.OVF, 10, 1, 0))
	for _, scheduler := range []lvs.Scheduler{lvs.LBLC, lvs.LBLCR} {
		says(scheduler, "gets %s of the next 1,000 connections to new destinations", thousands(newServer(t, scheduler, 10, 100, 1000)))
	}
	says(lvs.TWOS, "gets %d of the next 1,000 with all", newServer(t, lvs.TWOS, 100, 1, 0))
	once, steps := hashMoves(t, lvs.SH)
	says(lvs.SH, "%.0f %% move when a fifth server is added, and in four steps %.0f %%, %.0f %%, %.0f %% and %.0f %%", once, steps[0], steps[1], steps[2], steps[3])
	for scheduler := range useless {
		if !said[scheduler] {
			t.Errorf("nothing holds what is said of %s", scheduler)
		}
	}
	refused(t, "Window", SlowStart{Window: time.Minute}.validate("mine"))
	for _, scheduler := range []lvs.Scheduler{lvs.WRR, lvs.WLC, lvs.SED, lvs.NQ, lvs.MH} {
		if err := (SlowStart{Window: time.Minute}).validate(scheduler); err != nil {
			t.Errorf("%s: %v", scheduler, err)
		}
	}
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}

// hashMoves returns what percentage of 10,000 clients moves when a fifth server of weight
// 1 is added to four at once, and at each step of slow start.
func hashMoves(t *testing.T, scheduler lvs.Scheduler) (once float64, steps []float64) {
	t.Helper()
	moves := func(shares ...float64) (all []float64) {
		g := newGround(t, scheduler, 1)
		was := g.servers()
		for _, share := range shares {
			g.put(append(many(4, plain(1)), plain(1).with(ramped(share)))...)
			is := g.servers()
			moved := 0
			for i := range is {
				if is[i] != was[i] {
					moved++
				}
			}
			all, was = append(all, float64(moved)/float64(len(is))*100), is
		}
		return all
	}
	return moves(1)[0], moves(shares(SlowStart{Window: time.Minute}, lvs.MH)...)
}

// servers returns the servers of 10,000 clients.
func (g *ground) servers() []netip.Addr {
	all := make([]netip.Addr, 10_000)
	for i := range all {
		all[i] = g.connect(i, 0)
	}
	return all
}

// shares returns the shares of slow start, each once.
func shares(s SlowStart, scheduler lvs.Scheduler) (all []float64) {
	for at := time.Duration(0); ; {
		share, rest := s.at(at, scheduler)
		all = append(all, share)
		if rest == 0 {
			return slices.Compact(all)
		}
		at += rest
	}
}

// TestSlowStartMH holds that slow start in four steps moves few more clients than adding
// the server at once, and gives it about a quarter of its share at each step.
func TestSlowStartMH(t *testing.T) {
	once, steps := hashMoves(t, lvs.MH)
	sum := 0.0
	for _, moved := range steps {
		sum += moved
		if moved > once/3 {
			t.Errorf("a step moves %.1f %% of the clients, all at once %.1f %%", moved, once)
		}
	}
	t.Logf("at once %.1f %%, in steps %.1f %% = %.1f %%", once, steps, sum)
	if len(steps) != 4 || sum > once*1.1 {
		t.Errorf("the steps move %.1f %% of the clients, together %.1f %%; all at once %.1f %%", steps, sum, once)
	}
}

// TestSlowStartSimulated holds what slow start is for: with the weight that it gives, a new
// server beside four, all of weight 1, gets that part of the connections which a server
// without it gets at once.
func TestSlowStartSimulated(t *testing.T) {
	for _, c := range []struct {
		scheduler lvs.Scheduler
		want      [3]int // of the next 1,000 connections at all of the weight, a tenth and a hundredth
	}{
		{lvs.WRR, [3]int{200, 25, 3}},
		{lvs.WLC, [3]int{1000, 269, 28}},
		{lvs.SED, [3]int{1000, 268, 27}},
		{lvs.NQ, [3]int{1000, 268, 27}},
	} {
		var got [3]int
		for i, share := range []float64{1, 0.1, 0.01} {
			g := newGround(t, c.scheduler, 1)
			for i := range 10_000 {
				g.connect(i, 0)
			}
			g.put(append(many(4, plain(1)), plain(1).with(ramped(share)))...)
			got[i] = g.gets(1, 0)
		}
		if got != c.want {
			t.Errorf("%s: %d, want %d", c.scheduler, got, c.want)
		}
	}
}

// TestSlowStartRises holds that at each step of the window a new server has at most its
// share of the connections that the others have, however many arrive.
func TestSlowStartRises(t *testing.T) {
	for _, scheduler := range []lvs.Scheduler{lvs.WLC, lvs.SED, lvs.NQ} {
		g := newGround(t, scheduler, 1)
		for i := range 10_000 {
			g.connect(i, 0)
		}
		for _, share := range shares(SlowStart{Window: 30 * time.Second}, scheduler) {
			g.put(append(many(4, plain(1)), plain(1).with(ramped(share)))...)
			for i := range 1500 {
				g.connect(20_000+i, 0)
			}
			part := float64(g.counts[g.server(4)]) / float64(g.counts[g.server(0)])
			if math.Abs(part-share) > 0.02 {
				t.Errorf("%s: at a share of %.2f it has %.2f of the connections of another server", scheduler, share, part)
			}
		}
	}
}
