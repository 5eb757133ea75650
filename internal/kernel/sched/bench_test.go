package sched

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
)

func benchGroup(b *testing.B, name string, n int, weight func(i int) int32) (*Group, []*Server) {
	g := NewGroup(true)
	by, _ := New(name, Options{Totals: true})
	if err := g.Schedule(by); err != nil {
		b.Fatal(err)
	}
	servers := make([]*Server, n)
	for i := range servers {
		addr := netip.AddrFrom4([4]byte{10, 2, byte(i >> 8), byte(i)})
		w := weight(i)
		servers[i] = &Server{Addr: netip.AddrPortFrom(addr, 80), Weight: w, LastWeight: w}
		g.Add(servers[i])
	}
	return g, servers
}

// BenchmarkPick picks, and counts the connection on the server that got it where
// that decides about the next pick.
func BenchmarkPick(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	mixes := []struct {
		name   string
		weight func(i int) int32
	}{
		{"", func(int) int32 { return 1 + r.Int32N(100) }},
		{"/few-usable", func(i int) int32 {
			if i%97 == 0 {
				return 1 + r.Int32N(100)
			}
			return 0
		}},
		{"/1-and-huge", func(i int) int32 {
			if i%50 == 0 {
				return 1<<31 - 1
			}
			return 1
		}},
	}
	for _, name := range []string{"rr", "wrr", "lc", "wlc"} {
		for _, mix := range mixes {
			for _, n := range []int{100, 10000} {
				b.Run(fmt.Sprintf("%s/%d%s", name, n, mix.name), func(b *testing.B) {
					g, _ := benchGroup(b, name, n, mix.weight)
					f := &Flow{}
					b.ReportAllocs()
					for b.Loop() {
						s := g.Pick(f)
						s.Inactive++
						g.Counted(s)
					}
				})
			}
		}
	}
}

// BenchmarkCounted counts a connection on any server.
func BenchmarkCounted(b *testing.B) {
	for _, name := range []string{"rr", "wrr", "lc", "wlc"} {
		for _, n := range []int{100, 10000} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				g, servers := benchGroup(b, name, n, func(i int) int32 { return int32(1 + i%100) })
				r := rand.New(rand.NewPCG(1, 1))
				order := make([]*Server, 1<<14)
				for i := range order {
					order[i] = servers[r.IntN(n)]
				}
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					s := order[i%len(order)]
					s.Inactive++
					g.Counted(s)
				}
			})
		}
	}
}
