package metrics

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/golvs/lvs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

func BenchmarkScrape(b *testing.B) {
	sim, err := lvs.NewSimulator(lvs.SimOptions{ImmediateStats: true})
	if err != nil {
		b.Fatal(err)
	}
	benchmarkScrape(b, sim.Host())
}

// benchmarkScrape scrapes 500 services of 10 real servers, beside bare readings.
func benchmarkScrape(b *testing.B, host *lvs.Host) {
	for i := range 500 {
		id := lvs.TCP(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 80))
		changes := []lvs.Change{lvs.AddService(lvs.Service{ID: id, Scheduler: lvs.RR})}
		for j := range 10 {
			changes = append(changes, lvs.AddRealServer(id, lvs.NewRealServer(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 0, byte(j + 1)}), 80), lvs.DR())))
		}
		if err := host.Client().Do(b.Context(), changes...); err != nil {
			b.Fatal(err)
		}
	}
	benchmark(b, "bare/Snapshot", func() error { _, err := host.Client().Snapshot(b.Context()); return err })
	benchmark(b, "bare/QuickTable", func() error { _, err := host.QuickTable(b.Context()); return err })
	benchmark(b, "bare/Services", func() error { _, err := host.Client().Services(b.Context()); return err })
	benchmarkOptions(b, host, "counters", Options{ServerCounters: true})
	benchmarkOptions(b, host, "default", Options{})
	benchmarkOptions(b, host, "services", Options{Servers: NoServers()})
	benchmarkOptions(b, host, "node", Options{NodeExporter: true})
}

// benchmarkOptions scrapes in each way that there is.
func benchmarkOptions(b *testing.B, host *lvs.Host, name string, o Options) {
	c, err := New(host, o)
	if err != nil {
		b.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(c)
	request := httptest.NewRequest("GET", "/metrics", nil)
	benchmark(b, name+"/Handler", func() error { c.ServeHTTP(discard{}, request); return nil })
	for _, way := range []struct {
		name string
		prometheus.Gatherer
	}{{"Gather", c}, {"registry", registry}} {
		benchmark(b, name+"/"+way.name, func() error {
			families, err := way.Gather()
			for _, f := range families {
				if _, err := expfmt.MetricFamilyToText(io.Discard, f); err != nil {
					return err
				}
			}
			return err
		})
	}
}

func benchmark(b *testing.B, name string, call func() error) {
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := call(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// discard is a response that is not sent.
type discard struct{}

func (discard) Header() http.Header                  { return http.Header{} }
func (discard) WriteHeader(int)                      {}
func (discard) Write(text []byte) (n int, err error) { return len(text), nil }
