package lvs

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// HasChanges reports whether the plan has anything to do.
func (p TablePlan) HasChanges() bool { return len(p.Steps) > 0 }

// Changes returns what applying the plan changes at once, in order. A step that drains
// sets weights to 0: the removal comes when the drain ends.
func (p TablePlan) Changes() []Change {
	all := make([]Change, 0, len(p.Steps))
	for _, s := range p.Steps {
		all = s.appendChanges(all)
	}
	return all
}

// appendChanges appends what the step changes at once.
func (s TableStep) appendChanges(all []Change) []Change {
	if s.Drain == 0 {
		return append(all, s.Change)
	}
	for _, server := range s.drained() {
		if server.Weight != 0 {
			server.Weight = 0
			all = append(all, UpdateRealServer(s.Change.ServiceID(), server))
		}
	}
	return all
}

// drained returns the real servers that the step drains, as they were found.
func (s TableStep) drained() []RealServer {
	if server, ok := s.Was.RealServer(); ok {
		return []RealServer{server}
	}
	return s.RealServers
}

// String returns the plan as a diff: a line for each step, in order, with + for what is
// added, - for what is removed and ~ for what is edited, with the fields that change.
// The notes of a step are below it. What remains although it is not wanted comes last.
func (p TablePlan) String() string {
	var lines []string
	for _, s := range p.Steps {
		lines = append(lines, s.String())
	}
	if len(lines) == 0 {
		lines = append(lines, "nothing to do")
	}
	for _, id := range p.Unwanted {
		lines = append(lines, "# remains, although it is not wanted: "+id.String())
	}
	for _, id := range p.Misordered {
		lines = append(lines, "# remains in another order than the wanted one: the real servers of "+id.String())
	}
	return strings.Join(lines, "\n")
}

// String returns the step as a line of a diff, and its notes below.
func (s TableStep) String() string {
	line := s.line()
	for _, note := range s.Notes {
		line += "\n    " + note
	}
	return line
}

func (s TableStep) line() string {
	line := s.Change.String()
	switch s.Change.get().kind {
	case updateService, updateServer:
		if edits := s.edits(); len(edits) > 0 {
			line = changeKinds[s.Change.get().kind].sign + " " + s.Change.object() + " " + strings.Join(edits, ", ")
		}
	case removeService:
		line += " with " + quantity(len(s.RealServers), "real server")
	}
	if s.Drain > 0 {
		line += ", drained for at most " + s.Drain.String()
	}
	return line
}

// quantity returns a number of things, such as "1 real server" or "2 real servers".
func quantity(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return strconv.Itoa(n) + " " + thing
}

// edits returns the fields that the step changes, such as "weight 1 → 5".
func (s TableStep) edits() (all []string) {
	edit := func(field string, was, now any) {
		if was != now {
			all = append(all, fmt.Sprintf("%s %v → %v", field, was, now))
		}
	}
	if was, ok := s.Was.Service(); ok {
		now := s.Change.get().service
		was, now = was.normal(), now.normal()
		edit("scheduler", was.Scheduler, now.Scheduler)
		edit("flags", flagsText(was), flagsText(now))
		edit("persistence", was.Persistence, now.Persistence)
		edit("one-packet", onOff(was.OnePacket), onOff(now.OnePacket))
	}
	if was, ok := s.Was.RealServer(); ok {
		now := s.Change.get().server
		edit("mode", was.Mode, now.Mode)
		edit("weight", was.Weight, now.Weight)
		edit("upper threshold", was.UpperThreshold, now.UpperThreshold)
		edit("lower threshold", was.LowerThreshold, now.LowerThreshold)
	}
	return all
}

func flagsText(s Service) string { return cmp.Or(s.SchedulerFlags.Names(s.Scheduler), "none") }

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
