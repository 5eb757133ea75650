package health

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/golvs/lvs"
)

// within puts a field in front of that of an error.
func within(field string, err error) error {
	if e := (*InvalidError)(nil); errors.As(err, &e) {
		return &InvalidError{joinPath(field, e.Field), e.Problem}
	}
	return err
}

// validate refuses policies that do not fit the table.
func validate(table lvs.Table, policies map[lvs.ServiceID]Policy, paths map[Path]PathFunc) error {
	services := make(map[lvs.ServiceID]lvs.TableService, len(table.Services))
	for _, s := range table.Services {
		services[s.ID] = s
	}
	for _, id := range slices.SortedFunc(maps.Keys(policies), lvs.ServiceID.Compare) {
		p, field := policies[id], fmt.Sprintf("Policies[%s]", id)
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
	for _, addr := range slices.SortedFunc(maps.Keys(p.Servers), netip.AddrPort.Compare) {
		field := fmt.Sprintf("Servers[%s]", addr)
		if err := validateServer(field, s, addr); err != nil {
			return err
		}
		if err := validateChecks(field, p.Servers[addr]); err != nil {
			return err
		}
	}
	if err := p.Failed.validate("Failed"); err != nil {
		return err
	}
	for _, addr := range slices.SortedFunc(maps.Keys(p.FailedServers), netip.AddrPort.Compare) {
		field := fmt.Sprintf("FailedServers[%s]", addr)
		if err := cmp.Or(validateServer(field, s, addr), p.FailedServers[addr].validate(field)); err != nil {
			return err
		}
	}
	if err := p.Limit.validate(s); err != nil {
		return within("Limit", err)
	}
	if err := p.SlowStart.validate(s.Scheduler); err != nil {
		return within("SlowStart", err)
	}
	if err := p.Load.validate(s.Scheduler); err != nil {
		return within("Load", err)
	}
	return nil
}

// validateServer refuses the address of a server that a service does not have.
func validateServer(field string, s lvs.TableService, addr netip.AddrPort) error {
	if slices.ContainsFunc(s.RealServers, func(r lvs.RealServer) bool { return r.Addr == addr }) {
		return nil
	}
	return invalid(field, "the service has no such real server")
}

func (c Consequence) validate(field string) error {
	switch c {
	case "", Quiesce, Remove:
		return nil
	}
	return invalid(field, "%q is neither %q nor %q", c, Quiesce, Remove)
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
	if err := validateProbe(c.Probe); err != nil {
		return within("Probe", err)
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
	case c.Path == ThroughIPVS && isDirectOnly(c.Probe):
		return invalid("Path", "%s does not go through IPVS; give it a check of its own with the path %q", describe(c.Probe), Direct)
	case silenceOf(c.Probe) >= c.complete().Timeout:
		return invalid("Timeout", "%s ends before the probe knows that the server is silent, after %s", c.complete().Timeout, silenceOf(c.Probe))
	case c.Rise < 0:
		return invalid("Rise", "%d is negative", c.Rise)
	case c.Fall < 0:
		return invalid("Fall", "%d is negative", c.Fall)
	}
	return nil
}

// ended reports whether its time has passed.
func (o Override) ended(now time.Time) bool { return !o.Until.IsZero() && !now.Before(o.Until) }
