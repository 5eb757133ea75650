package top

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/golvs/lvs"
)

// Sort is the order of services, and of servers in each.
type Sort int

// The orders.
const (
	ByRate Sort = iota // most new connections first
	ByActive
	ByAddress
	ByWeight // most first; services by the sum
	sorts
)

var sortNames = [...]string{ByRate: "rate", ByActive: "active", ByAddress: "address", ByWeight: "weight"}

// String returns the name.
func (s Sort) String() string { return sortNames[s] }

// MarshalText returns the name.
func (s Sort) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the name.
func (s *Sort) UnmarshalText(text []byte) error {
	i := slices.Index(sortNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("want one of %s", strings.Join(sortNames[:], ", "))
	}
	*s = Sort(i)
	return nil
}

// rows returns what can be scrolled through: services in order, and the servers of those
// that are not folded, as far as the filter selects them.
func (m *Model) rows() []Row {
	var rows []Row
	for _, s := range m.services() {
		servers := s.Servers
		if !m.matches(s.ID.String() + " " + string(s.Scheduler)) {
			servers = slices.DeleteFunc(slices.Clone(servers), func(server lvs.RealServerStatus) bool {
				return !m.matches(server.Addr.String())
			})
			if len(servers) == 0 {
				continue
			}
		}
		rows = append(rows, Row{Service: s.ID})
		if m.Folded[s.ID] {
			continue
		}
		for _, addr := range m.ordered(servers) {
			rows = append(rows, Row{s.ID, addr})
		}
	}
	return rows
}

func (m *Model) matches(text string) bool {
	return m.Filter == "" || strings.Contains(strings.ToLower(text), strings.ToLower(m.Filter))
}

// services returns the services in order.
func (m *Model) services() []*Service {
	all := make([]*Service, len(m.Reading.Services))
	key := make(map[*Service]uint64, len(all))
	for i := range m.Reading.Services {
		s := &m.Reading.Services[i]
		all[i] = s
		switch m.Sort {
		case ByRate:
			key[s] = s.Stats.Rates.Conns
		case ByActive:
			active, _ := s.conns()
			key[s] = uint64(active)
		case ByWeight:
			for i := range s.Servers {
				key[s] += uint64(s.Servers[i].Weight)
			}
		}
	}
	slices.SortFunc(all, func(a, b *Service) int {
		return cmp.Or(cmp.Compare(key[b], key[a]), a.ID.Compare(b.ID))
	})
	return all
}

// ordered returns the addresses of servers in order.
func (m *Model) ordered(servers []lvs.RealServerStatus) []netip.AddrPort {
	order := make([]*lvs.RealServerStatus, len(servers))
	for i := range servers {
		order[i] = &servers[i]
	}
	slices.SortFunc(order, func(a, b *lvs.RealServerStatus) int {
		first := 0
		switch m.Sort {
		case ByRate:
			first = cmp.Compare(b.Stats.Rates.Conns, a.Stats.Rates.Conns)
		case ByActive:
			first = cmp.Compare(b.ActiveConns, a.ActiveConns)
		case ByWeight:
			first = cmp.Compare(b.Weight, a.Weight)
		}
		return cmp.Or(first, a.Addr.Compare(b.Addr))
	})
	addrs := make([]netip.AddrPort, len(order))
	for i, s := range order {
		addrs[i] = s.Addr
	}
	return addrs
}

// conns returns the active and inactive connections of all servers.
func (s *Service) conns() (active, inactive int) {
	for i := range s.Servers {
		active += s.Servers[i].ActiveConns
		inactive += s.Servers[i].InactiveConns
	}
	return active, inactive
}

// visible returns the rows on the screen. It moves the cursor to a row that there is, and
// the screen to where the cursor is.
func (m *Model) visible() []Row {
	rows := m.rows()
	space := m.space()
	if len(rows) == 0 || space <= 0 {
		return nil
	}
	at := m.at(rows)
	m.Cursor = rows[at]
	m.top = min(max(m.top, at-space+1), at, max(0, len(rows)-space))
	return rows[m.top:min(len(rows), m.top+space)]
}

// at returns the place of the cursor, or of its service, or 0.
func (m *Model) at(rows []Row) int {
	if i := slices.Index(rows, m.Cursor); i >= 0 {
		return i
	}
	return max(0, slices.Index(rows, Row{Service: m.Cursor.Service}))
}

// move moves the cursor by so many rows.
func (m *Model) move(by int) {
	if rows := m.rows(); len(rows) > 0 {
		m.Cursor = rows[min(max(0, m.at(rows)+by), len(rows)-1)]
	}
}
