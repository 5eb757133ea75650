package conformance

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/golvs/lvs"

	"github.com/google/go-cmp/cmp"
)

// A watch sees the same changes of a table on every ground, by both kinds of readings,
// and ends with its context.
func TestConformanceWatch(t *testing.T) {
	server, heavy := lvs.NewRealServer(webRIP, lvs.DR()), lvs.RealServer{Addr: webRIP, Weight: 9}
	tunnel := lvs.NewRealServer(webRIP6, lvs.IPIP())
	steps := []struct {
		changes []lvs.Change
		want    []string
	}{
		{[]lvs.Change{lvs.AddService(lvs.Service{ID: webID, Scheduler: lvs.RR}), lvs.AddRealServer(webID, server)},
			[]string{"service tcp://10.1.0.1:80 added", "real server 10.2.0.2:80 of tcp://10.1.0.1:80 added"}},
		{[]lvs.Change{lvs.UpdateService(lvs.Service{ID: webID, Scheduler: lvs.WRR}), lvs.UpdateRealServer(webID, heavy), lvs.AddRealServer(webID, tunnel)},
			[]string{"service tcp://10.1.0.1:80: Scheduler rr -> wrr", "real server 10.2.0.2:80 of tcp://10.1.0.1:80: Weight 1 -> 9", "real server [fd00:1::2]:80 of tcp://10.1.0.1:80 added"}},
		{nil, nil},
		{[]lvs.Change{lvs.AddService(lvs.Service{ID: lvs.FWMark6(7), Scheduler: lvs.RR}), lvs.AddRealServer(lvs.FWMark6(7), lvs.NewRealServer(addrAt("[fd00:1::2]:0"), lvs.DR()))},
			[]string{"service fwmark6://7 added", "real server [fd00:1::2]:0 of fwmark6://7 added"}},
		{[]lvs.Change{lvs.RemoveRealServer(lvs.FWMark6(7), addrAt("[fd00:1::2]:0"))}, []string{"real server [fd00:1::2]:0 of fwmark6://7 removed"}},
		// Removed and added again: what is the same is not seen.
		{[]lvs.Change{lvs.RemoveService(webID), lvs.AddService(lvs.Service{ID: webID, Scheduler: lvs.WRR}), lvs.AddRealServer(webID, heavy)},
			[]string{"real server [fd00:1::2]:80 of tcp://10.1.0.1:80 removed"}},
		{[]lvs.Change{lvs.Flush()}, []string{"service tcp://10.1.0.1:80 removed", "real server 10.2.0.2:80 of tcp://10.1.0.1:80 removed", "service fwmark6://7 removed"}},
	}
	conform(t, func(t *testing.T, fresh func(testing.TB) ground) {
		for name, o := range map[string]lvs.WatchOptions{"tables": {}, "snapshots": {Counters: true}} {
			t.Run(name, func(t *testing.T) {
				h := fresh(t).Host(t)
				ctx, cancel := context.WithCancel(groundContext(t))
				defer cancel()
				n, ended := 0, error(nil)
				for r, err := range h.Watch(ctx, time.Millisecond, o) {
					if ended = err; err != nil {
						continue
					}
					if n > 0 {
						var got []string
						for _, e := range r.Events {
							got = append(got, e.String())
						}
						if diff := cmp.Diff(steps[n-1].want, got); diff != "" {
							t.Errorf("step %d (-want +got):\n%s", n-1, diff)
						}
					}
					if n == len(steps) {
						cancel()
						continue
					}
					must(t, h.Client().Do(ctx, steps[n].changes...))
					n++
				}
				if !errors.Is(ended, context.Canceled) || n != len(steps) {
					t.Errorf("it ended after step %d with %v", n, ended)
				}
				n = 0
				for _, err := range h.Watch(t.Context(), time.Millisecond, o) {
					if n++; err != nil {
						ofKind(t, "watching a host that was closed", err, lvs.ErrClosed)
						n += 10
						continue
					}
					must(t, h.Close())
				}
				if n != 12 {
					t.Errorf("%d readings of a host that was closed", n)
				}
			})
		}
	})
}
