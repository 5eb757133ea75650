package main

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health/healthtest"
	"github.com/golvs/lvs/workload"
)

// story is what happens to servers and clients, whatever the policy.
type story struct {
	servers  int
	scripts  map[netip.AddrPort]healthtest.Script
	cold     time.Duration // for which a server that comes back is slow
	Workload workload.Workload
}

// mode is how packets reach the servers.
var mode = lvs.DR()

// usual is the story without flags.
func usual() story {
	s := story{
		servers: 6, cold: 30 * time.Second,
		Workload: workload.Workload{
			Service: lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80")), Duration: 12 * time.Minute,
			Arrivals: workload.Poisson(150), Clients: workload.Clients{Count: 20_000, Zipf: 1},
			Lifetime: workload.Exponential(time.Second), Server: workload.Server{Slots: 50}, Samples: 144, Seed: 1,
		},
	}
	at := func(minutes float64, does healthtest.Behaviour) healthtest.Step {
		return healthtest.Step{At: time.Duration(minutes * float64(time.Minute)), Does: does}
	}
	s.scripts = map[netip.AddrPort]healthtest.Script{
		addrOf(0): {at(1, healthtest.Refuse()), at(2, healthtest.Answer())},
		addrOf(1): {at(3, healthtest.NoVIP()), at(4, healthtest.Answer())},
		addrOf(2): {at(5, healthtest.Hang()), at(6, healthtest.Answer())},
		addrOf(3): {at(7, healthtest.Flap(5*time.Second)), at(8, healthtest.Answer())},
	}
	for i := range s.servers {
		a := addrOf(i)
		s.scripts[a] = append(s.scripts[a], at(10, healthtest.Status(http.StatusServiceUnavailable)), at(11, healthtest.Answer()))
	}
	return s
}

// addrOf returns the address of a real server.
func addrOf(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 168, 1, byte(1 + i)}), 80)
}

func (s *story) has(addr netip.AddrPort) bool {
	for i := range s.servers {
		if addrOf(i) == addr {
			return true
		}
	}
	return false
}

// table is what the director is to keep.
func (s *story) table() lvs.Table {
	t := lvs.TableService{Service: lvs.Service{ID: s.Workload.Service, Scheduler: lvs.WRR}}
	for i := range s.servers {
		t.RealServers = append(t.RealServers, lvs.NewRealServer(addrOf(i), mode))
	}
	return lvs.Table{Services: []lvs.TableService{t}}
}

// network returns the servers, as probes find them. It begins now.
func (s *story) network() (*healthtest.Network, error) {
	n := healthtest.New()
	ready := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for i := range s.servers {
		if err := n.Serve(addrOf(i), healthtest.Server{HTTP: ready, Script: s.scripts[addrOf(i)]}); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// workload returns the clients, and the servers as clients find them.
func (s *story) workload() workload.Workload {
	w := s.Workload
	for i := range s.servers {
		w.Events = append(w.Events, s.eventsOf(addrOf(i))...)
	}
	return w
}

// eventsOf returns when clients cannot use a server.
func (s *story) eventsOf(addr netip.AddrPort) (all []workload.Event) {
	script, serves := s.scripts[addr], true
	for at, more := time.Duration(0), true; more && at <= s.Workload.Duration; at, more = script.Next(at) {
		switch now := script.At(at).Serves(mode); {
		case serves && !now:
			all = append(all, workload.Break(at, addr))
		case !serves && now:
			all = append(all, workload.Fix(at, addr, s.cold))
		}
		serves = script.At(at).Serves(mode)
	}
	return all
}
