package metrics

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/director"
	"github.com/golvs/lvs/health"
)

var (
	belowLimit = gauge("lvs_service_below_limit", "Whether fewer real servers of the service work than its limit says: 1, or else 0. "+
		"Services without a limit have none.", "service")
	serverUp = gauge("lvs_real_server_up", "Whether the checks of the real server say that it works: 1, or else 0. "+
		"It is not there before they have decided.", "real_server", "service")
	serverWanted = gauge("lvs_real_server_effective_weight", "Weight that the real server should have, by its checks, reports, slow start and overrides.",
		"real_server", "service")
	serverFactor = gauge("lvs_real_server_weight_share", "What the configured weight of the real server is multiplied by, for each reason.",
		"real_server", "reason", "service")
	checkUp = gauge("lvs_check_up", "Whether the last probes of the check succeeded, as many in a row as it takes: 1, or else 0. "+
		"It is not there before they have decided.", "check", "path", "real_server", "service")
	checkDuration = gauge("lvs_check_duration_seconds", "How long the last probe of the check took. It is not there before the first.",
		"check", "path", "real_server", "service")
	overrides      = gauge("lvs_overrides", "Overrides of operators that hold.")
	overridesBroke = gauge("lvs_overrides_broken", "Whether the file of overrides cannot be used: 1, or else 0.")

	healthFamilies = []*family{belowLimit, serverUp, serverWanted, serverFactor, checkUp, checkDuration, overrides, overridesBroke}
)

// checkName is the labels of a check.
type checkName struct {
	name
	check string
	path  health.Path
}

func (a checkName) compare(b checkName) int {
	return cmp.Or(cmp.Compare(a.service, b.service), cmp.Compare(a.server, b.server), cmp.Compare(a.check, b.check), cmp.Compare(a.path, b.path))
}

// healthOf is what is shown of the checks of a status. Things that have the same name are
// one, which is as well as the worst of them.
type healthOf struct {
	below   map[string]float64
	up      map[name]float64
	weight  map[name]float64
	shares  map[name]map[string]float64
	checkUp map[checkName]float64
	took    map[checkName]float64
}

// addHealth shows what a director knows of services and real servers.
func (s *scrape) addHealth(is director.Status) {
	s.addWith(overrides, float64(len(is.Overrides)))
	s.addWith(overridesBroke, oneIf(is.OverridesError != ""))
	h := healthOf{map[string]float64{}, map[name]float64{}, map[name]float64{}, map[name]map[string]float64{}, map[checkName]float64{}, map[checkName]float64{}}
	for _, service := range is.Health.Services {
		if service.Then != "" {
			id := s.o.nameOf(lvs.Drain{Service: service.Service}).service
			h.below[id] = max(h.below[id], oneIf(service.Below))
		}
		for i := range service.Servers {
			if n, shown := s.shows(service.Service, service.Servers[i].Server); shown {
				h.note(n, &service.Servers[i])
			}
		}
	}
	s.addHealthOf(h)
}

// shows returns the name of a real server, and whether it has metrics.
func (s *scrape) shows(id lvs.ServiceID, server netip.AddrPort) (name, bool) {
	n := s.o.nameOf(lvs.Drain{Service: id, RealServer: server})
	if s.o.Servers.none || s.o.Servers.busiest == 0 {
		return n, !s.o.Servers.none
	}
	series := s.book.series[n]
	return n, series != nil && series.turn == s.book.turn
}

func (h *healthOf) note(n name, is *health.ServerStatus) {
	if is.State != health.Unknown {
		worst(h.up, n, oneIf(is.State == health.Up))
	}
	h.weight[n] += float64(is.Weight.Effective)
	if h.shares[n] == nil {
		h.shares[n] = map[string]float64{}
	}
	for reason, share := range map[string]float64{"operator": is.Weight.Operator, "report": is.Weight.Reported, "slow start": is.Weight.Ramp} {
		worst(h.shares[n], reason, share)
	}
	for _, c := range is.Checks {
		check := checkName{n, c.Check, c.Path}
		if c.State != health.Unknown {
			worst(h.checkUp, check, oneIf(c.State == health.Up))
		}
		if !c.Last.IsZero() {
			h.took[check] = max(h.took[check], c.Took.Seconds())
		}
	}
}

// worst keeps the least value of a key.
func worst[K comparable](of map[K]float64, key K, value float64) {
	if least, ok := of[key]; !ok || value < least {
		of[key] = value
	}
}

func (s *scrape) addHealthOf(h healthOf) {
	for _, service := range slices.Sorted(maps.Keys(h.below)) {
		s.addWith(belowLimit, h.below[service], service)
	}
	for _, n := range slices.SortedFunc(maps.Keys(h.weight), name.compare) {
		if up, known := h.up[n]; known {
			s.addWith(serverUp, up, n.server, n.service)
		}
		s.addWith(serverWanted, h.weight[n], n.server, n.service)
		for _, reason := range slices.Sorted(maps.Keys(h.shares[n])) {
			s.addWith(serverFactor, h.shares[n][reason], n.server, reason, n.service)
		}
	}
	for _, c := range slices.SortedFunc(maps.Keys(h.took), checkName.compare) {
		if up, known := h.checkUp[c]; known {
			s.addWith(checkUp, up, c.check, string(c.path), c.server, c.service)
		}
		s.addWith(checkDuration, h.took[c], c.check, string(c.path), c.server, c.service)
	}
}
