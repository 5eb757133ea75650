package top

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// clock is a time that stands still.
var clock = time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)

// world is a simulated director that stands still between steps.
type world struct {
	*lvs.Simulator
	t     *testing.T
	host  *lvs.Host
	conns int
}

func server(addr string, weight int) lvs.RealServer {
	return lvs.RealServer{Addr: netip.MustParseAddrPort(addr), Mode: lvs.NAT(), Weight: weight}
}

// newWorld returns a director with services of several kinds and a minute of traffic.
func newWorld(t *testing.T) *world {
	t.Helper()
	sim, err := lvs.NewSimulator(lvs.SimOptions{Kernel: "6.12.113", Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{Simulator: sim, t: t, host: sim.Host()}
	t.Cleanup(func() { w.host.Close() })
	full := server("10.1.0.13:443", 2)
	full.UpperThreshold = 10
	w.add("tcp://192.0.2.10:80", lvs.WRR, server("10.1.0.11:80", 3), server("10.1.0.12:80", 2), server("10.1.0.13:80", 1))
	w.add("tcp://192.0.2.10:443", lvs.WLC, server("10.1.0.11:443", 2), server("10.1.0.12:443", 2), full)
	w.add("udp://192.0.2.53:53", lvs.SH, server("10.1.0.21:53", 1), server("10.1.0.22:53", 1))
	w.add("tcp://[2001:db8::10]:80", lvs.FO, server("[2001:db8:1::11]:80", 10), server("[2001:db8:1::12]:80", 1))
	w.add("tcp://192.0.2.10:25", lvs.RR, server("10.1.0.31:25", 1))
	w.add("tcp://192.0.2.10:110", lvs.RR)
	w.step(30)
	w.setWeight("tcp://192.0.2.10:80", "10.1.0.12:80", 0)
	w.step(30)
	return w
}

func (w *world) add(id string, scheduler lvs.Scheduler, servers ...lvs.RealServer) {
	w.t.Helper()
	changes := []lvs.Change{lvs.AddService(lvs.Service{ID: lvs.MustParseServiceID(id), Scheduler: scheduler})}
	for _, s := range servers {
		changes = append(changes, lvs.AddRealServer(lvs.MustParseServiceID(id), s))
	}
	if err := w.host.Client().Do(context.Background(), changes...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) setWeight(id, addr string, weight int) {
	w.t.Helper()
	err := w.host.Client().SetWeight(context.Background(), lvs.MustParseServiceID(id), netip.MustParseAddrPort(addr), weight)
	if err != nil {
		w.t.Fatal(err)
	}
}

// step lets seconds pass, with a few connections each second, every other one of which ends.
func (w *world) step(seconds int) {
	w.t.Helper()
	for range seconds {
		for range 3 {
			w.connect(lvs.ProtocolTCP, "192.0.2.10:80", "198.51.100.%d:%d")
			w.connect(lvs.ProtocolTCP, "192.0.2.10:443", "198.51.100.%d:%d")
		}
		w.connect(lvs.ProtocolUDP, "192.0.2.53:53", "198.51.100.%d:%d")
		w.connect(lvs.ProtocolTCP, "[2001:db8::10]:80", "[2001:db8:ffff::%x]:%d")
		if err := w.Advance(time.Second); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) connect(p lvs.Protocol, vip, client string) {
	w.t.Helper()
	w.conns++
	from := fmt.Sprintf(client, 1+w.conns%200, 10000+w.conns)
	c, err := w.Connect(lvs.Flow{Protocol: p, Client: netip.MustParseAddrPort(from), VIP: netip.MustParseAddrPort(vip)})
	if err == nil && c.Server().IsValid() {
		err = c.Send(400)
	}
	if err == nil && c.Server().IsValid() {
		err = c.Reply(3000)
	}
	if err == nil && c.Server().IsValid() && p == lvs.ProtocolTCP && w.conns%2 == 0 {
		err = c.Close()
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// model returns a model that has read the world.
func (w *world) model(width, height int) *Model {
	w.t.Helper()
	m := NewModel("lvs top", time.Second)
	m.Now, m.Width, m.Height = clock, width, height
	w.read(m)
	return m
}

// read reads the world, as it is a moment later than before.
func (w *world) read(m *Model) {
	w.t.Helper()
	r := Reader{Host: w.host}
	reading, err := r.Read(context.Background(), m.Wanted())
	if err == nil {
		m.States, err = r.States(context.Background())
	}
	if err != nil {
		w.t.Fatal(err)
	}
	if !m.Reading.At.IsZero() {
		m.Now = m.Now.Add(30 * time.Second)
	}
	reading.At, m.States.At = m.Now, m.Now
	m.SetReading(reading, nil)
}

// connectMany opens connections.
func (w *world) connectMany(vip string, n int) {
	w.t.Helper()
	for range n {
		w.conns++
		client := netip.MustParseAddrPort(fmt.Sprintf("203.0.113.%d:%d", 1+w.conns%200, 10000+w.conns))
		if _, err := w.Connect(lvs.Flow{Protocol: lvs.ProtocolTCP, Client: client, VIP: netip.MustParseAddrPort(vip)}); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) remove(id string, addr netip.AddrPort) {
	w.t.Helper()
	if err := w.host.Client().RemoveRealServer(context.Background(), lvs.MustParseServiceID(id), addr); err != nil {
		w.t.Fatal(err)
	}
}
