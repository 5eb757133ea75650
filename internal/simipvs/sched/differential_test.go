package sched

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
)

// pair is a scheduler and its reference, in the same state, over the same servers.
type pair struct {
	name      string
	options   Options
	reference func() reference
	state     func(Scheduler, *refList) string // as the reference puts it; nil without a state
}

// expiration is short for histories.
const expiration = 3600 * 250

func short() int64 { return expiration }

var pairs = []pair{
	{"rr", Options{}, func() reference { return &refRR{} }, func(s Scheduler, l *refList) string {
		return fmt.Sprint(l.index(s.(*roundRobin).at))
	}},
	{"wrr", Options{}, func() reference { return &refWRR{} }, func(s Scheduler, l *refList) string {
		w := s.(*weightedRoundRobin)
		return fmt.Sprint(l.index(w.at), w.current, w.highest, max(w.step, 1))
	}},
	{"lc", Options{}, func() reference { return &refLC{} }, nil},
	{"wlc", Options{}, func() reference { return &refWLC{} }, nil},
	{"sed", Options{}, func() reference { return &refSED{} }, nil},
	{"nq", Options{}, func() reference { return &refNQ{} }, nil},
	{"fo", Options{}, func() reference { return &refFO{} }, nil},
	{"ovf", Options{}, func() reference { return &refOVF{} }, nil},
	{"dh", Options{}, func() reference { return &refDH{} }, nil},
	{"sh", Options{}, func() reference { return &refSH{bits: 8} }, nil},
	{"sh", Options{SHBits: 4}, func() reference { return &refSH{bits: 4} }, nil},
	{"mh", Options{MHIndex: 8}, func() reference { return &refMH{index: 8, m: 251} }, nil},
	{"mh", Options{MHIndex: 11}, func() reference { return &refMH{index: 11, m: 2039} }, nil},
	{"lblc", Options{CacheLimit: 1000, LBLCExpiration: short}, func() reference {
		return &refLBLC{*new(refCache).init(expiration)}
	}, func(s Scheduler, _ *refList) string {
		return fmt.Sprint(s.(*localityBased).cache.entries)
	}},
	{"lblcr", Options{LBLCRExpiration: short}, func() reference {
		return &refLBLCR{*new(refCache).init(expiration)}
	}, func(s Scheduler, _ *refList) string {
		return fmt.Sprint(s.(*localityBasedReplicated).cache.entries)
	}},
	{"twos", Options{}, func() reference { return &refTwos{r: rand.New(rand.NewPCG(0, 0))} }, nil},
}

// index is the place of a server in the list, and -1 that of its head.
func (l *refList) index(s *Server) int {
	if s == nil {
		return -1
	}
	return slices.Index(l.servers, s)
}

// world is one random history.
type world struct {
	t       *testing.T
	r       *rand.Rand
	p       pair
	g       *Group
	l       *refList
	by      Scheduler
	gone    []*Server // removed ones, of which some come back
	weights func() int32
	counts  func() int32
	next    uint32
	size    int // servers that there are about
	now     int64
	flags   uint32
}

func newWorld(t *testing.T, p pair, r *rand.Rand) *world {
	totals := r.IntN(2) == 0
	w := &world{t: t, r: r, p: p, g: NewGroup(totals), l: &refList{totals: totals}}
	w.weights = pickOne(r, []func() int32{
		func() int32 { return 1 },
		func() int32 { return r.Int32N(2) },
		func() int32 { return r.Int32N(8) },
		func() int32 { return 6 * r.Int32N(5) },
		func() int32 { return pickOne(r, []int32{0, 1, 1, 1, 3, 700}) },
		func() int32 { return r.Int32N(40) << 25 },
		func() int32 { return pickOne(r, []int32{0, math.MaxInt32}) },
	})
	w.counts = pickOne(r, []func() int32{
		func() int32 { return r.Int32N(3) },
		func() int32 { return r.Int32N(1000) },
		func() int32 { return r.Int32N(10) << 21 }, // the load wraps at 1<<23
	})
	w.resize()
	w.schedule()
	return w
}

func pickOne[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

// schedule replaces the scheduler by a fresh one. The minutes of its timer are
// counted from now on.
func (w *world) schedule() {
	w.p.options.Now = w.now
	w.by, _ = New(w.p.name, w.p.options)
	if err := w.g.Schedule(w.by); err != nil {
		w.t.Fatal(err)
	}
	by := w.p.reference()
	if c, ok := by.(interface{ startAt(now int64) }); ok {
		c.startAt(w.now)
	}
	w.l.schedule(by)
}

func (w *world) step() {
	k := w.r.IntN(100)
	switch {
	case k < 1 && w.r.IntN(5) == 0:
		w.schedule()
	case k < 2 && w.r.IntN(2) == 0:
		overloaded := w.r.IntN(2) == 0
		for s := range w.g.All() {
			s.Overloaded = overloaded
			w.g.Counted(s)
		}
	case k < 2 && w.r.IntN(5) == 0:
		w.resize()
	case k < 6:
		w.grow()
	case k < 45 && w.g.Len() > 0:
		w.change(pickOne(w.r, w.l.servers), k)
	default:
		w.pick()
	}
}

func (w *world) resize() { w.size = pickOne(w.r, []int{0, 1, 2, 3, 5, 12, 40, 80}) }

// grow adds or removes a server.
func (w *world) grow() {
	if w.r.IntN(w.size+1) > len(w.l.servers)/2 || len(w.l.servers) == 0 {
		s := &Server{ID: w.next}
		w.next++
		s.Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, byte(s.ID >> 8), byte(s.ID)}), 80)
		if len(w.gone) > 0 && w.r.IntN(2) == 0 {
			i := w.r.IntN(len(w.gone))
			s = w.gone[i]
			w.gone = slices.Delete(w.gone, i, i+1)
		}
		s.Weight = w.weights()
		s.LastWeight = s.Weight
		w.g.Add(s)
		w.l.add(s)
		return
	}
	s := pickOne(w.r, w.l.servers)
	w.g.Remove(s)
	w.l.remove(s)
	if w.gone = append(w.gone, s); len(w.gone) > 10 {
		w.gone = w.gone[1:]
	}
}

func (w *world) change(s *Server, k int) {
	switch {
	case k < 10:
		if w.r.IntN(2) == 0 {
			s.Weight = w.weights()
		}
		if s.Weight != 0 {
			s.LastWeight = s.Weight
		}
		w.g.Edited(s)
		w.l.by.edited()
		return
	case k < 20:
		s.Overloaded = w.r.IntN(2) == 0
	case k < 25:
		s.Active = w.counts()
	default:
		s.Inactive = w.counts()
	}
	w.g.Counted(s)
}

func (w *world) pick() {
	w.now += w.r.Int64N(50)
	switch w.r.IntN(100) {
	case 0:
		w.now += w.r.Int64N(2 * expiration)
	case 1:
		w.flags = pickOne(w.r, []uint32{0, 0x8, 0x10, 0x18})
	}
	f := &Flow{
		Client:   netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(w.r.IntN(50))}), uint16(w.r.IntN(3))),
		Dest:     netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, 0, byte(w.r.IntN(20))}), 80),
		Protocol: pickOne(w.r, []uint8{6, 17, 132, 51}),
		Flags:    w.flags,
		Now:      w.now,
	}
	explained := w.explain(f)
	got, want := w.g.Pick(f), w.l.by.pick(f)
	explained(got)
	if got != want {
		w.t.Fatalf("picked %s, want %s of\n%s", describe(got), describe(want), w.l)
	}
	if got != nil && w.r.IntN(2) == 0 {
		got.Active++
		w.g.Counted(got)
	}
}

// check compares what is not seen from a single pick.
func (w *world) check() {
	if w.p.state != nil {
		if got, want := w.p.state(w.by, w.l), w.l.by.state(); got != want {
			w.t.Fatalf("state %s, want %s of\n%s", got, want, w.l)
		}
	}
	if got := slices.Collect(w.g.All()); !slices.Equal(got, w.l.servers) || w.g.Len() != len(got) {
		w.t.Fatalf("%d servers in another order than\n%s", w.g.Len(), w.l)
	}
}

func describe(s *Server) string {
	if s == nil {
		return "none"
	}
	return fmt.Sprintf("%d (weight %d/%d, %d+%d, overloaded %t)", s.ID, s.Weight, s.LastWeight, s.Active, s.Inactive, s.Overloaded)
}

func (l *refList) String() string {
	var text string
	for _, s := range l.servers {
		text += describe(s) + "\n"
	}
	return text
}

var histories = flag.Uint64("histories", 50, "random histories of 2,000 steps that each scheduler lives through")

// live lets a scheduler and its reference live through a history.
func live(t *testing.T, p pair, seed uint64) {
	defer func() {
		if t.Failed() {
			t.Log("seed", seed)
		}
	}()
	w := newWorld(t, p, rand.New(rand.NewPCG(seed, 1)))
	for range 2000 {
		w.step()
		w.check()
	}
}

// TestDifferential lets each scheduler and its reference live through the same
// random histories.
func TestDifferential(t *testing.T) {
	for _, p := range pairs {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			n := *histories
			if p.name == "mh" {
				n = n/10 + 1 // its reference is slow
			}
			for seed := range n {
				live(t, p, seed)
			}
		})
	}
}
