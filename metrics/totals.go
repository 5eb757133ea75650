package metrics

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"github.com/golvs/lvs"
)

var (
	totals      = countersOf("lvs_", " of all services")
	cpus        = countersOf("lvs_cpu_", " on the CPU, since the namespace was made", "cpu")
	connections = gauge("lvs_connection_entries", "Entries of the connection table: connections, or templates, which persistence keeps.",
		"kind", "protocol", "state")
)

// totals reads and shows the counters of all services together.
func (s *scrape) totals() error {
	is, err := s.host.Totals(s.ctx)
	if err != nil {
		return err
	}
	o := s.book.object(thing{}, s.start)
	o.note(is)
	families := totals
	if s.o.NodeExporter {
		families = nodeTotals
	}
	s.addCounters(families, nil, o.sum, true)
	return nil
}

// cpus reads and shows the counters of each CPU, which always grow.
func (s *scrape) cpus() error {
	all, err := s.host.CPUTotals(s.ctx)
	if err != nil {
		return err
	}
	for _, cpu := range all {
		is := lvs.Stats{
			Conns:     cpu.Conns,
			InPackets: cpu.InPackets, OutPackets: cpu.OutPackets,
			InBytes: cpu.InBytes, OutBytes: cpu.OutBytes,
		}
		s.addCounters(cpus, labelsOf(cpus.conns.labels, strconv.Itoa(cpu.CPU)), is, true)
	}
	return nil
}

// connectionKind is what entries of the connection table are counted by.
type connectionKind struct {
	isTemplate bool
	protocol   lvs.Protocol
	state      lvs.ConnState
}

// connections counts the entries of the connection table.
func (s *scrape) connections() error {
	counts, err := lvs.CountConnections(s.host.Connections(s.ctx, lvs.ConnectionFilter{}), func(c lvs.Connection) connectionKind {
		return connectionKind{c.IsTemplate(), c.Protocol, c.State}
	})
	if err != nil {
		return err
	}
	for _, k := range slices.SortedFunc(maps.Keys(counts), compareKinds) {
		kind, protocol := "connection", "ip" // as the kernel says of a template of a firewall mark
		if k.isTemplate {
			kind = "template"
		}
		if k.protocol != 0 {
			protocol = k.protocol.String()
		}
		s.addWith(connections, float64(counts[k]), kind, protocol, string(k.state))
	}
	return nil
}

// compareKinds orders kinds, so that two scrapes have the same order.
func compareKinds(a, b connectionKind) int {
	if a.isTemplate != b.isTemplate {
		if b.isTemplate {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.protocol, b.protocol), cmp.Compare(a.state, b.state))
}
