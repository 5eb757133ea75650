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

// readTable reads the services with their counters, and their real servers.
func readTable(ctx context.Context, host *lvs.Host, withCounters bool) ([]entry, error) {
	if !withCounters {
		return readQuickly(ctx, host)
	}
	snapshot, err := host.Client().Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]entry, len(snapshot.Services))
	for i := range snapshot.Services {
		s := &snapshot.Services[i]
		all[i] = entry{s.ServiceStatus, serversOf(s.RealServers)}
	}
	return all, nil
}

func serversOf(full []lvs.RealServerStatus) []server {
	all := make([]server, len(full))
	for i := range full {
		s := &full[i]
		all[i] = server{s.Addr, s.Mode.Name(), s.Weight, s.ActiveConns, s.InactiveConns, s}
	}
	return all
}

// readQuickly reads the services by netlink, and their real servers from a file. The file
// does not say of which family a firewall mark is, and a service may have come after it was
// read: the kernel is asked for the real servers of both.
func readQuickly(ctx context.Context, host *lvs.Host) ([]entry, error) {
	services, err := host.Client().Services(ctx)
	if err != nil {
		return nil, err
	}
	table, err := host.QuickTable(ctx)
	if err != nil {
		return nil, err
	}
	quick := make(map[lvs.ServiceID][]lvs.QuickServer, len(table.Services))
	for _, s := range table.Services {
		if s.ID.FWMark() == 0 {
			quick[s.ID] = s.RealServers
		}
	}
	all := make([]entry, len(services))
	for i, s := range services {
		all[i].ServiceStatus = s
		if listed, ok := quick[s.ID]; ok {
			all[i].servers = quickServersOf(listed)
			continue
		}
		full, err := host.Client().RealServers(ctx, s.ID)
		if err != nil {
			return nil, err
		}
		all[i].servers = withoutCounters(serversOf(full))
	}
	return all, nil
}

func quickServersOf(listed []lvs.QuickServer) []server {
	all := make([]server, len(listed))
	for i, s := range listed {
		all[i] = server{s.Addr, string(s.Method), s.Weight, s.Active, s.Inactive, nil}
	}
	return all
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
