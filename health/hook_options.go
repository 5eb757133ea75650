package health

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/golvs/lvs"
)

// HookOptions configures a [Hook]. It runs for the events that all of Events, States,
// Services and Servers admit.
type HookOptions struct {
	Path string   `json:"path"` // program, which is run without a shell; must be absolute
	Args []string `json:"args"` // its arguments
	Env  []string `json:"env"`  // more of its environment, in the form "NAME=value"

	Events   []EventKind      `json:"events"`   // it runs for these; none is all
	States   []string         `json:"states"`   // it runs for what is "up", "down", "unknown", "below" or "above" now; none is all
	Services []lvs.ServiceID  `json:"services"` // it runs for events of these; none is all
	Servers  []netip.AddrPort `json:"servers"`  // it runs for events of these real servers; none is all, and those of a service as a whole

	Timeout time.Duration `json:"timeout"` // of one run; 0 is 10 s
	Queue   int           `json:"queue"`   // how many events may wait, the oldest being dropped beyond that; 0 is 1000
}

// MarshalJSON returns the options in JSON. Fields that are zero are left out, and Timeout
// is a text such as "10s".
func (o HookOptions) MarshalJSON() ([]byte, error) { return encode(&o) }

// UnmarshalJSON reads what MarshalJSON returns, as that of [Policy] does.
func (o *HookOptions) UnmarshalJSON(text []byte) error { return decode(text, o) }

const (
	defaultHookTimeout = 10 * time.Second
	defaultHookQueue   = 1000
	longestHookTimeout = time.Hour
	longestHookQueue   = 1_000_000
)

// states are what a server or a limit can be.
var states = []string{string(Up), string(Down), string(Unknown), below, above}

// Validate returns an error that matches [lvs.ErrInvalid] if the hook can never work.
func (o HookOptions) Validate() error { return within("HookOptions", o.validate()) }

func (o HookOptions) validate() error {
	if err := (Exec{Path: o.Path, Args: o.Args, Env: o.Env}).validate(); err != nil {
		return err
	}
	for i, kind := range o.Events {
		if !slices.Contains(eventKinds, kind) {
			return invalid(indexed("Events", i), "%q is not one of %q", kind, eventKinds)
		}
	}
	for i, state := range o.States {
		if !slices.Contains(states, state) {
			return invalid(indexed("States", i), "%q is not one of %q", state, states)
		}
	}
	for i, id := range o.Services {
		if !id.IsValid() {
			return invalid(indexed("Services", i), "must be set")
		}
	}
	for i, addr := range o.Servers {
		if !addr.IsValid() {
			return invalid(indexed("Servers", i), "must be set")
		}
	}
	switch {
	case o.Timeout < 0 || o.Timeout > longestHookTimeout:
		return invalid("Timeout", "%s is out of range [0s, %s]", o.Timeout, longestHookTimeout)
	case o.Queue < 0 || o.Queue > longestHookQueue:
		return invalid("Queue", "%d is out of range [0, %d]", o.Queue, longestHookQueue)
	}
	return nil
}

// complete returns the options with their defaults, and with addresses as events have them.
func (o HookOptions) complete() HookOptions {
	o.Timeout, o.Queue = cmp.Or(o.Timeout, defaultHookTimeout), cmp.Or(o.Queue, defaultHookQueue)
	o.Servers = slices.Clone(o.Servers)
	for i, addr := range o.Servers {
		o.Servers[i] = unmap(addr)
	}
	return o
}

// admits reports whether the hook runs for an event.
func (o *HookOptions) admits(t *eventText) bool {
	return among(o.Events, t.Event) && among(o.States, t.Is) && among(o.Services, t.Service) && among(o.Servers, unmap(t.Server))
}

// among reports whether a value is in a list, or the list is empty.
func among[T comparable](all []T, value T) bool { return len(all) == 0 || slices.Contains(all, value) }

// Hooks are the hooks of a table by their names, which tell them apart in a status and when
// they change.
type Hooks map[string]HookOptions

// MarshalJSON returns an object of the hooks by their names.
func (h Hooks) MarshalJSON() ([]byte, error) { return encode(&h) }

// UnmarshalJSON reads what MarshalJSON returns, as that of [Policy] does.
func (h *Hooks) UnmarshalJSON(text []byte) error { return decode(text, h) }

// Validate returns an error that matches [lvs.ErrInvalid] if a hook can never work, or is
// for a service or a real server that the table does not have. Its field begins with the
// name of the hook in brackets.
func (h Hooks) Validate(table lvs.Table) error {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		o, field := h[name], fmt.Sprintf("[%s]", name)
		if !isHookName(name) {
			return invalid(fmt.Sprintf("[%q]", name), "a name must have 1 to %d characters, without spaces, brackets and quotes", longestHookName)
		}
		if err := o.validate(); err != nil {
			return within(field, err)
		}
		if err := o.validateFor(table); err != nil {
			return within(field, err)
		}
	}
	return nil
}

// longestHookName is how many bytes the name of a hook may have.
const longestHookName = 100

func isHookName(name string) bool {
	return name != "" && len(name) <= longestHookName &&
		strings.IndexFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune(` []"`, r) }) < 0
}

// validateFor refuses a hook for what the table does not have, which would never run.
func (o HookOptions) validateFor(table lvs.Table) error {
	for i, id := range o.Services {
		if !slices.ContainsFunc(table.Services, func(s lvs.TableService) bool { return s.ID == id }) {
			return invalid(indexed("Services", i), "the table has no service %s", id)
		}
	}
	for i, addr := range o.Servers {
		has := func(r lvs.RealServer) bool { return unmap(r.Addr) == unmap(addr) }
		if !slices.ContainsFunc(table.Services, func(s lvs.TableService) bool {
			return among(o.Services, s.ID) && slices.ContainsFunc(s.RealServers, has)
		}) {
			return invalid(indexed("Servers", i), "the services have no real server %s", addr)
		}
	}
	return nil
}
