package top

import (
	"flag"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

var benchReal = flag.Bool("bench.real", false, "fill the table of the kernel, inside one, rather than a simulator's")

// BenchmarkFrame is a frame of 1,000 services with ten real servers each on a screen of 200
// columns and 50 lines, and its parts. Batch is a frame of the whole table.
func BenchmarkFrame(b *testing.B) {
	r := Reader{Host: benchHost(b)}
	m := NewModel("lvs top", time.Second)
	m.Width, m.Height = 200, 50
	read := func(b *testing.B, wanted map[lvs.ServiceID]bool) Reading {
		reading, err := r.Read(b.Context(), wanted)
		must(b, err)
		return reading
	}
	reading := read(b, m.Wanted())
	m.SetReading(reading, nil)
	for _, part := range []struct {
		name string
		work func(b *testing.B)
	}{
		{"Read", func(b *testing.B) { read(b, m.Wanted()) }},
		{"Rows", func(*testing.B) { m.SetReading(reading, nil); m.rows() }},
		{"Draw", func(*testing.B) { m.Draw() }},
		{"Whole", func(b *testing.B) { m.SetReading(read(b, m.Wanted()), nil); m.Draw() }},
		{"Batch", func(b *testing.B) { m.SetReading(read(b, nil), nil); _ = m.Text() }},
	} {
		b.Run(part.name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				part.work(b)
			}
		})
	}
}

func benchHost(b *testing.B) *lvs.Host {
	sim, err := lvs.NewSimulator(lvs.SimOptions{Kernel: "6.12.113", Seed: 1})
	must(b, err)
	host := sim.Host()
	if *benchReal {
		host, err = lvs.OpenHost(b.Context())
		must(b, err)
	}
	b.Cleanup(func() { host.Close() })
	fill(b, host, 1000)
	return host
}
