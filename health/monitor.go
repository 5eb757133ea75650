package health

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/golvs/lvs"
)

// Monitor checks the real servers of a table, and says which weights follow from that:
// see the package documentation. [New] returns one. Its methods may be called from any
// goroutine.
//
// A server that has a weight in the kernel's table keeps it until a check has decided,
// and another one gets none before its first success. So a program that is started again
// changes nothing that no check asked for.
type Monitor struct {
	o    Options
	wake chan struct{} // has an element when there is something for Run to do

	mu      sync.Mutex // guards what follows
	running bool
	setting
	queue     queue
	overrides map[serverKey]Override
	events    []Event         // that OnEvent has not seen
	changed   bool            // OnChange has not been called
	probes    *sync.WaitGroup // of this Run
	left      int             // probes under way whose results are not wanted any more
	conns     connector       // of probes that only connect
	stepAt    time.Time       // when weights change without a probe; zero is never
}

// Options configures a [Monitor]. The zero value checks from this host.
type Options struct {
	// Network opens the connections of [Direct] checks; nil is the host's.
	Network Network

	// Paths prepares the targets of checks on other paths, such as [TablePath.Prepare] does.
	// A check on a path that is not here is refused.
	Paths map[Path]PathFunc

	// OnEvent is called for each event, in order, in the goroutine of Run. No probe begins
	// until it returns. nil calls nothing.
	OnEvent func(Event)

	// OnChange is called in the same way when what [Monitor.Table] returns may have changed.
	OnChange func()
}

// PathFunc prepares a target for a path: it sets Addr, Network and Via. A Monitor calls it
// before the first probe of a target, in the goroutine of that probe. While it returns an
// error, the probe fails for that reason, and the function is called again for the next one.
// It is called from many goroutines, and has no more time than the probe.
type PathFunc func(Target) (Target, error)

// service is a service of the table, with its policy.
type service struct {
	lvs.TableService
	policy         Policy
	members        []*member
	weights        []Weight  // as they were last
	below          bool      // too few servers work
	told           bool      // an event has said on which side of its limit it is
	weighAt        time.Time // when weights are to be looked at; zero is never
	weighed        time.Time // when they were last
	contentChanged bool      // and is to be compared when weights are looked at
}

// New returns a Monitor of an empty table. It checks nothing before [Monitor.Run].
func New(o Options) (*Monitor, error) {
	for path, f := range o.Paths {
		switch {
		case path != ThroughIPVS:
			return nil, invalid("Paths", "%q cannot have a function; only %q can", path, ThroughIPVS)
		case f == nil:
			return nil, invalid("Paths", "the function of %q is nil", path)
		}
	}
	return &Monitor{o: o, wake: make(chan struct{}, 1)}, nil
}

// Set makes a table the one that is checked, with the policies of some of its services.
// Servers of other services count as working. What is known of servers whose probes stay
// the same is kept, also if the times of checks change. A server that is asked something
// else keeps its weight until that has decided.
//
// The error matches [lvs.ErrInvalid] and names the field; nothing has changed then.
func (m *Monitor) Set(table lvs.Table, policies map[lvs.ServiceID]Policy) error {
	if err := table.Validate(); err != nil {
		return err
	}
	if err := validate(table, policies, m.o.Paths); err != nil {
		return err
	}
	next, err := m.build(table, policies)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.replace(next)
	m.note()
	return nil
}

// setting is what a Monitor checks.
type setting struct {
	order    []lvs.ServiceID // of the table
	services map[lvs.ServiceID]*service
	watches  map[watchKey]*watch
}

// build makes the services of a table and the watches that they need, as if nothing were
// known of them. The Monitor need not be locked.
func (m *Monitor) build(table lvs.Table, policies map[lvs.ServiceID]Policy) (setting, error) {
	next := setting{services: make(map[lvs.ServiceID]*service, len(table.Services)), watches: map[watchKey]*watch{}}
	for _, t := range table.Services {
		s := &service{TableService: t, policy: policies[t.ID]}
		s.RealServers, s.policy.Limit.Sorry = slices.Clone(t.RealServers), slices.Clone(s.policy.Limit.Sorry)
		if err := m.join(s, next.watches); err != nil {
			return next, within(fmt.Sprintf("Policies[%s]", t.ID), err)
		}
		next.order, next.services[t.ID] = append(next.order, t.ID), s
	}
	return next, nil
}

// join makes the members of a service.
func (m *Monitor) join(s *service, watches map[watchKey]*watch) error {
	common, err := keyed("Checks", s.policy.Checks)
	if err != nil {
		return err
	}
	for _, server := range s.RealServers {
		checks := common
		if own, ok := s.policy.Servers[server.Addr]; ok {
			if checks, err = keyed(fmt.Sprintf("Servers[%s]", server.Addr), own); err != nil {
				return err
			}
		}
		mb := &member{service: s, server: server, addr: unmap(server.Addr), failed: s.policy.failed(server.Addr), lasting: lasting{found: unseen}}
		for _, c := range checks {
			mb.watches = append(mb.watches, m.watch(watches, c, mb))
		}
		s.members = append(s.members, mb)
	}
	return nil
}

// watch returns the watch of a check, which other members may share.
func (m *Monitor) watch(watches map[watchKey]*watch, c keyedCheck, mb *member) *watch {
	t := Target{Service: mb.service.ID, Server: mb.addr, Mode: mb.server.Mode, Network: m.o.Network}
	if t.Server.Port() == 0 {
		t.Server = netip.AddrPortFrom(t.Server.Addr(), t.Service.AddrPort().Port())
	}
	t.Addr = t.Server
	key := keyOf(c, t)
	if watches[key] == nil {
		watches[key] = newWatch(key, c, t, m.o.Paths[c.Path])
	}
	return watches[key]
}

// replace makes a setting the one that is checked. Watches that exist stay.
func (m *Monitor) replace(next setting) {
	m.adopt(next.services)
	for key, w := range m.watches {
		w.users = nil // and those of the new table follow
		if next.watches[key] == nil {
			m.leave(w)
		}
	}
	var fresh []*watch
	for key, w := range next.watches {
		if was := m.watches[key]; was != nil {
			next.watches[key] = was
		} else {
			fresh = append(fresh, w)
		}
	}
	inherit(fresh, m.watches)
	m.setting, m.stepAt = next, time.Time{}
	if m.running {
		m.schedule(fresh)
	}
	now := time.Now()
	for _, id := range m.order {
		s := m.services[id]
		for _, mb := range s.members {
			m.attach(mb)
			m.settle(mb, now)
		}
		s.contentChanged = s.policy.SameContent
		m.weighBy(s, now)
	}
	m.stepBy(now)
	m.changed = true
}

// inherit gives new watches what is known from others of the same target and probe, whose
// times are others.
func inherit(fresh []*watch, known map[watchKey]*watch) {
	if len(fresh) == 0 {
		return
	}
	others := make(map[watchKey]*watch, len(known))
	for _, w := range known {
		if o := others[w.asks()]; o == nil || w.last.After(o.last) {
			others[w.asks()] = w
		}
	}
	for _, w := range fresh {
		if o := others[w.asks()]; o != nil {
			w.answered, w.target, w.path = o.answered, o.target, o.path
		}
	}
}

// asks returns what the watch has in common with others that ask the same, at other times.
func (w *watch) asks() watchKey {
	key := w.key
	key.check = w.probe
	return key
}

// attach gives a member the watches that the Monitor has.
func (m *Monitor) attach(mb *member) {
	for i, w := range mb.watches {
		w = m.watches[w.key]
		mb.watches[i], w.users = w, append(w.users, mb)
	}
}

// adopt gives new members what is known of the old ones.
func (m *Monitor) adopt(services map[lvs.ServiceID]*service) {
	for id, s := range services {
		was := m.services[id]
		if was == nil {
			continue
		}
		s.below, s.told = was.below, was.told && was.policy.Limit.Then == s.policy.Limit.Then
		old := make(map[netip.AddrPort]*member, len(was.members))
		for _, mb := range was.members {
			old[mb.addr] = mb
		}
		for _, mb := range s.members {
			if o := old[mb.addr]; o != nil {
				mb.adopt(o)
			}
		}
	}
}

// schedule begins to check.
func (m *Monitor) schedule(fresh []*watch) {
	spread(fresh, time.Now())
	for _, w := range fresh {
		m.queue.set(w, w.due)
	}
}

// note wakes Run.
func (m *Monitor) note() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

var errRunning = errors.New("health: Run is already running")

// Run checks until the context ends, and returns its cause. Probes that are under way end
// with it; Run waits a second for those that do not. It may be called again after it
// returned, and then goes on with what is known.
//
// On Linux, Run itself opens the connections of probes that only connect from this host,
// in its goroutine. Each other probe has a goroutine of its own.
func (m *Monitor) Run(ctx context.Context) error {
	if err := m.begin(); err != nil {
		return err
	}
	defer m.end()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		timer.Reset(m.work(ctx))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-m.wake:
		}
	}
	return context.Cause(ctx)
}

func (m *Monitor) begin() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running {
		return errRunning
	}
	m.running, m.probes = true, new(sync.WaitGroup)
	m.schedule(slices.Collect(maps.Values(m.watches)))
	return nil
}

// patience is how long Run waits for probes that do not end when their contexts do.
const patience = time.Second

// end cancels the probes that are under way, and waits for them.
func (m *Monitor) end() {
	m.mu.Lock()
	for _, w := range m.watches {
		m.leave(w)
	}
	probes := m.probes
	m.mu.Unlock()
	m.stopWaiting()
	done := make(chan struct{})
	go func() { probes.Wait(); close(done) }()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
	m.mu.Lock()
	m.running = false
	m.mu.Unlock()
}

// work does what is due, reports what happened, and returns how long nothing is due.
func (m *Monitor) work(ctx context.Context) time.Duration {
	m.mu.Lock()
	rest := m.due(ctx, time.Now())
	events, changed := m.events, m.changed
	m.events, m.changed = nil, false
	m.mu.Unlock()
	if m.o.OnEvent != nil {
		for _, e := range events {
			m.o.OnEvent(e)
		}
	}
	if changed && m.o.OnChange != nil {
		m.o.OnChange()
	}
	if changed || len(events) > 0 {
		return 0 // what was called may have taken its time
	}
	return rest
}

// due begins the probes that are due, gives up those that are late, and moves weights.
func (m *Monitor) due(ctx context.Context, now time.Time) time.Duration {
	for early := 0; len(m.queue) > 0; {
		w := m.queue[0]
		if w.due.After(now) {
			if early++; early > mostEarly || w.due.Sub(now) > w.early() {
				break
			}
		}
		switch {
		case w.running == nil:
			m.probe(ctx, w, now)
		case w.running.socket != nil:
			m.connectionLate(w)
		default:
			m.giveUp(w, now)
		}
	}
	m.lookAtFresh()
	if !m.stepAt.IsZero() && !m.stepAt.After(now) {
		m.step(now)
	}
	rest := time.Hour
	if len(m.queue) > 0 {
		rest = m.queue[0].due.Sub(now)
	}
	if !m.stepAt.IsZero() {
		rest = min(rest, m.stepAt.Sub(now))
	}
	return max(0, rest)
}
