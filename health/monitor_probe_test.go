package health

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golvs/lvs"
)

// nilError is an error whose method panics, as that of a nil pointer does.
type nilError struct{ text string }

func (e *nilError) Error() string { return e.text }

// A path that cannot be made to one server fails that server, and says why. It is made
// as soon as it can be, once.
func TestPathFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		var broken, panics, endless atomic.Bool
		probe := probeFunc(func(ctx context.Context, target Target) (Answer, error) {
			if endless.Load() && target.Server == rip(1) {
				time.Sleep(time.Minute)
			}
			return f.Probe(ctx, target)
		})
		broken.Store(true)
		panics.Store(true)
		var made [3]atomic.Int32
		path := func(target Target) (Target, error) {
			i := int(target.Server.Addr().As4()[3])
			switch {
			case i == 1 && broken.Load():
				return Target{}, errors.New("it has no mark")
			case i == 2 && panics.Load():
				panic("oops")
			}
			made[i].Add(1)
			target.Via = "through a path"
			return target, nil
		}
		s := &scene{T: t, have: tableOf(lvs.WLC, 1, 1)}
		var err error
		s.Monitor, err = New(Options{OnEvent: s.record, OnChange: s.follow, Paths: map[Path]PathFunc{ThroughIPVS: path}})
		if err != nil {
			t.Fatal(err)
		}
		p := Policy{Checks: []Check{{Probe: probe, Path: ThroughIPVS, Interval: time.Second}}}
		if err := s.Set(tableOf(lvs.WLC, 1, 1, 1), map[lvs.ServiceID]Policy{web: p}); err != nil {
			t.Fatalf("one path that cannot be made: %v", err)
		}
		s.begin()
		s.sleep(2 * time.Second)
		s.is("until it has failed", map[string]int{"10.1.0.0": 1, "10.1.0.1": 1, "10.1.0.2": 0})
		s.sleep(2 * time.Second)
		s.is("when it has failed", map[string]int{"10.1.0.0": 1, "10.1.0.1": 0, "10.1.0.2": 0})
		servers := s.Status().Services[0].Servers
		if got := servers[1].Checks[0].Error; got != "it has no mark" {
			t.Errorf("the reason is %q", got)
		}
		if got := servers[2].Checks[0].Error; got != "the probe panicked: oops" {
			t.Errorf("the reason of a panic is %q", got)
		}
		broken.Store(false)
		panics.Store(false)
		s.sleep(3 * time.Second)
		s.is("when it can be made", map[string]int{"10.1.0.0": 1, "10.1.0.1": 1, "10.1.0.2": 1})
		f.set(0, errors.New("refused"))
		endless.Store(true)
		s.sleep(10 * time.Second)
		servers = s.Status().Services[0].Servers
		if got := servers[0].Checks[0].Error; got != "through a path: refused" {
			t.Errorf("on the path the reason is %q", got)
		}
		if got := servers[1].Checks[0].Error; got != "through a path: the probe does not end: no answer in 1s" {
			t.Errorf("without an end the reason is %q", got)
		}
		for i := range made {
			if n := made[i].Load(); n != 1 {
				t.Errorf("the path to server %d was made %d times", i, n)
			}
		}
		s.end()
		time.Sleep(time.Minute) // until the last probe returns
	})
}

func TestPathsRefused(t *testing.T) {
	path := func(t Target) (Target, error) { return t, nil }
	for _, paths := range []map[Path]PathFunc{{ThroughIPVS: nil}, {Direct: path}, {"": path}, {"moon": path}} {
		_, err := New(Options{Paths: paths})
		refused(t, "Paths", err)
	}
}

// An error that panics is a failure of its probe, and no more.
func TestErrorPanics(t *testing.T) {
	bad := probeFunc(func(_ context.Context, t Target) (Answer, error) {
		switch t.Server {
		case rip(0):
			return Answer{}, (*nilError)(nil)
		case rip(1):
			return Answer{}, errors.New("")
		}
		return Answer{}, nil
	})
	want := tableOf(lvs.WLC, 1, 1, 1)
	play(t, want, want, Policy{Checks: []Check{{Probe: bad, Interval: time.Second}}}, func(s *scene) {
		s.sleep(5 * time.Second)
		s.is("two are bad", map[string]int{"10.1.0.0": 0, "10.1.0.1": 0, "10.1.0.2": 1})
		var got []string
		for _, server := range s.Status().Services[0].Servers {
			got = append(got, server.Checks[0].Error)
		}
		if !strings.HasPrefix(got[0], "the probe panicked: ") || got[1] != "it did not say why" || got[2] != "" {
			t.Errorf("reasons: %q", got)
		}
	})
}

// Overrides that end together are reported in the order of their servers.
func TestOverridesEndInOrder(t *testing.T) {
	play(t, lvs.Table{}, tableOf(lvs.WLC), Policy{}, func(s *scene) {
		until := time.Now().Add(time.Minute)
		var all []Override
		var want []string
		for _, id := range []lvs.ServiceID{lvs.TCP(netip.MustParseAddrPort("10.168.0.1:80")), web} {
			for i := range 20 {
				all = append(all, Override{Service: id, Server: rip(i), Kind: Drain, Until: until})
				want = append(want, fmt.Sprintf("%s -> %s: the override drain has ended", id, rip(i)))
			}
		}
		if err := s.SetOverrides(all); err != nil {
			t.Fatal(err)
		}
		s.sleep(2 * time.Minute)
		if diff := cmp.Diff(want, s.events); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}
