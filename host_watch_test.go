package lvs

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestWatch watches a simulated table in fake time, by both kinds of readings.
func TestWatch(t *testing.T) {
	for _, o := range []WatchOptions{{}, {Counters: true}} {
		synctest.Test(t, func(t *testing.T) {
			s, err := NewSimulator(SimOptions{Clock: time.Now})
			must(t, err)
			h := s.Host()
			ctx, cancel := context.WithCancel(context.Background())
			do := func(changes ...Change) { t.Helper(); must(t, h.Client().Do(context.Background(), changes...)) }
			server := NewRealServer(webRIP, DR())
			heavy := server
			heavy.Weight = 5
			steps := []func(){
				func() { do(AddService(Service{ID: webID, Scheduler: RR}), AddRealServer(webID, server)) },
				func() { do(UpdateRealServer(webID, heavy), UpdateService(Service{ID: webID, Scheduler: WRR})) },
				func() {},
				func() { do(RemoveRealServer(webID, webRIP)) },
				func() { do(RemoveService(webID)) },
				cancel,
			}
			want := []string{"", "service tcp://10.1.0.1:80 added\nreal server 10.2.0.2:80 of tcp://10.1.0.1:80 added\n",
				"service tcp://10.1.0.1:80: Scheduler rr -> wrr\nreal server 10.2.0.2:80 of tcp://10.1.0.1:80: Weight 1 -> 5\n", "",
				"real server 10.2.0.2:80 of tcp://10.1.0.1:80 removed\n", "service tcp://10.1.0.1:80 removed\n",
			}
			var got []string
			began, last := time.Now(), error(nil)
			for r, err := range h.Watch(ctx, time.Second, o) {
				if last = err; err != nil {
					continue
				}
				text := ""
				for _, e := range r.Events {
					text += e.String() + "\n"
				}
				if n := time.Duration(len(got)); r.Time.Sub(began) != n*time.Second || r.Elapsed != min(n, 1)*time.Second {
					t.Errorf("reading %d at %s, %s after the last", n, r.Time.Sub(began), r.Elapsed)
				}
				got = append(got, text)
				steps[len(got)-1]()
			}
			compare(t, "events", want, got)
			if !errors.Is(last, context.Canceled) {
				t.Errorf("it ended with %v", last)
			}
			must(t, h.Close())
		})
	}
}

func TestStatsSince(t *testing.T) {
	was, is := Stats{Conns: 10, InBytes: 100}, Stats{Conns: 14, InBytes: 300}
	compare(t, "traffic", Traffic{Elapsed: 2 * time.Second, Conns: 4, InBytes: 200}, is.Since(was, 2*time.Second))
	compare(t, "rates", TrafficRates{Conns: 2, InBytes: 100}, is.Since(was, 2*time.Second).PerSecond())
	compare(t, "zeroed", Traffic{Elapsed: time.Second, Zeroed: true, Conns: 10, InBytes: 100}, was.Since(is, time.Second))
	compare(t, "without time", TrafficRates{}, is.Since(was, 0).PerSecond())
}
