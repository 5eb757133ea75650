package workload

import (
	"fmt"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// BenchmarkRun is the whole life of connections of 20,000 clients on 100 servers,
// some 130,000 of them in the director's table at any time.
func BenchmarkRun(b *testing.B) {
	for _, scheduler := range []lvs.Scheduler{lvs.RR, lvs.WLC, lvs.MH} {
		for _, mode := range []lvs.Mode{lvs.DR(), lvs.NAT()} {
			b.Run(fmt.Sprint(scheduler, "/", mode), func(b *testing.B) {
				sim := newSim(b, lvs.Service{ID: web, Scheduler: scheduler}, mode, ones(100)...)
				b.ResetTimer()
				report, err := Run(b.Context(), sim, Workload{
					Service: web, Duration: time.Duration(b.N) * time.Millisecond, Arrivals: Poisson(1000),
					Clients: Clients{Count: 20_000, Zipf: 1}, Lifetime: Exponential(10 * time.Second),
				})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(report.Arrived)/b.Elapsed().Seconds(), "conns/s")
			})
		}
	}
}
