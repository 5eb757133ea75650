package health

import (
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
	if err := p.eachCheck(Check.validate); err != nil {
		return err
	}
	if err := p.Failed.validate("Failed"); err != nil {
		return err
	}
	if err := p.validateServers(s); err != nil {
		return err
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

// eachCheck calls a function for each check, in order, until one fails.
func (p Policy) eachCheck(f func(Check) error) error {
	each := func(field string, checks []Check) error {
		for i, c := range checks {
			if err := f(c); err != nil {
				return within(indexed(field, i), err)
			}
		}
		return nil
	}
	if err := each("Checks", p.Checks); err != nil {
		return err
	}
	for _, addr := range inOrder(p.Servers) {
		if err := each(fmt.Sprintf("Servers[%s]", addr), p.Servers[addr]); err != nil {
			return err
		}
	}
	return nil
}

// inOrder returns the servers that have something of their own.
func inOrder[T any](servers map[netip.AddrPort]T) []netip.AddrPort {
	return slices.SortedFunc(maps.Keys(servers), netip.AddrPort.Compare)
}

// validateServers refuses what is for servers that a service does not have.
func (p Policy) validateServers(s lvs.TableService) error {
	has := make(map[netip.AddrPort]bool, len(s.RealServers))
	for _, r := range s.RealServers {
		has[r.Addr] = true
	}
	const problem = "the service has no such real server"
	for _, addr := range inOrder(p.Servers) {
		if !has[addr] {
			return invalid(fmt.Sprintf("Servers[%s]", addr), problem)
		}
	}
	for _, addr := range inOrder(p.FailedServers) {
		field := fmt.Sprintf("FailedServers[%s]", addr)
		if !has[addr] {
			return invalid(field, problem)
		}
		if err := p.FailedServers[addr].validate(field); err != nil {
			return err
		}
	}
	return nil
}

func (c Consequence) validate(field string) error {
	switch c {
	case "", Quiesce, Remove:
		return nil
	}
	return invalid(field, "%q is neither %q nor %q", c, Quiesce, Remove)
}

func (p Policy) validatePaths(paths map[Path]PathFunc) error {
	return p.eachCheck(func(c Check) error {
		if c.Path != "" && c.Path != Direct && paths[c.Path] == nil {
			return invalid("Path", "this monitor has no path %q", c.Path)
		}
		return nil
	})
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
