package sched

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
)

var (
	schedulers = []string{
		"rr", "wrr", "lc", "wlc", "sed", "nq", "fo", "ovf", "dh", "sh", "mh", "lblc", "lblcr", "twos",
	}
	sizes = []int{100, 10000}
)

// newGroup returns a group for a benchmark. mh has 65,521 buckets, so that there
// are enough.
func newGroup(b *testing.B, name string, n int, weight func(i int) int32) (*Group, []*Server) {
	g := NewGroup(true)
	by, _ := New(name, Options{MHIndex: 16})
	servers := make([]*Server, n)
	for i := range servers {
		addr := netip.AddrFrom4([4]byte{10, 2, byte(i >> 8), byte(i)})
		w := weight(i)
		servers[i] = &Server{Addr: netip.AddrPortFrom(addr, 80), Weight: w, LastWeight: w}
		g.Add(servers[i])
	}
	if err := g.Schedule(by); err != nil {
		b.Fatal(err)
	}
	return g, servers
}

// BenchmarkPick picks and counts a connection on the server that got it, since
// that decides about the next pick.
func BenchmarkPick(b *testing.B) {
	for _, name := range schedulers {
		for _, n := range sizes {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				benchmarkPick(b, name, n, func(int) int32 { return 1 + rand.Int32N(100) })
			})
		}
	}
}

// BenchmarkPickSkewed does so where a scan has far to go: only one in a hundred
// servers is usable, or only one in fifty is heavy.
func BenchmarkPickSkewed(b *testing.B) {
	for _, name := range []string{"rr", "wrr", "lc", "wlc"} {
		for _, n := range sizes {
			b.Run(fmt.Sprintf("%s/%d/few-usable", name, n), func(b *testing.B) {
				benchmarkPick(b, name, n, func(i int) int32 { return btoi(i%97 == 0) })
			})
			b.Run(fmt.Sprintf("%s/%d/few-heavy", name, n), func(b *testing.B) {
				benchmarkPick(b, name, n, func(i int) int32 { return 1 + btoi(i%50 == 0)*(1<<31-2) })
			})
		}
	}
}

func btoi(b bool) int32 {
	if b {
		return 1
	}
	return 0
}

func benchmarkPick(b *testing.B, name string, n int, weight func(i int) int32) {
	g, _ := newGroup(b, name, n, weight)
	var flows [1 << 10]Flow
	for i := range flows {
		r := rand.Uint32()
		flows[i] = Flow{
			Client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(r), byte(r >> 8), byte(r >> 16)}), 999),
			Dest:   netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 0, byte(r >> 24)}), 80),
		}
	}
	g.Pick(&flows[0])
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s := g.Pick(&flows[i%len(flows)])
		if name == "sed" || name == "nq" {
			s.Active++
		} else {
			s.Inactive++
		}
		g.Counted(s)
	}
}

// BenchmarkCounted counts a connection on any server.
func BenchmarkCounted(b *testing.B) {
	for _, name := range []string{"rr", "wrr", "lc", "wlc", "lblc"} {
		for _, n := range sizes {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				g, servers := newGroup(b, name, n, func(i int) int32 { return int32(1 + i%100) })
				var order [1 << 14]*Server
				for i := range order {
					order[i] = servers[rand.IntN(n)]
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

// BenchmarkAdd adds and removes a server, where there are many.
func BenchmarkAdd(b *testing.B) {
	for _, name := range schedulers {
		b.Run(name, func(b *testing.B) {
			g, servers := newGroup(b, name, 10000, func(i int) int32 { return int32(1 + i%100) })
			for i := 0; b.Loop(); i++ {
				s := servers[i%len(servers)]
				g.Remove(s)
				g.Add(s)
			}
		})
	}
}

func BenchmarkMaglevFill(b *testing.B) {
	for _, index := range []int{12, 16} {
		b.Run(fmt.Sprint(maglevSizes[index-8]), func(b *testing.B) {
			g, _ := newGroup(b, "rr", 1000, func(i int) int32 { return 1 })
			m := newMaglev(Options{MHIndex: index})
			if err := g.Schedule(m); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				m.fill()
			}
		})
	}
}
