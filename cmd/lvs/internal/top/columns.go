package top

import (
	"slices"
	"strings"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

// column is a column of the rows.
type column struct {
	head  string
	width int
	right bool
	cell  func(m *Model, l *line, width int) term.Span
}

// layout is the columns of a screen.
type layout struct {
	columns []column
	notes   bool // the last column is for notes, which stand in place of shares elsewhere
}

// layout chooses columns by the width of the screen. The name gets what they leave: in 80
// cells, an IPv4 address and a port in full.
func (m *Model) layout(visible []row) layout {
	all := []column{{"SERVICE / REAL SERVER", 0, false, drawName}, {"WT", 5, true, drawWeight}, {"ACT", 5, true, drawActive}}
	inactive := column{"INACT", 5, true, drawInactive}
	newConns := column{"NEW/s", 5, true, drawRate(func(r *lvs.Rates) uint64 { return r.Conns })}
	sum := column{"B/s", 5, true, drawRate(func(r *lvs.Rates) uint64 { return r.InBytes + r.OutBytes })}
	packets := []column{
		{"PKT/s IN", 8, true, drawRate(func(r *lvs.Rates) uint64 { return r.InPackets })},
		{"OUT", 5, true, drawRate(func(r *lvs.Rates) uint64 { return r.OutPackets })},
	}
	bytes := []column{
		{"B/s IN", 6, true, drawRate(func(r *lvs.Rates) uint64 { return r.InBytes })},
		{"OUT", 5, true, drawRate(func(r *lvs.Rates) uint64 { return r.OutBytes })},
	}
	shares := func(bar int) []column {
		return []column{{"SHARE", bar, false, drawBar}, {"", 4, true, drawShare}, {"EXP", 5, true, drawExpected}}
	}
	note := []column{{"NOTE", 0, false, drawNote}}
	w := m.Width
	switch {
	case w >= 160:
		all = slices.Concat(all, []column{inactive, newConns}, packets, bytes, shares(20), note)
	case m.isWide():
		all = slices.Concat(all, []column{inactive, newConns}, packets, bytes, shares(12), note)
	case w >= 110:
		all = slices.Concat(all, []column{inactive, newConns}, packets, bytes, shares(10))
	case w >= 92:
		all = slices.Concat(all, []column{inactive, newConns}, bytes, shares(10))
	case w >= 78:
		all = slices.Concat(all, []column{inactive, newConns, sum}, shares(7))
	case w >= 55:
		all = slices.Concat(all, []column{newConns}, shares(7))
	case w >= 36:
		all = append(all, newConns)
	case w < 30:
		all = all[:1]
	}
	l := layout{all, m.isWide()}
	l.fit(w, visible)
	return l
}

// isWide reports whether notes have a column, and the totals fit in one line.
func (m *Model) isWide() bool { return m.Width >= 130 }

// fit sets the widths of the name, and of the note if there is one.
func (l layout) fit(width int, visible []row) {
	name, last := &l.columns[0], &l.columns[len(l.columns)-1]
	for _, c := range l.columns[1:] {
		width -= c.width + 1
	}
	if !l.notes {
		name.width = max(min(width, 50), 8)
		return
	}
	longest := len(name.head) + 2
	for _, r := range visible {
		longest = max(longest, len(nameOf(r))+2)
	}
	name.width = min(longest, width-noteWidth)
	last.width = width - name.width
}

func (l layout) heads() term.Line {
	var words []string
	for i, c := range l.columns {
		head := c.head
		if i == 0 {
			head = "  " + head
		}
		words = append(words, term.Pad(term.Cut(head, c.width), c.width, c.right))
	}
	return term.Line{{Text: strings.Join(words, " "), Attr: term.Bold}}
}

// draw returns the lines of rows.
func (l layout) draw(m *Model, rows []row) (lines []term.Line) {
	var b *balance
	for _, r := range rows {
		if b == nil || b.service != r.service {
			b = m.balance(r.service)
		}
		drawn := l.line(m, m.line(r, b))
		if r.name() == m.Cursor {
			drawn = drawn.Pad(m.Width, 0).With(term.Reverse)
		}
		lines = append(lines, drawn)
	}
	return lines
}

func (l layout) line(m *Model, of *line) (drawn term.Line) {
	for i, c := range l.columns {
		if i > 0 {
			drawn = append(drawn, term.Span{Text: " "})
		}
		if c.head == "SHARE" && of.note.short != "" && !l.notes {
			return append(drawn, term.Span{Text: of.note.short, Attr: of.note.attr})
		}
		cell := c.cell(m, of, c.width)
		cell.Text = term.Pad(term.Cut(cell.Text, c.width), c.width, c.right)
		drawn = append(drawn, cell)
	}
	return drawn
}
