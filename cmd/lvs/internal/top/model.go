package top

import (
	"time"

	"github.com/golvs/lvs"
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
	moved  bool  // the cursor was moved away from the top
	top    int   // the first row on the screen
	listed []row // see rows; nil: to be found

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

// States are the connections by state.
type States struct {
	At      time.Time
	Counts  map[lvs.ConnState]int
	Partial bool // the table is so large that the count was stopped
}

// Panel is a text that covers the rows.
type Panel struct {
	Title string
	Lines []string
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
	m.Reading, m.listed = r, nil
	m.windows.add(&r)
	for name := range m.Quiesced {
		if r, ok := m.find(name); ok && r.server().Weight != 0 {
			delete(m.Quiesced, name)
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

// Wanted returns the services of which the screen shows real servers, and that of the
// cursor. Of others, details are not needed.
func (m *Model) Wanted() map[lvs.ServiceID]bool {
	visible := m.visible()
	wanted := map[lvs.ServiceID]bool{m.Cursor.Service: true}
	for _, r := range visible {
		if r.place >= 0 {
			wanted[r.service.ID] = true
		}
	}
	return wanted
}

// Lacks reports whether details that are wanted were not read.
func (m *Model) Lacks() bool {
	for id := range m.Wanted() {
		if s := m.Reading.find(id); s != nil && !s.Detailed {
			return true
		}
	}
	return false
}
