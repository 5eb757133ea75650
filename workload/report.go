package workload

import (
	"encoding/json"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
)

// Report is the result of a workload.
type Report struct {
	// Name is a title, to tell several reports apart. [Run] makes it from the scheduler
	// and its flags; it may be changed.
	Name string `json:"name"`

	Workload Workload    `json:"workload"` // without a recorded list
	Served   lvs.Service `json:"served"`   // the service as it was in the beginning
	Kernel   string      `json:"kernel"`   // the release that picked

	// Duration is the simulated time. It is less than the workload's if the run was cut
	// short.
	Duration time.Duration `json:"duration"`

	Arrived int            `json:"arrived"`           // connections that clients asked for
	Refused int            `json:"refused"`           // of these, how many the director gave to no server
	Reasons map[string]int `json:"reasons,omitempty"` // refused connections by reason
	Lost    int            `json:"lost"`              // connections that the director gave to a failed server
	Broken  int            `json:"broken"`            // connections that ended early because their server failed or was removed
	Clients int            `json:"clients"`           // different clients that were served

	// Imbalance is that of the connections that servers got, and ActiveImbalance that of
	// those that they had on average, both relative to what each server was due. See
	// [ServerReport.Due].
	Imbalance       Imbalance `json:"imbalance"`
	ActiveImbalance Imbalance `json:"activeImbalance"` // of MeanActive

	Times       Times          `json:"times"`                 // of the connections that ended
	Servers     []ServerReport `json:"servers"`               // in the order in which they were added
	Disruptions []Disruption   `json:"disruptions,omitempty"` // in order of time; none without events
	Samples     []Sample       `json:"samples"`               // in order of time
}

// nameOf returns the scheduler and its flags, such as "mh fallback,port".
func nameOf(s lvs.Service) string {
	name := s.Scheduler.String()
	if s.SchedulerFlags != 0 {
		name += " " + s.SchedulerFlags.String()
	}
	return name
}

// ServerReport is the work of one real server.
type ServerReport struct {
	Addr        netip.AddrPort `json:"addr"`        // its address and port
	Weight      int            `json:"weight"`      // in the end; 0 also when it was out of the service
	Connections int            `json:"connections"` // that the director gave to it
	Share       float64        `json:"share"`       // of all connections

	// Due is the share of all connections that it would have got by weight: of
	// each connection, its weight over that of all at that moment.
	Due float64 `json:"due"`

	Active     int     `json:"active"`     // connections in the end
	MeanActive float64 `json:"meanActive"` // over the whole time
	Peak       int     `json:"peak"`       // the most active connections at once
	Lost       int     `json:"lost"`       // connections that it got after it had failed
	Broken     int     `json:"broken"`     // connections that ended early because it failed or was removed
	MeanTime   float64 `json:"meanTime"`   // of connections, in seconds
}

// Disruption is the effect of the events of one moment on clients.
type Disruption struct {
	At     time.Duration `json:"at"`     // from the beginning on
	Events []string      `json:"events"` // in words, such as "drain 10.168.0.94:80"
	Broken int           `json:"broken"` // connections that ended by it

	// Returned counts the clients that connected before and after: between the
	// change of the table before this one, or the beginning, and this one, and
	// again before the next. Moved is how many of them got another server then, and
	// Refused how many got none. They are 0 for a failure until it is noticed.
	Returned int `json:"returned"`
	Moved    int `json:"moved"`   // of Returned
	Refused  int `json:"refused"` // of Returned

	Share float64 `json:"share"` // Moved over Returned

	// Least is the least possible share: what must move for each server to get its
	// share by weight again.
	Least float64 `json:"least"`

	// Ordinary is the share of connections that went to another server than the
	// client's previous one while nothing happened, before the event: most of them with
	// [lvs.RR], none with [lvs.MH]. Only a Share above it is due to the event.
	Ordinary float64 `json:"ordinary"`
}

// Sample is one interval of the time.
type Sample struct {
	At      time.Duration `json:"at"`      // its end
	Arrived int           `json:"arrived"` // in this interval, as all that follow
	Refused int           `json:"refused"` // of Arrived
	Lost    int           `json:"lost"`    // given to a server that had failed
	Broken  int           `json:"broken"`  // ended early
	Ended   int           `json:"ended"`   // at their time
	Time    float64       `json:"time"`    // mean time of those that ended, in seconds

	// Imbalance is that of the connections that servers got in this interval, as in
	// Report.Imbalance.
	Imbalance Imbalance `json:"imbalance"`

	// By server, as in Report.Servers: the connections that it got in this interval,
	// and the active ones at its end.
	Connections []int `json:"connections"`
	Active      []int `json:"active"` // connections
}

// MarshalJSON writes the duration as text.
func (r Report) MarshalJSON() ([]byte, error) {
	type plain Report // without these methods
	return json.Marshal(struct {
		plain
		Duration span `json:"duration"`
	}{plain(r), span(r.Duration)})
}

// UnmarshalJSON reads the duration as text.
func (r *Report) UnmarshalJSON(text []byte) error {
	type plain Report // without these methods
	return json.Unmarshal(text, &struct {
		*plain
		Duration *span `json:"duration"`
	}{(*plain)(r), (*span)(&r.Duration)})
}

// MarshalJSON writes the time as text.
func (d Disruption) MarshalJSON() ([]byte, error) {
	type plain Disruption // without these methods
	return json.Marshal(struct {
		plain
		At span `json:"at"`
	}{plain(d), span(d.At)})
}

// UnmarshalJSON reads the time as text.
func (d *Disruption) UnmarshalJSON(text []byte) error {
	type plain Disruption // without these methods
	return json.Unmarshal(text, &struct {
		*plain
		At *span `json:"at"`
	}{(*plain)(d), (*span)(&d.At)})
}

// MarshalJSON writes the time as text.
func (s Sample) MarshalJSON() ([]byte, error) {
	type plain Sample // without these methods
	return json.Marshal(struct {
		plain
		At span `json:"at"`
	}{plain(s), span(s.At)})
}

// UnmarshalJSON reads the time as text.
func (s *Sample) UnmarshalJSON(text []byte) error {
	type plain Sample // without these methods
	return json.Unmarshal(text, &struct {
		*plain
		At *span `json:"at"`
	}{(*plain)(s), (*span)(&s.At)})
}
