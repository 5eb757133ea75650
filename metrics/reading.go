package metrics

import (
	"context"
	"net/netip"

	"github.com/golvs/lvs"
)

// entry is a service as it was read.
type entry struct {
	lvs.ServiceStatus
	servers []server
}

// server is a real server as it was read.
type server struct {
	addr             netip.AddrPort
	mode             string
	weight           int
	active, inactive int

	full *lvs.RealServerStatus // with counters; nil if they were not read
}

// reading is the table as it was read. Each scrape uses the room of the one before.
type reading struct {
	entries []entry
	servers []server // of all services, one after the other
}

// table reads the services with their counters, and their real servers.
func (r *reading) table(ctx context.Context, host *lvs.Host, o Options) error {
	if !o.ServerCounters {
		return r.quickly(ctx, host, o.Probes)
	}
	snapshot, err := host.Client().Snapshot(ctx)
	if err != nil {
		return err
	}
	for i := range snapshot.Services {
		s := &snapshot.Services[i]
		if s.ID.IsProbe() && !o.Probes {
			continue
		}
		r.add(&s.ServiceStatus, r.serversOf(s.RealServers))
	}
	return nil
}

// quickly reads the services by netlink, and their real servers from a file. The file
// does not say of which family a firewall mark is, and a service may have come after it was
// read: the kernel is asked for the real servers of both. Both readings are in the same
// order.
func (r *reading) quickly(ctx context.Context, host *lvs.Host, probes bool) error {
	services, err := host.Client().Services(ctx)
	if err != nil {
		return err
	}
	table, err := host.QuickTable(ctx)
	if err != nil {
		return err
	}
	for i := range services {
		s := &services[i]
		if s.ID.IsProbe() && !probes {
			continue
		}
		for len(table.Services) > 0 && table.Services[0].ID.Compare(s.ID) < 0 {
			table.Services = table.Services[1:]
		}
		if len(table.Services) > 0 && table.Services[0].ID == s.ID && s.ID.FWMark() == 0 {
			r.add(s, r.quickServersOf(table.Services[0].RealServers))
			continue
		}
		full, err := host.Client().RealServers(ctx, s.ID)
		if err != nil {
			return err
		}
		r.add(s, withoutCounters(r.serversOf(full)))
	}
	return nil
}

func (r *reading) add(s *lvs.ServiceStatus, servers []server) {
	r.entries = append(r.entries, entry{*s, servers})
}

func (r *reading) serversOf(full []lvs.RealServerStatus) []server {
	begin := len(r.servers)
	for i := range full {
		s := &full[i]
		r.servers = append(r.servers, server{s.Addr, s.Mode.Name(), s.Weight, s.ActiveConns, s.InactiveConns, s})
	}
	return r.servers[begin:]
}

func (r *reading) quickServersOf(listed []lvs.QuickServer) []server {
	begin := len(r.servers)
	for i := range listed {
		s := &listed[i]
		r.servers = append(r.servers, server{s.Addr, string(s.Method), s.Weight, s.Active, s.Inactive, nil})
	}
	return r.servers[begin:]
}

// clear removes what was read, and keeps its room.
func (r *reading) clear() {
	clear(r.entries)
	clear(r.servers)
	r.entries, r.servers = r.entries[:0], r.servers[:0]
}

// withoutCounters makes real servers look as the file has them.
func withoutCounters(all []server) []server {
	for i := range all {
		s := &all[i]
		if s.full.Mode.IsTunnel() {
			s.mode = string(lvs.MethodTunnel)
		}
		s.full = nil
	}
	return all
}
