package lvs

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"testing"
)

// benchTables are the numbers of services, of three servers each, of the tables
// that are read, copied and explained.
var benchTables = []int{1000, 4000, 16000}

// benchReal makes the benchmarks of tables use the kernel that they run in.
var benchReal = flag.Bool("bench.real", false, "fill the table of the kernel, inside one, rather than a simulator's")

// BenchmarkSnapshot, BenchmarkSimulatorFrom and BenchmarkExplainLive belong together:
// a copy and an explanation shall cost about as much as reading the table does.
func BenchmarkSnapshot(b *testing.B) {
	benchTable(b, func(ctx context.Context, h *Host) error {
		_, err := h.Client().Snapshot(ctx)
		return err
	})
}

func BenchmarkSimulatorFrom(b *testing.B) {
	benchTable(b, func(ctx context.Context, h *Host) error {
		_, _, err := SimulatorFrom(ctx, h, SimOptions{})
		return err
	})
}

func BenchmarkExplainLive(b *testing.B) {
	benchTable(b, func(ctx context.Context, h *Host) error {
		x, err := h.Explain(ctx, Flow{Client: netip.MustParseAddrPort("10.9.0.1:4000"), VIP: benchService(7).AddrPort()})
		if err == nil && len(x.Verdicts) == 0 {
			return fmt.Errorf("no verdict: %s", x)
		}
		return err
	})
}

// benchService returns the i-th service. Services share servers, as they do where
// there are many.
func benchService(i int) ServiceID {
	return TCP(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 80))
}

func benchTable(b *testing.B, do func(context.Context, *Host) error) {
	for _, services := range benchTables {
		b.Run(fmt.Sprint(services), func(b *testing.B) {
			ctx := context.Background()
			h := benchHost(b, services)
			b.ResetTimer()
			for range b.N {
				if err := do(ctx, h); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchHost(b *testing.B, services int) *Host {
	h := benchDirector(b)
	h.guard.files = aliveFiles{h.guard.files}
	var changes []Change
	for i := range services {
		id := benchService(i)
		changes = append(changes, AddService(Service{ID: id, Scheduler: []Scheduler{RR, WRR, LC, WLC, SH}[i%5]}))
		for j := range 3 {
			addr := netip.AddrFrom4([4]byte{10, 2, byte(i >> 4), byte(1 + j + i&0xf)})
			changes = append(changes, AddRealServer(id, NewRealServer(netip.AddrPortFrom(addr, 80), DR())))
		}
	}
	must(b, h.Client().Do(context.Background(), changes...))
	return h
}

// benchDirector returns a host with an empty table.
func benchDirector(b *testing.B) *Host {
	if *benchReal {
		h, err := OpenHost(b.Context())
		must(b, err)
		b.Cleanup(func() { _ = h.Client().Flush(context.Background()) })
		return h
	}
	s, err := NewSimulator(SimOptions{Kernel: "7.2.7"})
	must(b, err)
	return s.Host()
}
