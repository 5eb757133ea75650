package workload

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Event is something that happens to a real server at a given time. [Add], [Remove],
// [Drain], [SetWeight], [Fail], [Back], [Break], [Fix] and [Slow] return events. The text
// form is one of
//
//	20s add 10.168.0.96:80 weight 2
//	20s remove 10.168.0.94:80
//	20s drain 10.168.0.94:80
//	20s weight 10.168.0.94:80 3
//	20s fail 10.168.0.94:80 noticed 3s
//	20s back 10.168.0.94:80 cold 30s
//	20s break 10.168.0.94:80
//	20s fix 10.168.0.94:80 cold 30s
//	20s slow 10.168.0.94:80 2s
type Event struct {
	at     time.Duration
	what   occurrence
	server netip.AddrPort
	weight int
	delay  time.Duration // fail: until noticed; back and fix: until warm; slow: how slow
}

type occurrence uint8

const (
	nothing occurrence = iota
	add
	remove
	drain
	weigh
	fail
	noticed // the second half of fail
	back
	breaks
	fixes
	slows
)

var occurrenceNames = [...]string{
	add: "add", remove: "remove", drain: "drain", weigh: "weight", fail: "fail", noticed: "noticed", back: "back",
	breaks: "break", fixes: "fix", slows: "slow",
}

// ofServer reports whether it happens to the server alone, and not to the table.
func (o occurrence) ofServer() bool { return o == breaks || o == fixes || o == slows }

// Add adds a real server of a weight to the service, with the forwarding mode of
// the service's first one.
func Add(at time.Duration, server netip.AddrPort, weight int) Event {
	return Event{at: at, what: add, server: server, weight: weight}
}

// Remove removes a real server from the service. Its connections break.
func Remove(at time.Duration, server netip.AddrPort) Event {
	return Event{at: at, what: remove, server: server}
}

// Drain sets the weight of a real server to 0. It keeps its connections.
func Drain(at time.Duration, server netip.AddrPort) Event {
	return Event{at: at, what: drain, server: server}
}

// SetWeight sets the weight of a real server.
func SetWeight(at time.Duration, server netip.AddrPort, weight int) Event {
	return Event{at: at, what: weigh, server: server, weight: weight}
}

// Fail makes a real server fail: its connections break. After the time noticed it is
// removed from the service; until then, what the director sends to it is lost.
func Fail(at time.Duration, server netip.AddrPort, noticed time.Duration) Event {
	return Event{at: at, what: fail, server: server, delay: noticed}
}

// Back reverts [Remove], [Drain] and [Fail]: the server has its previous weight again.
// It may be slow at first: it starts at a tenth of its speed, and reaches its full
// speed after the time cold.
func Back(at time.Duration, server netip.AddrPort, cold time.Duration) Event {
	return Event{at: at, what: back, server: server, delay: cold}
}

// Break makes a real server fail without a change of the table: its connections break,
// and what the director sends to it is lost until [Fix] or [Back]. It is for a director
// that works in the course of the workload: see [Workload.Wait].
func Break(at time.Duration, server netip.AddrPort) Event {
	return Event{at: at, what: breaks, server: server}
}

// Fix makes a real server work again after [Break], without a change of the table. The
// server may be slow at first, as after [Back].
func Fix(at time.Duration, server netip.AddrPort, cold time.Duration) Event {
	return Event{at: at, what: fixes, server: server, delay: cold}
}

// Slow makes a real server take longer for each connection that it begins with, by the
// given time; 0 ends that. The table does not change.
func Slow(at time.Duration, server netip.AddrPort, by time.Duration) Event {
	return Event{at: at, what: slows, server: server, delay: by}
}

// At returns when the event happens, from the beginning of the workload.
func (e Event) At() time.Duration { return e.at }

// Server returns the real server that the event is about.
func (e Event) Server() netip.AddrPort { return e.server }

// String returns the text form, and "" for the zero value.
func (e Event) String() string {
	if e.what == nothing {
		return ""
	}
	return e.at.String() + " " + e.short()
}

// short is the text form without the time.
func (e Event) short() string {
	text := occurrenceNames[e.what] + " " + e.server.String()
	switch {
	case e.what == add && e.weight != 1:
		text += " weight " + strconv.Itoa(e.weight)
	case e.what == weigh:
		text += " " + strconv.Itoa(e.weight)
	case e.what == fail && e.delay != 0:
		text += " noticed " + e.delay.String()
	case (e.what == back || e.what == fixes) && e.delay != 0:
		text += " cold " + e.delay.String()
	case e.what == slows:
		text += " " + e.delay.String()
	}
	return text
}

// ParseEvent reads the text form. The error is an [*InvalidError].
func ParseEvent(s string) (e Event, err error) {
	bad := invalid("Events", `%q is not like "20s drain 10.168.0.94:80"; want add, remove, drain, weight, fail, back, break, fix or slow`, s)
	words := strings.Fields(s)
	if len(words) < 3 {
		return e, bad
	}
	if e.at, err = time.ParseDuration(words[0]); err != nil {
		return Event{}, bad
	}
	for i, name := range occurrenceNames {
		if name == words[1] && name != "" && occurrence(i) != noticed {
			e.what = occurrence(i)
		}
	}
	if e.server, err = netip.ParseAddrPort(words[2]); err != nil || e.what == nothing {
		return Event{}, bad
	}
	if !e.parseRest(words[3:]) {
		return Event{}, bad
	}
	return e, nil
}

// parseRest parses what follows the server.
func (e *Event) parseRest(words []string) bool {
	names := map[occurrence]string{add: "weight", fail: "noticed", back: "cold", fixes: "cold"}
	if name := names[e.what]; name != "" {
		if len(words) == 0 {
			e.weight = 1
			if e.what != add {
				e.weight = 0
			}
			return true
		}
		if words[0] != name {
			return false
		}
		words = words[1:]
	}
	want := 1
	if e.what == remove || e.what == drain || e.what == breaks {
		want = 0
	}
	if len(words) != want {
		return false
	}
	var err error
	switch e.what {
	case add, weigh:
		e.weight, err = strconv.Atoi(words[0])
	case fail, back, fixes, slows:
		e.delay, err = time.ParseDuration(words[0])
	}
	return err == nil
}

// MarshalText returns the text form.
func (e Event) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText reads the text form; an empty text is the zero value.
func (e *Event) UnmarshalText(text []byte) (err error) {
	*e = Event{}
	if len(text) > 0 {
		*e, err = ParseEvent(string(text))
	}
	return err
}

func (e Event) validate(field string, duration time.Duration) error {
	switch {
	case e.what == nothing:
		return invalid(field, "is the zero value")
	case e.at < 0 || e.at > duration:
		return invalid(field, "%s is outside of the workload's duration, 0 to %s", e.at, duration)
	case !e.server.IsValid():
		return invalid(field, "names no server")
	case e.weight < 0:
		return invalid(field, "a weight of %d is negative", e.weight)
	case e.delay < 0:
		return invalid(field, "a time of %s is negative", e.delay)
	}
	return nil
}
