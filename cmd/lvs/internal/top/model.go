package top

import (
	"net/netip"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

// Model is all that a frame depends on. Keys and readings change it; nothing in it reads
// or writes anything outside.
type Model struct {
	Title         string
	Width, Height int
	Now           time.Time
	Interval      time.Duration
	Paused        bool

	Reading Reading
	Err     error     // of the last reading, which leaves Reading as it was
	Failing time.Time // since when readings fail
	windows windows

	States      *States // connections by state, once they were counted
	StatesErr   error
	CountStates bool // they are wanted

	Sort   Sort
	Filter string
	Folded map[lvs.ServiceID]bool
	Cursor Row
	top    int // the first row on the screen

	Prompt   *Prompt
	Panel    *Panel
	Notice   string      // the outcome of the last action
	Quiesced map[Row]int // weights that were set to 0 here, as they were
}

// NewModel returns a model without a reading.
func NewModel(title string, interval time.Duration) *Model {
	return &Model{
		Title: title, Interval: interval, Width: 80, Height: 24,
		windows: windows{}, Folded: map[lvs.ServiceID]bool{}, Quiesced: map[Row]int{},
	}
}

// Row is a line of the view: a service, or a real server of it.
type Row struct {
	Service lvs.ServiceID
	Server  netip.AddrPort // not valid: the service's own line
}

// States are the connections by state.
type States struct {
	At      time.Time
	Counts  map[lvs.ConnState]int
	Partial bool // the table is so large that the count was stopped
}

// Panel is a text that covers the rows.
type Panel struct {
	Title string
	Lines []term.Line
	top   int
}

// Prompt asks for a line of text, or for y or n.
type Prompt struct {
	Text   string
	Input  []rune
	YesNo  bool
	Accept func(m *Model, input string) Effect // what follows
}

// Effect is what the loop does outside of the model. The zero value is nothing.
type Effect struct {
	Quit, Suspend, Redraw, Read bool

	Explain   *lvs.Flow // explain it in a panel
	SetWeight *WeightChange
}

// WeightChange is the weight that a server gets.
type WeightChange struct {
	Row    Row
	Weight int
	Was    int
}

// SetReading adopts a reading, or the error of one.
func (m *Model) SetReading(r Reading, err error) {
	if err != nil {
		if m.Err == nil {
			m.Failing = m.Now
		}
		m.Err = err
		return
	}
	m.Err = nil
	if m.Reading.At.IsZero() {
		m.foldLarge(&r)
	}
	m.Reading = r
	m.windows.add(&r)
	for row := range m.Quiesced {
		if s := m.server(row); s != nil && s.Weight != 0 {
			delete(m.Quiesced, row)
		}
	}
}

// foldLarge folds all services at the beginning if there are many.
func (m *Model) foldLarge(r *Reading) {
	const many = 100
	if len(r.Services) < many {
		return
	}
	for i := range r.Services {
		m.Folded[r.Services[i].ID] = true
	}
}

// service returns a service of the last reading.
func (m *Model) service(id lvs.ServiceID) *Service {
	for i := range m.Reading.Services {
		if m.Reading.Services[i].ID == id {
			return &m.Reading.Services[i]
		}
	}
	return nil
}

func (m *Model) server(row Row) *lvs.RealServerStatus {
	if s := m.service(row.Service); s != nil {
		return s.find(row.Server)
	}
	return nil
}

// Wanted returns the services whose details the screen shows.
func (m *Model) Wanted() map[lvs.ServiceID]bool {
	wanted := map[lvs.ServiceID]bool{m.Cursor.Service: true}
	for _, row := range m.visible() {
		if row.Server.IsValid() {
			wanted[row.Service] = true
		}
	}
	return wanted
}

// Lacks reports whether the screen shows a service without details.
func (m *Model) Lacks() bool {
	wanted := m.Wanted()
	for i := range m.Reading.Services {
		if s := &m.Reading.Services[i]; !s.Detailed && wanted[s.ID] {
			return true
		}
	}
	return false
}
