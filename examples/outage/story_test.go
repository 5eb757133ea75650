package outage

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

// usual is the story without flags, which has no scripts and no arrivals yet.
func usual() story {
	return story{
		servers: 6, cold: 30 * time.Second,
		Workload: workload.Workload{
			Service: lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80")), Duration: 12 * time.Minute,
			Clients: workload.Clients{Count: 20_000, Zipf: 1}, Lifetime: workload.Exponential(time.Second),
			Server: workload.Server{Slots: 50}, Samples: 144, Seed: 1,
		},
	}
}

// arrivals are those of a day with a quiet night.
func (s *story) arrivals() workload.Arrivals { return workload.Daily(10, 150, s.Workload.Duration) }

// day returns what happens to the servers in a day.
func (s *story) day() map[netip.AddrPort]healthtest.Script {
	hour := s.Workload.Duration / 24
	lasts := min(hour, 10*time.Minute)
	all := map[netip.AddrPort]healthtest.Script{}
	for _, e := range []struct {
		hour        time.Duration
		first, last int // servers
		does        healthtest.Behaviour
	}{
		{2, 0, 0, healthtest.Refuse()},
		{5, 3, 3, healthtest.Flap(5 * time.Second)},
		{8, 1, 1, healthtest.NoVIP()},
		{10, 2, 2, healthtest.BlackHole()},
		{12, 4, 4, healthtest.Slow(3 * time.Second)},
		{15, 0, s.servers/2 - 1, healthtest.Hang()},
		{20, 0, s.servers - 1, healthtest.Status(http.StatusServiceUnavailable)},
	} {
		for i := e.first; i <= min(e.last, s.servers-1); i++ {
			all[addrOf(i)] = append(all[addrOf(i)],
				healthtest.Step{At: e.hour * hour, Does: e.does}, healthtest.Step{At: e.hour*hour + lasts, Does: healthtest.Answer()})
		}
	}
	return all
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

// eventsOf returns when clients cannot use a server, and when it is slow.
func (s *story) eventsOf(addr netip.AddrPort) (all []workload.Event) {
	script, served, slow := s.scripts[addr], true, time.Duration(0)
	for at, more := time.Duration(0), true; more && at <= s.Workload.Duration; at, more = script.Next(at) {
		now := script.At(at)
		switch serves := now.Serves(mode); {
		case served && !serves:
			all = append(all, workload.Break(at, addr))
		case !served && serves:
			all = append(all, workload.Fix(at, addr, s.cold))
		}
		if now.Delay() != slow {
			all = append(all, workload.Slow(at, addr, now.Delay()))
		}
		served, slow = now.Serves(mode), now.Delay()
	}
	return all
}
