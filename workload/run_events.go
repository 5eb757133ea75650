package workload

import (
	"fmt"
	"slices"
	"time"

	"github.com/golvs/lvs"
)

// change is an event, or the half of one, at its time.
type change struct {
	Event
	field int // which of the workload's events
}

// changesOf returns what happens, in order of time. A failure happens twice: when
// the server fails, and when that is noticed.
func changesOf(events []Event) []change {
	var all []change
	for i, e := range events {
		all = append(all, change{e, i})
		if e.what == fail {
			e.what = noticed
			e.at += min(e.delay, forever-e.at)
			all = append(all, change{e, i})
		}
	}
	slices.SortStableFunc(all, func(a, b change) int { return int(max(-1, min(1, a.at-b.at))) })
	return all
}

// checkServers refuses a workload that no server could ever serve, and events and
// settings of servers that do not exist.
func (r *run) checkServers() error {
	if len(r.backends) == 0 && !slices.ContainsFunc(r.Events, func(e Event) bool { return e.what == add }) {
		return invalid("Service", "%s has no real servers", r.Service)
	}
	if r.served.Scheduler == lvs.NoScheduler {
		return invalid("Service", "%s has no scheduler, so it accepts no connections", r.Service)
	}
	here, dead := make(map[string]bool), make(map[string]bool)
	some := false
	for _, b := range r.backends {
		here[b.Addr.String()] = true
		some = some || b.Weight > 0
	}
	known := func(addr string) bool { _, ok := here[addr]; return ok }
	for _, ch := range r.changes {
		addr := ch.server.String()
		problem := ""
		switch {
		case ch.what == add && here[addr]:
			problem = "already exists"
		case (ch.what == back || ch.what.ofServer()) && !known(addr):
			problem = "never existed"
		case (ch.what == remove || ch.what == drain || ch.what == weigh || ch.what == fail) && !here[addr]:
			problem = "does not exist at that time"
		}
		if problem != "" {
			return invalid(fmt.Sprintf("Events[%d].Server", ch.field), "%s: %s %s", ch.Event, ch.server, problem)
		}
		switch ch.what {
		case add, back:
			here[addr], dead[addr] = true, false
		case remove:
			here[addr] = false
		case fail:
			dead[addr] = true
		case noticed:
			here[addr] = here[addr] && !dead[addr]
		}
		some = some || ch.weight > 0 || ch.what == back
	}
	if !some && r.Wait == nil {
		return invalid("Service", "all %d real servers of %s have weight 0, so every connection would be refused", len(r.backends), r.Service)
	}
	for addr := range r.Servers {
		if !known(addr.String()) {
			return invalid("Servers", "%s is not a real server of %s", addr, r.Service)
		}
	}
	return nil
}

func (r *run) nextChange() time.Duration {
	if r.applied == len(r.changes) {
		return forever
	}
	return r.changes[r.applied].at
}

// change makes all changes of a moment.
func (r *run) change() error {
	tableChanged := false
	d := r.beginDisruption()
	for r.nextChange() == r.now {
		ch := r.changes[r.applied]
		r.applied++
		if err := r.apply(ch.Event); err != nil {
			return err
		}
		d.Events = append(d.Events, ch.short())
		tableChanged = tableChanged || ch.what != fail && !ch.what.ofServer()
	}
	r.endDisruption(d, tableChanged)
	return nil
}

func (r *run) beginDisruption() Disruption {
	r.settleDue()
	return Disruption{At: r.now, Ordinary: r.affinity.ordinary(), Broken: -r.broken}
}

// endDisruption begins to watch which clients move because of changes that were made.
func (r *run) endDisruption(d Disruption, tableChanged bool) {
	was := r.shares
	r.shares = r.weightShares()
	d.Least = leastMoved(was, r.shares)
	d.Broken += r.broken
	r.disruptions = append(r.disruptions, d)
	if tableChanged {
		r.endPeriod()
		r.period = len(r.disruptions)
		r.affinity.begin()
	}
}

// endPeriod notes which clients moved since the last change of the table.
func (r *run) endPeriod() {
	if r.period > 0 {
		d, a := &r.disruptions[r.period-1], r.affinity
		d.Returned, d.Moved, d.Refused = a.returned, a.moved, a.refused
		d.Share = ratio(a.moved, a.returned)
	}
}

// apply makes one change.
func (r *run) apply(e Event) error {
	if e.what == add {
		return r.add(e)
	}
	b := r.backends[r.index[e.server]]
	switch e.what {
	case remove:
		return r.takeOut(b)
	case drain:
		b.before = b.Weight
		return r.setWeight(b, 0)
	case weigh:
		return r.setWeight(b, e.weight)
	case fail, breaks:
		b.dead = true
		r.cut(b)
	case noticed:
		if b.dead && b.inTable {
			return r.takeOut(b)
		}
	case fixes:
		b.dead = false
		b.warm(r.now, e.delay)
	case slows:
		b.slow = e.delay
	case back:
		b.dead = false
		b.warm(r.now, e.delay)
		if !b.inTable {
			b.Weight, b.inTable = b.before, true
			return r.client.AddRealServer(r.ctx, r.Service, b.RealServer)
		}
		if b.Weight == 0 {
			return r.setWeight(b, b.before)
		}
	}
	return nil
}

func (r *run) add(e Event) error {
	s := lvs.NewRealServer(e.server, lvs.DR())
	if len(r.backends) > 0 {
		s.Mode = r.backends[0].Mode
	}
	b := r.backend(s)
	b.Weight, b.inTable, b.dead = e.weight, true, false
	return r.client.AddRealServer(r.ctx, r.Service, b.RealServer)
}

func (r *run) takeOut(b *backend) error {
	b.inTable = false
	if b.Weight > 0 {
		b.before = b.Weight
	}
	r.cut(b)
	return r.client.RemoveRealServer(r.ctx, r.Service, b.Addr)
}

func (r *run) setWeight(b *backend, weight int) error {
	b.Weight = weight
	return r.client.SetWeight(r.ctx, r.Service, b.Addr, weight)
}
