package health

import (
	"net/netip"
	"slices"
	"time"

	"github.com/golvs/lvs"
)

// member is a real server of a service.
type member struct {
	service *service
	server  lvs.RealServer
	addr    netip.AddrPort // of the server, as the kernel has it
	failed  Consequence    // what happens when it does not work
	watches []*watch
	live    int // its weight in the kernel's table, while that is looked at

	// lasting is what a new table leaves as it is.
	lasting
}

// failed returns what happens to a server that does not work.
func (p Policy) failed(server netip.AddrPort) Consequence {
	if own, ok := p.FailedServers[server]; ok {
		return own
	}
	return p.Failed
}

// lasting is what is known of a real server.
type lasting struct {
	state    State
	since    time.Time // when state changed
	found    kernelWeight
	starting bool // it works, and how it starts is decided when the kernel's table is seen
	ramp     ramp
	rising   bool // it serves although it failed: it did before, and its last probes succeeded
	load     load
	differs  bool // its content is not that of most others
}

// adopt takes what is known of a server. Its weight does not fall because another slow
// start would not be so far.
func (mb *member) adopt(o *member) {
	mb.lasting = o.lasting
	mb.differs = mb.differs && mb.service.policy.SameContent
	if was := o.service.policy.SlowStart; was != mb.service.policy.SlowStart {
		mb.ramp.least, _ = mb.ramp.at(time.Now(), was, o.service.Scheduler)
	}
}

// settle judges a server by its checks.
func (m *Monitor) settle(mb *member, now time.Time) {
	is, reason := together(mb.watches)
	was := mb.state
	if was == is {
		return
	}
	mb.state, mb.since, mb.ramp, mb.starting = is, now, ramp{}, false
	switch is {
	case Up:
		m.starts(mb, was, now)
	case Down:
		mb.load = load{}
	case Unknown:
		mb.found.known = false // it keeps what it has now, and not what it had before
	}
	mb.rising = false
	if was != "" { // it is not new
		m.events = append(m.events, ServerChanged{mb.service.ID, mb.server.Addr, was, is, reason})
	}
}

// starts begins slow start of a server that works from now on. If nothing was known of it
// before, it goes on from the weight that it has in the kernel's table.
func (m *Monitor) starts(mb *member, was State, now time.Time) {
	switch {
	case mb.service.policy.SlowStart.Window == 0 || mb.rising:
	case was == Down:
		mb.startSlowly(now)
	case !mb.found.known:
		mb.starting = true
	default:
		m.resume(mb, now)
	}
}

// startSlowly begins slow start, if the service has one.
func (mb *member) startSlowly(now time.Time) {
	if mb.service.policy.SlowStart.Window > 0 {
		mb.ramp = ramp{began: now}
	}
}

// resume lets a server that works go on from the weight that it has in the kernel's table.
func (m *Monitor) resume(mb *member, now time.Time) {
	mb.starting = false
	o := m.operated(mb)
	if o.kind == Pin {
		return // the weight says nothing
	}
	whole := o.of(mb.server.Weight) * float64(mb.found.scale) * mb.load.use()
	mb.ramp = mb.service.policy.SlowStart.resume(now, mb.found.weight, whole, mb.service.Scheduler)
}

// answers returns what the checks of a server said last, of those that work. A probe that
// failed takes nothing back until the check has failed.
func (mb *member) answers() []Answer {
	var all []Answer
	for _, w := range mb.watches {
		if w.state == Up {
			all = append(all, w.answer)
		}
	}
	return all
}

// succeeds reports whether the last probes of a server succeeded.
func (mb *member) succeeds() bool {
	return !slices.ContainsFunc(mb.watches, func(w *watch) bool { return !w.ok })
}

// follow takes the share that the checks of a server report, and reports whether the one
// in use changed. One that is reported no more goes back to all of it.
func (mb *member) follow(now time.Time) bool {
	was := mb.load
	share, ok := reported(mb.answers()...)
	if !ok {
		share = 1
	}
	changed := mb.load.take(share, mb.service.policy.Load, now)
	if !ok && mb.load.use() == 1 {
		mb.load, changed = load{}, was.asks()
	}
	if changed && was.use() == 0 {
		mb.startSlowly(now)
	}
	return changed
}

// leaves reports whether a server should not be in the table.
func (mb *member) leaves(w Weight) bool {
	if mb.failed != Remove || w.Effective > 0 {
		return false
	}
	switch w.Held {
	case heldFailed:
		return true
	case heldSorry: // the connections of those that work go on
		return mb.state == Down
	case heldUnknown:
		return mb.found.weight < 0
	}
	return false
}
