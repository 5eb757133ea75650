package top

import (
	"context"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

var benchReal = flag.Bool("bench.real", false, "let benchmarks read the table of this kernel")

// BenchmarkFrame is a frame of a table of 1,000 services with 10 real servers each, on a
// screen of 200 columns and 50 lines, and its parts.
func BenchmarkFrame(b *testing.B) {
	r := Reader{Host: benchHost(b)}
	m := NewModel("lvs top", time.Second)
	m.Width, m.Height = 200, 50
	read := func(b *testing.B) Reading {
		m.Now = m.Now.Add(time.Second)
		reading, err := r.Read(b.Context(), m.Wanted())
		if err != nil {
			b.Fatal(err)
		}
		reading.At = m.Now
		return reading
	}
	m.SetReading(read(b), nil)
	part := func(name string, work func(b *testing.B)) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				work(b)
			}
		})
	}
	reading := read(b)
	part("Quick", func(b *testing.B) { r.Host.QuickTable(b.Context()) })
	part("Services", func(b *testing.B) { r.Host.Client().Services(b.Context()) })
	part("Read", func(b *testing.B) { read(b) })
	part("Adopt", func(b *testing.B) { m.SetReading(reading, nil) })
	part("Draw", func(b *testing.B) { m.Draw() })
	part("All", func(b *testing.B) { m.SetReading(read(b), nil); m.Draw() })
}

func benchHost(b *testing.B) *lvs.Host {
	sim, err := lvs.NewSimulator(lvs.SimOptions{Kernel: "6.12.113", Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	host := sim.Host()
	if *benchReal {
		if host, err = lvs.OpenHost(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	var changes []lvs.Change
	for i := range 1000 {
		id := lvs.MustParseServiceID(fmt.Sprintf("tcp://10.1.%d.%d:80", i/250, i%250))
		changes = append(changes, lvs.AddService(lvs.Service{ID: id, Scheduler: lvs.WLC}))
		for j := range 10 {
			changes = append(changes, lvs.AddRealServer(id, server(fmt.Sprintf("10.2.%d.%d:%d", i/250, j+1, 1000+i%250), 1)))
		}
	}
	if err := host.Client().Do(context.Background(), changes...); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { host.Close() })
	return host
}
