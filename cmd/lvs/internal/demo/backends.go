package demo

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/golvs/lvs/director"
	"github.com/golvs/lvs/health"
	"github.com/golvs/lvs/health/healthtest"
)

// Backends is what checks in a demo reach instead of the host's network. Each real server
// works and has every page, except that one in four fails and comes back by turns.
type Backends struct {
	network *healthtest.Network

	mu    sync.Mutex
	known map[netip.AddrPort]bool
}

// NewBackends returns real servers. Each exists as soon as it is asked.
func NewBackends() *Backends {
	return &Backends{network: healthtest.New(), known: map[netip.AddrPort]bool{}}
}

// Check makes the checks of a director in a world ask the real servers.
func (b *Backends) Check(w *World, o *director.Options) {
	o.Health.Network = b
	o.Path = health.TablePathOptions{Sources: sources(), Network: b.through(w)}
}

// DialContext connects to a real server.
func (b *Backends) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if addr, err := netip.ParseAddrPort(address); err == nil {
		if err := b.find(addr); err != nil {
			return nil, err
		}
	}
	return b.network.DialContext(ctx, network, address)
}

// find makes a real server that does not exist yet.
func (b *Backends) find(addr netip.AddrPort) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known[addr] {
		return nil
	}
	b.known[addr] = true
	return b.network.Serve(addr, healthtest.Server{HTTP: http.HandlerFunc(page), Script: scriptOf(addr)})
}

// scriptOf returns what a real server does.
func scriptOf(addr netip.AddrPort) healthtest.Script {
	last := addr.Addr().As16()[15]
	if last%4 != 3 {
		return nil
	}
	return healthtest.Script{{At: 10 * time.Second, Does: healthtest.Flap(20 * time.Second)}}
}

func page(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, "the page of the shared tier\n")
}

// through returns the networks of checks through IPVS: their packets go through the
// simulated director.
func (b *Backends) through(w *World) func(mark uint32, source netip.Addr) health.Network {
	return func(mark uint32, source netip.Addr) health.Network {
		return through{b, w, b.network.Through(w.Sim, source, mark)}
	}
}

// through is a way to the real servers that leads through IPVS.
type through struct {
	*Backends
	world *World
	path  *healthtest.Path
}

// DialContext connects to the real server that IPVS picks for a VIP.
func (t through) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	now, err := t.world.Sim.Client().Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range now.Services {
		for _, server := range s.RealServers {
			addr := server.Addr
			if addr.Port() == 0 {
				addr = netip.AddrPortFrom(addr.Addr(), to.Port())
			}
			if err := t.find(addr); err != nil {
				return nil, err
			}
		}
	}
	return t.path.DialContext(ctx, network, address)
}

// sources are the director's own addresses, from which checks through IPVS come.
func sources() []netip.Addr {
	return []netip.Addr{netip.MustParseAddr("10.168.0.90"), netip.MustParseAddr("2001:db8:a8::90")}
}
