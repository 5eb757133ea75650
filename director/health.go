package director

import (
	"cmp"
	"context"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
)

// weightPause is the least time between looks that weights ask for. The first one that
// changes is applied at once, and those that come right behind it together.
const weightPause = 50 * time.Millisecond

// maxChecked is how many events of the monitor wait while Run is busy. After that the
// monitor waits as well.
const maxChecked = 1024

// watch makes the monitor.
func (d *Director) watch() (err error) {
	o := d.o.Health
	if err := d.openPath(&o); err != nil {
		return err
	}
	d.paths = o.Paths
	d.checked = make(chan health.Event, maxChecked)
	o.OnEvent = func(e health.Event) { d.checked <- e }
	o.OnChange = func() { d.ask(func(a *asked) { a.weights = true }) }
	d.monitor, err = health.New(o)
	return err
}

// needMonitor starts the monitor if there is something for it to do: checks or overrides.
func (r *run) needMonitor(ctx context.Context) {
	if r.endOfMonitor != nil || (r.watched == nil || len(r.watched.Health) == 0) && len(r.decided) == 0 {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = r.monitor.Run(ctx) // only the context ends it
	}()
	r.endOfMonitor = func() {
		cancel()
		for {
			select {
			case <-r.checked: // nothing can follow from it now
			case <-ended:
				return
			}
		}
	}
}

// endMonitor waits for the end of the monitor, if it was started.
func (r *run) endMonitor() {
	if r.endOfMonitor != nil {
		r.endOfMonitor()
	}
}

// checkHealth refuses checks that can never be made, or whose weights cannot be applied.
func (d *Director) checkHealth(u Update) error {
	if len(u.Health) > 0 && d.o.Table.KeepWeights {
		return invalid("Health", "cannot work with Table.KeepWeights: the weights of services that are checked follow from that")
	}
	if err := (Config{u.Table, u.Health, u.Hooks}).Validate(); err != nil {
		return err
	}
	for id, p := range u.Health {
		for _, checks := range append(slices.Collect(maps.Values(p.Servers)), p.Checks) {
			for _, c := range checks {
				if path := cmp.Or(c.Path, health.Direct); path != health.Direct && d.paths[path] == nil {
					return invalid("Health", "%s has a check on the path %q, which is not in Options.Health.Paths", id, path)
				}
			}
		}
	}
	if d.path != nil {
		return d.path.Validate(u.Table, u.Health)
	}
	return nil
}

// reportHealth reports what the monitor has reported so far.
func (r *run) reportHealth() {
	for range len(r.checked) {
		r.reportChecked(<-r.checked)
	}
}

// mayLook returns when a look may follow because weights have changed.
func (r *run) mayLook() time.Time {
	pause := weightPause
	if r.looks.last != "" {
		pause = r.o.Backoff // what failed a moment ago fails again
	}
	now := time.Now()
	if next := r.lookedAt.Add(pause); next.After(now) {
		return next
	}
	return now
}

// follow looks at the table if the weights that it should have are others now.
func (r *run) follow() {
	known := r.left != nil && r.looks.last == "" && len(r.unsure) == 0 && !r.urgent
	if known && r.monitor.Table(r.left.table()).Equal(r.goal) {
		return
	}
	r.urgent = true
	r.lookBy(r.mayLook())
}

// compareHealthy goes on from a comparison with a target to what checks and overrides
// make of it.
func (r *run) compareHealthy(ctx context.Context, table lvs.Table, a attempt) (attempt, error) {
	target := a.target
	if err := r.meetPath(ctx, target); err != nil {
		return a, err
	}
	if r.watched != target {
		if err := r.monitor.Set(target.Table, target.Health); err != nil {
			return a, err
		}
		r.setHooks(target.Hooks)
		r.watched = target
	}
	want := r.monitor.Table(table)
	if !want.Equal(target.Table) {
		var err error
		if a, err = r.compareWeights(table, target, want); err != nil {
			return a, err
		}
	}
	return a, r.addNotes(ctx, &a)
}

// compareWeights compares with a table whose weights are those of the monitor. Real
// servers that failed and are to be removed get weight 0 first, while others are added
// and begin to drain, and are then removed at once: they need no drain.
func (r *run) compareWeights(table lvs.Table, target *Update, want lvs.Table) (attempt, error) {
	quiet, failed := withFailed(want, target.Table, leftOf(table))
	if !failed || r.o.Table.Drain == 0 {
		return r.compareWith(table, target, want)
	}
	a, err := r.compareWith(table, target, quiet)
	if a.more = true; err != nil || len(a.plan.Steps) > 0 {
		return a, err
	}
	a.more, a.options.Drain = false, 0
	a.plan, err = lvs.Diff(table, want, a.options)
	return a, err
}

// withFailed returns a table with those real servers of a wanted one that it lacks and
// the kernel has, at their places and with weight 0, and whether there are any.
func withFailed(t, wanted lvs.Table, have left) (all lvs.Table, some bool) {
	healthy := leftOf(t)
	for _, s := range wanted.Services {
		in := healthy[s.ID]
		rest, there := placesOf(in.RealServers), placesOf(have[s.ID].RealServers)
		servers := make([]lvs.RealServer, 0, len(s.RealServers))
		for _, server := range s.RealServers {
			addr := plain(server.Addr)
			_, exists := there[addr]
			if at, ok := rest[server.Addr]; ok {
				servers = append(servers, in.RealServers[at])
				delete(rest, server.Addr)
			} else if exists {
				server.Weight, some = 0, true
				servers = append(servers, server)
			}
		}
		for _, server := range in.RealServers { // those that stand in
			if _, ok := rest[server.Addr]; ok {
				servers = append(servers, server)
			}
		}
		in.RealServers = servers
		all.Services = append(all.Services, in)
	}
	return all, some
}

// standsIn reports whether a real server is one that serves when too few others work.
func (u *Update) standsIn(id lvs.ServiceID, addr netip.AddrPort) bool {
	return slices.ContainsFunc(u.Health[id].Limit.Sorry, func(s lvs.RealServer) bool { return plain(s.Addr) == plain(addr) })
}
