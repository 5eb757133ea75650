package health

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/golvs/lvs"
)

// Status is how the services of a [Monitor] are doing. It prints, and marshals to JSON
// with a version.
type Status struct {
	At       time.Time       `json:"at"`                 // when the status was taken
	Services []ServiceStatus `json:"services,omitempty"` // those that have checks or overrides, in the order of the table

	// Left is how many probes are under way whose results are not wanted any more. More
	// than none for longer than a moment are probes that ignore their contexts.
	Left int `json:"left,omitempty"`
}

// ServiceStatus is how a service is doing.
type ServiceStatus struct {
	Service lvs.ServiceID  `json:"service"`           // which service
	Below   bool           `json:"below,omitempty"`   // whether too few servers work
	Then    Action         `json:"then,omitempty"`    // what is done below the limit; "" without one
	Working float64        `json:"working,omitempty"` // what works, in the unit of the limit
	Needed  float64        `json:"needed,omitempty"`  // what must work to be on the other side of the limit
	Servers []ServerStatus `json:"servers"`           // in the order of the table
}

// Status returns how the services are doing.
func (m *Monitor) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	s := Status{At: now.Round(0), Left: m.left}
	for _, id := range m.order {
		if service := m.services[id]; m.watched(service) {
			s.Services = append(s.Services, m.serviceStatus(service, now))
		}
	}
	return s
}

// watched reports whether anything is known of a service.
func (m *Monitor) watched(s *service) bool {
	for _, mb := range s.members {
		if _, decided := m.override(mb); decided || len(mb.watches) > 0 {
			return true
		}
	}
	return false
}

func (m *Monitor) serviceStatus(s *service, now time.Time) ServiceStatus {
	status := ServiceStatus{Service: s.ID, Below: s.below, Servers: make([]ServerStatus, 0, len(s.members))}
	servers := m.standings(s, now)
	if limit := s.policy.Limit; !limit.isZero() {
		tally := limit.tally(servers)
		status.Then, status.Working, status.Needed = limit.Then, tally.works, limit.needed(s.below, tally)
	}
	for i, w := range s.weigh(servers) {
		status.Servers = append(status.Servers, m.serverStatus(s.members[i], w))
	}
	return status
}

func (m *Monitor) serverStatus(mb *member, w Weight) ServerStatus {
	status := ServerStatus{Service: mb.service.ID, Server: mb.server.Addr, State: mb.state, Since: mb.since.Round(0), Weight: w, Differs: mb.differs}
	if o, ok := m.override(mb); ok {
		status.Override = new(Override)
		*status.Override = o
	}
	if len(mb.watches) > 0 {
		status.Checks = make([]CheckStatus, len(mb.watches))
	}
	for i, w := range mb.watches {
		status.Checks[i] = w.status()
	}
	return status
}

// String returns a line for each service, and below it one for each server.
func (s Status) String() string {
	var lines []string
	for _, service := range s.Services {
		line := service.Service.String()
		if service.Then != "" {
			line += fmt.Sprintf(": working %.4g, needed %.4g", service.Working, service.Needed)
		}
		if service.Below {
			line += fmt.Sprintf(": too few: %s", service.Then)
		}
		lines = append(lines, line)
		for _, server := range service.Servers {
			lines = append(lines, "  -> "+server.text(s.At))
		}
	}
	return strings.Join(lines, "\n")
}

// String returns the server's state, weight and checks in one line.
func (s ServerStatus) String() string { return s.text(time.Time{}) }

// text returns the line, with times as seen from now unless that is zero.
func (s ServerStatus) text(now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", s.Server, s.State)
	if !now.IsZero() && !s.Since.IsZero() {
		fmt.Fprintf(&b, " for %s", ago(now, s.Since))
	}
	fmt.Fprintf(&b, ", weight %s", s.Weight)
	if s.Differs {
		b.WriteString(", other content than most")
	}
	for _, c := range s.Checks {
		b.WriteString("; " + c.text(now))
	}
	return b.String()
}

func ago(now, t time.Time) time.Duration { return max(0, now.Sub(t)).Round(time.Second) }

// text returns the check in words.
func (c CheckStatus) text(now time.Time) string {
	text := c.Check
	if c.Path != Direct {
		text += " through " + string(c.Path)
	}
	switch {
	case c.Last.IsZero():
		text += ": no answer yet"
	case c.Error != "":
		text += fmt.Sprintf(": failed %d in a row: %s", c.Streak, c.Error)
	default:
		text += fmt.Sprintf(": ok in %s", c.Took.Round(100*time.Microsecond))
	}
	if !now.IsZero() && !c.Next.IsZero() {
		text += fmt.Sprintf(", next in %s", max(0, c.Next.Sub(now)).Round(100*time.Millisecond))
	}
	return text
}

// String returns the weight and what it is made of, such as "50 = 100 x 0.5 operator".
func (w Weight) String() string {
	if w.Held != "" {
		return fmt.Sprintf("%d (%s)", w.Effective, w.Held)
	}
	text := fmt.Sprint(w.Configured)
	for _, factor := range []struct {
		value float64
		name  string
	}{{float64(w.Scale), "scale"}, {w.Operator, "operator"}, {w.Reported, "reported"}, {w.Ramp, "slow start"}} {
		if factor.value != 1 {
			text += fmt.Sprintf(" x %.3g %s", factor.value, factor.name)
		}
	}
	if text == fmt.Sprint(w.Effective) {
		return text
	}
	return fmt.Sprintf("%d = %s", w.Effective, text)
}

// statusVersion is the version of a status in JSON.
const statusVersion = 1

type plainStatus Status // without its methods

type statusFile struct {
	Version int `json:"version"`
	*plainStatus
}

// MarshalJSON returns an object with "version": 1 and the fields of Status.
func (s Status) MarshalJSON() ([]byte, error) {
	return json.Marshal(statusFile{statusVersion, (*plainStatus)(&s)})
}

// UnmarshalJSON reads what MarshalJSON returns. It refuses other versions and unknown
// fields, with an error that matches [lvs.ErrInvalid].
func (s *Status) UnmarshalJSON(text []byte) error {
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return invalid("Status", "%v", err)
	}
	if head.Version != statusVersion { // whose fields are others
		return invalid("Status.version", "is missing or %d, and this version of the library reads only %d", head.Version, statusVersion)
	}
	read := statusFile{plainStatus: new(plainStatus)}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&read); err != nil {
		return invalid("Status", "%v", err)
	}
	*s = Status(*read.plainStatus)
	return nil
}
