package health

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/golvs/lvs"
)

// EventKind names the type of an [Event]. Its texts are stable.
type EventKind string

// The kinds of events.
const (
	KindServerChanged  EventKind = "server changed"
	KindLimitCrossed   EventKind = "limit crossed"
	KindContentDiffers EventKind = "content differs"
	KindContentAgrees  EventKind = "content agrees"
	KindProbeBroken    EventKind = "probe broken"
	KindOverrideEnded  EventKind = "override ended"
)

var eventKinds = []EventKind{KindServerChanged, KindLimitCrossed, KindContentDiffers, KindContentAgrees, KindProbeBroken, KindOverrideEnded}

// eventText is an event as a program reads it.
type eventText struct {
	Version int       `json:"version"`
	Event   EventKind `json:"event"`
	At      time.Time `json:"at"`
	Text    string    `json:"text"`
	Dropped int       `json:"dropped,omitempty"`

	Service lvs.ServiceID  `json:"service,omitzero"`
	Server  netip.AddrPort `json:"server,omitzero"`

	Was    string `json:"was,omitempty"`
	Is     string `json:"is,omitempty"`
	Reason string `json:"reason,omitempty"`

	Then    Action   `json:"then,omitempty"`
	Working *float64 `json:"working,omitempty"`
	Needed  *float64 `json:"needed,omitempty"`

	Content string `json:"content,omitempty"`
	Most    string `json:"most,omitempty"`

	Override *Override `json:"override,omitempty"`
}

// eventVersion is the version of an event in JSON.
const eventVersion = 1

// longestVariable is how many bytes of a value fit into the environment.
const longestVariable = 4096

// The states of a limit.
const (
	below = "below"
	above = "above"
)

// textOf returns an event as a program reads it.
func textOf(e Event, at time.Time) eventText {
	t := eventText{Version: eventVersion, Event: e.event(), At: at, Text: e.String()}
	switch e := e.(type) {
	case ServerChanged:
		t.Service, t.Server, t.Was, t.Is, t.Reason = e.Service, e.Server, string(e.Was), string(e.Is), e.Reason
	case LimitCrossed:
		t.Service, t.Then, t.Working, t.Needed = e.Service, e.Limit.Then, &e.Working, &e.Needed
		t.Was, t.Is = below, above
		if e.Below {
			t.Was, t.Is = t.Is, t.Was
		}
	case ContentDiffers:
		t.Service, t.Server, t.Content, t.Most = e.Service, e.Server, e.Content, e.Most
	case ContentAgrees:
		t.Service, t.Server = e.Service, e.Server
	case ProbeBroken:
		t.Service, t.Server, t.Reason = e.Service, e.Server, e.Problem
	case OverrideEnded:
		t.Service, t.Server, t.Override = e.Override.Service, e.Override.Server, &e.Override
	}
	return t
}

// line returns the event in JSON, in one line.
func (t eventText) line() ([]byte, error) {
	text, err := json.Marshal(t)
	return append(text, '\n'), err
}

// env returns the event as variables. What is not known is not there.
func (t eventText) env() []string {
	var all []string
	add := func(name, value string) {
		if value != "" {
			// What a server said may be long, and have any bytes.
			value = strings.ReplaceAll(value[:min(len(value), longestVariable)], "\x00", "")
			all = append(all, name+"="+value)
		}
	}
	add("LVS_EVENT", string(t.Event))
	add("LVS_TEXT", t.Text)
	add("LVS_STATE", t.Is)
	if t.Service.IsValid() {
		add("LVS_SERVICE", t.Service.String())
	}
	if t.Server.IsValid() {
		add("LVS_SERVER", t.Server.String())
	}
	if t.Dropped > 0 {
		add("LVS_DROPPED", fmt.Sprint(t.Dropped))
	}
	return all
}
