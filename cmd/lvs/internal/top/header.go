package top

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/term"
	"github.com/golvs/lvs/health"
)

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
		l = append(l, term.Span{Text: "  paused", Attr: term.Bold | term.Magenta})
	}
	if r := m.rates(); !m.isWide() {
		l = append(l, term.Span{Text: fmt.Sprintf("  %s new/s  in %s B/s  out %s B/s", rate(r.Conns), rate(r.InBytes), rate(r.OutBytes))})
	}
	return l
}

// totals sums up all services.
func (m *Model) totals() term.Line {
	servers, active, inactive, draining, failed := 0, 0, 0, 0, 0
	for i := range m.Reading.Services {
		s := &m.Reading.Services[i]
		servers += len(s.Servers)
		for i := range s.Servers {
			server := &s.Servers[i]
			active, inactive = active+server.Active, inactive+server.Inactive
			switch is := m.healthOf(s, server); {
			case is != nil && is.State == health.Down:
				failed++
			case server.Weight == 0 && server.conns() > 0:
				draining++
			}
		}
	}
	text := fmt.Sprintf("%s, %s", plural(len(m.Reading.Services), "service"), plural(servers, "server"))
	if draining > 0 {
		text += fmt.Sprintf(", %d draining", draining)
	}
	if failed > 0 {
		text += fmt.Sprintf(", %d failed", failed)
	}
	text += fmt.Sprintf("  %s active, %s inactive", count(active), count(inactive))
	if r := m.rates(); m.isWide() {
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

// states is the line of connections by state. Failures are shown in its place, in several
// lines if needed: what to do comes last.
func (m *Model) states() []term.Line {
	var failures []term.Line
	for _, text := range m.failures() {
		for _, line := range term.Wrap(text, m.Width) {
			failures = append(failures, term.Line{{Text: line, Attr: term.Bold | term.Red}})
		}
	}
	switch {
	case failures != nil:
		return failures[:min(len(failures), max(1, m.Height/3))]
	case m.States == nil && m.CountStates:
		return []term.Line{{{Text: "states: counting ...", Attr: term.Dim}}}
	case m.States == nil:
		return []term.Line{{{Text: "states: c counts them", Attr: term.Dim}}}
	}
	text := "states: " + m.States.String()
	if age := m.Now.Sub(m.States.At); age > 2*statesEvery {
		text += ", " + short(age) + " ago"
	}
	return []term.Line{term.Text(text)}
}

// String returns the counts, the largest first.
func (s *States) String() string {
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
	var words []string
	for _, state := range all {
		words = append(words, fmt.Sprintf("%s %s", term.Clean(string(state)), count(s.Counts[state])))
	}
	text := strings.Join(words, ", ")
	if text == "" {
		text = "no connections"
	}
	if s.Partial {
		text += " and more"
	}
	return text
}

// failures says what could not be read, and how old the rows are.
func (m *Model) failures() (texts []string) {
	if m.Err != nil {
		age := ""
		if !m.Reading.At.IsZero() {
			age = fmt.Sprintf(" (shown: %s old)", short(m.Now.Sub(m.Reading.At)))
		}
		texts = append(texts, fmt.Sprintf("failing for %s%s: %s", short(m.Now.Sub(m.Failing)), age, term.Clean(m.Err.Error())))
	}
	if m.Reading.StateErr != nil {
		texts = append(texts, "drains: "+term.Clean(m.Reading.StateErr.Error()))
	}
	if m.Reading.HealthErr != nil {
		texts = append(texts, "health: "+term.Clean(m.Reading.HealthErr.Error()))
	}
	if m.StatesErr != nil {
		texts = append(texts, "states: "+term.Clean(m.StatesErr.Error()))
	}
	return texts
}

// statesEvery is how often connections are counted.
const statesEvery = 5 * time.Second
