package director

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
)

// Status is how a [Director] is doing. It prints, and marshals to JSON with a version.
type Status struct {
	At      time.Time `json:"at"`      // when the status was taken
	Running bool      `json:"running"` // whether Run is running

	// Wanted is the table that is kept true; nil before the first one came. It is the
	// Director's, and must not be changed.
	Wanted *lvs.Table `json:"wanted,omitempty"`

	// InSync is whether the table was as wanted when the Director looked last, at
	// Looked. Drains that are under way, and what the options leave as it is, do not
	// matter. Since is when InSync changed last.
	InSync bool      `json:"inSync"`
	Since  time.Time `json:"since,omitzero"`  // when InSync changed
	Looked time.Time `json:"looked,omitzero"` // the zero time before the first look

	Succeeded time.Time `json:"succeeded,omitzero"` // when a look and what followed from it last ended without a failure, or zero
	Applied   time.Time `json:"applied,omitzero"`   // when all steps of a plan were last made, or zero

	// Error is why the last attempt failed; "" after a success. Retry is when the next
	// attempt is made, after a failure or because another program undid a repair; the
	// zero time if nothing waits.
	Error string    `json:"error,omitempty"`
	Retry time.Time `json:"retry,omitzero"` // the zero time if nothing waits

	// Source is what is wrong with the source of the wanted table; "" for nothing.
	Source string `json:"source,omitempty"`

	// Refused says why the newest wanted table is not applied; "" if it is.
	Refused         string `json:"refused,omitempty"`
	RefusedSteps    int    `json:"refusedSteps,omitempty"`    // of its plan, which wait to be allowed
	RefusedRemovals int    `json:"refusedRemovals,omitempty"` // real servers out of service after it, with those that are draining

	Drains     []lvs.Drain     `json:"drains,omitempty"`     // that are under way
	Unwanted   []lvs.ServiceID `json:"unwanted,omitempty"`   // services in scope that are not wanted and remain
	Misordered []lvs.ServiceID `json:"misordered,omitempty"` // services whose real servers are in another order, which decides picks

	Health health.Status                `json:"health"`          // of the real servers, and their weights
	Hooks  map[string]health.HookStatus `json:"hooks,omitempty"` // what each has done, by its name

	Overrides      []health.Override `json:"overrides,omitempty"`      // what operators have decided
	OverridesError string            `json:"overridesError,omitempty"` // what is wrong with their file; "" for nothing

	Counts Counts `json:"counts"` // since New
}

// Counts are numbers of what a [Director] did.
type Counts struct {
	Looks    int `json:"looks"`    // at the table
	Applied  int `json:"applied"`  // plans of which every step was made
	Changes  int `json:"changes"`  // in the kernel, without those that ended drains
	Drifts   int `json:"drifts"`   // changes of other programs in scope
	Repairs  int `json:"repairs"`  // drifts that were put right
	Failures int `json:"failures"` // attempts that failed
	Stale    int `json:"stale"`    // plans that no longer fitted when they were applied
	Refusals int `json:"refusals"` // plans that would have removed too much
	Drains   int `json:"drains"`   // that began
	Ended    int `json:"ended"`    // drains that ended, for whatever reason
	Unusable int `json:"unusable"` // times that a source was broken
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
	if head.Version != statusVersion {
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

// String returns the status in some lines: whether the table is as wanted and since
// when, what is wrong, the drains with the time that they have left, the real servers that
// are checked, and the hooks.
func (s Status) String() string {
	lines := []string{s.summary()}
	for _, problem := range []struct{ what, text string }{{"last error", s.Error}, {"source", s.Source}, {"refused", s.Refused}, {"overrides", s.OverridesError}} {
		if problem.text != "" {
			lines = append(lines, problem.what+": "+problem.text)
		}
	}
	if !s.Retry.IsZero() {
		lines = append(lines, "next attempt in "+s.in(s.Retry))
	}
	for _, d := range s.Drains {
		lines = append(lines, fmt.Sprintf("%s, in %s", d, s.in(d.Deadline)))
	}
	for _, id := range s.Unwanted {
		lines = append(lines, "not wanted, and remains: "+id.String())
	}
	for _, id := range s.Misordered {
		lines = append(lines, "real servers in another order: "+id.String())
	}
	if text := s.Health.String(); text != "" {
		lines = append(lines, text)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Hooks)) {
		lines = append(lines, "hook "+name+": "+s.Hooks[name].String())
	}
	return strings.Join(append(lines, s.Counts.String()), "\n")
}

// summary returns what is wanted, and whether the table is like that.
func (s Status) summary() string {
	var b strings.Builder
	if !s.Running {
		b.WriteString("not running; ")
	}
	if s.Wanted == nil {
		b.WriteString("no table is wanted yet")
		return b.String()
	}
	servers := 0
	for _, service := range s.Wanted.Services {
		servers += len(service.RealServers)
	}
	state := "not in sync"
	if s.InSync {
		state = "in sync"
	}
	fmt.Fprintf(&b, "%s with %s", state, count(len(s.Wanted.Services), "service"))
	fmt.Fprintf(&b, " and %s", count(servers, "real server"))
	if !s.Since.IsZero() {
		fmt.Fprintf(&b, " since %s", clock(s.Since))
	}
	return b.String()
}

// in returns how long it is until a time, at least 0.
func (s Status) in(t time.Time) string {
	return max(0, t.Sub(s.At)).Round(time.Second / 10).String()
}

// String returns the counts in one line.
func (c Counts) String() string {
	parts := []string{
		count(c.Looks, "look"), count(c.Applied, "plan") + " applied", count(c.Changes, "change"),
		fmt.Sprintf("%s (%d repaired)", count(c.Drifts, "drift"), c.Repairs), count(c.Failures, "failure"),
	}
	for _, rare := range []struct {
		n    int
		what string
	}{{c.Stale, "stale"}, {c.Refusals, "refused"}, {c.Unusable, "unusable"}} {
		if rare.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", rare.n, rare.what))
		}
	}
	if c.Drains > 0 {
		parts = append(parts, fmt.Sprintf("%s, %d ended", count(c.Drains, "drain"), c.Ended))
	}
	return strings.Join(parts, ", ")
}
