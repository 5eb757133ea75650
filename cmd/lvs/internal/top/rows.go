package top

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/golvs/lvs"
)

// Row names a line of the view: a service, or a real server of it.
type Row struct {
	Service lvs.ServiceID
	Server  netip.AddrPort // not valid: the service's own line
}

// row is a line of the view with what was read of it.
type row struct {
	service *Service
	place   int // of the server in the service; -1: the service's own line
}

// server returns nil if it is the service's own line.
func (r row) server() *Server {
	if r.place < 0 {
		return nil
	}
	return &r.service.Servers[r.place]
}

func (r row) name() Row {
	if s := r.server(); s != nil {
		return Row{r.service.ID, s.Addr}
	}
	return Row{Service: r.service.ID}
}

// find returns the row of a name.
func (m *Model) find(name Row) (r row, ok bool) {
	r = row{m.Reading.find(name.Service), -1}
	if r.service == nil || !name.Server.IsValid() {
		return r, r.service != nil
	}
	r.place = r.service.index(name.Server)
	return r, r.place >= 0
}

// rows returns what can be scrolled through: services in order, and the servers of those
// that are not folded, as far as the filter selects them. They are found once for each
// reading and each key that changes something.
func (m *Model) rows() []row {
	if m.listed != nil {
		return m.listed
	}
	m.listed = []row{} // not nil
	for _, s := range m.Sort.services(m.Reading.Services) {
		places := m.selected(s)
		if places == nil {
			continue
		}
		m.listed = append(m.listed, row{s, -1})
		if m.Folded[s.ID] {
			continue
		}
		m.Sort.servers(s, places)
		for _, i := range places {
			m.listed = append(m.listed, row{s, i})
		}
	}
	return m.listed
}

// selected returns the places of the servers that the filter selects, nil if it does not
// select the service either. A service is selected with all of its servers.
func (m *Model) selected(s *Service) []int {
	isSelected := m.matches(s.ID.String(), string(s.Scheduler))
	places := make([]int, 0, len(s.Servers))
	for i := range s.Servers {
		if isSelected || m.matches(s.Servers[i].Addr.String()) {
			places = append(places, i)
		}
	}
	if !isSelected && len(places) == 0 {
		return nil
	}
	return places
}

func (m *Model) matches(words ...string) bool {
	return m.Filter == "" || strings.Contains(strings.ToLower(strings.Join(words, " ")), strings.ToLower(m.Filter))
}

// visible returns the rows on the screen. It moves the cursor to a row that exists, and
// the screen to where the cursor is.
func (m *Model) visible() []row {
	rows, space := m.rows(), m.space()
	if len(rows) == 0 || space <= 0 {
		return nil
	}
	at := m.at(rows)
	m.Cursor = rows[at].name()
	m.top = min(max(m.top, at-space+1), at, max(0, len(rows)-space))
	return rows[m.top:min(len(rows), m.top+space)]
}

// at returns the place of the cursor, or of its service, or 0. A cursor at the top stays
// there, whatever comes there.
func (m *Model) at(rows []row) int {
	if !m.moved {
		return 0
	}
	if i := slices.IndexFunc(rows, func(r row) bool { return r.name() == m.Cursor }); i >= 0 {
		return i
	}
	return max(0, slices.IndexFunc(rows, func(r row) bool { return r.service.ID == m.Cursor.Service }))
}

// move moves the cursor by so many rows.
func (m *Model) move(by int) {
	if rows := m.rows(); len(rows) > 0 {
		m.place(rows, min(max(0, m.at(rows)+by), len(rows)-1))
	}
}

// place sets the cursor on a row.
func (m *Model) place(rows []row, at int) { m.Cursor, m.moved = rows[at].name(), at > 0 }
