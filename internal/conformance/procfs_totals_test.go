package conformance

import (
	"net/netip"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

const (
	countedDatagrams = 5
	countedLength    = 20 + 8 + 5 // of each, with its headers
)

var countedTraffic = lvs.Traffic{Conns: countedDatagrams, InPackets: countedDatagrams, InBytes: countedDatagrams * countedLength}

// What was sent is counted, on each CPU at once, and after the estimator's pass in the
// totals and in what a watch sees. Zeroing zeroes all but the counters of the CPUs.
func TestConformanceTraffic(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		h, ctx := g.Host(t), groundContext(t)
		must(t, h.Client().Do(ctx, lvs.AddService(lvs.Service{ID: dnsID, Scheduler: lvs.RR}), lvs.AddRealServer(dnsID, lvs.NewRealServer(addrAt("10.2.0.2:53"), lvs.DR()))))
		compareCPUs(t, h, lvs.Traffic{})
		counted := make(map[lvs.WatchEventKind]lvs.Traffic)
		var zeroed []lvs.WatchEvent
		var isSent, isZeroed bool
		for r, err := range h.Watch(ctx, time.Millisecond, lvs.WatchOptions{Counters: true}) {
			must(t, err)
			total, err := h.Totals(ctx)
			must(t, err)
			if isZeroed {
				zeroed = r.Events
				compareTraffic(t, "totals after zeroing", total.Since(lvs.Stats{}, 0), lvs.Traffic{})
				break
			}
			for _, e := range r.Events {
				counted[e.Kind] = plus(counted[e.Kind], e.Traffic)
			}
			switch {
			case !isSent:
				for port := range uint16(countedDatagrams) {
					must(t, g.Datagram(netip.AddrPortFrom(dnsID.AddrPort().Addr(), 5000+port), dnsID.AddrPort()))
				}
				isSent = true
			case total.Conns == countedDatagrams && counted[lvs.WatchServiceTraffic].Conns == countedDatagrams && counted[lvs.WatchRealServerTraffic].Conns == countedDatagrams:
				compareTraffic(t, "totals", total.Since(lvs.Stats{}, 0), countedTraffic)
				capture(t, g, "ip_vs_stats", "ip_vs_stats_percpu")
				must(t, h.Client().ZeroAllCounters(ctx))
				isZeroed = true
			default:
				g.Wait(50 * time.Millisecond)
			}
			compareCPUs(t, h, countedTraffic)
		}
		for _, kind := range []lvs.WatchEventKind{lvs.WatchServiceTraffic, lvs.WatchRealServerTraffic} {
			compareTraffic(t, string(kind), counted[kind], countedTraffic)
		}
		if len(counted) != 2 || len(zeroed) != 2 || !zeroed[0].Traffic.Zeroed || !zeroed[1].Traffic.Zeroed {
			t.Errorf("events %v, after zeroing %v", counted, zeroed)
		}
	})
}

// compareCPUs compares the sum of all CPUs.
func compareCPUs(t *testing.T, h *lvs.Host, want lvs.Traffic) {
	t.Helper()
	all, err := h.CPUTotals(groundContext(t))
	must(t, err)
	var sum lvs.Traffic
	for i, c := range all {
		if c.CPU != i {
			t.Errorf("CPU %d has the number %d", i, c.CPU)
		}
		sum = plus(sum, lvs.Traffic{Conns: c.Conns, InPackets: c.InPackets, OutPackets: c.OutPackets, InBytes: c.InBytes, OutBytes: c.OutBytes})
	}
	compareTraffic(t, "all CPUs", sum, want)
}

func plus(a, b lvs.Traffic) lvs.Traffic {
	return lvs.Traffic{
		Conns: a.Conns + b.Conns, InPackets: a.InPackets + b.InPackets, OutPackets: a.OutPackets + b.OutPackets,
		InBytes: a.InBytes + b.InBytes, OutBytes: a.OutBytes + b.OutBytes,
	}
}

func compareTraffic(t *testing.T, what string, got, want lvs.Traffic) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %s, want %s", what, got, want)
	}
}
