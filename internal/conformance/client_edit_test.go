package conformance

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/golvs/lvs"

	"github.com/google/go-cmp/cmp"
)

// An edit changes what it touches, keeps the rest, and returns the previous value.
func TestConformanceEdits(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		s := lvs.Service{
			ID: dnsID, Scheduler: lvs.SH, SchedulerFlags: lvs.HashFallback | flag3, OnePacket: true,
			Persistence: lvs.Persistence{Timeout: time.Minute, Mask: lvs.PrefixMask(24), Engine: "sip"},
		}
		r := lvs.RealServer{
			Addr: netip.MustParseAddrPort("10.2.0.2:53"), Mode: lvs.GUE(6080, lvs.TunnelChecksum), Weight: 3, UpperThreshold: 9, LowerThreshold: 8,
		}
		must(t, c.Do(ctx, lvs.AddService(s), lvs.AddRealServer(dnsID, r)))

		was, err := c.ModifyService(ctx, dnsID, func(s *lvs.Service) { s.Scheduler = lvs.MH })
		must(t, err)
		compare(t, "the service before", s, was)
		s.Scheduler = lvs.MH
		now, err := c.Service(ctx, dnsID)
		must(t, err)
		compare(t, "the service", s, now.Service)

		wasR, err := c.ModifyRealServer(ctx, dnsID, r.Addr, func(s *lvs.RealServer) { s.UpperThreshold = 99 })
		must(t, err)
		compare(t, "the server before", r, wasR)
		r.UpperThreshold = 99
		must(t, c.SetWeight(ctx, dnsID, r.Addr, 0))
		r.Weight = 0
		nowR, err := c.RealServer(ctx, dnsID, r.Addr)
		must(t, err)
		compare(t, "the server", r, nowR.RealServer)
	})
}

// An edit that changes nothing only reads.
func TestConformanceEditOfNothing(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		c, sent := countingClient(t, g)
		ctx := groundContext(t)
		must(t, c.Do(ctx, lvs.AddService(lvs.Service{ID: webID}), lvs.AddRealServer(webID, lvs.NewRealServer(webRIP, lvs.DR()))))
		sent.Store(0)
		_, err := c.ModifyService(ctx, webID, func(*lvs.Service) {})
		must(t, err)
		must(t, c.SetWeight(ctx, webID, webRIP, 1))
		if n := sent.Load(); n != 2 {
			t.Errorf("%d datagrams were sent, want the 2 that ask", n)
		}
	})
}

// The client reports which changes failed, and makes the others.
func TestConformanceFailuresInTheMiddle(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		err := c.Do(ctx,
			lvs.AddService(lvs.Service{ID: webID, Scheduler: lvs.RR}),
			lvs.AddService(lvs.Service{ID: webID, Scheduler: lvs.LC}),
			lvs.AddRealServer(dnsID, lvs.NewRealServer(netip.MustParseAddrPort("10.2.0.2:53"), lvs.DR())),
			lvs.AddRealServer(webID, lvs.NewRealServer(webRIP, lvs.DR())),
			lvs.UpdateRealServer(webID, lvs.NewRealServer(webRIP2, lvs.DR())),
			lvs.AddService(lvs.Service{ID: dnsID, Scheduler: "nosuch"}),
			lvs.AddRealServer(webID, lvs.NewRealServer(netip.MustParseAddrPort("10.2.255.255:80"), lvs.DR())),
			lvs.AddRealServer(webID, lvs.NewRealServer(webRIP2, lvs.DR())),
		)
		var all *lvs.BatchError
		if !errors.As(err, &all) {
			t.Fatalf("%v is not a *BatchError", err)
		}
		var got []string
		for _, f := range all.Failures {
			got = append(got, fmt.Sprintf("%d %v %s", f.Index, f.Err.Errno, f.Change))
		}
		compare(t, "failures", []string{
			"1 EEXIST + tcp://10.1.0.1:80 lc",
			"2 ESRCH + udp://10.1.0.1:53 -> 10.2.0.2:53 dr weight 1",
			"4 ENOENT ~ tcp://10.1.0.1:80 -> 10.2.0.3:80 dr weight 1",
			"5 ENOENT + udp://10.1.0.1:53 nosuch",
			"6 EINVAL + tcp://10.1.0.1:80 -> 10.2.255.255:80 dr weight 1",
		}, got)
		wanted := []error{lvs.ErrExists, lvs.ErrNoService, lvs.ErrNoRealServer, lvs.ErrScheduler, lvs.ErrInvalid}
		for i, want := range wanted {
			if i < len(all.Failures) {
				ofKind(t, got[i], all.Failures[i].Err, want)
			}
			if !errors.Is(err, want) {
				t.Errorf("the batch does not match %q, which one of its failures does", want)
			}
		}
		for i := range 9 {
			if failed := slices.Contains([]int{1, 2, 4, 5, 6}, i); all.Made(i) != (!failed && i < 8) {
				t.Errorf("Made(%d) is %t", i, all.Made(i))
			}
		}
		compare(t, "what was made", "tcp://10.1.0.1:80 rr\n\t10.2.0.2:80 dr weight 1\n\t10.2.0.3:80 dr weight 1\ntcp 15m0s tcpfin 2m0s udp 5m0s",
			describe(t, c))
	})
}

// Thousands of failures are reported one by one, in order.
func TestConformanceThousandsOfFailures(t *testing.T) {
	const n = 6000
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		changes := make([]lvs.Change, n)
		for i := range changes {
			changes[i] = lvs.RemoveService(lvs.FWMark(uint32(i + 1)))
			if i%1000 == 999 {
				changes[i] = lvs.AddService(lvs.Service{ID: lvs.FWMark(uint32(i + 1)), Scheduler: lvs.RR})
			}
		}
		err := c.Do(ctx, changes...)
		var all *lvs.BatchError
		if !errors.As(err, &all) || !errors.Is(err, lvs.ErrNotFound) {
			t.Fatalf("%v, want a *BatchError of ErrNotFound", err)
		}
		failed := 0
		for i := range changes {
			if i%1000 == 999 {
				continue
			}
			if f := all.Failures[failed]; f.Index != i || !f.Change.Equal(changes[i]) || f.Err.Errno != lvs.ESRCH || f.Err.Outcome != lvs.OutcomeRefused || all.Made(i) {
				t.Fatalf("failure %d is of change %d: %v; want change %d", failed, f.Index, f.Err, i)
			}
			failed++
		}
		if len(all.Failures) != failed || all.Total != n {
			t.Errorf("%d failures of %d, want %d of %d", len(all.Failures), all.Total, failed, n)
		}
		services, err := c.Services(ctx)
		must(t, err)
		if len(services) != n/1000 {
			t.Errorf("there are %d services, want %d", len(services), n/1000)
		}
	})
}

// Thousands of changes are made, and listed, in the documented order, at once.
func TestConformanceThousandsOfServices(t *testing.T) {
	const n = 5000
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		var changes []lvs.Change
		var want []lvs.ServiceStatus
		for i := range n {
			s := lvs.Service{ID: lvs.TCP(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 80)), Scheduler: lvs.RR}
			changes = append(changes, lvs.AddService(s))
			want = append(want, lvs.ServiceStatus{Service: s})
		}
		must(t, c.Do(ctx, changes...))
		for range 3 {
			got, err := c.Services(ctx)
			must(t, err)
			if diff := cmp.Diff(want, got, exactly); diff != "" {
				t.Fatalf("%d services are listed, want %d (-want +got)\n%.2000s", len(got), n, diff)
			}
		}
	})
}
