package health

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golvs/lvs"
)

// A server that has weight 0 in the kernel's table, as a former program left it, keeps it
// until it has succeeded once.
func TestRestartKeepsNothing(t *testing.T) {
	f := newFake()
	f.set(0, errors.New("refused"))
	have := tableOf(lvs.WLC, 0, 0, 5)
	p := Policy{Checks: []Check{{Probe: f, Interval: time.Second}}}
	play(t, have, tableOf(lvs.WLC, 10, 20, 30), p, func(s *scene) {
		s.sleep(time.Second + settling)
		s.is("after a second", map[string]int{"10.1.0.0": 0, "10.1.0.1": 20, "10.1.0.2": 30})
		f.set(0, nil)
		s.sleep(time.Second + time.Millisecond)
		s.is("after its first success", map[string]int{"10.1.0.0": 10, "10.1.0.1": 20, "10.1.0.2": 30})
	})
}

// An override ends alone, also if nothing is checked.
func TestOverrideEnds(t *testing.T) {
	for name, p := range map[string]Policy{"without checks": {}, "with checks": {Checks: []Check{{Probe: newFake()}}}} {
		t.Run(name, func(t *testing.T) {
			want := tableOf(lvs.WLC, 10, 20)
			play(t, want, want, p, func(s *scene) {
				s.sleep(5 * time.Second)
				until := time.Now().Add(time.Minute)
				if err := s.SetOverrides([]Override{{Service: web, Server: rip(1), Kind: Pin, Weight: 3, Until: until}}); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				s.is("pinned", map[string]int{"10.1.0.0": 10, "10.1.0.1": 3})
				s.sleep(time.Minute - time.Millisecond)
				s.is("still pinned", map[string]int{"10.1.0.0": 10, "10.1.0.1": 3})
				s.sleep(time.Millisecond)
				s.is("ended", map[string]int{"10.1.0.0": 10, "10.1.0.1": 20})
				if last := s.events[len(s.events)-1]; !strings.Contains(last, "the override pin has ended") {
					t.Errorf("the last event is %q", last)
				}
			})
		})
	}
}

// One that waits for a server ends as well, without any service.
func TestOverrideOfNothingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var events []string
		m, err := New(Options{OnEvent: func(e Event) { mu.Lock(); defer mu.Unlock(); events = append(events, e.String()) }})
		if err != nil {
			t.Fatal(err)
		}
		o := Override{Service: web, Server: rip(1), Kind: Drain, Until: time.Now().Add(time.Hour)}
		if err := m.SetOverrides([]Override{o}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 61*time.Minute)
		defer cancel()
		_ = m.Run(ctx)
		if diff := cmp.Diff([]string{OverrideEnded{o}.String()}, events); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

// Services share the probes that are the same; a Func, which may look at the service, is
// asked for each.
func TestWhatIsShared(t *testing.T) {
	ask := &Func{Ask: func(context.Context, Target) (Answer, error) { return Answer{}, nil }}
	for name, c := range map[string]struct {
		a, b    Check
		watches int
	}{
		"the same":            {Check{Probe: TCP{}}, Check{Probe: TCP{}, Path: Direct, Interval: 2 * time.Second, Fall: 3}, 1},
		"another probe":       {Check{Probe: TCP{}}, Check{Probe: TCP{Send: "x"}}, 2},
		"another type":        {Check{Probe: TCP{}}, Check{Probe: SMTP{}}, 2},
		"another fall":        {Check{Probe: TCP{}}, Check{Probe: TCP{}, Fall: 4}, 2},
		"all of the same":     {Check{Probe: All{TCP{}}}, Check{Probe: All{TCP{}}}, 1},
		"all and any":         {Check{Probe: All{TCP{}}}, Check{Probe: Any{TCP{}}}, 2},
		"the same func":       {Check{Probe: ask}, Check{Probe: ask}, 2},
		"the same func in it": {Check{Probe: All{ask}}, Check{Probe: All{ask}}, 2},
		"a pointer to all":    {Check{Probe: &All{ask}}, Check{Probe: &All{ask}}, 2},
	} {
		table := tableOf(lvs.WLC, 1)
		other := table.Services[0]
		other.ID = lvs.TCP(netip.MustParseAddrPort("10.168.0.92:80"))
		table.Services = append(table.Services, other)
		m, err := New(Options{})
		if err == nil {
			err = m.Set(table, map[lvs.ServiceID]Policy{web: {Checks: []Check{c.a}}, other.ID: {Checks: []Check{c.b}}})
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := len(m.watches); got != c.watches {
			t.Errorf("%s: %d watches, want %d", name, got, c.watches)
		}
	}
}

// What is not in the new table is forgotten, and what is refused changes nothing.
func TestSetForgets(t *testing.T) {
	f := newFake()
	p := Policy{Checks: []Check{{Probe: f, Interval: time.Second}}}
	want := tableOf(lvs.WLC, 1, 1)
	play(t, want, want, p, func(s *scene) {
		s.sleep(3 * time.Second)
		bad := Policy{Checks: []Check{{Probe: f, Path: ThroughIPVS}}}
		err := s.Set(tableOf(lvs.WLC, 9), map[lvs.ServiceID]Policy{web: bad})
		var field *InvalidError
		if !errors.Is(err, lvs.ErrInvalid) || !errors.As(err, &field) || field.Field != "Policies[tcp://10.168.0.91:80].Checks[0].Path" {
			t.Errorf("a path that is not there: %v", err)
		}
		s.sleep(time.Second)
		s.is("after the refused one", map[string]int{"10.1.0.0": 1, "10.1.0.1": 1})
		if err := s.Set(tableOf(lvs.WLC, 1), map[lvs.ServiceID]Policy{web: p}); err != nil {
			t.Fatal(err)
		}
		s.sleep(time.Second)
		asked := func() int {
			f.Lock()
			defer f.Unlock()
			return len(f.asked[rip(1)])
		}
		was := asked()
		s.sleep(time.Minute)
		if now := asked(); now != was {
			t.Errorf("a server that is gone was asked %d times", now-was)
		}
		if n := len(s.watches); n != 1 {
			t.Errorf("%d watches, want 1", n)
		}
	})
}

func TestPolicyValidate(t *testing.T) {
	check := func(c Check) Policy { c.Probe = TCP{}; return Policy{Checks: []Check{c}} }
	for field, p := range map[string]Policy{
		"Checks[0].Probe":               {Checks: []Check{{}}},
		"Checks[0].Probe.Func.Ask":      {Checks: []Check{{Probe: &Func{}}}},
		"Checks[0].Interval":            check(Check{Interval: time.Millisecond}),
		"Checks[0].Failing":             check(Check{Failing: -time.Second}),
		"Checks[0].Timeout":             check(Check{Timeout: 1}),
		"Checks[0].Path":                check(Check{Path: "moon"}),
		"Checks[0].Rise":                check(Check{Rise: -1}),
		"Checks[0].Fall":                check(Check{Fall: -1}),
		"Servers[10.1.0.9:80]":          {Servers: map[netip.AddrPort][]Check{rip(9): nil}},
		"Servers[10.1.0.0:80][0].Probe": {Servers: map[netip.AddrPort][]Check{rip(0): {{}}}},
		"Failed":                        {Failed: "explode"},
		"FailedServers[10.1.0.9:80]":    {FailedServers: map[netip.AddrPort]Consequence{rip(9): Remove}},
		"FailedServers[10.1.0.0:80]":    {FailedServers: map[netip.AddrPort]Consequence{rip(0): "explode"}},
		"Limit.Then":                    {Limit: Limit{Count: 1}},
		"SlowStart.Window":              {SlowStart: SlowStart{Window: -1}},
		"Load.DeadBand":                 {Load: Load{DeadBand: -1}},
	} {
		err := p.Validate(tableOf(lvs.WLC, 1).Services[0])
		var bad *InvalidError
		if !errors.Is(err, lvs.ErrInvalid) || !errors.As(err, &bad) || bad.Field != field {
			t.Errorf("%v, want an error of %s", err, field)
		}
	}
	if err := (Policy{}).Validate(tableOf(lvs.WLC, 1).Services[0]); err != nil {
		t.Error(err)
	}
}

// A status can be read back, and says what is wrong.
func TestStatusText(t *testing.T) {
	f := newFake()
	f.set(1, errors.New("refused"))
	want := tableOf(lvs.WLC, 10, 20)
	p := Policy{Checks: []Check{{Probe: f, Interval: time.Second}}, Limit: Limit{Count: 2, Then: Report}}
	play(t, want, want, p, func(s *scene) {
		if err := s.SetOverrides([]Override{{Service: web, Server: rip(0), Kind: Scale, Share: 0.5}}); err != nil {
			t.Fatal(err)
		}
		s.sleep(5*time.Second + 10*time.Millisecond)
		status := s.Status()
		text, err := json.Marshal(status)
		if err != nil || !strings.HasPrefix(string(text), `{"version":1,`) {
			t.Fatalf("%s, %v", text, err)
		}
		var read Status
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatal(err)
		}
		same := []cmp.Option{
			cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
			cmp.Comparer(func(a, b lvs.ServiceID) bool { return a == b }),
		}
		if diff := cmp.Diff(status, read, same...); diff != "" {
			t.Errorf("read back (-want +got):\n%s", diff)
		}
		for text, field := range map[string]string{
			`{"version":2,"weather":"fine"}`:                                   "Status.version",
			`{"weather":"fine"}`:                                               "Status.version",
			`{"version":1,"weather":"fine"}`:                                   "Status",
			`{"version":1,"services":[{"servers":[{"checks":[{"took":5}]}]}]}`: "Status",
		} {
			refused(t, field, json.Unmarshal([]byte(text), &read))
		}
		want := []string{
			"tcp://10.168.0.91:80: working 1, needed 2: too few: report",
			"  -> 10.1.0.0:80 up for 5s, weight 50 = 10 x 10 scale x 0.5 operator; health.fake: ok in 0s, next in 1s",
			"  -> 10.1.0.1:80 down for 3s, weight 0 (failed); health.fake: failed 5 in a row: refused, next in 500ms",
		}
		if got := strings.Split(status.String(), "\n"); !slices.Equal(got, want) {
			t.Errorf("(-want +got):\n%s", cmp.Diff(want, got))
		}
	})
}
