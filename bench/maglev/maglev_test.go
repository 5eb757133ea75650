// Package maglev has benchmarks of the simulator's mh beside github.com/kkdai/maglev,
// the Maglev hashing that Go programs use.
package maglev

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/golvs/lvs/internal/simipvs/sched"
	"github.com/kkdai/maglev"
)

const servers = 1000

// sizes are those of Linux by IP_VS_MH_TAB_INDEX: Debian's, and the one next to
// the 65,537 of the Maglev paper.
var sizes = []struct{ index, buckets int }{{12, 4093}, {16, 65521}}

func addr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, byte(i >> 8), byte(i)}), 80)
}

func client(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 64, byte(i >> 8), byte(i)}), 40000)
}

const clients = 1 << 12

// newOurs returns servers that mh picks from, and one of them.
func newOurs(b *testing.B, index int) (g *sched.Group, one *sched.Server) {
	g = sched.NewGroup(true)
	mh, _ := sched.New("mh", sched.Options{MHIndex: index, IPv4: true})
	for i := range servers {
		one = &sched.Server{Addr: addr(i), Weight: 1, LastWeight: 1}
		g.Add(one)
	}
	if err := g.Schedule(mh); err != nil {
		b.Fatal(err)
	}
	return g, one
}

func newTheirs(b *testing.B, buckets int) *maglev.Maglev {
	m, err := maglev.NewMaglev(names(), uint64(buckets))
	if err != nil {
		b.Fatal(err)
	}
	return m
}

func names() (all []string) {
	for i := range servers {
		all = append(all, addr(i).String())
	}
	return all
}

// BenchmarkBuild makes the table again, as when a server has changed.
func BenchmarkBuild(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprintf("%d/lvs", size.buckets), func(b *testing.B) {
			g, one := newOurs(b, size.index)
			flow := sched.Flow{Client: client(0)}
			for b.Loop() {
				g.Edited(one)
				g.Pick(&flow) // it is made when it is needed
			}
		})
		b.Run(fmt.Sprintf("%d/kkdai", size.buckets), func(b *testing.B) {
			m, all := newTheirs(b, size.buckets), names()
			for b.Loop() {
				if err := m.Set(all); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLookup finds the server of a client.
func BenchmarkLookup(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprintf("%d/lvs", size.buckets), func(b *testing.B) {
			g, _ := newOurs(b, size.index)
			var flows [clients]sched.Flow
			for i := range flows {
				flows[i] = sched.Flow{Client: client(i)}
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if g.Pick(&flows[i%clients]) == nil {
					b.Fatal("no server")
				}
			}
		})
		b.Run(fmt.Sprintf("%d/kkdai", size.buckets), func(b *testing.B) {
			m := newTheirs(b, size.buckets)
			var keys [clients]string
			for i := range keys {
				keys[i] = client(i).Addr().String()
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := m.Get(keys[i%clients]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
