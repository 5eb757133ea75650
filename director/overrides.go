package director

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
)

// Override decides something about a real server, in place of what was decided about it
// before. It holds for tables that come later too, until [Director.TakeBack] or its time
// ends it, and also for a real server that is not wanted yet. Since becomes now if it is
// zero. With [Options.OverridesFile] the override is written there first, and outlives the
// process.
//
// It fails with [lvs.ErrInvalid] for an override that cannot work, with
// [lvs.TableOptions.KeepWeights], and as [PutOverride] if the file cannot be written.
// Nothing has changed then.
func (d *Director) Override(o health.Override) error {
	if d.o.Table.KeepWeights {
		return invalid("Table.KeepWeights", "leaves weights to other programs, so that no override can change them")
	}
	return d.decide(overrideChange{put: &o})
}

// TakeBack ends an override before its time, and reports whether there was one. It fails
// as [RemoveOverride] if the file cannot be written.
func (d *Director) TakeBack(service lvs.ServiceID, server netip.AddrPort) (found bool, err error) {
	err = d.decide(overrideChange{service: service, server: server, found: &found})
	return found, err
}

// Overrides returns what operators have decided and has not ended, ordered by service and
// real server.
func (d *Director) Overrides() []health.Override {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(d.overrides), hasEnded(time.Now()))
}

// decide changes the overrides, in the file first if there is one.
func (d *Director) decide(change overrideChange) (err error) {
	d.deciding.Lock()
	defer d.deciding.Unlock()
	var all []health.Override
	if d.o.OverridesFile == "" {
		all, err = change.of(d.Overrides())
	} else {
		all, err = changeOverrides(d.o.OverridesFile, change)
	}
	if err != nil {
		return err
	}
	return d.override(all)
}

// override makes overrides hold.
func (d *Director) override(all []health.Override) error {
	if err := d.monitor.SetOverrides(all); err != nil {
		return err
	}
	d.ask(func(a *asked) { d.overrides, a.override = all, true })
	return nil
}

// overrideChange puts an override, or removes the one of a real server.
type overrideChange struct {
	put     *health.Override
	service lvs.ServiceID
	server  netip.AddrPort
	found   *bool // whether there was one to remove
}

// of returns overrides after the change, in order, without those that have ended.
func (c overrideChange) of(all []health.Override) ([]health.Override, error) {
	key, now := driftKey{c.service, plain(c.server)}, time.Now()
	if c.put != nil {
		if err := c.put.Validate(); err != nil {
			return nil, err
		}
		key = keyOfOverride(*c.put)
	}
	all = slices.DeleteFunc(slices.Clone(all), hasEnded(now))
	rest := slices.DeleteFunc(slices.Clone(all), func(o health.Override) bool { return keyOfOverride(o) == key })
	if c.found != nil {
		*c.found = len(rest) < len(all)
	}
	if c.put != nil {
		o := normal(*c.put)
		if o.Since.IsZero() {
			o.Since = normal(health.Override{Since: now}).Since
		}
		rest = append(rest, o)
	}
	slices.SortFunc(rest, func(a, b health.Override) int {
		return cmp.Or(a.Service.Compare(b.Service), plain(a.Server).Compare(plain(b.Server)))
	})
	return rest, nil
}

// normal returns an override as it is after it was written and read.
func normal(o health.Override) health.Override {
	o.Server, o.Since, o.Until = plain(o.Server), o.Since.UTC().Round(0), o.Until.UTC().Round(0)
	return o
}

func keyOfOverride(o health.Override) driftKey { return driftKey{o.Service, plain(o.Server)} }

// hasEnded returns whether an override has ended at a time.
func hasEnded(now time.Time) func(health.Override) bool {
	return func(o health.Override) bool { return !o.Until.IsZero() && !now.Before(o.Until) }
}
