package health

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs"
)

// randomPolicy returns a policy of random times and consequences.
func randomPolicy(r *rand.Rand, f *fake) Policy {
	p := Policy{
		Checks: []Check{{Probe: f, Interval: time.Duration(1+r.IntN(2)) * time.Second, Rise: 1 + r.IntN(3), Fall: 1 + r.IntN(3)}},
		Failed: []Consequence{Quiesce, Remove}[r.IntN(2)],
	}
	if r.IntN(2) == 0 {
		p.SlowStart = SlowStart{Window: time.Duration(1+r.IntN(10)) * time.Second, From: r.Float64()}
	}
	switch r.IntN(4) {
	case 0:
		p.Limit = Limit{Count: 2, Hysteresis: 1, Then: KeepAll}
	case 1:
		p.Limit = Limit{Share: 0.4, Then: SorryServer, Sorry: []lvs.RealServer{{Addr: rip(99), Weight: 1}}}
	case 2:
		p.Limit = Limit{Count: 1, Then: Withdraw}
	}
	return p
}

// randomOverrides returns what an operator may have decided.
func randomOverrides(r *rand.Rand, servers int) (all []Override) {
	for i := range servers {
		o := Override{Service: web, Server: rip(i), Kind: []OverrideKind{Drain, Scale, Pin}[r.IntN(3)]}
		switch o.Kind {
		case Scale:
			o.Share = float64(r.IntN(5)) / 2
		case Pin:
			o.Weight = r.IntN(5)
		}
		if r.IntN(2) == 0 {
			o.Until = time.Now().Add(time.Duration(r.IntN(10)) * time.Second)
		}
		if r.IntN(4) == 0 {
			all = append(all, o)
		}
	}
	return all
}

var randomDays = flag.Int("days", 200, "how many random days of servers are played")

// Whatever fails, is overridden, reported, reloaded and restarted, in any order: a drained
// server has no weight, and when all is well again, each has all of its weight.
func TestRandomDays(t *testing.T) {
	const servers = 5
	for seed := range uint64(*randomDays) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 13))
			scheduler := []lvs.Scheduler{lvs.WLC, lvs.WRR, lvs.NQ}[r.IntN(3)]
			f := newFake()
			configured := func() lvs.Table {
				weights := make([]int, servers)
				for i := range weights {
					weights[i] = 1 + r.IntN(120)
				}
				return tableOf(scheduler, weights...)
			}
			want, p := configured(), randomPolicy(r, f)
			play(t, lvs.Table{Services: []lvs.TableService{{Service: want.Services[0].Service}}}, want, p, func(s *scene) {
				var overrides []Override
				set := func() {
					if err := s.Set(want, map[lvs.ServiceID]Policy{web: p}); err != nil {
						t.Fatal(err)
					}
				}
				for range 40 {
					switch r.IntN(6) {
					case 0:
						f.set(r.IntN(servers), errors.New("refused"))
					case 1:
						f.set(r.IntN(servers), nil)
					case 2:
						f.say(r.IntN(servers), Answer{Share: float64(r.IntN(4)) / 2, Reported: r.IntN(2) == 0})
					case 3:
						overrides = randomOverrides(r, servers)
						if err := s.SetOverrides(overrides); err != nil {
							t.Fatal(err)
						}
					case 4:
						if p = randomPolicy(r, f); r.IntN(2) == 0 {
							want = configured()
						}
						set()
					case 5:
						s.restart(want, p, overrides...)
					}
					s.sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
					w := s.weights()
					for _, o := range overrides {
						ended := o.ended(time.Now().Add(time.Millisecond))
						if weight := w[o.Server.Addr().String()]; o.Kind == Drain && weight != 0 && !ended {
							t.Fatalf("%s: its weight is %d", o, weight)
						}
					}
				}
				for i := range servers {
					f.set(i, nil)
					f.say(i, Answer{})
				}
				if err := s.SetOverrides(nil); err != nil {
					t.Fatal(err)
				}
				s.sleep(30 * time.Second)
				synctest.Wait()
				if have := s.kernel(); !have.Equal(want) {
					t.Fatalf("when all is well the table is\n%s\nand should be\n%s\n%s", have, want, s.Status())
				}
			})
		})
	}
}
