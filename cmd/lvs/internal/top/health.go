package top

import (
	"fmt"
	"math"
	"strings"

	"github.com/golvs/lvs/cmd/lvs/internal/term"
	"github.com/golvs/lvs/health"
)

// healthOf returns what checks and operators say of a real server; nil if that is not
// known.
func (m *Model) healthOf(s *Service, server *Server) *health.ServerStatus {
	is, ok := m.Reading.Health[Row{s.ID, server.Addr}]
	if !ok {
		return nil
	}
	return &is
}

// healthNote says in few words why a real server has another weight than the configured
// one; "" if it has not.
func (m *Model) healthNote(is *health.ServerStatus) (text string, attr term.Attr) {
	percent := func(share float64) string { return fmt.Sprintf("%d %%", int(math.Round(100*share))) }
	switch {
	case is.Override != nil && is.Override.By != "":
		return fmt.Sprintf("%s, %s", is.Override.Kind, term.Clean(is.Override.By)), term.Magenta
	case is.Override != nil:
		return fmt.Sprintf("%s, operator", is.Override.Kind), term.Magenta
	case is.State == health.Down:
		return "failed for " + short(m.Now.Sub(is.Since)), term.Red
	case is.Weight.Held != "":
		return is.Weight.Held, term.Magenta
	case is.Weight.Ramp < 1:
		return "slow start, " + percent(is.Weight.Ramp), 0
	case is.Weight.Reported < 1:
		return "asks for " + percent(is.Weight.Reported), 0
	case is.Differs:
		return "other content", term.Magenta
	}
	return "", 0
}

// healthDetails says all that is known.
func (m *Model) healthDetails(is *health.ServerStatus) string {
	text := strings.TrimPrefix(is.String(), is.Server.String()+" ")
	if !is.Since.IsZero() {
		text += ", since " + is.Since.Local().Format("15:04:05")
	}
	for _, c := range is.Checks {
		if !c.Next.IsZero() {
			text += ", next check at " + c.Next.Local().Format("15:04:05")
			break
		}
	}
	if is.Override != nil && is.Override.Why != "" {
		text += ": " + is.Override.Why
	}
	return term.Clean(text)
}
