package top

import (
	"strings"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

// line is what the columns show of a row.
type line struct {
	row
	balance *balance
	share   share // of a server
	note    note
}

func (m *Model) line(r row, b *balance) *line {
	l := &line{row: r, balance: b, note: b.note}
	if r.place >= 0 {
		l.share, l.note = b.share(r.place), m.serverNote(b, r.place)
	}
	return l
}

func nameOf(r row) string {
	if s := r.server(); s != nil {
		return "  " + s.Addr.String()
	}
	return r.service.ID.String()
}

func drawName(m *Model, l *line, width int) term.Span {
	cursor, mark, attr := " ", " ", term.Attr(0)
	if l.name() == m.Cursor {
		cursor = ">"
	}
	if l.place < 0 {
		mark, attr = "-", term.Bold
		if m.Folded[l.service.ID] {
			mark = "+"
		}
	}
	return term.Span{Text: cursor + mark + shorten(nameOf(l.row), width-2), Attr: attr}
}

// shorten replaces the middle of a name by a '+': addresses of a network begin alike, and
// ports are at the end.
func shorten(name string, width int) string {
	if len(name) <= width || width < 12 {
		return name
	}
	begin := width / 3
	return name[:begin] + "+" + name[len(name)-(width-begin-1):]
}

func drawWeight(_ *Model, l *line, _ int) term.Span {
	s := l.server()
	switch {
	case s == nil:
		return term.Span{Text: term.Clean(string(l.service.Scheduler))}
	case s.Weight == 0:
		return term.Span{Text: "0", Attr: term.Magenta}
	}
	return term.Span{Text: count(s.Weight)}
}

func drawActive(_ *Model, l *line, _ int) term.Span {
	active, _ := l.conns()
	return term.Span{Text: count(active)}
}

func drawInactive(_ *Model, l *line, _ int) term.Span {
	_, inactive := l.conns()
	return term.Span{Text: count(inactive)}
}

func (l *line) conns() (active, inactive int) {
	if s := l.server(); s != nil {
		return s.Active, s.Inactive
	}
	return l.service.conns()
}

// drawRate returns a cell of the rate that get selects.
func drawRate(get func(*lvs.Rates) uint64) func(*Model, *line, int) term.Span {
	return func(_ *Model, l *line, _ int) term.Span {
		s := l.server()
		switch {
		case s == nil:
			return term.Span{Text: rate(get(&l.service.Stats.Rates))}
		case s.Details == nil:
			return term.Span{Text: "..", Attr: term.Dim}
		}
		return term.Span{Text: rate(get(&s.Details.Stats.Rates))}
	}
}

// drawBar shows what a server got as a bar, and where it should end as a '|'.
func drawBar(_ *Model, l *line, width int) term.Span {
	if !l.share.hasGot {
		return term.Span{}
	}
	cells := func(share float64) int { return min(width, int(share*float64(width)+0.5)) }
	got := cells(l.share.got)
	bar := []byte(strings.Repeat("#", got) + strings.Repeat(".", width-got))
	if l.share.want > 0 {
		bar[max(0, cells(l.share.want)-1)] = '|'
	}
	return term.Span{Text: string(bar)}
}

func drawShare(_ *Model, l *line, _ int) term.Span {
	switch {
	case !l.share.hasGot:
		return term.Span{}
	case l.balance.isOdd(l.share):
		return term.Span{Text: percent(l.share.got), Attr: term.Magenta}
	}
	return term.Span{Text: percent(l.share.got)}
}

func drawExpected(_ *Model, l *line, _ int) term.Span {
	switch e := &l.balance.expect; {
	case l.place < 0:
		return term.Span{}
	case !e.known:
		return term.Span{Text: "?", Attr: term.Dim}
	case e.about:
		return term.Span{Text: "~" + percent(l.share.want)}
	}
	return term.Span{Text: percent(l.share.want)}
}

// drawNote prefers the short form to a cut one, unless the part that fits says enough.
func drawNote(_ *Model, l *line, width int) term.Span {
	text := l.note.long
	if text == "" && l.place < 0 && !l.balance.expect.known {
		text = l.balance.expect.why
	}
	if width < 60 && term.Width(text) > width && l.note.short != "" {
		text = l.note.short
	}
	return term.Span{Text: text, Attr: l.note.attr}
}
