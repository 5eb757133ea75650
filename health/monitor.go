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

	mu        sync.Mutex
	running   bool
	order     []lvs.ServiceID // of the table
	services  map[lvs.ServiceID]*service
	watches   map[watchKey]*watch
	queue     queue
	overrides map[serverKey]Override
	events    []Event         // that OnEvent has not seen
	changed   bool            // OnChange has not been called
	probes    *sync.WaitGroup // of the Run
	left      int             // probes under way whose results are not wanted any more
	stepAt    time.Time       // when weights change without a probe; zero is never
}

// Options configures a [Monitor]. The zero value checks from this host.
type Options struct {
	// Network opens the connections of [Direct] checks; nil is the host's.
	Network Network

	// Paths prepares the targets of checks on other paths. A check of a path that is not
	// here is refused.
	Paths map[Path]PathFunc

	// OnEvent is called for each event, in order, in the goroutine of Run, which does
	// nothing until it returns. nil calls nothing.
	OnEvent func(Event)

	// OnChange is called, in the same way, when what [Monitor.Table] returns may have
	// changed.
	OnChange func()
}

// PathFunc prepares a target for a path: it sets Addr and Network.
type PathFunc func(Target) (Target, error)

// serverKey names a real server of a service.
type serverKey struct {
	service lvs.ServiceID
	server  netip.AddrPort
}

// service is a service of the table, with its policy.
type service struct {
	lvs.TableService
	policy  Policy
	members []*member
	weights []Weight  // as they were last
	below   bool      // too few servers work
	weighAt time.Time // when weights are to be looked at; zero is never
}

// member is a real server of a service.
type member struct {
	service *service
	server  lvs.RealServer
	watches []*watch

	state   State
	since   time.Time // when state changed
	had     int       // its weight in the kernel's table when that was last seen; -1 if not in it
	ramp    time.Time // when slow start began; zero if it gets all of its weight
	load    load
	differs bool // its content is not that of most others
}

// New returns a Monitor of an empty table. It checks nothing before [Monitor.Run].
func New(o Options) (*Monitor, error) {
	for path, f := range o.Paths {
		if f == nil || path == Direct || path == "" {
			return nil, invalid("Paths", "%q needs a function, and only other paths than %q have one", path, Direct)
		}
	}
	return &Monitor{o: o, wake: make(chan struct{}, 1), services: map[lvs.ServiceID]*service{}, watches: map[watchKey]*watch{}}, nil
}

// Set makes a table the one that is checked, with the policies of some of its services.
// Servers of other services count as working. What is known of servers whose checks stay
// the same is kept.
//
// The error matches [lvs.ErrInvalid] and names the field, or is that of a [PathFunc];
// nothing has changed then.
func (m *Monitor) Set(table lvs.Table, policies map[lvs.ServiceID]Policy) error {
	if err := table.Validate(); err != nil {
		return err
	}
	if err := validate(table, policies, m.o.Paths); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	next, watches, err := m.build(table, policies)
	if err != nil {
		return err
	}
	m.replace(table, next, watches)
	m.note()
	return nil
}

// build makes the services of a table and the watches that they need, and changes
// nothing. Watches that exist are taken.
func (m *Monitor) build(table lvs.Table, policies map[lvs.ServiceID]Policy) (map[lvs.ServiceID]*service, map[watchKey]*watch, error) {
	services, watches := map[lvs.ServiceID]*service{}, map[watchKey]*watch{}
	for _, t := range table.Services {
		s := &service{TableService: t, policy: policies[t.ID]}
		s.RealServers, s.policy.Limit.Sorry = slices.Clone(t.RealServers), slices.Clone(s.policy.Limit.Sorry)
		if err := m.join(s, watches); err != nil {
			return nil, nil, within(fmt.Sprintf("Policies[%s]", t.ID), err)
		}
		services[t.ID] = s
	}
	return services, watches, nil
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
		mb := &member{service: s, server: server, had: -1}
		for _, c := range checks {
			w, err := m.watch(watches, c, s.ID, server)
			if err != nil {
				return err
			}
			mb.watches = append(mb.watches, w)
		}
		s.members = append(s.members, mb)
	}
	return nil
}

// watch returns the watch of a check, which others may share.
func (m *Monitor) watch(watches map[watchKey]*watch, c keyedCheck, id lvs.ServiceID, server lvs.RealServer) (w *watch, err error) {
	t := Target{Service: id, Server: unmap(server.Addr), Mode: server.Mode, Network: m.o.Network}
	if t.Server.Port() == 0 {
		t.Server = netip.AddrPortFrom(t.Server.Addr(), id.AddrPort().Port())
	}
	t.Addr = t.Server
	key := keyOf(c, t)
	if w = watches[key]; w != nil {
		return w, nil
	}
	if w = m.watches[key]; w == nil {
		if prepare := m.o.Paths[c.Path]; prepare != nil {
			if t, err = prepare(t); err != nil {
				return nil, err
			}
		}
		w = newWatch(key, c.Check, t)
	}
	watches[key] = w
	return w, nil
}

// replace makes services the ones that are checked.
func (m *Monitor) replace(table lvs.Table, services map[lvs.ServiceID]*service, watches map[watchKey]*watch) {
	m.adopt(services)
	for key, w := range m.watches {
		if watches[key] == nil {
			w.users = nil
			m.leave(w)
		}
	}
	var fresh []*watch
	for _, w := range watches {
		w.users = nil // and those of the new table follow
		if m.watches[w.key] == nil {
			fresh = append(fresh, w)
		}
	}
	m.services, m.watches, m.order, m.stepAt = services, watches, nil, time.Time{}
	for _, t := range table.Services {
		m.order = append(m.order, t.ID)
		for _, mb := range services[t.ID].members {
			for _, w := range mb.watches {
				w.users = append(w.users, mb)
			}
		}
	}
	if m.running {
		m.schedule(fresh)
	}
	now := time.Now()
	for _, id := range m.order {
		for _, mb := range services[id].members {
			m.settle(mb, now)
		}
		m.weighBy(services[id], now)
		if services[id].policy.SameContent {
			m.compare(services[id])
		}
	}
	m.stepBy(now)
	m.changed = true
}

// adopt gives new members what is known of the old ones.
func (m *Monitor) adopt(services map[lvs.ServiceID]*service) {
	for id, s := range services {
		was := m.services[id]
		if was == nil {
			continue
		}
		s.below = was.below
		old := map[netip.AddrPort]*member{}
		for _, mb := range was.members {
			old[mb.server.Addr] = mb
		}
		for _, mb := range s.members {
			if o := old[mb.server.Addr]; o != nil {
				mb.state, mb.since, mb.had, mb.ramp, mb.load = o.state, o.since, o.had, o.ramp, o.load
				mb.differs = o.differs && s.policy.SameContent
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

// SetOverrides makes these overrides the ones that count. Those of servers that are not
// in the table wait for them. The error matches [lvs.ErrInvalid]; nothing has changed
// then.
func (m *Monitor) SetOverrides(all []Override) error {
	overrides := make(map[serverKey]Override, len(all))
	for i, o := range all {
		if err := o.Validate(); err != nil {
			return within(indexed("Overrides", i), err)
		}
		key := serverKey{o.Service, unmap(o.Server)}
		if _, twice := overrides[key]; twice {
			return invalid(indexed("Overrides", i), "%s -> %s is there twice", o.Service, o.Server)
		}
		overrides[key] = o
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if maps.Equal(overrides, m.overrides) {
		return nil
	}
	m.overrides = overrides
	now := time.Now()
	for _, s := range m.services {
		m.weighBy(s, now)
	}
	m.stepBy(now)
	return nil
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
	return rest
}

// due begins the probes that are due, gives up those that are late, and moves weights.
func (m *Monitor) due(ctx context.Context, now time.Time) time.Duration {
	for len(m.queue) > 0 && !m.queue[0].due.After(now) {
		w := m.queue[0]
		if w.running != nil {
			m.giveUp(w, now)
			continue
		}
		m.probe(ctx, w, now)
	}
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
