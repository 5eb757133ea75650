package conformance

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/testbed"
)

// TestDrainNoticedInKernel measures how long after the last flow of a real server the
// end of its drain is noticed. In fake time, TestDrain holds that it is within a second.
func TestDrainNoticedInKernel(t *testing.T) {
	testbed.InKernel(t)
	const drains = 10
	g := openKernelGround(t)
	c, watcher, ctx := groundClient(t, g), groundClient(t, g), groundContext(t)
	must(t, c.Do(ctx, lvs.SetTimeouts(lvs.Timeouts{UDP: time.Second}), lvs.AddService(lvs.Service{ID: dnsID, Scheduler: lvs.RR})))
	for n := range drains {
		must(t, c.AddRealServer(ctx, dnsID, lvs.NewRealServer(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, byte(2 + n)}), 53), lvs.DR())))
	}
	for n := range uint16(drains) {
		must(t, g.Datagram(netip.AddrPortFrom(dnsClient.Addr(), 5000+n), dnsVIP))
		g.Wait(70 * time.Millisecond) // so that the flows end one after the other
	}
	servers, err := c.RealServers(ctx, dnsID)
	must(t, err)
	var all []lvs.Drain
	for _, s := range servers {
		d, err := c.BeginDrain(ctx, dnsID, s.Addr, lvs.DrainOptions{Timeout: time.Minute})
		must(t, err)
		all = append(all, d)
	}
	done := make(chan []lvs.DrainEnd, 1)
	go func() {
		_, ended, err := c.AwaitDrains(ctx, all)
		if err != nil {
			t.Error(err)
		}
		done <- ended
	}()

	idle := make(map[netip.AddrPort]time.Time) // since when, as far as was seen
	for len(idle) < drains {
		now := time.Now()
		servers, err := watcher.RealServers(ctx, dnsID)
		must(t, err)
		for _, d := range all {
			busy := slices.ContainsFunc(servers, func(s lvs.RealServerStatus) bool { return s.Addr == d.RealServer && s.InactiveConns > 0 })
			if _, known := idle[d.RealServer]; !known && !busy {
				idle[d.RealServer] = now
			}
		}
		g.Wait(2 * time.Millisecond)
	}
	var late []time.Duration
	for _, e := range <-done {
		if e.Reason != lvs.DrainedConns {
			t.Errorf("got %v", e)
		}
		late = append(late, e.Ended.Sub(idle[e.Drain.RealServer]).Round(time.Millisecond))
	}
	slices.Sort(late)
	t.Logf("noticed after %v", late)
}
