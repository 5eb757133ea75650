package lvs

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"
)

// benchFlow returns the i-th of many millions of flows.
func benchFlow(i int) (client netip.AddrPort) {
	var addr [4]byte
	binary.BigEndian.PutUint32(addr[:], 0x0b000000|uint32(i>>15))
	return netip.AddrPortFrom(netip.AddrFrom4(addr), uint16(1024+i&0x7fff))
}

// BenchmarkConnection is the whole life of a TCP connection: it arrives, is
// scheduled to one of 100 servers, is established, ends, and expires. 10,000 are
// alive at any time.
func BenchmarkConnection(b *testing.B) {
	for _, mode := range []Mode{DR(), NAT()} {
		for _, scheduler := range []Scheduler{RR, WRR, LC, WLC} {
			b.Run(fmt.Sprint(mode, "/", scheduler), func(b *testing.B) {
				l := newSimLab(b, SimOptions{})
				l.serve(Service{ID: simWeb, Scheduler: scheduler}, mode, make([]int, 100)...)
				for i := range 100 {
					l.setWeight(i, 1+i%4)
				}
				b.ReportAllocs()
				b.ResetTimer()
				for i := range b.N {
					p := SimPacket{Protocol: ProtocolTCP, Source: benchFlow(i), Destination: simWeb.AddrPort(), TCP: SimSYN}
					benchDeliver(b, l, &p)
					p.TCP = SimACK
					benchDeliver(b, l, &p)
					p.TCP = SimRST
					benchDeliver(b, l, &p)
					if i%100 == 99 {
						l.wait(100 * time.Millisecond)
					}
				}
				l.wait(time.Hour)
				b.StopTimer()
				if n := len(l.table()); n != 0 {
					b.Fatalf("%d connections are left", n)
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "conns/s")
			})
		}
	}
}

func benchDeliver(b *testing.B, l *simLab, p *SimPacket) {
	v, err := l.Deliver(*p)
	if err != nil || v.Action != ActionForwarded {
		b.Fatal(v.String(), err)
	}
}

// BenchmarkLiveConnections holds connections, b.N of them, and tells what each
// takes. Run it with -benchtime 10000000x.
func BenchmarkLiveConnections(b *testing.B) {
	for _, mode := range []Mode{DR(), NAT()} {
		b.Run(fmt.Sprint(mode), func(b *testing.B) {
			l := newSimLab(b, SimOptions{})
			l.serve(Service{ID: simWeb, Scheduler: WLC}, mode, 1, 2, 3, 4)
			before := heap()
			b.ResetTimer()
			for i := range b.N {
				benchDeliver(b, l, &SimPacket{Protocol: ProtocolTCP, Source: benchFlow(i), Destination: simWeb.AddrPort(), TCP: SimSYN})
			}
			b.StopTimer()
			b.ReportMetric(float64(heap()-before)/float64(b.N), "bytes/conn")
			active := 0
			for i := range 4 {
				active += int(l.status(i).ActiveConns)
			}
			if active != b.N {
				b.Fatalf("%d connections are alive, want %d", active, b.N)
			}
		})
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkControlCall is one call of a client on the simulator.
func BenchmarkControlCall(b *testing.B) {
	ctx := context.Background()
	for name, call := range map[string]func(l *simLab, i int) error{
		"UpdateServer": func(l *simLab, i int) error {
			return l.client.UpdateRealServer(ctx, simWeb, RealServer{Addr: l.server(0), Weight: i & 7})
		},
		"SetWeight": func(l *simLab, i int) error {
			err := l.client.SetWeight(ctx, simWeb, l.server(0), i&7)
			return err
		},
		"Service": func(l *simLab, _ int) error { _, err := l.client.Service(ctx, simWeb); return err },
		"Servers": func(l *simLab, _ int) error { _, err := l.client.RealServers(ctx, simWeb); return err },
	} {
		b.Run(name, func(b *testing.B) {
			l := newSimLab(b, SimOptions{})
			l.serve(Service{ID: simWeb, Scheduler: WLC}, DR(), 1, 2, 3, 4)
			l.server(0)
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				if err := call(l, i); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
