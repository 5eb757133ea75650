package top

import (
	"net/netip"
	"time"

	"github.com/golvs/lvs"
)

// made returns a service that was read in detail, with servers 10.0.0.1, 10.0.0.2 and so on.
func made(scheduler lvs.Scheduler, servers ...lvs.RealServerStatus) *Service {
	s := &Service{}
	s.ID, s.Scheduler = lvs.MustParseServiceID("tcp://192.0.2.10:80"), scheduler
	for i := range servers {
		servers[i].Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), 80)
		s.Stats.Conns += servers[i].Stats.Conns
		s.Stats.Rates.Conns += servers[i].Stats.Rates.Conns
		s.Stats.Rates.InPackets += servers[i].Stats.Rates.Conns
	}
	s.setDetails(servers)
	return s
}

// got returns a server that got connections since its counters began, and has some.
func got(weight int, conns uint64, active, inactive int) lvs.RealServerStatus {
	var s lvs.RealServerStatus
	s.Weight, s.ActiveConns, s.InactiveConns = weight, active, inactive
	s.Stats.Conns, s.Stats.Rates.Conns = conns, conns
	return s
}

func limited(s lvs.RealServerStatus, upper, lower int) lvs.RealServerStatus {
	s.UpperThreshold, s.LowerThreshold = upper, lower
	return s
}

// modelOf returns a model that has read services.
func modelOf(services ...*Service) *Model {
	m := NewModel("lvs top", time.Second)
	m.Now = clock
	m.SetReading(readingOf(clock, services...), nil)
	return m
}

func readingOf(at time.Time, services ...*Service) Reading {
	r := Reading{At: at}
	for _, s := range services {
		r.Services = append(r.Services, *s)
	}
	return r
}
