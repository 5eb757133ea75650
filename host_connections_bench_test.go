package lvs

import (
	"context"
	"io"
	"net/netip"
	"runtime"
	"testing"
)

// connectionsText generates a listing of any length, in no memory to speak of.
type connectionsText struct {
	files
	row  string
	rows int
}

func (f connectionsText) Open(string) (io.ReadCloser, error) {
	left := f.rows
	rest := connectionsHeader
	return io.NopCloser(readerFunc(func(b []byte) (n int, err error) {
		const page = 4096 // the kernel returns no more at a time
		for n < min(len(b), page) {
			if rest == "" {
				if left == 0 {
					return n, io.EOF
				}
				rest, left = f.row, left-1
			}
			copied := copy(b[n:min(len(b), page)], rest)
			n, rest = n+copied, rest[copied:]
		}
		return n, nil
	})), nil
}

// BenchmarkConnections reads a million connections, in the way that a kernel's are read.
func BenchmarkConnections(b *testing.B) {
	const row6 = "TCP fd00:0001:0000:0000:0000:0000:0000:0001 9C40 fd00:0001:0000:0000:0000:0000:0000:0002 0050 fd00:0001:0000:0000:0000:0000:0000:0003 0050 ESTABLISHED     899\n"
	rare := ConnectionFilter{Client: netip.MustParsePrefix("10.0.0.0/8")}
	for _, bench := range []struct {
		name, row string
		filter    ConnectionFilter
	}{
		{"IPv4", webRow, ConnectionFilter{}},
		{"IPv6", row6, ConnectionFilter{}},
		{"engine", webRow[:len(webRow)-1] + " sip 3848276298220188511@example.com\n", ConnectionFilter{}},
		{"none selected", webRow, rare},
	} {
		b.Run(bench.name, func(b *testing.B) {
			const rows = 1_000_000
			s, err := NewSimulator(SimOptions{})
			must(b, err)
			h := s.Host()
			defer h.Close()
			h.guard.files = connectionsText{h.guard.files, bench.row, rows}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for b.Loop() {
				for _, err := range h.Connections(context.Background(), bench.filter) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			runtime.ReadMemStats(&after)
			n := float64(b.N) * rows
			b.ReportMetric(n/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(after.Mallocs-before.Mallocs)/n, "allocs/row")
			b.ReportMetric((float64(after.HeapSys)-float64(before.HeapSys))/(1<<20), "MiB-more")
			b.ReportMetric(0, "ns/op")
		})
	}
}
