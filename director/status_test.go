package director

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// A status survives JSON, as do its parts.
func TestStatusJSON(t *testing.T) {
	at := time.Date(2026, 11, 27, 0, 5, 0, 0, time.UTC)
	want := webTable(1, 2)
	full := Status{
		At: at, Running: true, Wanted: &want, Since: at.Add(-time.Minute), Looked: at.Add(-time.Second),
		Succeeded: at.Add(-2 * time.Second), Applied: at.Add(-3 * time.Second), RefusedSteps: 4, RefusedRemovals: 3,
		Error: "lvs: too bad", Retry: at.Add(time.Second), Source: "table.json:3:4: broken", Refused: "too much",
		Drains:   []lvs.Drain{{Service: web, RealServer: rip(web, 3), Began: at, Deadline: at.Add(time.Minute), Before: []lvs.RealServer{weighed(3, 7)}}},
		Unwanted: []lvs.ServiceID{dns}, Misordered: []lvs.ServiceID{web},
		Counts: Counts{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11},
	}
	for _, s := range []Status{full, {}, {Wanted: &lvs.Table{Services: []lvs.TableService{}}, InSync: true}} {
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), `{"version":1,"at":`) {
			t.Errorf("the JSON begins otherwise: %s", text)
		}
		var got Status
		if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, s) {
			t.Errorf("%s\nis read as\n%+v, %v", text, got, err)
		}
	}
	for _, bad := range []string{`{}`, `{"version": 2}`, `{"version": 1, "more": 1}`, `{"version": 1, "inSync": 1}`, `[]`} {
		var got Status
		if err := json.Unmarshal([]byte(bad), &got); !errors.Is(err, lvs.ErrInvalid) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestStatusString(t *testing.T) {
	at := time.Date(2026, 11, 27, 0, 5, 0, 0, time.UTC)
	want := webTable(1, 2)
	s := Status{
		At: at, Running: true, Wanted: &want, InSync: true, Since: at.Add(-time.Minute),
		Retry: at.Add(1500 * time.Millisecond), Source: "table.json:3:4: broken",
		Drains:   []lvs.Drain{{Service: web, RealServer: rip(web, 3), Deadline: at.Add(90 * time.Second)}},
		Unwanted: []lvs.ServiceID{dns}, Counts: Counts{Looks: 2, Applied: 1, Changes: 3, Drains: 2, Ended: 1, Stale: 4},
	}
	const text = `in sync with 1 service and 2 real servers since 2026-11-27T00:04:00Z
source: table.json:3:4: broken
next attempt in 1.5s
tcp://10.168.0.91:80 -> 10.1.0.3:80 draining until 2026-11-27T00:06:30Z, in 1m30s
not wanted, and remains: udp://10.168.0.91:53
2 looks, 1 plan applied, 3 changes, 0 drifts (0 repaired), 0 failures, 4 stale, 2 drains, 1 ended`
	if got := s.String(); got != text {
		t.Errorf("the status prints\n%s\nand should print\n%s", got, text)
	}
	if got := (Status{}).String(); !strings.HasPrefix(got, "not running; no table is wanted yet") {
		t.Errorf("the zero status prints\n%s", got)
	}
}

// A look that changes nothing is a success, but applies nothing; one that fails is neither.
func TestStatusOfTheLastSuccess(t *testing.T) {
	play(t, Options{Source: Fixed(webTable(1)), Resync: time.Minute}, func(s *scene) {
		began := time.Now()
		s.run()
		check := func(when string, applied, succeeded time.Duration) {
			s.Helper()
			got := s.d.Status()
			if !got.Applied.Equal(began.Add(applied)) || !got.Succeeded.Equal(began.Add(succeeded)) {
				s.Errorf("%s: applied after %s, succeeded after %s; want %s and %s", when, got.Applied.Sub(began), got.Succeeded.Sub(began), applied, succeeded)
			}
		}
		pass(settle)
		check("at first", settle, settle)
		pass(time.Minute)
		check("after a look", settle, settle+time.Minute)
		s.inject(lvs.SimFault{Op: lvs.OpListServices, Errno: lvs.EPERM})
		s.d.Look()
		pass(0)
		check("after a failure", settle, settle+time.Minute)
	})
}

// A Director that ends says what it saw last, whatever it was about to do.
func TestStatusAfterTheEnd(t *testing.T) {
	t.Run("a look is due", func(t *testing.T) {
		for range 20 { // whether a look or the end is seen first is random
			play(t, Options{Source: Fixed(webTable(1)), Resync: time.Millisecond}, func(s *scene) {
				s.d.o.OnEvent = func(e Event) {
					if _, ok := e.(Applied); ok {
						s.cancel()
						time.Sleep(time.Second)
					}
				}
				s.run()
				pass(2 * time.Second)
				s.stop()
				if got := s.d.Status(); !got.InSync || got.Running {
					s.Fatalf("status: %s", got)
				}
			})
		}
	})
	t.Run("during a look", func(t *testing.T) {
		play(t, Options{Source: Fixed(webTable(1)), Resync: time.Second}, func(s *scene) {
			s.run()
			pass(settle)
			s.inject(lvs.SimFault{Op: lvs.OpListServices, Delay: time.Minute})
			pass(2 * time.Second)
			s.stop()
			pass(time.Minute)
			if got := s.d.Status(); !got.InSync || got.Error != "" || got.Counts.Failures != 0 {
				s.Errorf("status: %s", got)
			}
		})
	})
}
