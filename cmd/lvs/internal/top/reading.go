// Package top is a live view of a director: it reads, keeps a state that keys change,
// draws it in lines for a screen of any size, and writes the lines that changed.
package top

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/director"
	"github.com/golvs/lvs/health"
)

// Reading is the table at a time.
type Reading struct {
	At       time.Time
	Services []Service   // ordered by [lvs.ServiceID.Compare]
	Drains   []lvs.Drain // of the state file
	StateErr error       // of reading the state file

	Health    map[Row]health.ServerStatus // of the status file
	HealthErr error                       // of reading the status file, or that it is old
}

// Service is a service of a [Reading].
type Service struct {
	lvs.ServiceStatus
	Servers  []Server
	Detailed bool // its servers have details
}

// Server is a real server of a [Service].
type Server struct {
	Addr                     netip.AddrPort
	Weight, Active, Inactive int
	Details                  *lvs.RealServerStatus // nil if they were not read
}

// Reader reads tables.
type Reader struct {
	Host       *lvs.Host
	StateFile  string // of drains; "" is none
	StatusFile string // of health; "" is none
	Probes     bool   // reads the services that carry health checks, too

	Director *director.Director // tells the health of real servers where no status file does; may be nil

	state stateFile
}

// fewServers are so few that reading the details of all costs little.
const fewServers = 500

// Read reads the table, with the details of the services that are wanted, or of all if
// the table is small or wanted is nil.
func (r *Reader) Read(ctx context.Context, wanted map[lvs.ServiceID]bool) (Reading, error) {
	services, err := r.services(ctx, wanted)
	reading := Reading{At: time.Now(), Services: services}
	if r.StateFile != "" && err == nil {
		reading.Drains, reading.StateErr = r.state.read(r.StateFile)
	}
	switch {
	case err != nil:
	case r.StatusFile != "":
		reading.Health, reading.HealthErr = readStatus(r.StatusFile, reading.At)
	case r.Director != nil:
		reading.Health = healthIn(r.Director.Status())
	}
	return reading, err
}

// services begins with the file, which is cheap. Reading it does not load the kernel's
// module again, either, after it was removed.
func (r *Reader) services(ctx context.Context, wanted map[lvs.ServiceID]bool) ([]Service, error) {
	if wanted == nil {
		return r.snapshot(ctx)
	}
	quick, err := r.Host.QuickTable(ctx)
	if errors.Is(err, errors.ErrUnsupported) || err == nil && isSmall(quick) {
		return r.snapshot(ctx)
	}
	if err != nil {
		return nil, err
	}
	statuses, err := r.Host.Client().Services(ctx)
	if err != nil {
		return nil, err
	}
	services := make([]Service, 0, len(statuses))
	for _, status := range statuses {
		if status.ID.IsProbe() && !r.Probes {
			continue
		}
		services = append(services, Service{ServiceStatus: status})
		s := &services[len(services)-1]
		if list := quickService(quick, s.ID); list != nil && !wanted[s.ID] {
			s.Servers = quickServers(list.RealServers)
			continue
		}
		list, err := r.Host.Client().RealServers(ctx, s.ID)
		if err != nil && !errors.Is(err, lvs.ErrNoService) {
			return nil, err
		}
		s.setDetails(list)
	}
	return services, nil
}

// snapshot reads all details of the table.
func (r *Reader) snapshot(ctx context.Context) ([]Service, error) {
	table, err := r.Host.Client().Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	services := make([]Service, 0, len(table.Services))
	for _, e := range table.Services {
		if e.ID.IsProbe() && !r.Probes {
			continue
		}
		s := Service{ServiceStatus: e.ServiceStatus}
		s.setDetails(e.RealServers)
		services = append(services, s)
	}
	return services, nil
}

func (s *Service) setDetails(list []lvs.RealServerStatus) {
	s.Detailed, s.Servers = true, make([]Server, len(list))
	for i := range list {
		d := &list[i]
		s.Servers[i] = Server{d.Addr, d.Weight, d.ActiveConns, d.InactiveConns, d}
	}
}

func isSmall(quick lvs.QuickTable) bool {
	servers := 0
	for i := range quick.Services {
		servers += len(quick.Services[i].RealServers)
	}
	return servers <= fewServers
}

// quickService returns a service of a quick table, or nil if it is not known to be in it.
func quickService(quick lvs.QuickTable, id lvs.ServiceID) *lvs.QuickService {
	i, ok := slices.BinarySearchFunc(quick.Services, id, func(s lvs.QuickService, id lvs.ServiceID) int { return s.ID.Compare(id) })
	if !ok || quick.Services[i].FamilyUnknown {
		return nil
	}
	return &quick.Services[i]
}

func quickServers(list []lvs.QuickServer) []Server {
	servers := make([]Server, len(list))
	for i := range list {
		s := &list[i]
		servers[i] = Server{s.Addr, s.Weight, s.Active, s.Inactive, nil}
	}
	return servers
}

// find returns a service, or nil.
func (r *Reading) find(id lvs.ServiceID) *Service {
	i, ok := slices.BinarySearchFunc(r.Services, id, func(s Service, id lvs.ServiceID) int { return s.ID.Compare(id) })
	if !ok {
		return nil
	}
	return &r.Services[i]
}

// index returns the place of a real server, or -1.
func (s *Service) index(addr netip.AddrPort) int {
	return slices.IndexFunc(s.Servers, func(server Server) bool { return server.Addr == addr })
}

// conns returns the active and inactive connections of all servers.
func (s *Service) conns() (active, inactive int) {
	for i := range s.Servers {
		active += s.Servers[i].Active
		inactive += s.Servers[i].Inactive
	}
	return active, inactive
}

// conns returns all connections of the server.
func (s *Server) conns() int { return s.Active + s.Inactive }
