package director

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
)

// backends are real servers that say whether they work. They are a probe of themselves.
type backends struct {
	mu     sync.Mutex
	broken map[netip.AddrPort]bool
	asked  int
}

func (b *backends) Probe(_ context.Context, t health.Target) (health.Answer, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	if b.broken[t.Server] {
		return health.Answer{}, errors.New("it is broken")
	}
	return health.Answer{}, nil
}

// breaks makes real servers of web fail from now on, and all others work.
func (b *backends) breaks(servers ...int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.broken = map[netip.AddrPort]bool{}
	for _, n := range servers {
		b.broken[rip(web, n)] = true
	}
}

// checked returns an update whose service web is checked each second.
func (b *backends) checked(t lvs.Table, change ...func(*health.Policy)) Update {
	p := health.Policy{Checks: []health.Check{{Probe: b, Interval: time.Second, Timeout: 500 * time.Millisecond}}}
	for _, c := range change {
		c(&p)
	}
	return Update{Table: t, Health: map[lvs.ServiceID]health.Policy{web: p}}
}

func (s *scene) update(u Update) {
	s.Helper()
	if err := s.d.Update(u); err != nil {
		s.Fatal(err)
	}
}

// rise and fall are how long a change of a real server takes to have its weight changed:
// that long after it, its weight is certain.
const (
	rise = 2*time.Second + 100*time.Millisecond
	fall = 3*time.Second + 100*time.Millisecond
)

// wrrTable returns a table whose real servers have weights.
func wrrTable(weights ...int) lvs.Table {
	t := webTable()
	t.Services[0].Scheduler = lvs.WRR
	for i, w := range weights {
		server := lvs.NewRealServer(rip(web, i+1), lvs.DR())
		server.Weight = w
		t.Services[0].RealServers = append(t.Services[0].RealServers, server)
	}
	return t
}

// hasServers requires weights of the real servers of web, by their numbers; -1 is none.
func (s *scene) hasServers(when string, want ...int) {
	s.Helper()
	servers, err := s.other.RealServers(context.Background(), web)
	if err != nil {
		s.Fatal(err)
	}
	got := slices.Repeat([]int{-1}, 9)
	for _, server := range servers {
		got[server.Addr.Addr().As4()[3]-1] = server.Weight
	}
	want = append(want, slices.Repeat([]int{-1}, 9-len(want))...)
	if !slices.Equal(got, want) {
		s.Errorf("%s: weights %v, want %v", when, got, want)
	}
}

// A real server that fails loses its weight at once, more of them than a table may remove,
// and gets it back when it works again. Nothing of that is a drift.
func TestHealthMovesWeights(t *testing.T) {
	play(t, Options{}, func(s *scene) {
		var b backends
		s.update(b.checked(wrrTable(3, 2, 1)))
		s.run()
		pass(settle + 20*time.Millisecond)
		s.hasWeights("before the first success", 0, 0, 0)
		pass(rise)
		s.hasWeights("when all work", 3, 2, 1)
		s.inSync("when all work", true)
		s.take()

		b.breaks(1, 3)
		pass(fall)
		s.hasWeights("when two failed", 0, 2, 0)
		s.inSync("when two failed", true)
		if got, want := s.kinds(), map[string]int{"Health": 2, "Applied": 2}; !maps.Equal(got, want) {
			s.Errorf("events of two failures: %v, want %v", got, want)
		}
		b.breaks()
		pass(rise)
		s.hasWeights("when all work again", 3, 2, 1)
		if c := s.d.Status().Counts; c.Drifts != 0 || c.Refusals != 0 || c.Failures != 0 {
			s.Errorf("counts: %s", c)
		}
	})
}

// A failure is acted upon in the moment in which it is certain.
func TestHealthIsAppliedAtOnce(t *testing.T) {
	var s *scene
	var b backends
	var worst time.Duration
	play(t, Options{}, func(at *scene) {
		s = at
		s.update(b.checked(wrrTable(1, 1, 1, 1, 1, 1, 1)))
		s.run()
		pass(5 * time.Second)
		s.take()
		b.breaks(1, 2, 3, 4, 5, 6, 7)
		failed := map[netip.AddrPort]time.Time{}
		for range 400 {
			pass(10 * time.Millisecond)
			for _, e := range s.take() {
				if h, ok := e.(Health); ok {
					failed[h.Event.(health.ServerChanged).Server] = time.Now()
				}
			}
			for i, w := range s.weights() {
				if at, ok := failed[rip(web, i+1)]; ok && w > 0 {
					worst = max(worst, time.Since(at))
				}
			}
		}
		if len(failed) != 7 {
			s.Fatalf("%d have failed", len(failed))
		}
	})
	if worst > weightPause {
		t.Errorf("a real server kept its weight for %s after it had failed", worst)
	}
}

// Weights that change together are applied together.
func TestHealthLooksAreFew(t *testing.T) {
	play(t, Options{Resync: time.Hour}, func(s *scene) {
		var b backends
		all, broken := wrrTable(make([]int, 200)...), []int{}
		for i := range all.Services[0].RealServers {
			all.Services[0].RealServers[i].Weight = 1
			broken = append(broken, i+1)
		}
		s.update(b.checked(all))
		s.run()
		pass(10 * time.Second)
		before := s.d.Status().Counts
		pass(time.Minute)
		if after := s.d.Status().Counts; after.Looks != before.Looks {
			s.Errorf("%d looks while nothing changed", after.Looks-before.Looks)
		}
		b.breaks(broken...)
		pass(10 * time.Second)
		if looks := s.d.Status().Counts.Looks - before.Looks; looks > int(time.Second/weightPause)+2 {
			s.Errorf("%d looks for failures within a second", looks)
		}
		if s.weights()[100] != 0 {
			s.Error("weights stay")
		}
	})
}

// What another program makes of a weight is put right. Drifts that come again and again
// wait; a failure does not wait with them.
func TestHealthBesideDrifts(t *testing.T) {
	play(t, Options{Resync: time.Second}, func(s *scene) {
		var b backends
		s.update(b.checked(wrrTable(3, 2, 1)))
		s.run()
		pass(5 * time.Second)
		s.take()
		spoil := func() {
			server := lvs.NewRealServer(rip(web, 1), lvs.DR())
			server.Weight = 9
			s.do(lvs.UpdateRealServer(web, server))
		}
		spoil()
		pass(time.Second)
		s.reported("a weight of another program", "weight 9; repaired", "applied 1 step")
		for range 20 {
			spoil()
			pass(time.Second)
		}
		spoil()
		s.take()
		b.breaks(2)
		pass(fall)
		if w := s.weights(); w[1] != 0 {
			s.Errorf("weights %v while a drift is delayed", w)
		}
		b.breaks()
		pass(2 * time.Minute)
		s.hasWeights("when the other program is gone", 3, 2, 1)
	})
}

// A table is judged by what it removes, whatever has failed.
func TestHealthAndMaxRemoval(t *testing.T) {
	play(t, Options{}, func(s *scene) {
		var b backends
		s.update(b.checked(wrrTable(1, 1, 1, 1)))
		s.run()
		pass(5 * time.Second)
		b.breaks(1, 2, 3)
		pass(fall)
		s.hasWeights("when three failed", 0, 0, 0, 1)
		s.take()
		s.update(b.checked(wrrTable(1)))
		pass(time.Second)
		if got := s.kinds(); got["Refused"] != 1 {
			s.Errorf("a table without three of four: %v", got)
		}
		s.hasWeights("after a refusal", 0, 0, 0, 1)
		b.breaks(4)
		pass(fall + time.Second)
		s.hasWeights("checks of the table before go on", 1, 1, 1, 0)
		s.d.Allow()
		pass(time.Second)
		s.hasWeights("when it is allowed", 1)
	})
}

// Failed real servers that are to be removed go at once, while those that are not wanted
// any more drain, and come back with their weight.
func TestHealthRemoves(t *testing.T) {
	removes := func(p *health.Policy) { p.Failed = health.Remove }
	play(t, Options{Table: minute}, func(s *scene) {
		var b backends
		want := wrrTable(3, 2, 1)
		s.update(b.checked(want, removes))
		s.run()
		pass(5 * time.Second)
		s.hasServers("when all work", 3, 2, 1)
		s.connect(2)
		s.take()
		b.breaks(1)
		less := wrrTable(3, 2, 1)
		less.Services[0].RealServers = slices.Delete(less.Services[0].RealServers, 1, 2)
		pass(2 * time.Second)
		s.update(b.checked(less, removes)) // at about the same time
		pass(fall)
		s.hasServers("when one failed and one drains", -1, 0, 1)
		s.inSync("when one failed and one drains", true)
		status := s.d.Status()
		if len(status.Drains) != 1 || status.Drains[0].RealServer != rip(web, 2) {
			s.Errorf("drains: %v", status.Drains)
		}
		b.breaks()
		pass(rise)
		s.hasServers("when it works again", 3, 0, 1)
		if got := s.kinds(); got["DrainBegan"] != 1 || got["Drift"] != 0 {
			s.Errorf("events: %v", got)
		}
		pass(2 * time.Minute)
		s.hasServers("when the drain has ended", 3, -1, 1)
	})
}

// A sorry server serves below the limit, and goes above it. Neither is a removal of the
// wanted table.
func TestHealthSorryServer(t *testing.T) {
	sorry := lvs.NewRealServer(rip(web, 9), lvs.DR())
	for name, failed := range map[string]health.Consequence{"quiesced": health.Quiesce, "removed": health.Remove} {
		t.Run(name, func(t *testing.T) {
			play(t, Options{Table: lvs.TableOptions{Prune: true}}, func(s *scene) {
				var b backends
				s.update(b.checked(wrrTable(3, 2), func(p *health.Policy) {
					p.Failed = failed
					p.Limit = health.Limit{Count: 1, Then: health.SorryServer, Sorry: []lvs.RealServer{sorry}}
				}))
				s.run()
				pass(5 * time.Second)
				s.hasServers("when both work", 3, 2)
				b.breaks(1, 2)
				pass(fall)
				none := 0
				if failed == health.Remove {
					none = -1
				}
				want := []int{none, none, -1, -1, -1, -1, -1, -1, 1}
				s.hasServers("when none works", want...)
				s.inSync("when none works", true)
				s.stop()
				s.run() // which finds it there
				pass(fall + time.Second)
				s.hasServers("after another start", want...)
				b.breaks(2)
				pass(rise)
				s.hasServers("when one works again", 3, none)
				if c := s.d.Status().Counts; c.Refusals+c.Drifts+c.Failures != 0 {
					s.Errorf("counts: %s", c)
				}
			})
		})
	}
}

// A Director that is started again changes no weight before a check has decided: those
// that were there stay, also those that are 0.
func TestHealthAfterRestart(t *testing.T) {
	o := Options{OverridesFile: filepath.Join(t.TempDir(), "overrides.json")}
	play(t, o, func(s *scene) {
		var b backends
		u := b.checked(wrrTable(3, 2, 1, 1))
		s.update(u)
		s.run()
		pass(5 * time.Second)
		b.breaks(2)
		if err := s.d.Override(health.Override{Service: web, Server: rip(web, 3), Kind: health.Drain}); err != nil {
			s.Fatal(err)
		}
		pass(fall)
		s.hasWeights("before the end", 3, 0, 0, 1)
		changes := 0
		for range 5 {
			s.stop() // as SIGKILL does: nothing is written at the end
			s.direct(o)
			s.update(u)
			s.run()
			pass(900 * time.Millisecond) // less than a server needs to rise or to fall
			s.hasWeights("after another start", 3, 0, 0, 1)
			changes += s.d.Status().Counts.Changes
		}
		if changes != 0 {
			s.Errorf("%d changes", changes)
		}
		pass(10 * time.Second)
		s.hasWeights("when checks have decided", 3, 0, 0, 1)
		b.breaks(1)
		pass(fall)
		s.hasWeights("afterwards", 0, 2, 0, 1)
	})
}

// Checks that cannot work are refused with the table, and the last ones go on.
func TestHealthRefused(t *testing.T) {
	play(t, Options{}, func(s *scene) {
		var b backends
		s.update(b.checked(wrrTable(1)))
		for name, u := range map[string]Update{
			"no probe":      {Table: wrrTable(1), Health: map[lvs.ServiceID]health.Policy{web: {Checks: []health.Check{{}}}}},
			"no service":    {Table: table(), Health: map[lvs.ServiceID]health.Policy{web: {}}},
			"no path":       b.checked(wrrTable(1), func(p *health.Policy) { p.Checks[0].Path = "moon" }),
			"bad scheduler": b.checked(webTable(1), func(p *health.Policy) { p.SlowStart.Window = time.Minute }),
		} {
			if err := s.d.Update(u); !errors.Is(err, lvs.ErrInvalid) {
				s.Errorf("%s: %v", name, err)
			}
		}
		s.run()
		pass(5 * time.Second)
		s.hasWeights("with the table before", 1)
	})
	play(t, Options{Table: lvs.TableOptions{KeepWeights: true}}, func(s *scene) {
		var b backends
		if err := s.d.Update(b.checked(wrrTable(1))); !errors.Is(err, lvs.ErrInvalid) {
			s.Errorf("with KeepWeights: %v", err)
		}
		if err := s.d.Override(health.Override{Service: web, Server: rip(web, 1), Kind: health.Drain}); !errors.Is(err, lvs.ErrInvalid) {
			s.Errorf("an override with KeepWeights: %v", err)
		}
	})
}

// The monitor ends with Run, and what is known goes on with the next Run.
func TestHealthEndsWithRun(t *testing.T) {
	play(t, Options{}, func(s *scene) {
		var b backends
		s.update(b.checked(wrrTable(1, 1)))
		s.run()
		pass(5 * time.Second)
		b.breaks(1)
		pass(fall)
		s.stop()
		asked := b.asked
		pass(time.Minute)
		if b.asked != asked {
			s.Errorf("%d probes after the end", b.asked-asked)
		}
		s.run()
		pass(100 * time.Millisecond)
		s.hasWeights("another run", 0, 1)
		if got := s.d.Status().Health.Services; len(got) != 1 || got[0].Servers[0].State != health.Down || got[0].Servers[1].State != health.Up {
			s.Errorf("status: %+v", got)
		}
		status := s.d.Status()
		text, err := status.MarshalJSON()
		if err != nil {
			s.Fatal(err)
		}
		var read Status
		if err := read.UnmarshalJSON(text); err != nil {
			s.Fatal(err)
		}
		if diff := cmp.Diff(fmt.Sprint(status), fmt.Sprint(read)); diff != "" {
			s.Error(diff)
		}
	})
}
