package top

import (
	"fmt"

	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

// Draw returns the lines of the screen, as many as it is high, none wider than it is.
func (m *Model) Draw() []term.Line {
	head, body := m.body()
	lines := append(m.above(), head...)
	for range m.space() - len(body) {
		body = append(body, nil)
	}
	lines = append(append(lines, body...), m.below()...)
	for i := range lines {
		lines[i] = lines[i].Cut(m.Width)
	}
	return lines
}

// Screens that are lower than these have fewer lines around the rows.
const (
	highScreen = 20
	lowScreen  = 12
	tinyScreen = 6
)

// above returns the lines above the heads.
func (m *Model) above() []term.Line {
	switch {
	case m.Height >= lowScreen:
		return append([]term.Line{m.title(), m.totals()}, m.states()...)
	case m.Height >= tinyScreen:
		return []term.Line{m.title()}
	}
	return nil
}

// below returns the lines below the rows.
func (m *Model) below() (lines []term.Line) {
	lines = m.details(m.detailLines())
	if m.Height > 1 {
		lines = append(lines, m.bottom())
	}
	return lines
}

func (m *Model) detailLines() int {
	switch {
	case m.Panel != nil:
		return 0
	case m.Height >= highScreen:
		return 2
	case m.Height >= lowScreen:
		return 1
	}
	return 0
}

// space returns how many lines the rows have.
func (m *Model) space() int {
	switch {
	case m.Height >= lowScreen:
		return m.Height - 2 - len(m.states()) - 1 - m.detailLines() - 1
	case m.Height >= tinyScreen:
		return m.Height - 3 // title, heads, bottom
	case m.Height > 1:
		return m.Height - 1
	}
	return max(0, m.Height)
}

// body returns the heads of the columns, unless the screen is tiny, and the rows, or a
// panel in their place.
func (m *Model) body() (heads, body []term.Line) {
	var head term.Line
	if m.Panel != nil {
		head, body = m.panel()
	} else {
		visible := m.visible()
		l := m.layout(visible)
		head, body = l.heads(), l.draw(m, visible)
		if len(visible) == 0 && m.space() > 0 {
			body = m.nothing()
		}
	}
	if m.Height >= tinyScreen {
		heads = []term.Line{head}
	}
	return heads, body
}

// nothing says why there are no rows.
func (m *Model) nothing() []term.Line {
	text := fmt.Sprintf("nothing contains %q; f changes the filter", term.Clean(m.Filter))
	switch {
	case m.Reading.At.IsZero() && m.Err == nil:
		text = "reading the table ..."
	case m.Reading.At.IsZero():
		text = "the table could not be read yet"
	case len(m.Reading.Services) == 0:
		text = "there are no services; lvs apply or lvs ipvsadm adds some"
	}
	lines := wrap([]string{"  " + text}, m.Width)
	return lines[:min(len(lines), m.space())]
}
