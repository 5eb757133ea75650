package director

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/golvs/lvs/health"
)

// openPath lets checks go through IPVS, unless the program has a way of its own for them.
// Nothing is changed before a policy asks for it.
func (d *Director) openPath(o *health.Options) (err error) {
	if o.Paths[health.ThroughIPVS] != nil {
		return nil
	}
	if d.path, err = health.NewTablePath(d.client, d.o.Path); err != nil {
		return err
	}
	o.Paths = maps.Clone(o.Paths)
	if o.Paths == nil {
		o.Paths = map[health.Path]health.PathFunc{}
	}
	o.Paths[health.ThroughIPVS] = d.path.Prepare
	return nil
}

// meetPath makes the services that the checks of a target need, which other programs may
// have removed.
func (r *run) meetPath(ctx context.Context, target *Update) error {
	if r.path == nil || !r.onPath && !target.goesThroughIPVS() {
		return nil
	}
	if r.watched == target && r.urgent {
		return nil // another program would be seen at the next look
	}
	r.onPath = true
	return r.path.Set(ctx, target.Table, target.Health)
}

// closeTimeout is how long Run may take at its end to remove the services of checks, of
// which there may be thousands.
const closeTimeout = 5 * time.Second

// leavePath removes the services of checks.
func (r *run) leavePath(ctx context.Context) {
	if !r.onPath {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	if err := r.path.Close(ctx); err != nil {
		r.o.Logger.Log(ctx, slog.LevelWarn, "director: services of checks are left: "+err.Error())
	}
}

// goesThroughIPVS reports whether a check asks for that path.
func (u *Update) goesThroughIPVS() bool {
	through := func(checks []health.Check) bool {
		return slices.ContainsFunc(checks, func(c health.Check) bool { return c.Path == health.ThroughIPVS })
	}
	for _, p := range u.Health {
		if through(p.Checks) || slices.ContainsFunc(slices.Collect(maps.Values(p.Servers)), through) {
			return true
		}
	}
	return false
}
