package top

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

// Lines around the rows. Short screens have fewer of them.
const (
	linesAbove = 4 // title, totals, states, heads
	linesBelow = 2 // details, keys
)

// frame returns how many lines are above and below the rows.
func (m *Model) frame() (above, below int) {
	switch {
	case m.Height >= 12:
		return linesAbove + max(0, len(m.failure())-1), linesBelow
	case m.Height >= 6:
		return 2, 1 // title and heads; keys
	case m.Height >= 2:
		return 0, 1
	}
	return 0, 0
}

// space returns how many lines the rows have.
func (m *Model) space() int {
	above, below := m.frame()
	return max(0, m.Height-above-below)
}

// Draw returns the lines of the screen, as many as it is high, none wider than it is.
func (m *Model) Draw() []term.Line {
	above, below := m.frame()
	var lines []term.Line
	heads, body := m.body()
	switch {
	case above >= linesAbove:
		lines = append(lines, m.title(), m.totals())
		if failure := m.failure(); failure != nil {
			lines = append(lines, failure...)
		} else {
			lines = append(lines, m.states())
		}
		lines = append(lines, heads)
	case above > 0:
		lines = append(lines, m.title(), heads)
	}
	for i := range m.space() {
		if i < len(body) {
			lines = append(lines, body[i])
		} else {
			lines = append(lines, nil)
		}
	}
	switch below {
	case linesBelow:
		lines = append(lines, m.details(), m.bottom())
	case 1:
		lines = append(lines, m.bottom())
	}
	for i := range lines {
		lines[i] = lines[i].Cut(m.Width)
	}
	return lines[:min(len(lines), max(0, m.Height))]
}

// body returns the heads of the columns and the rows, or a panel in their place.
func (m *Model) body() (heads term.Line, rows []term.Line) {
	if m.Panel != nil {
		return m.panel()
	}
	visible := m.visible()
	columns := m.columns(visible)
	heads = drawHeads(columns)
	for _, row := range visible {
		rows = append(rows, m.drawRow(columns, row))
	}
	if len(visible) == 0 && m.space() > 0 {
		rows = append(rows, term.Line{{Text: "  " + m.nothing(), Attr: term.Dim}})
	}
	return heads, rows
}

// nothing says why there are no rows.
func (m *Model) nothing() string {
	switch {
	case m.Reading.At.IsZero() && m.Err == nil:
		return "reading the table ..."
	case m.Reading.At.IsZero():
		return "the table could not be read yet"
	case len(m.Reading.Services) == 0:
		return "there are no services; lvs apply or lvs ipvsadm adds some"
	}
	return fmt.Sprintf("nothing contains %q; f changes the filter", term.Clean(m.Filter))
}

func (m *Model) title() term.Line {
	l := term.Line{{Text: m.Title, Attr: term.Bold}}
	if !m.Now.IsZero() {
		l = append(l, term.Span{Text: "  " + m.Now.Format("15:04:05")})
	}
	l = append(l, term.Span{Text: fmt.Sprintf("  every %s, by %s", m.Interval, m.Sort)})
	if m.Filter != "" {
		l = append(l, term.Span{Text: "  only " + term.Clean(m.Filter), Attr: term.Bold})
	}
	if m.Paused {
		l = append(l, term.Span{Text: "  paused", Attr: term.Bold | term.Yellow})
	}
	if r := m.rates(); !m.isWide() {
		l = append(l, term.Span{Text: fmt.Sprintf("  %s new/s  in %s B/s  out %s B/s", rate(r.Conns), rate(r.InBytes), rate(r.OutBytes))})
	}
	return l
}

// totals sums up all services.
func (m *Model) totals() term.Line {
	servers, active, inactive, draining := 0, 0, 0, 0
	for i := range m.Reading.Services {
		s := &m.Reading.Services[i]
		a, n := s.conns()
		active, inactive, servers = active+a, inactive+n, servers+len(s.Servers)
		for i := range s.Servers {
			if server := &s.Servers[i]; server.Weight == 0 && server.ActiveConns+server.InactiveConns > 0 {
				draining++
			}
		}
	}
	text := fmt.Sprintf("%s, %s", plural(len(m.Reading.Services), "service"), plural(servers, "server"))
	if draining > 0 {
		text += fmt.Sprintf(", %d draining", draining)
	}
	text += fmt.Sprintf("  %s active, %s inactive", count(active), count(inactive))
	r := m.rates()
	if m.isWide() {
		text += fmt.Sprintf("  %s new/s  in %s packets/s, %s bytes/s  out %s packets/s, %s bytes/s",
			rate(r.Conns), rate(r.InPackets), rate(r.InBytes), rate(r.OutPackets), rate(r.OutBytes))
	}
	return term.Text(text)
}

// rates are the sums over all services.
func (m *Model) rates() (r lvs.Rates) {
	for i := range m.Reading.Services {
		s := &m.Reading.Services[i].Stats.Rates
		r.Conns += s.Conns
		r.InPackets += s.InPackets
		r.OutPackets += s.OutPackets
		r.InBytes += s.InBytes
		r.OutBytes += s.OutBytes
	}
	return r
}

// isWide reports whether the totals fit in one line.
func (m *Model) isWide() bool { return m.Width >= 130 }

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// states is the line of connections by state.
func (m *Model) states() term.Line {
	switch {
	case m.StatesErr != nil:
		return term.Line{{Text: "states: " + term.Clean(m.StatesErr.Error()), Attr: term.Red}}
	case m.States == nil && m.CountStates:
		return term.Line{{Text: "states: counting ...", Attr: term.Dim}}
	case m.States == nil:
		return term.Line{{Text: "states: c counts them", Attr: term.Dim}}
	}
	var words []string
	for _, state := range m.States.ordered() {
		words = append(words, fmt.Sprintf("%s %s", term.Clean(string(state)), count(m.States.Counts[state])))
	}
	text := "states: " + strings.Join(words, ", ")
	if len(words) == 0 {
		text = "states: no connections"
	}
	if m.States.Partial {
		text += " and more"
	}
	if age := m.Now.Sub(m.States.At); age > 2*statesEvery {
		text += ", " + short(age) + " ago"
	}
	return term.Text(text)
}

// ordered returns the states, the most frequent first.
func (s *States) ordered() []lvs.ConnState {
	var all []lvs.ConnState
	for state := range s.Counts {
		all = append(all, state)
	}
	slices.SortFunc(all, func(a, b lvs.ConnState) int {
		if s.Counts[a] != s.Counts[b] {
			return s.Counts[b] - s.Counts[a]
		}
		return strings.Compare(string(a), string(b))
	})
	return all
}

// failure says that the rows are old, and why, if the last reading failed. The end of the
// error is what to do, so it has as many lines as it needs.
func (m *Model) failure() (lines []term.Line) {
	if m.Err == nil {
		return nil
	}
	age := ""
	if !m.Reading.At.IsZero() {
		age = fmt.Sprintf(" (shown: %s old)", short(m.Now.Sub(m.Reading.At)))
	}
	text := fmt.Sprintf("failing for %s%s: %s", short(m.Now.Sub(m.Failing)), age, term.Clean(m.Err.Error()))
	for _, line := range term.Wrap(text, m.Width) {
		lines = append(lines, term.Line{{Text: line, Attr: term.Bold | term.Red}})
	}
	return lines[:min(len(lines), max(1, m.Height/3))]
}

// details say more of the row at the cursor.
func (m *Model) details() term.Line {
	s := m.service(m.Cursor.Service)
	if s == nil || m.Panel != nil {
		return nil
	}
	name, text := s.ID.String(), ""
	if m.Cursor.Server.IsValid() {
		i := slices.IndexFunc(s.Servers, func(r lvs.RealServerStatus) bool { return r.Addr == m.Cursor.Server })
		if i < 0 {
			return nil
		}
		name, text = s.Servers[i].Addr.String(), m.serverDetails(s, i)
	} else {
		text = m.serviceDetails(s)
	}
	return term.Line{{Text: name, Attr: term.Bold}, {Text: "  " + text}}
}

// bottom is the line of the prompt, of the outcome of an action, or of the keys.
func (m *Model) bottom() term.Line {
	switch {
	case m.Prompt != nil:
		return m.Prompt.line(m.Width)
	case m.Notice != "":
		return term.Line{{Text: m.Notice, Attr: term.Bold}}
	case m.Err != nil && m.Height < 12:
		return m.failure()[0]
	case m.Panel != nil:
		return m.keys("Esc", "close", "arrows", "scroll", "e", "explain")
	}
	return m.keys("q", "quit", "?", "help", "e", "explain", "d", "drain", "w", "weight", "s", "sort", "f", "filter", "Enter", "fold", "p", "pause")
}

// keys says what keys do, as far as there is space for it.
func (m *Model) keys(words ...string) (l term.Line) {
	for i := 0; i < len(words); i += 2 {
		next := append(l, term.Span{Text: words[i], Attr: term.Bold}, term.Span{Text: " " + words[i+1] + "  "})
		if next.Width() > m.Width+2 {
			break
		}
		l = next
	}
	return l
}

// line is the prompt with its input, of which the end is seen.
func (p *Prompt) line(width int) term.Line {
	input := term.Clean(string(p.Input))
	for room := width - term.Width(p.Text) - 1; term.Width(input) > max(0, room) && input != ""; {
		input = string([]rune(input)[1:])
	}
	return term.Line{{Text: p.Text, Attr: term.Bold}, {Text: input}, {Text: "_", Attr: term.Reverse}}
}

// statesEvery is how often connections are counted.
const statesEvery = 5 * time.Second
