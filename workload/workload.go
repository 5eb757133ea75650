package workload

import (
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
)

// Workload is what clients, real servers and administrators do to a service in
// the course of time. See the package for its JSON.
type Workload struct {
	// Service is the one that the clients connect to. Of a firewall mark they
	// send TCP packets with the mark.
	Service lvs.ServiceID `json:"service"`

	// Duration is how long it goes on. 0: until the last of Recorded.
	Duration time.Duration `json:"duration"`

	Arrivals Arrivals `json:"arrivals,omitzero"` // when connections arrive; needed without Recorded
	Clients  Clients  `json:"clients,omitzero"`  // who connects; needed unless Recorded names all
	Lifetime Lifetime `json:"lifetime,omitzero"` // how long connections last; needed unless Recorded says it of all

	// Recorded are connections that were seen elsewhere, in order of time. They
	// come instead of Arrivals.
	Recorded []Arrival `json:"recorded,omitempty"`

	// Destinations are the addresses that the clients connect to, for a firewall
	// mark only: a proxy's clients, with [lvs.DH], [lvs.LBLC] and [lvs.LBLCR].
	// Zero: all connect to one.
	Destinations Clients `json:"destinations,omitzero"`

	// Server is what each real server is like, but for those in Servers.
	Server  Server                    `json:"server,omitzero"`
	Servers map[netip.AddrPort]Server `json:"servers,omitempty"` // by address; others are as Server says

	Events []Event `json:"events,omitempty"` // in any order; none is none

	// Samples is how many parts of equal length the report divides the time
	// into; 0 is 60.
	Samples int `json:"samples,omitempty"`

	// Seed decides all that is left to chance. The same seed gives the same
	// workload, whatever the scheduler does with it.
	Seed uint64 `json:"seed"`

	// Wait lets time pass, in place of [lvs.Simulator.Advance], while something else
	// changes the real servers: a director, whose consequences Run then reports. It does
	// not return before all that happens in that time has happened. Inside
	// [testing/synctest] it is [time.Sleep] and [testing/synctest.Wait], with a simulator
	// whose clock is [time.Now]. Run calls [lvs.Simulator.Changes].
	Wait func(time.Duration) `json:"-"`

	// Progress, if it is there, is called again and again while the workload
	// is run, by the goroutine that runs it.
	Progress func(Progress) `json:"-"`
}

// Arrival is a connection that was recorded.
type Arrival struct {
	At       time.Duration // from the beginning on
	Client   netip.Addr    // zero: one of Workload.Clients
	Lifetime time.Duration // on a server of speed 1; 0: as Workload.Lifetime says
}

// Server is how a real server works. The zero value begins at once with each
// connection that it gets, and takes the connection's lifetime for it.
type Server struct {
	// Speed divides the lifetime of connections; 0 is 1.
	Speed float64 `json:"speed,omitempty"`

	// Slots is how many connections it serves at once, the first that came
	// first; others wait. 0 is any number.
	Slots int `json:"slots,omitempty"`
}

// Progress is how far a run has come.
type Progress struct {
	Done, Of time.Duration // of the time that is simulated
	Arrived  int           // connections so far
}

const (
	defaultSamples = 60
	maxSamples     = 100_000
)

func (w *Workload) validate() error {
	if !w.Service.IsValid() {
		return invalid("Service", "is the zero value, which names no service")
	}
	if err := w.validateTime(); err != nil {
		return err
	}
	if err := w.validateConnections(); err != nil {
		return err
	}
	if w.Destinations != (Clients{}) {
		if w.Service.FWMark() == 0 {
			return invalid("Destinations", "are for a firewall mark, and %s has one address", w.Service)
		}
		if err := w.Destinations.validate("Destinations", w.Service.Is6()); err != nil {
			return err
		}
	}
	if err := w.Server.validate("Server"); err != nil {
		return err
	}
	for addr, s := range w.Servers {
		if err := s.validate(fmt.Sprintf("Servers[%s]", addr)); err != nil {
			return err
		}
	}
	for i, e := range w.Events {
		if err := e.validate(fmt.Sprintf("Events[%d]", i), w.duration()); err != nil {
			return err
		}
	}
	return nil
}

func (w *Workload) validateTime() error {
	switch {
	case w.Duration < 0:
		return invalid("Duration", "%s is negative", w.Duration)
	case w.duration() == 0 && len(w.Recorded) == 0:
		return invalid("Duration", "is 0: say how long the workload goes on")
	case w.Samples < 0 || w.Samples > maxSamples:
		return invalid("Samples", "%d is out of range [0, %d]", w.Samples, maxSamples)
	}
	return nil
}

// validateConnections looks at arrivals, clients and lifetimes. A recorded list
// may have all of it.
func (w *Workload) validateConnections() error {
	needClients, needLifetime := len(w.Recorded) == 0, len(w.Recorded) == 0
	for i, a := range w.Recorded {
		field := fmt.Sprintf("Recorded[%d]", i)
		switch {
		case a.At < 0:
			return invalid(field+".At", "%s is negative", a.At)
		case i > 0 && a.At < w.Recorded[i-1].At:
			return invalid(field+".At", "%s is before the one that stands before it", a.At)
		case a.Lifetime < 0:
			return invalid(field+".Lifetime", "%s is negative", a.Lifetime)
		case a.Client.IsValid() && a.Client.Unmap().Is6() != w.Service.Is6():
			return invalid(field+".Client", "%s is not of the service's address family", a.Client)
		}
		needClients = needClients || !a.Client.IsValid()
		needLifetime = needLifetime || a.Lifetime == 0
	}
	if len(w.Recorded) == 0 {
		if err := w.Arrivals.validate(); err != nil {
			return err
		}
	} else if w.Arrivals != (Arrivals{}) {
		return invalid("Arrivals", "%s: there is a recorded list, which comes instead", w.Arrivals)
	}
	if needClients || w.Clients != (Clients{}) {
		if err := w.Clients.validate("Clients", w.Service.Is6()); err != nil {
			return err
		}
	}
	if needLifetime || w.Lifetime != (Lifetime{}) {
		return w.Lifetime.validate()
	}
	return nil
}

func (s Server) validate(field string) error {
	switch {
	case !(s.Speed >= 0) || math.IsInf(s.Speed, 0):
		return invalid(field+".Speed", "%s is not a number from 0", formatFloat(s.Speed))
	case s.Slots < 0:
		return invalid(field+".Slots", "%d is negative", s.Slots)
	}
	return nil
}

func (w *Workload) duration() time.Duration {
	if n := len(w.Recorded); w.Duration == 0 && n > 0 {
		return w.Recorded[n-1].At
	}
	return w.Duration
}

// MarshalJSON writes the duration as text.
func (w Workload) MarshalJSON() ([]byte, error) {
	type plain Workload // without these methods
	return json.Marshal(struct {
		plain
		Duration span `json:"duration,omitzero"`
	}{plain(w), span(w.Duration)})
}

// UnmarshalJSON reads the duration as text. It leaves Progress alone.
func (w *Workload) UnmarshalJSON(text []byte) error {
	type plain Workload // without these methods
	p := struct {
		*plain
		Duration *span `json:"duration"`
	}{(*plain)(w), (*span)(&w.Duration)}
	return json.Unmarshal(text, &p)
}

// arrivalJSON is an arrival with its times as text.
type arrivalJSON struct {
	At       span       `json:"at"`
	Client   netip.Addr `json:"client,omitzero"`
	Lifetime span       `json:"lifetime,omitzero"`
}

// MarshalJSON writes the times as text.
func (a Arrival) MarshalJSON() ([]byte, error) {
	return json.Marshal(arrivalJSON{span(a.At), a.Client, span(a.Lifetime)})
}

// UnmarshalJSON reads the times as text.
func (a *Arrival) UnmarshalJSON(text []byte) error {
	var j arrivalJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	*a = Arrival{time.Duration(j.At), j.Client, time.Duration(j.Lifetime)}
	return nil
}
