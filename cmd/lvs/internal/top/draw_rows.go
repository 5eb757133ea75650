package top

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

// line is what the columns show of a row.
type line struct {
	row     Row
	service *Service
	i       int // the server's place; -1: the service's own line
	share   share
	note    note
}

// share is what a server got of the new connections, and should get.
type share struct {
	sum    uint64        // connections of all servers lately
	in     time.Duration // in this time; 0: since the counters began
	got    float64
	want   float64
	hasGot bool
	expect expectation
}

// column is a column of the rows.
type column struct {
	head  string
	width int
	right bool
	cell  func(m *Model, l *line, width int) term.Span
}

// columns are chosen by the width of the screen. The name gets what they leave.
func (m *Model) columns(visible []Row) []column {
	columns := []column{{"SERVICE / REAL SERVER", 0, false, drawName}, {"WT", 5, true, drawWeight}, {"ACT", 5, true, drawActive}}
	rates := func(get func(*lvs.Rates) uint64) func(*Model, *line, int) term.Span {
		return func(_ *Model, l *line, _ int) term.Span { return drawRate(l, get) }
	}
	inactive := column{"INACT", 5, true, drawInactive}
	newConns := column{"NEW/s", 5, true, rates(func(r *lvs.Rates) uint64 { return r.Conns })}
	packets := []column{
		{"PKT/s IN", 8, true, rates(func(r *lvs.Rates) uint64 { return r.InPackets })},
		{"OUT", 5, true, rates(func(r *lvs.Rates) uint64 { return r.OutPackets })},
	}
	bytes := []column{
		{"B/s IN", 6, true, rates(func(r *lvs.Rates) uint64 { return r.InBytes })},
		{"OUT", 5, true, rates(func(r *lvs.Rates) uint64 { return r.OutBytes })},
	}
	bar := func(width int) []column {
		return []column{{"SHARE", width, false, drawBar}, {"", 4, true, drawShare}, {"EXP", 5, true, drawExpected}}
	}
	switch w := m.Width; {
	case w >= 130:
		columns = slices.Concat(columns, []column{inactive, newConns}, packets, bytes, bar(20), []column{{"NOTE", 0, false, drawNote}})
	case w >= 100:
		columns = slices.Concat(columns, []column{inactive, newConns}, packets, bytes, bar(10))
	case w >= 78:
		columns = slices.Concat(columns, []column{inactive, newConns}, bytes, bar(6))
	case w >= 55:
		columns = slices.Concat(columns, []column{newConns}, bar(6))
	case w >= 36:
		columns = append(columns, newConns)
	case w < 30:
		columns = columns[:1]
	}
	m.fit(columns, visible)
	return columns
}

// fit sets the widths of the name, and of the note if there is one.
func (m *Model) fit(columns []column, visible []Row) {
	left := m.Width
	for _, c := range columns[1:] {
		left -= c.width + 1
	}
	longest := term.Width(columns[0].head) + 2
	for _, row := range visible {
		longest = max(longest, term.Width(rowName(row))+2)
	}
	last := &columns[len(columns)-1]
	if last.head != "NOTE" {
		columns[0].width = max(min(left, 50), 8)
		return
	}
	columns[0].width = min(longest, left-noteWidth)
	last.width = max(left-columns[0].width, 0)
}

func drawHeads(columns []column) term.Line {
	var words []string
	for _, c := range columns {
		head := c.head
		if len(words) == 0 {
			head = "  " + head
		}
		words = append(words, term.Pad(term.Cut(head, c.width), c.width, c.right))
	}
	return term.Line{{Text: strings.Join(words, " "), Attr: term.Bold}}
}

func (m *Model) drawRow(columns []column, row Row) term.Line {
	l := m.line(row)
	var drawn term.Line
	for i, c := range columns {
		if note := l.note.short; c.head == "SHARE" && note != "" && columns[len(columns)-1].head != "NOTE" {
			drawn = append(drawn, term.Span{Text: " "}, term.Span{Text: note, Attr: l.note.attr})
			break
		}
		if i > 0 {
			drawn = append(drawn, term.Span{Text: " "})
		}
		cell := c.cell(m, l, c.width)
		cell.Text = term.Pad(term.Cut(cell.Text, c.width), c.width, c.right)
		drawn = append(drawn, cell)
	}
	if row == m.Cursor {
		drawn = drawn.Pad(m.Width, 0).With(term.Reverse)
	}
	return drawn
}

// line gathers what is known of a row.
func (m *Model) line(row Row) *line {
	s := m.service(row.Service)
	l := &line{row: row, service: s, i: -1, note: serviceNote(s)}
	l.share.expect = expect(s)
	var got []uint64
	if w := m.windows[s.ID]; w != nil && s.Detailed {
		got, l.share.sum, l.share.in = w.lately(s.Servers)
	}
	if !row.Server.IsValid() {
		return l
	}
	l.i = slices.IndexFunc(s.Servers, func(r lvs.RealServerStatus) bool { return r.Addr == row.Server })
	var n uint64
	if got != nil {
		n = got[l.i]
		l.share.hasGot = l.share.sum > 0
	}
	if l.share.hasGot {
		l.share.got = float64(n) / float64(l.share.sum)
	}
	if l.share.expect.known {
		l.share.want = l.share.expect.shares[l.i]
	}
	sum := l.share.sum
	if l.share.in == 0 { // rates of single connections show as 0
		n, sum = s.Servers[l.i].Stats.Conns, s.Stats.Conns
	}
	l.note = serverNote(m, s, l.i, n, sum)
	return l
}

func (l *line) server() *lvs.RealServerStatus {
	if l.i < 0 {
		return nil
	}
	return &l.service.Servers[l.i]
}

func rowName(row Row) string {
	if row.Server.IsValid() {
		return "  " + row.Server.String()
	}
	return row.Service.String()
}

func drawName(m *Model, l *line, _ int) term.Span {
	cursor, mark := " ", " "
	if l.row == m.Cursor {
		cursor = ">"
	}
	attr := term.Attr(0)
	if l.i < 0 {
		mark, attr = "-", term.Bold
		if m.Folded[l.row.Service] {
			mark = "+"
		}
	}
	return term.Span{Text: cursor + mark + rowName(l.row), Attr: attr}
}

func drawWeight(_ *Model, l *line, _ int) term.Span {
	if s := l.server(); s != nil {
		attr := term.Attr(0)
		if s.Weight == 0 {
			attr = term.Yellow
		}
		return term.Span{Text: count(s.Weight), Attr: attr}
	}
	return term.Span{Text: term.Clean(string(l.service.Scheduler))}
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
		return s.ActiveConns, s.InactiveConns
	}
	return l.service.conns()
}

func drawRate(l *line, get func(*lvs.Rates) uint64) term.Span {
	s := l.server()
	switch {
	case s == nil:
		return term.Span{Text: rate(get(&l.service.Stats.Rates))}
	case !l.service.Detailed:
		return term.Span{Text: "..", Attr: term.Dim}
	}
	return term.Span{Text: rate(get(&s.Stats.Rates))}
}

// drawBar shows what a server got as a bar, and where it should end as a '|'.
func drawBar(m *Model, l *line, width int) term.Span {
	if l.i < 0 {
		return term.Span{}
	}
	if !l.share.hasGot {
		return term.Span{}
	}
	bar := []byte(strings.Repeat("#", cells(l.share.got, width)) + strings.Repeat(".", width-cells(l.share.got, width)))
	if l.share.want > 0 {
		bar[max(0, min(cells(l.share.want, width), width)-1)] = '|'
	}
	return term.Span{Text: string(bar)}
}

func cells(share float64, width int) int { return min(width, int(share*float64(width)+0.5)) }

func drawShare(_ *Model, l *line, _ int) term.Span {
	if !l.share.hasGot || l.i < 0 {
		return term.Span{}
	}
	attr := term.Attr(0)
	if l.share.isOdd() {
		attr = term.Yellow
	}
	return term.Span{Text: percent(l.share.got), Attr: attr}
}

func drawExpected(_ *Model, l *line, _ int) term.Span {
	switch e := &l.share.expect; {
	case l.i < 0:
		return term.Span{}
	case !e.known:
		return term.Span{Text: "?", Attr: term.Dim}
	case e.about:
		return term.Span{Text: "~" + percent(l.share.want)}
	}
	return term.Span{Text: percent(l.share.want)}
}

func drawNote(_ *Model, l *line, width int) term.Span {
	text := l.note.long
	if text == "" && l.i < 0 && !l.share.expect.known {
		text = l.share.expect.why
	}
	if term.Width(text) > width && l.note.short != "" {
		text = l.note.short
	}
	return term.Span{Text: text, Attr: l.note.attr}
}

// isOdd reports whether a share differs from the expected one by more than chance and
// round numbers explain.
func (s *share) isOdd() bool {
	if !s.expect.known || s.in == 0 { // long ago, weights may have been others
		return false
	}
	off := s.got - s.want
	chance := 9 * s.want * (1 - s.want) / float64(s.sum) // three standard deviations, squared
	return off*off > max(chance, 0.05*0.05) && float64(s.sum) >= 20
}

func (m *Model) serverDetails(s *Service, i int) string {
	l := m.line(Row{s.ID, s.Servers[i].Addr})
	var words []string
	if s.Detailed {
		words = append(words, s.Servers[i].Mode.String())
	}
	if l.note.long != "" {
		words = append(words, l.note.long)
	} else if l.share.hasGot {
		words = append(words, fmt.Sprintf("got %s of %s", percent(l.share.got), m.basis(s)))
		words = append(words, l.share.expectation())
	}
	return strings.Join(words, ", ")
}

// expectation says what share was expected.
func (s *share) expectation() string {
	switch {
	case !s.expect.known:
		return s.expect.why
	case s.expect.why != "":
		return "expected " + percent(s.want) + " " + s.expect.why
	}
	return "expected " + percent(s.want)
}

func (m *Model) serviceDetails(s *Service) string {
	var words []string
	if n := serviceNote(s); n.long != "" {
		words = append(words, n.long)
	}
	if s.Persistence.Timeout != 0 {
		words = append(words, "persistent "+s.Persistence.String())
	}
	if e := expect(s); e.why != "" && len(words) == 0 {
		words = append(words, "expected shares are "+strings.TrimPrefix(e.why, "expected "))
	}
	if basis := m.basis(s); basis != "" {
		words = append(words, "shares are of "+basis)
	}
	return strings.Join(words, ", ")
}

// basis says which connections the shares of a service are of.
func (m *Model) basis(s *Service) string {
	w := m.windows[s.ID]
	if w == nil || !s.Detailed {
		return ""
	}
	_, sum, in := w.lately(s.Servers)
	switch {
	case sum == 0:
		return ""
	case in == 0:
		return "the rates of about eight seconds"
	}
	return fmt.Sprintf("%s connections in %s", count(sum), short(in))
}
