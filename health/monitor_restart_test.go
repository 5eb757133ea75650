package health

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs"
)

// restart replaces the monitor by a new one, as a program that is killed and started again
// does. The kernel's table stays.
func (s *scene) restart(want lvs.Table, p Policy, overrides ...Override) {
	s.Helper()
	s.end()
	var err error
	if s.Monitor, err = New(Options{OnEvent: s.record, OnChange: s.follow}); err == nil {
		err = errors.Join(s.SetOverrides(overrides), s.Set(want, map[lvs.ServiceID]Policy{web: p}))
	}
	if err != nil {
		s.Fatal(err)
	}
	s.begin()
}

// shareOf returns the weight of a server as a part of what another has that has all of its
// weight; -1 if it is not in the table.
func (s *scene) shareOf(i, whole int) float64 {
	w := s.weights()
	weight, ok := w[rip(i).Addr().String()]
	if !ok {
		return -1
	}
	return float64(weight) / float64(w[rip(whole).Addr().String()])
}

// returns waits until a server has a weight.
func (s *scene) returns(i int) {
	s.Helper()
	for begun := time.Now(); s.weights()[rip(i).Addr().String()] == 0; s.sleep(time.Millisecond) {
		if time.Since(begun) > time.Minute {
			s.Fatalf("server %d has no weight:\n%s", i, s.Status())
		}
	}
}

// A program that is killed at any time of slow start, however often, is followed by one
// that goes on: no server's part of the weights falls or jumps, and it is whole in the end.
func TestRestartInSlowStart(t *testing.T) {
	for _, c := range []struct {
		scheduler lvs.Scheduler
		curve     float64
		step      float64 // the greatest of the curve, with rounding
		after     time.Duration
	}{
		{lvs.WLC, 1, 0.051, 7 * time.Second},
		{lvs.WRR, 2, 0.13, 7 * time.Second},
		{lvs.SED, 0.5, 0.101, 7 * time.Second},
		{lvs.NQ, 1, 0.051, 5 * time.Second},
		{lvs.MH, 1, 0.26, 16 * time.Second},
	} {
		for _, weights := range [][]int{{1, 1}, {1, 2}, {37, 12}, {150, 200}} {
			for _, failed := range []Consequence{Quiesce, Remove} {
				t.Run(fmt.Sprint(c.scheduler, c.curve, weights, failed), func(t *testing.T) {
					f := newFake()
					want := tableOf(c.scheduler, weights...)
					p := Policy{
						Checks: []Check{{Probe: f, Interval: time.Second}}, Failed: failed,
						SlowStart: SlowStart{Window: time.Minute, Curve: c.curve},
					}
					play(t, want, want, p, func(s *scene) {
						s.sleep(3 * time.Second)
						f.set(1, errors.New("refused"))
						s.sleep(5 * time.Second)
						f.set(1, nil)
						s.returns(1)
						whole := float64(weights[1]) / float64(weights[0])
						was, begun := s.shareOf(1, 0)/whole, time.Now()
						for next := begun.Add(c.after); was < 1; {
							if time.Now().After(next) {
								next = next.Add(c.after)
								s.restart(want, p)
							}
							s.sleep(20 * time.Millisecond)
							is := s.shareOf(1, 0) / whole
							if is < was-0.02 || is > was+c.step+0.02 {
								t.Fatalf("after %s: a share of %g, before %g", time.Since(begun), is, was)
							}
							if was = is; math.Abs(is-1) < 1e-9 {
								was = 1
							}
							if time.Since(begun) > 3*time.Minute {
								t.Fatalf("the share is still %g", is)
							}
						}
						s.sleep(time.Minute)
						s.is("all have all", map[string]int{"10.1.0.0": weights[0], "10.1.0.1": weights[1]})
					})
				})
			}
		}
	}
}

// A server with all of its weight does not start slowly because its first answer comes
// before the kernel's table is seen, and one with a part of it goes on from there.
func TestTableSeenLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		p := Policy{Checks: []Check{{Probe: f, Interval: time.Second}}, SlowStart: SlowStart{Window: time.Minute}}
		m, err := New(Options{})
		if err == nil {
			err = m.Set(tableOf(lvs.WLC, 10, 10, 10), map[lvs.ServiceID]Policy{web: p})
		}
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- m.Run(ctx) }()
		time.Sleep(5 * time.Second)
		have := m.Table(tableOf(lvs.WLC, 100, 50)) // what was left in slow start
		var got []int
		for _, server := range have.Services[0].RealServers {
			got = append(got, server.Weight)
		}
		if fmt.Sprint(got) != "[100 50 10]" {
			t.Errorf("weights %d, want 100, 50 and, of a new server, 10", got)
		}
		cancel()
		<-done
	})
}

// Servers that are not asked again start slowly as well: their answers are known from
// another service, or they have no check.
func TestSlowStartOfNewServers(t *testing.T) {
	f := newFake()
	p := Policy{Checks: []Check{{Probe: f, Interval: time.Second}}, SlowStart: SlowStart{Window: time.Minute}}
	other := lvs.TCP(netip.MustParseAddrPort("10.168.0.92:80"))
	both := func(weights ...int) lvs.Table {
		all := tableOf(lvs.WLC, weights...)
		second := tableOf(lvs.WLC, 100, 100, 100).Services[0]
		second.ID = other
		all.Services = append(all.Services, second)
		return all
	}
	play(t, both(100), both(100), p, func(s *scene) {
		if err := s.Set(both(100), map[lvs.ServiceID]Policy{web: p, other: p}); err != nil {
			t.Fatal(err)
		}
		s.sleep(5 * time.Second)
		p.Servers = map[netip.AddrPort][]Check{rip(2): nil}
		if err := s.Set(both(100, 100, 100), map[lvs.ServiceID]Policy{web: p, other: {Checks: p.Checks}}); err != nil {
			t.Fatal(err)
		}
		s.sleep(time.Second)
		s.is("new servers", map[string]int{"10.1.0.0": 100, "10.1.0.1": 10, "10.1.0.2": 10})
		s.sleep(time.Minute)
		s.is("a minute later", map[string]int{"10.1.0.0": 100, "10.1.0.1": 100, "10.1.0.2": 100})
	})
}

// A new check does not give a failed server its weight back, and does not end a slow
// start. Other times of a check change nothing at all.
func TestChecksChange(t *testing.T) {
	for _, failed := range []Consequence{Quiesce, Remove} {
		for name, change := range map[string]func(*Policy){
			"a new check": func(p *Policy) {
				p.Checks = append(p.Checks, Check{Probe: probeFunc(func(context.Context, Target) (Answer, error) { return Answer{}, nil })})
			},
			"other times": func(p *Policy) { p.Checks[0].Interval, p.Checks[0].Fall = 2*time.Second, 7 },
		} {
			t.Run(fmt.Sprint(failed, " ", name), func(t *testing.T) {
				f := newFake()
				policy := func() Policy {
					return Policy{Checks: []Check{{Probe: f, Interval: time.Second}}, Failed: failed, SlowStart: SlowStart{Window: time.Minute}}
				}
				want := tableOf(lvs.WLC, 100, 100, 100)
				play(t, want, want, policy(), func(s *scene) {
					s.sleep(3 * time.Second)
					f.set(1, errors.New("refused"))
					f.set(2, errors.New("refused"))
					s.sleep(5 * time.Second)
					f.set(2, nil)
					s.sleep(32 * time.Second)
					was := s.weights()["10.1.0.2"]
					if was < 40 || was > 60 {
						t.Fatalf("half-way the weight is %d", was)
					}
					events := len(s.events)
					for i := range 100 {
						if i == 5 {
							p := policy()
							change(&p)
							if err := s.Set(want, map[lvs.ServiceID]Policy{web: p}); err != nil {
								t.Fatal(err)
							}
							synctest.Wait()
						}
						w := s.weights()
						if w["10.1.0.0"] != 100 || w["10.1.0.1"] != 0 || w["10.1.0.2"] < was || w["10.1.0.2"] > was+5 {
							t.Fatalf("look %d: %v after %d", i, w, was)
						}
						was = w["10.1.0.2"]
						s.sleep(100 * time.Millisecond)
					}
					if name == "other times" && len(s.events) != events {
						t.Errorf("events: %q", s.events[events:])
					}
					f.set(1, nil)
					s.sleep(3 * time.Minute)
					s.is("in the end", map[string]int{"10.1.0.0": 100, "10.1.0.1": 100, "10.1.0.2": 100})
				})
			})
		}
	}
}

// Another slow start takes no weight away.
func TestSlowStartChanges(t *testing.T) {
	f := newFake()
	policy := func(s SlowStart) map[lvs.ServiceID]Policy {
		return map[lvs.ServiceID]Policy{web: {Checks: []Check{{Probe: f, Interval: time.Second}}, SlowStart: s}}
	}
	want := tableOf(lvs.WLC, 100, 100)
	play(t, want, want, policy(SlowStart{Window: time.Minute})[web], func(s *scene) {
		s.sleep(3 * time.Second)
		f.set(1, errors.New("refused"))
		s.sleep(5 * time.Second)
		f.set(1, nil)
		s.sleep(30 * time.Second)
		was := s.weights()["10.1.0.1"]
		for _, change := range []SlowStart{{Window: time.Hour}, {Window: time.Hour, Curve: 0.1}, {Window: time.Hour, From: 0.01}} {
			if err := s.Set(want, policy(change)); err != nil {
				t.Fatal(err)
			}
			s.sleep(time.Second)
			if is := s.weights()["10.1.0.1"]; is != was || was < 40 {
				t.Errorf("%+v: %d after %d", change, is, was)
			}
		}
		if err := s.Set(want, policy(SlowStart{})); err != nil {
			t.Fatal(err)
		}
		s.sleep(time.Second)
		s.is("without", map[string]int{"10.1.0.0": 100, "10.1.0.1": 100})
	})
}

// A server that an operator took out, or that asked for no connections, starts slowly
// when that ends.
func TestSlowStartAfterDrain(t *testing.T) {
	f := newFake()
	p := Policy{Checks: []Check{{Probe: f, Interval: time.Second}}, SlowStart: SlowStart{Window: time.Minute}}
	want := tableOf(lvs.WLC, 100, 100, 100, 100)
	drained := func(until time.Time) []Override {
		return []Override{
			{Service: web, Server: rip(1), Kind: Drain},
			{Service: web, Server: rip(2), Kind: Scale, Until: until},
			{Service: web, Server: rip(0), Kind: Scale, Share: 0.5, Until: until},
		}
	}
	play(t, want, want, p, func(s *scene) {
		s.sleep(3 * time.Second)
		f.say(3, Answer{Reported: true})
		if err := s.SetOverrides(drained(time.Now().Add(time.Minute))); err != nil {
			t.Fatal(err)
		}
		s.sleep(time.Minute - time.Second)
		s.is("out", map[string]int{"10.1.0.0": 50, "10.1.0.1": 0, "10.1.0.2": 0, "10.1.0.3": 0})
		f.say(3, Answer{})
		if err := s.SetOverrides(drained(time.Now().Add(time.Second))[1:]); err != nil {
			t.Fatal(err)
		}
		s.sleep(2 * time.Second)
		s.is("in again", map[string]int{"10.1.0.0": 100, "10.1.0.1": 10, "10.1.0.2": 10, "10.1.0.3": 10})
		s.sleep(time.Minute)
		s.is("a minute later", map[string]int{"10.1.0.0": 100, "10.1.0.1": 100, "10.1.0.2": 100, "10.1.0.3": 100})
	})
}
