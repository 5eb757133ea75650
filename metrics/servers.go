package metrics

import (
	"cmp"
	"time"

	"github.com/golvs/lvs"
)

var (
	serverInfo = gauge("lvs_real_server_info", "A real server: its value is 1.",
		"address", "mode", "port", "real_server", "service", "service_id")
	serverWeight     = gauge("lvs_real_server_weight", "Weight of the real server: with 0, it gets no new connections.", "real_server", "service")
	serverActive     = gauge("lvs_real_server_active_connections", "Established connections of the real server.", "real_server", "service")
	serverInactive   = gauge("lvs_real_server_inactive_connections", "Other connections of the real server, such as UDP flows.", "real_server", "service")
	serverPersistent = gauge("lvs_real_server_persistent_connections", "Clients that persistence keeps on the real server.", "real_server", "service")
	serverUpper      = gauge("lvs_real_server_upper_threshold_connections", "Connections at which the real server gets no more.", "real_server", "service")
	serverLower      = gauge("lvs_real_server_lower_threshold_connections", "Connections below which a full real server gets new ones again.", "real_server", "service")

	serverCounters = countersOf("lvs_real_server_", " of the real server", "real_server", "service")
	serverFamilies = []*family{serverInfo, serverWeight, serverActive, serverInactive, serverPersistent, serverUpper, serverLower}
)

// addServersOf notes the real servers of a service, and returns the series that are to be
// shown, with those of other services. Those that are not selected are noted too: when
// they are selected, their counters go on.
func (s *scrape) addServersOf(all []*series, e *entry, id string, of name, shown map[thing]time.Time) []*series {
	if s.o.Servers.none {
		return all
	}
	for i := range e.servers {
		server, t := &e.servers[i], thing{e.ID, e.servers[i].addr}
		o := s.book.object(t, s.start)
		n := name{of.service, o.text}
		if s.o.ServerName != nil {
			n.server = cmp.Or(s.o.ServerName(e.ID, server.addr), o.text)
		}
		var more lvs.Stats
		if server.full != nil {
			more = o.note(server.full.Stats)
		}
		if _, ok := shown[t]; shown != nil && !ok {
			s.book.noteHidden(n, more, s.start)
			continue
		}
		series, isNew := s.book.of(o, n, serverWeight.labels, s.start)
		if isNew {
			all = append(all, series)
		}
		series.sum = added(series.sum, more)
		series.now.addServer(server, e.Persistence.Timeout > 0)
		s.add(serverInfo, o.serverInfo(server, n, id), 1)
	}
	return all
}

// addServer adds the figures of a real server.
func (f *figures) addServer(s *server, isPersistent bool) {
	f.weight += s.weight
	f.active += s.active
	f.inactive += s.inactive
	if s.full == nil {
		return
	}
	f.counts = true
	f.countsOut = f.countsOut || s.full.Mode == lvs.NAT() || s.full.Stats.OutPackets > 0
	f.isPersistent = f.isPersistent || isPersistent
	f.persistent += s.full.PersistentConns
	f.upper += s.full.UpperThreshold
	f.lower += s.full.LowerThreshold
}

func (s *scrape) showServer(server *series) {
	f := server.now
	s.add(serverWeight, server.labels, float64(f.weight))
	s.add(serverActive, server.labels, float64(f.active))
	s.add(serverInactive, server.labels, float64(f.inactive))
	if !f.counts {
		return
	}
	if f.isPersistent || f.persistent > 0 {
		s.add(serverPersistent, server.labels, float64(f.persistent))
	}
	if f.upper > 0 {
		s.add(serverUpper, server.labels, float64(f.upper))
		s.add(serverLower, server.labels, float64(f.lower))
	}
	s.addCounters(serverCounters, server.labels, server.sum, f.countsOut)
}

// serverInfo returns the labels that describe a real server.
func (o *object) serverInfo(server *server, n name, service string) *labels {
	if key := (infoKey{n.service, n.server, server.mode}); o.info == nil || o.infoOf != key {
		address, port := addressOf(server.addr)
		o.info = labelsOf(serverInfo.labels, address, server.mode, port, n.server, n.service, service)
		o.infoOf = key
	}
	return o.info
}
