package health

import (
	"math"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// plain returns a server that works and has its weight in the kernel's table.
func plain(weight int) standing {
	return standing{configured: weight, found: kernelWeight{weight, 1, true}, state: Up, reported: 1, ramp: 1}
}

func (s standing) with(change func(*standing)) standing {
	change(&s)
	return s
}

func decided(o Override) func(*standing) { return func(s *standing) { s.override = o.operated() } }
func judged(state State) func(*standing) { return func(s *standing) { s.state = state } }
func ramped(share float64) func(*standing) {
	return func(s *standing) { s.ramp = share }
}
func asking(share float64) func(*standing) {
	return func(s *standing) { s.asks, s.reported = true, share }
}

// kept makes a server one of which nothing is known but its weight in the kernel's table.
func kept(had int) func(*standing) {
	return func(s *standing) { s.state, s.found.weight = Unknown, had }
}

// inTable notes that the weights of servers were found in one table.
func inTable(scheduler lvs.Scheduler, servers []standing) []standing {
	scale := 1
	for _, s := range servers {
		scale = max(scale, scaleFor(s.found.weight, s.override.of(s.configured), scheduler))
	}
	for i := range servers {
		servers[i].found.scale = scale
	}
	return servers
}

func TestWeigh(t *testing.T) {
	for name, c := range map[string]struct {
		scheduler lvs.Scheduler
		then      Action
		servers   []standing
		want      []int
		held      string // of the last server
	}{
		"as configured": {lvs.WLC, "", []standing{plain(1), plain(0), plain(7)}, []int{1, 0, 7}, ""},
		"failed":        {lvs.WLC, "", []standing{plain(1), plain(2).with(judged(Down))}, []int{1, 0}, heldFailed},
		"new":           {lvs.WLC, "", []standing{plain(1), plain(2).with(kept(-1))}, []int{1, 0}, heldUnknown},
		"kept":          {lvs.RR, "", []standing{plain(1), plain(2).with(kept(5))}, []int{1, 5}, heldUnknown},
		"ramp of a small weight scales all": {
			lvs.WLC, "", []standing{plain(1), plain(3), plain(1).with(ramped(0.25))}, []int{100, 300, 25}, "",
		},
		"ramp of a great weight scales none": {
			lvs.WLC, "", []standing{plain(1), plain(200).with(ramped(0.25))}, []int{1, 50}, "",
		},
		"a failed server is not worth a scale": {
			lvs.WLC, "", []standing{plain(1), plain(1).with(judged(Down)).with(asking(0.5))}, []int{1, 0}, heldFailed,
		},
		"a share above one scales too": {
			lvs.WRR, "", []standing{plain(1), plain(1).with(decided(Override{Kind: Scale, Share: 1.5}))}, []int{100, 150}, "",
		},
		"factors multiply": {
			lvs.SED, "", []standing{plain(100).with(decided(Override{Kind: Scale, Share: 0.5})).with(asking(0.5)).with(ramped(0.5))}, []int{13}, "",
		},
		"a small share is not a refusal": {lvs.NQ, "", []standing{plain(100).with(asking(0.0001))}, []int{1}, ""},
		"a share of 0 is":                {lvs.NQ, "", []standing{plain(100).with(asking(0))}, []int{0}, ""},
		"a drain":                        {lvs.WLC, KeepAll, []standing{plain(9).with(decided(Override{Kind: Drain}))}, []int{0}, heldDrained},
		"a pin is a weight like the others": {
			lvs.WLC, SorryServer,
			[]standing{plain(1).with(decided(Override{Kind: Pin, Weight: 7})).with(judged(Down))}, []int{7}, heldPinned,
		},
		"a pin is scaled": {
			lvs.WLC, "",
			[]standing{plain(1).with(ramped(0.5)), plain(1).with(decided(Override{Kind: Pin, Weight: 7}))}, []int{50, 700}, heldPinned,
		},
		"keep all": {
			lvs.WLC, KeepAll, []standing{plain(2).with(ramped(0.1)), plain(3).with(judged(Down)), plain(4).with(kept(-1))}, []int{2, 3, 4}, heldKeepAll,
		},
		"keep all asks no server": {lvs.WLC, KeepAll, []standing{plain(2).with(asking(0))}, []int{2}, heldKeepAll},
		"rising after keep all": {
			lvs.WLC, "", []standing{plain(2), plain(3).with(judged(Down)).with(asking(0.5)).with(func(s *standing) { s.rising = true })}, []int{2, 3}, heldRising,
		},
		"sorry": {lvs.WLC, SorryServer, []standing{plain(2), plain(3).with(judged(Down))}, []int{0, 0}, heldSorry},
		"withdraw changes nothing": {
			lvs.WLC, Withdraw, []standing{plain(2), plain(3).with(judged(Down))}, []int{2, 0}, heldFailed,
		},
		"rr follows no share but 0": {lvs.RR, "", []standing{plain(100).with(asking(0.5)), plain(100).with(asking(0))}, []int{100, 0}, ""},
		"ovf does not scale": {
			lvs.OVF, "", []standing{plain(10), plain(10).with(decided(Override{Kind: Scale, Share: 0.5}))}, []int{10, 5}, "",
		},
		"sh scales as little as it can": {
			lvs.SH, "", []standing{plain(1), plain(1), plain(1).with(decided(Override{Kind: Scale, Share: 0.5}))}, []int{2, 2, 1}, "",
		},
		"sh does not scale beyond its table": {
			lvs.SH, "", []standing{plain(100), plain(100), plain(1).with(decided(Override{Kind: Scale, Share: 0.5}))}, []int{100, 100, 1}, "",
		},
		"the scale of a former program stays while its weights do": {
			lvs.WLC, "", []standing{plain(1), plain(1).with(kept(100)), plain(1).with(kept(37))}, []int{100, 100, 37}, heldUnknown,
		},
		"weights that are kept are scaled with the others": {
			lvs.WLC, "", []standing{plain(1).with(ramped(0.5)), plain(2).with(kept(2))}, []int{50, 200}, heldUnknown,
		},
		"the scale stays while a server asks for shares": {
			lvs.WLC, "", []standing{plain(1), plain(1).with(asking(1))}, []int{100, 100}, "",
		},
		"rr has no scale":       {lvs.RR, "", []standing{plain(1), plain(1).with(asking(1))}, []int{1, 1}, ""},
		"mh scales to quarters": {lvs.MH, "", []standing{plain(1), plain(1).with(ramped(0.5))}, []int{4, 2}, ""},
		"mh scales no more than to tenths": {
			lvs.MH, "", []standing{plain(1), plain(1).with(decided(Override{Kind: Scale, Share: 0.93}))}, []int{10, 9}, "",
		},
		"mh does not scale what can be divided": {lvs.MH, "", []standing{plain(100), plain(100).with(ramped(0.25))}, []int{100, 25}, ""},
		"the kernel's limit": {
			lvs.WLC, "",
			[]standing{plain(1).with(ramped(0.5)), plain(maxWeight)}, []int{1, maxWeight}, "",
		},
		"nothing": {lvs.WLC, "", nil, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			weights := weigh(c.scheduler, c.then, inTable(c.scheduler, c.servers))
			if diff := cmp.Diff(c.want, effective(weights)); diff != "" {
				t.Errorf("weights (-want +got):\n%s", diff)
			}
			if n := len(weights); n > 0 && weights[n-1].Held != c.held {
				t.Errorf("held: %q, want %q", weights[n-1].Held, c.held)
			}
		})
	}
}

func effective(weights []Weight) []int {
	var all []int
	for _, w := range weights {
		all = append(all, w.Effective)
	}
	return all
}

var anySchedulers = []lvs.Scheduler{
	lvs.RR, lvs.WRR, lvs.LC, lvs.WLC, lvs.SED, lvs.NQ, lvs.FO, lvs.OVF, lvs.LBLC, lvs.LBLCR, lvs.DH, lvs.SH, lvs.MH, lvs.TWOS, "",
}

func anyStanding(t *rapid.T) standing {
	weight := rapid.OneOf(rapid.IntRange(0, 300), rapid.IntRange(0, maxWeight))
	share := rapid.OneOf(rapid.Just(0.0), rapid.Just(1.0), rapid.Float64Range(0, 1), rapid.Float64Range(0, maxShare))
	s := standing{
		configured: weight.Draw(t, "configured"),
		found:      kernelWeight{rapid.OneOf(rapid.Just(-1), weight).Draw(t, "found"), 1, true},
		state:      rapid.SampledFrom([]State{Unknown, Up, Down}).Draw(t, "state"),
		asks:       rapid.Bool().Draw(t, "asks"),
		reported:   share.Draw(t, "reported"),
		ramp:       rapid.OneOf(rapid.Just(1.0), rapid.Float64Range(0.01, 1)).Draw(t, "ramp"),
	}
	s.rising = s.state == Down && rapid.Bool().Draw(t, "rising")
	switch s.override.kind = rapid.SampledFrom([]OverrideKind{"", Drain, Scale, Pin}).Draw(t, "kind"); s.override.kind {
	case Scale:
		s.override.share = share.Draw(t, "operator")
	case Pin:
		s.override.weight = weight.Draw(t, "pinned")
	}
	return s
}

func anyAction(t *rapid.T) Action {
	return rapid.SampledFrom([]Action{"", KeepAll, SorryServer, Withdraw, Report}).Draw(t, "then")
}

// TestWeighProperties holds what is so of all weights.
func TestWeighProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scheduler, then := rapid.SampledFrom(anySchedulers).Draw(t, "scheduler"), anyAction(t)
		servers := rapid.SliceOfN(rapid.Custom(anyStanding), 1, 6).Draw(t, "servers")
		weights := weigh(scheduler, then, inTable(scheduler, servers))
		for i, w := range weights {
			switch exact := float64(w.Configured) * float64(w.Scale) * w.share(); {
			case w.Effective < 0 || w.Effective > maxWeight:
				t.Fatalf("%+v is not a weight of the kernel", w)
			case w.Scale != weights[0].Scale:
				t.Fatalf("scales differ: %+v", weights)
			case w.Held == "" && (w.Effective == 0) != (exact == 0):
				t.Fatalf("%+v is 0, or is not, for no reason", w)
			case w.Held == "" && exact >= 0.5 && exact < maxWeight && math.Abs(float64(w.Effective)-exact) > 0.5+1e-6*exact:
				t.Fatalf("%+v is not rounded", w)
			case servers[i].override.kind == Drain && w.Effective != 0:
				t.Fatalf("%+v is drained", w)
			}
		}
	})
}

// TestWeighMonotone holds that more of one factor never makes less of a weight.
func TestWeighMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scheduler := rapid.SampledFrom(ratios).Draw(t, "scheduler")
		s := anyStanding(t)
		s.configured, s.state = rapid.IntRange(0, 10_000).Draw(t, "small"), Up
		more := s
		switch rapid.IntRange(0, 3).Draw(t, "factor") {
		case 0:
			more.configured += rapid.IntRange(0, 100).Draw(t, "more")
		case 1:
			more.reported += rapid.Float64Range(0, 1).Draw(t, "more")
		case 2:
			more.ramp = min(1, more.ramp+rapid.Float64Range(0, 1).Draw(t, "more"))
		default:
			if more.override.kind == Scale {
				more.override.share += rapid.Float64Range(0, 1).Draw(t, "more")
			}
		}
		// The other server keeps the scale.
		other := plain(1).with(ramped(0.5))
		less, greater := weigh(scheduler, "", []standing{other, s})[1], weigh(scheduler, "", []standing{other, more})[1]
		if less.Effective > greater.Effective {
			t.Fatalf("%+v is more than %+v", less, greater)
		}
	})
}

// TestWeighRatios holds that scales change no ratio by more than rounding.
func TestWeighRatios(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		servers := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) standing {
			return plain(rapid.IntRange(1, 1000).Draw(t, "configured")).with(ramped(rapid.Float64Range(0.1, 1).Draw(t, "ramp")))
		}), 2, 6).Draw(t, "servers")
		weights := weigh(lvs.WLC, "", servers)
		a, b := weights[0], weights[1]
		want := float64(a.Configured) * a.share() / (float64(b.Configured) * b.share())
		got := float64(a.Effective) / float64(b.Effective)
		// Each is at least 10, and off by a half at most.
		if got < want*0.9 || got > want*1.11 {
			t.Fatalf("%+v and %+v: %g, want %g", a, b, got, want)
		}
	})
}

// TestWeighAfterRestart holds that a program that begins with the weights of another one
// changes none of them.
func TestWeighAfterRestart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scheduler := rapid.SampledFrom(anySchedulers).Draw(t, "scheduler")
		servers := rapid.SliceOfN(rapid.Custom(anyStanding), 1, 6).Draw(t, "servers")
		for i := range servers {
			servers[i].override = operated{}
			servers[i].state = Unknown
			servers[i].configured = max(1, servers[i].configured)
			servers[i].found.weight = max(0, servers[i].found.weight)
		}
		for i, w := range weigh(scheduler, "", inTable(scheduler, servers)) {
			if w.Effective != servers[i].found.weight {
				t.Fatalf("%+v had %d", w, servers[i].found.weight)
			}
		}
	})
}

func TestSlowStartAt(t *testing.T) {
	type point struct {
		After, Rest time.Duration
		Share       float64
	}
	walk := func(s SlowStart, scheduler lvs.Scheduler) (all []point) {
		for at := time.Duration(0); ; {
			share, rest := s.at(at, scheduler)
			all = append(all, point{at, rest, math.Round(share*1000) / 1000})
			if rest == 0 {
				return all
			}
			at += rest
		}
	}
	for name, c := range map[string]struct {
		s         SlowStart
		scheduler lvs.Scheduler
		want      []point
	}{
		"none": {SlowStart{}, lvs.WLC, []point{{0, 0, 1}}},
		"mh has four weights": {SlowStart{Window: 40 * time.Second}, lvs.MH, []point{
			{0, 10 * time.Second, 0.25}, {10 * time.Second, 10 * time.Second, 0.5},
			{20 * time.Second, 10 * time.Second, 0.75}, {30 * time.Second, 10 * time.Second, 1}, {40 * time.Second, 0, 1},
		}},
		"a curve": {SlowStart{Window: 400 * time.Millisecond, From: 0.2, Curve: 2}, lvs.WLC, []point{
			{0, 100 * time.Millisecond, 0.2}, {100 * time.Millisecond, 100 * time.Millisecond, 0.5},
			{200 * time.Millisecond, 100 * time.Millisecond, 0.707}, {300 * time.Millisecond, 100 * time.Millisecond, 0.866}, {400 * time.Millisecond, 0, 1},
		}},
		"a short one": {SlowStart{Window: 1}, lvs.WLC, []point{{0, 1, 0.1}, {1, 0, 1}}},
	} {
		if diff := cmp.Diff(c.want, walk(c.s, c.scheduler)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if n := len(walk(SlowStart{Window: time.Minute}, lvs.WLC)); n != rampSteps+1 {
		t.Errorf("a minute has %d weights", n)
	}
	if share, rest := (SlowStart{Window: time.Second}).at(-time.Hour, lvs.WLC); share != 0.1 || rest <= 0 {
		t.Errorf("before it begins: %g, %s", share, rest)
	}
}

// TestSlowStartProperties holds that a weight rises, in a bounded number of steps, and
// arrives.
func TestSlowStartProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := SlowStart{
			Window: time.Duration(rapid.Int64Range(1, math.MaxInt64).Draw(t, "window")),
			From:   rapid.Float64Range(0, 1).Draw(t, "from"),
			Curve:  rapid.Float64Range(0.1, 10).Draw(t, "curve"),
		}
		scheduler := rapid.SampledFrom([]lvs.Scheduler{lvs.WLC, lvs.MH}).Draw(t, "scheduler")
		was := 0.0
		for at, n := time.Duration(0), 0; ; n++ {
			share, rest := s.at(at, scheduler)
			if share < was || share < s.From || share > 1 || rest < 0 || n > rampSteps+1 {
				t.Fatalf("after %s: %g after %g, rest %s, step %d", at, share, was, rest, n)
			}
			if rest == 0 {
				if share != 1 || at < s.Window {
					t.Fatalf("ended after %s with %g", at, share)
				}
				return
			}
			was, at = share, at+rest
		}
	})
}

func TestLoad(t *testing.T) {
	start := time.Unix(0, 0)
	for name, c := range map[string]struct {
		load   Load
		asked  []float64 // one a second
		shares []float64
	}{
		"each at once":         {Load{}, []float64{0.5, 0.51, 2, 0, 1}, []float64{0.5, 0.51, 2, 0, 1}},
		"a dead band":          {Load{DeadBand: 0.1}, []float64{0.95, 1, 0.84, 0.76, 0, 0.05}, []float64{0.95, 0.95, 0.84, 0.84, 0, 0.05}},
		"a slew":               {Load{Slew: 0.2}, []float64{0.5, 1, 1, 1, 0.1, 0, 1}, []float64{0.5, 0.7, 0.9, 1, 0.8, 0, 0.2}},
		"both":                 {Load{DeadBand: 0.1, Slew: 0.2}, []float64{0.5, 0.55, 0.85, 0.85}, []float64{0.5, 0.5, 0.7, 0.85}},
		"what is out of range": {Load{}, []float64{0.5, math.Inf(1), math.Inf(-1)}, []float64{0.5, maxShare, 0}},
	} {
		var l load
		if l.use() != 1 {
			t.Errorf("a server that asked for nothing has %g", l.use())
		}
		for i, asked := range c.asked {
			was := l.use()
			changed := l.take(asked, c.load, start.Add(time.Duration(i)*time.Second))
			if math.Abs(l.use()-c.shares[i]) > 1e-9 || changed != (was != l.use()) {
				t.Errorf("%s: after %v: %g, changed %t; want %g", name, c.asked[:i+1], l.use(), changed, c.shares[i])
			}
		}
	}
	if share, ok := reported(Answer{}, Answer{Share: 0.5, Reported: true}, Answer{Share: 0.7, Reported: true}); !ok || share != 0.5 {
		t.Errorf("the least share is %g, %t", share, ok)
	}
	if share, ok := reported(Answer{Share: math.NaN(), Reported: true}, Answer{Share: 0.5, Reported: true}); !ok || share != 0.5 {
		t.Errorf("beside what is not a number, the share is %g, %t", share, ok)
	}
	if _, ok := reported(Answer{Share: 0.5}); ok {
		t.Error("a share that was not reported counted")
	}
}

// TestLoadProperties holds that the share in use goes to what is asked, not past it, and
// not faster than it may.
func TestLoadProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Load{DeadBand: rapid.Float64Range(0, 1).Draw(t, "band"), Slew: rapid.Float64Range(0.001, 1).Draw(t, "slew")}
		l, now := load{}, time.Unix(0, 0)
		for first := true; first || rapid.Bool().Draw(t, "more"); first = false {
			wait := time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "wait"))
			asked, was := rapid.Float64Range(0, 2).Draw(t, "asked"), l.use()
			now = now.Add(wait)
			l.take(asked, p, now)
			switch is := l.use(); {
			case first || asked == 0:
				if is != asked {
					t.Fatalf("asked %g, is %g", asked, is)
				}
			case is < min(was, asked) || is > max(was, asked):
				t.Fatalf("from %g to %g: is %g", was, asked, is)
			case math.Abs(is-was) > p.Slew*wait.Seconds()+1e-9:
				t.Fatalf("from %g to %g in %s", was, is, wait)
			case is != was && was > 0 && math.Abs(asked-was) < p.DeadBand:
				t.Fatalf("from %g to %g: the dead band is %g", was, is, p.DeadBand)
			}
		}
	})
}

// BenchmarkWeigh is the weights of a service of 10,000 servers, one of which rises.
func BenchmarkWeigh(b *testing.B) {
	servers := many(10_000, plain(1))
	servers[0].ramp = 0.5
	for b.Loop() {
		weigh(lvs.WLC, "", servers)
	}
}
