// Package top is a live view of a director: it reads, keeps a state that keys change,
// draws it in lines for a screen of any size, and writes the lines that changed.
package top

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
)

// Reading is the table at a time.
type Reading struct {
	At       time.Time
	Services []Service
	Drains   []lvs.Drain // of the state file
	StateErr error       // of reading the state file
}

// Service is a service of a [Reading].
type Service struct {
	lvs.ServiceStatus
	Servers []lvs.RealServerStatus

	// Detailed reports whether the counters and thresholds of the servers were read.
	// Without it, Servers have weights and numbers of connections alone.
	Detailed bool
}

// Reader reads tables.
type Reader struct {
	Host      *lvs.Host
	StateFile string // of drains; "" is none
}

// fewServers are so few that reading all of them costs nothing to speak of.
const fewServers = 200

// Read reads the table, with the details of the services that are wanted, or of all if
// the table is small or wanted is nil.
func (r *Reader) Read(ctx context.Context, wanted map[lvs.ServiceID]bool) (Reading, error) {
	reading, err := r.table(ctx, wanted)
	reading.At = time.Now()
	if r.StateFile != "" && err == nil {
		var state lvs.TableState
		state, reading.StateErr = lvs.ReadTableState(r.StateFile)
		reading.Drains = state.Drains
	}
	return reading, err
}

func (r *Reader) table(ctx context.Context, wanted map[lvs.ServiceID]bool) (Reading, error) {
	if wanted == nil {
		return r.snapshot(ctx)
	}
	quick, err := r.Host.QuickTable(ctx)
	if errors.Is(err, errors.ErrUnsupported) {
		return r.snapshot(ctx)
	}
	if err != nil {
		return Reading{}, err
	}
	servers, all := quickServers(quick)
	if all <= fewServers {
		return r.snapshot(ctx)
	}
	services, err := r.Host.Client().Services(ctx)
	if err != nil {
		return Reading{}, err
	}
	reading := Reading{Services: make([]Service, len(services))}
	for i, status := range services {
		s := Service{ServiceStatus: status}
		list, isListed := servers[keyOf(s.ID)]
		s.Servers = list
		if wanted[s.ID] || isListed && list == nil {
			s.Servers, err = r.Host.Client().RealServers(ctx, s.ID)
			if err != nil && !errors.Is(err, lvs.ErrNoService) {
				return Reading{}, err
			}
			s.Detailed = true
		}
		reading.Services[i] = s
	}
	return reading, nil
}

// snapshot reads all details of the table.
func (r *Reader) snapshot(ctx context.Context) (Reading, error) {
	table, err := r.Host.Client().Snapshot(ctx)
	if err != nil {
		return Reading{}, err
	}
	reading := Reading{Services: make([]Service, len(table.Services))}
	for i, e := range table.Services {
		reading.Services[i] = Service{ServiceStatus: e.ServiceStatus, Servers: e.RealServers, Detailed: true}
	}
	return reading, nil
}

// keyOf returns the ID by which a quick table knows a service: it does not know the
// family of a firewall mark.
func keyOf(id lvs.ServiceID) lvs.ServiceID {
	if mark := id.FWMark(); mark != 0 {
		return lvs.FWMark(mark)
	}
	return id
}

// quickServers returns the servers of each service, without those of firewall marks that
// two services have, and how many there are in all.
func quickServers(quick lvs.QuickTable) (servers map[lvs.ServiceID][]lvs.RealServerStatus, all int) {
	servers = make(map[lvs.ServiceID][]lvs.RealServerStatus, len(quick.Services))
	for _, s := range quick.Services {
		list := make([]lvs.RealServerStatus, len(s.RealServers))
		for i, server := range s.RealServers {
			list[i].Addr, list[i].Weight = server.Addr, server.Weight
			list[i].ActiveConns, list[i].InactiveConns = server.Active, server.Inactive
		}
		all += len(list)
		key := keyOf(s.ID)
		if _, twice := servers[key]; twice {
			list = nil
		}
		servers[key] = list
	}
	return servers, all
}

// find returns the server of a service.
func (s *Service) find(addr netip.AddrPort) *lvs.RealServerStatus {
	for i := range s.Servers {
		if s.Servers[i].Addr == addr {
			return &s.Servers[i]
		}
	}
	return nil
}
