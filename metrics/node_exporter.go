package metrics

import (
	"fmt"
	"time"

	"github.com/golvs/lvs"
)

var (
	nodeTotals = countersOf("node_ipvs_", " of all services")
	nodeLabels = []string{"local_address", "local_mark", "local_port", "proto", "remote_address", "remote_port"}

	nodeActive   = gauge("node_ipvs_backend_connections_active", "Established connections by local and remote address.", nodeLabels...)
	nodeInactive = gauge("node_ipvs_backend_connections_inactive", "Other connections by local and remote address.", nodeLabels...)
	nodeWeight   = gauge("node_ipvs_backend_weight", "Weight by local and remote address.", nodeLabels...)
)

// addNode shows real servers as node_exporter does. It does not tell the families of
// a firewall mark apart, and adds up what has the same labels.
func (s *scrape) addNode(entries []entry, shown map[thing]time.Time) {
	sums := map[thing]*figures{}
	var order []thing
	for i := range entries {
		e := &entries[i]
		for j := range e.servers {
			server := &e.servers[j]
			if _, ok := shown[thing{e.ID, server.addr}]; shown != nil && !ok {
				continue
			}
			t := thing{e.ID, server.addr}
			if mark := e.ID.FWMark(); mark != 0 {
				t.service = lvs.FWMark(mark)
			}
			f := sums[t]
			if f == nil {
				f = &figures{}
				sums[t] = f
				order = append(order, t)
			}
			f.addServer(server, false)
		}
	}
	for _, t := range order {
		s.showNode(t, sums[t])
	}
}

func (s *scrape) showNode(t thing, f *figures) {
	o := s.book.object(t, s.start)
	if o.info == nil {
		mark, protocol := "", map[lvs.Protocol]string{lvs.ProtocolTCP: "TCP", lvs.ProtocolUDP: "UDP", lvs.ProtocolSCTP: "SCTP"}[t.service.Protocol()]
		address, port := addressOf(t.service.AddrPort())
		if m := t.service.FWMark(); m != 0 {
			mark, protocol, port = fmt.Sprintf("%08X", m), "FWM", "0"
		}
		remote, remotePort := addressOf(t.server)
		o.info = labelsOf(nodeLabels, address, mark, port, protocol, remote, remotePort)
	}
	s.add(nodeActive, o.info, float64(f.active))
	s.add(nodeInactive, o.info, float64(f.inactive))
	s.add(nodeWeight, o.info, float64(f.weight))
}
