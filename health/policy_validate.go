package health

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/golvs/lvs"
)

// within puts a field in front of that of an error.
func within(field string, err error) error {
	if e := (*InvalidError)(nil); errors.As(err, &e) {
		return &InvalidError{field + "." + e.Field, e.Problem}
	}
	return err
}

// validate refuses policies that do not fit the table.
func validate(table lvs.Table, policies map[lvs.ServiceID]Policy, paths map[Path]PathFunc) error {
	services := make(map[lvs.ServiceID]lvs.TableService, len(table.Services))
	for _, s := range table.Services {
		services[s.ID] = s
	}
	for id, p := range policies {
		field := fmt.Sprintf("Policies[%s]", id)
		s, ok := services[id]
		if !ok {
			return invalid(field, "the table has no such service")
		}
		if err := p.Validate(s); err != nil {
			return within(field, err)
		}
		if err := p.validatePaths(paths); err != nil {
			return within(field, err)
		}
	}
	return nil
}

// Validate returns the error with which [Monitor.Set] would refuse the policy for a
// service, or nil. It matches [lvs.ErrInvalid] and names the field.
func (p Policy) Validate(s lvs.TableService) error {
	if err := validateChecks("Checks", p.Checks); err != nil {
		return err
	}
	for addr, checks := range p.Servers {
		field := fmt.Sprintf("Servers[%s]", addr)
		if !slices.ContainsFunc(s.RealServers, func(r lvs.RealServer) bool { return r.Addr == addr }) {
			return invalid(field, "the service has no such real server")
		}
		if err := validateChecks(field, checks); err != nil {
			return err
		}
	}
	switch p.Failed {
	case "", Quiesce, Remove:
	default:
		return invalid("Failed", "%q is neither %q nor %q", p.Failed, Quiesce, Remove)
	}
	if err := p.Limit.validate(s); err != nil {
		return within("Limit", err)
	}
	if err := p.SlowStart.validate(s.Scheduler); err != nil {
		return within("SlowStart", err)
	}
	if err := p.Load.validate(); err != nil {
		return within("Load", err)
	}
	return nil
}

func (p Policy) validatePaths(paths map[Path]PathFunc) error {
	lists := map[string][]Check{"Checks": p.Checks}
	for addr, checks := range p.Servers {
		lists[fmt.Sprintf("Servers[%s]", addr)] = checks
	}
	for field, checks := range lists {
		for i, c := range checks {
			if c.Path != "" && c.Path != Direct && paths[c.Path] == nil {
				return invalid(indexed(field, i)+".Path", "this monitor has no path %q", c.Path)
			}
		}
	}
	return nil
}

func validateChecks(field string, checks []Check) error {
	for i, c := range checks {
		if err := c.validate(); err != nil {
			return within(indexed(field, i), err)
		}
	}
	return nil
}

// least is the shortest time between two probes.
const least = 10 * time.Millisecond

func (c Check) validate() error {
	if c.Probe == nil {
		return invalid("Probe", "must be set")
	}
	if v, ok := c.Probe.(interface{ validate() error }); ok {
		if err := v.validate(); err != nil {
			return within("Probe", err)
		}
	}
	for _, d := range []struct {
		field string
		value time.Duration
	}{{"Interval", c.Interval}, {"Failing", c.Failing}, {"Timeout", c.Timeout}} {
		if d.value != 0 && d.value < least {
			return invalid(d.field, "%s is less than %s", d.value, least)
		}
	}
	switch {
	case c.Path != "" && c.Path != Direct && c.Path != ThroughIPVS:
		return invalid("Path", "%q is neither %q nor %q", c.Path, Direct, ThroughIPVS)
	case c.Rise < 0:
		return invalid("Rise", "%d is negative", c.Rise)
	case c.Fall < 0:
		return invalid("Fall", "%d is negative", c.Fall)
	}
	return nil
}

func (l Limit) validate(s lvs.TableService) error {
	set := 0
	for _, is := range []bool{l.Share != 0, l.Count != 0, l.Weight != 0} {
		if is {
			set++
		}
	}
	switch {
	case l.Then != "" && !slices.Contains([]Action{KeepAll, SorryServer, Withdraw, Report}, l.Then):
		return invalid("Then", "%q is not an action", l.Then)
	case set > 1:
		return invalid("Share", "only one of Share, Count and Weight may be set")
	case set == 0 && (l.Hysteresis != 0 || l.Then != "" || len(l.Sorry) > 0):
		return invalid("Share", "one of Share, Count and Weight must be set")
	case set == 1 && l.Then == "":
		return invalid("Then", "must say what to do below the limit")
	case !(l.Share >= 0 && l.Share <= 1): // a NaN is neither
		return invalid("Share", "%g is out of range [0, 1]", l.Share)
	case l.Count < 0:
		return invalid("Count", "%d is negative", l.Count)
	case l.Weight < 0:
		return invalid("Weight", "%d is negative", l.Weight)
	case !(l.Hysteresis >= 0):
		return invalid("Hysteresis", "%g is negative", l.Hysteresis)
	case l.Then == SorryServer && len(l.Sorry) == 0:
		return invalid("Sorry", "must have a real server")
	case l.Then != SorryServer && len(l.Sorry) > 0:
		return invalid("Sorry", "is only for %q", SorryServer)
	}
	return l.validateSorry(s)
}

// validateSorry refuses sorry servers that the service has anyway, or cannot have.
func (l Limit) validateSorry(s lvs.TableService) error {
	seen := map[netip.AddrPort]bool{}
	for _, server := range s.RealServers {
		seen[server.Addr] = true
	}
	for i, server := range l.Sorry {
		field := indexed("Sorry", i)
		if err := server.Validate(s.ID); err != nil {
			return invalid(field, "%v", err)
		}
		if seen[server.Addr] {
			return invalid(field, "%s is a real server of the service already", server.Addr)
		}
		seen[server.Addr] = true
	}
	return nil
}

// useless says why slow start does not work with a scheduler, with what a new server
// beside four with 2,500 connections each gets of the next 1,000.
var useless = map[lvs.Scheduler]string{
	lvs.RR:    "looks at no weights: a new server among five gets 200 of the next 1,000 connections whatever its weight",
	lvs.LC:    "looks at no weights: a new server gets all of the next 1,000 connections whatever its weight, until it has as many as the others",
	lvs.SH:    "finds servers by a table that any other weight changes: all clients would move at each step",
	lvs.DH:    "looks at no weights",
	lvs.FO:    "uses the server of the greatest weight alone: a smaller one gets nothing until it is the greatest",
	lvs.OVF:   "fills servers in the order of their weights: a smaller weight is another limit, not a smaller share",
	lvs.LBLC:  "keeps the clients of a destination on one server, and a weight counts only when that one is chosen",
	lvs.LBLCR: "keeps the clients of a destination on a set of servers, and a weight counts only when one is added",
	lvs.TWOS:  "picks the better of two at random: a small weight makes a server rare, and it then wins whenever it is drawn",
}

func (s SlowStart) validate(scheduler lvs.Scheduler) error {
	switch {
	case s.Window < 0:
		return invalid("Window", "%s is negative", s.Window)
	case s.Window == 0 && (s.From != 0 || s.Curve != 0):
		return invalid("Window", "must be set")
	case s.Window == 0:
		return nil
	case !(s.From >= 0 && s.From <= 1):
		return invalid("From", "%g is out of range [0, 1]", s.From)
	case !(s.Curve >= 0 && s.Curve <= 100):
		return invalid("Curve", "%g is out of range [0, 100]", s.Curve)
	case !slices.Contains(scaled, scheduler) && scheduler != lvs.MH:
		why := useless[scheduler]
		if why == "" {
			why = "is not known here"
		}
		return invalid("Window", "slow start does not suit the scheduler %s, which %s; use wrr, wlc, sed, nq or mh", scheduler, why)
	}
	return nil
}

func (l Load) validate() error {
	switch {
	case !(l.DeadBand >= 0 && l.DeadBand <= 1):
		return invalid("DeadBand", "%g is out of range [0, 1]", l.DeadBand)
	case !(l.Slew >= 0):
		return invalid("Slew", "%g is negative", l.Slew)
	}
	return nil
}

// ended reports whether its time has passed.
func (o Override) ended(now time.Time) bool { return !o.Until.IsZero() && !now.Before(o.Until) }

// takesOut reports whether the server gets no connections by it.
func (o Override) takesOut() bool {
	return o.Kind == Drain || o.Kind == Pin && o.Weight == 0 || o.Kind == Scale && o.Share == 0
}
