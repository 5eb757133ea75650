package metrics

import (
	"cmp"
	"net/netip"
	"strconv"
	"time"

	"github.com/golvs/lvs"
)

var (
	services = gauge("lvs_services", "Services in the table.")

	serviceInfo = gauge("lvs_service_info", "A service: its value is 1.",
		"address", "family", "firewall_mark", "id", "port", "protocol", "scheduler", "service")
	serviceActive      = gauge("lvs_service_active_connections", "Established connections of all real servers of the service.", "service")
	serviceInactive    = gauge("lvs_service_inactive_connections", "Other connections of all real servers of the service, such as UDP flows.", "service")
	serviceServers     = gauge("lvs_service_real_servers", "Real servers of the service.", "service")
	serviceUsable      = gauge("lvs_service_weighted_real_servers", "Real servers of the service whose weight is more than 0.", "service")
	servicePersistence = gauge("lvs_service_persistence_timeout_seconds", "How long persistence keeps a client on a real server.", "service")

	serviceCounters = countersOf("lvs_service_", " of the service", "service")
	serviceFamilies = []*family{services, serviceInfo, serviceActive, serviceInactive, serviceServers, serviceUsable, servicePersistence}
)

// addServices shows the services, and the real servers that are selected.
func (s *scrape) addServices(entries []entry, shown map[thing]time.Time) {
	s.addWith(services, float64(len(entries)))
	var all, servers []*series
	for i := range entries {
		e := &entries[i]
		o := s.book.object(thing{service: e.ID}, s.start)
		n := name{service: o.text}
		if s.o.ServiceName != nil {
			n.service = cmp.Or(s.o.ServiceName(e.ID), o.text)
		}
		service, isNew := s.book.of(o, n, serviceActive.labels, s.start)
		if isNew {
			all = append(all, service)
		}
		service.sum = added(service.sum, o.note(e.Stats))
		service.now.addService(e)
		s.add(serviceInfo, o.serviceInfo(e, n), 1)
		servers = s.addServersOf(servers, e, o.text, n, shown)
	}
	for _, service := range all {
		s.showService(service)
	}
	for _, server := range servers {
		s.showServer(server)
	}
}

// addService adds the figures of a service.
func (f *figures) addService(e *entry) {
	f.servers += len(e.servers)
	for _, server := range e.servers {
		f.active += server.active
		f.inactive += server.inactive
		if server.weight > 0 {
			f.usable++
		}
	}
	if timeout := e.Persistence.Timeout; timeout > 0 {
		f.isPersistent, f.persistence = true, max(f.persistence, timeout)
	}
}

func (s *scrape) showService(service *series) {
	f := service.now
	s.add(serviceActive, service.labels, float64(f.active))
	s.add(serviceInactive, service.labels, float64(f.inactive))
	s.add(serviceServers, service.labels, float64(f.servers))
	s.add(serviceUsable, service.labels, float64(f.usable))
	if f.isPersistent {
		s.add(servicePersistence, service.labels, f.persistence.Seconds())
	}
	s.addCounters(serviceCounters, service.labels, service.sum, true)
}

// addCounters shows counters.
func (p page) addCounters(c counters, labels *labels, sum lvs.Stats, out bool) {
	p.add(c.conns, labels, float64(sum.Conns))
	p.add(c.inPackets, labels, float64(sum.InPackets))
	p.add(c.inBytes, labels, float64(sum.InBytes))
	if out {
		p.add(c.outPackets, labels, float64(sum.OutPackets))
		p.add(c.outBytes, labels, float64(sum.OutBytes))
	}
}

// serviceInfo returns the labels that describe a service.
func (o *object) serviceInfo(e *entry, n name) *labels {
	if key := (infoKey{n.service, "", string(e.Scheduler)}); o.info == nil || o.infoOf != key {
		family, mark, protocol := "ipv4", "", ""
		address, port := addressOf(e.ID.AddrPort())
		if e.ID.Is6() {
			family = "ipv6"
		}
		if m := e.ID.FWMark(); m != 0 {
			mark = strconv.FormatUint(uint64(m), 10)
		} else {
			protocol = e.ID.Protocol().String()
		}
		o.info = labelsOf(serviceInfo.labels, address, family, mark, o.text, port, protocol, string(e.Scheduler), n.service)
		o.infoOf = key
	}
	return o.info
}

// addressOf returns an address and its port, "" for the zero value.
func addressOf(a netip.AddrPort) (address, port string) {
	if !a.IsValid() {
		return "", ""
	}
	return a.Addr().String(), strconv.Itoa(int(a.Port()))
}
