package workload

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
)

// Run plays a workload on a simulator and returns the report. The
// simulator must have the service, with real servers, and a clock that only
// [lvs.Simulator.Advance] moves, or [Workload.Wait].
//
// A value that can never work is refused with an [*InvalidError] before anything
// happens. When the context ends, Run returns promptly, with the context's error and a
// report of what was done until then. Open connections stay in the simulator, and so do
// the changes that events made to real servers; the simulator can be used further.
func Run(ctx context.Context, sim *lvs.Simulator, w Workload) (*Report, error) {
	r, err := newRun(ctx, sim, w)
	if err != nil {
		return nil, err
	}
	defer r.client.Close()
	err = r.play()
	if err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("workload: after %s: %w", r.now, err)
	}
	return r.report(), err
}

// run is a workload that is being played.
type run struct {
	Workload
	ctx       context.Context
	sim       *lvs.Simulator
	client    *lvs.Client
	served    lvs.Service
	kernel    string
	keepAlive time.Duration // how long a connection is silent at most

	now      time.Duration
	next     arrival // that comes next
	upcoming func() arrival
	changes  []change
	applied  int
	samples  []Sample

	backends []*backend // in the order in which they were added
	index    map[netip.AddrPort]int32
	crowd    *crowd
	conns    connections
	timers   timers
	affinity *affinity

	arrived, refused, lost, broken int
	reasons                        map[string]int
	took                           histogram
	part                           Sample // what has happened since the last sample
	partTime                       float64
	disruptions                    []Disruption
	period                         int // the one whose effect is watched, counted from 1; 0 is none
	counted                        int // arrivals up to which the servers' due is settled
	shares                         []float64
}

// arrival is a connection that arrives.
type arrival struct {
	at      time.Duration
	client  int
	address int
	dest    netip.AddrPort
	work    time.Duration
}

func newRun(ctx context.Context, sim *lvs.Simulator, w Workload) (*run, error) {
	if sim == nil {
		return nil, invalid("Simulator", "is nil")
	}
	if err := w.validate(); err != nil {
		return nil, err
	}
	r := &run{
		Workload: w, ctx: ctx, sim: sim, client: sim.Client(), changes: changesOf(w.Events),
		index: make(map[netip.AddrPort]int32), reasons: make(map[string]int),
	}
	if err := r.prepare(); err != nil {
		r.client.Close()
		return nil, err
	}
	return r, nil
}

func (r *run) prepare() error {
	if err := r.sim.Advance(0); err != nil && r.Wait == nil {
		return invalid("Simulator", "has SimOptions.Clock, which a workload cannot advance: set Wait")
	}
	if err := r.read(); err != nil {
		return err
	}
	if err := r.checkServers(); err != nil {
		return err
	}
	r.crowd = newCrowd(&r.Workload, r.sim.Now())
	r.affinity = newAffinity(r.crowd.len())
	r.shares = r.weightShares()
	r.upcoming = r.arrivals()
	r.next = r.upcoming()
	return nil
}

// read reads the service as it is.
func (r *run) read() error {
	service, err := r.client.Service(r.ctx, r.Service)
	if err != nil {
		return fmt.Errorf("workload: %w", err)
	}
	r.served = service.Service
	servers, err := r.client.RealServers(r.ctx, r.Service)
	if err != nil {
		return fmt.Errorf("workload: %w", err)
	}
	for _, s := range servers {
		r.backend(s.RealServer).inTable = true
	}
	timeouts, err := r.client.Timeouts(r.ctx)
	if err != nil {
		return fmt.Errorf("workload: %w", err)
	}
	r.keepAlive = timeouts.TCP / 2
	switch r.Service.Protocol() {
	case lvs.ProtocolUDP:
		r.keepAlive = timeouts.UDP / 2
	case lvs.ProtocolSCTP:
		r.keepAlive = 450 * time.Second // half of what cannot be changed
	}
	host := r.sim.Host()
	defer host.Close()
	r.kernel, err = host.Sysctl(r.ctx, "kernel.osrelease")
	return err
}

// backend returns the real server of an address, which it makes if there is none.
func (r *run) backend(s lvs.RealServer) *backend {
	if i, ok := r.index[s.Addr]; ok {
		return r.backends[i]
	}
	b := &backend{RealServer: s, Server: r.Server, before: s.Weight, since: r.now}
	if own, ok := r.Servers[s.Addr]; ok {
		b.Server = own
	}
	r.index[s.Addr] = int32(len(r.backends))
	r.backends = append(r.backends, b)
	return b
}

// arrivals returns a function that returns the connections in order of time. Time,
// client and lifetime each have their own random source, so that changing one does
// not change the others.
func (r *run) arrivals() func() arrival {
	source := func(n uint64) *rand.Rand { return rand.New(rand.NewPCG(r.Seed, n)) }
	times, lifetimes := r.Arrivals.times(source(1)), source(3)
	var who, where func() int
	if r.Clients.Count > 0 {
		who = r.Clients.draw(source(2))
	}
	dest := destination(r.Service)
	var spread spread
	if r.Destinations.Count > 0 {
		where, spread = r.Destinations.draw(source(4)), r.destinations()
	}
	n := 0
	return func() (a arrival) {
		var known Arrival
		if r.Recorded == nil {
			a.at = times()
		} else {
			if n == len(r.Recorded) {
				return arrival{at: forever}
			}
			known = r.Recorded[n]
			a.at, a.work = known.At, known.Lifetime
		}
		n++
		if known.Client.IsValid() {
			a.client = r.crowd.known[known.Client.Unmap()]
		} else {
			a.client = who()
		}
		if a.work == 0 {
			a.work = r.Lifetime.draw(lifetimes)
		}
		a.address, a.dest = r.crowd.address(a.client), dest
		if where != nil {
			a.dest = netip.AddrPortFrom(spread.at(r.Destinations.addressOf(where())), dest.Port())
		}
		return a
	}
}

// destinations are where the clients of a firewall mark connect to: not their own
// addresses, unless the workload says so.
func (r *run) destinations() spread {
	d := r.Destinations
	if !d.From.IsValid() {
		d.From = netip.MustParsePrefix("172.16.0.0/12")
		if r.Service.Is6() {
			d.From = netip.MustParsePrefix("2001:db8:8000::/33")
		}
	}
	return d.spread(r.Service.Is6())
}

// destination returns where a service's clients connect to, unless the workload
// says more of it.
func destination(id lvs.ServiceID) netip.AddrPort {
	dest := id.AddrPort()
	if id.FWMark() != 0 {
		dest = netip.MustParseAddrPort("192.0.2.1:80")
		if id.Is6() {
			dest = netip.MustParseAddrPort("[2001:db8::1]:80")
		}
	}
	if dest.Port() == 0 {
		dest = netip.AddrPortFrom(dest.Addr(), 80)
	}
	return dest
}

// play plays everything in order of time. What is due at the same moment comes in the
// order of the cases.
func (r *run) play() error {
	end := r.duration()
	for n := 1; ; n++ {
		if n&0x3ff == 0 {
			if err := r.pause(); err != nil {
				return err
			}
		}
		change, sample := r.nextChange(), r.nextSample()
		at := min(r.timers.next(), change, sample, r.next.at)
		if at > end {
			return nil
		}
		if err := r.advance(at); err != nil {
			return err
		}
		var err error
		switch at {
		case r.timers.next():
			err = r.remind(r.timers.pop())
		case change:
			err = r.change()
		case r.next.at:
			err = r.arrive(&r.next)
			r.next = r.upcoming()
		case sample:
			r.sample()
			err = r.pause()
		}
		if err != nil {
			return err
		}
	}
}

// pause reports the progress, and whether to go on.
func (r *run) pause() error {
	if r.Progress != nil {
		r.Progress(Progress{Done: r.now, Of: r.duration(), Arrived: r.arrived})
	}
	return context.Cause(r.ctx)
}

func (r *run) advance(to time.Duration) error {
	if to == r.now {
		return nil
	}
	passes := to - r.now
	r.now = to
	if r.Wait == nil {
		return r.sim.Advance(passes)
	}
	r.Wait(passes)
	return r.follow()
}

// nextSample returns the end of the part of the time that is now.
func (r *run) nextSample() time.Duration {
	n := len(r.samples) + 1
	switch wanted := r.samplesWanted(); {
	case n > wanted:
		return forever
	case n == wanted:
		return r.duration()
	default:
		return r.duration() / time.Duration(wanted) * time.Duration(n)
	}
}

// refuse notes that a client got no server.
func (r *run) refuse(client int, why string) {
	r.refused++
	r.part.Refused++
	r.reasons[why]++
	r.affinity.wasRefused(client)
}

// arrive lets a client connect.
func (r *run) arrive(a *arrival) error {
	r.arrived++
	r.part.Arrived++
	port, ok := r.crowd.port(a.address, func(yield func(uint16)) { r.conns.portsOf(a.address, yield) })
	if !ok {
		r.refuse(a.client, "the client's address has no port left")
		return nil
	}
	c := conn{client: int32(a.client), address: int32(a.address), port: port, dest: a.dest, arrived: r.now, work: a.work}
	p := r.packet(&c, opens)
	v, err := r.sim.Deliver(p)
	if err != nil {
		return err
	}
	i, known := r.index[v.Server]
	if v.Action != lvs.ActionForwarded || !known {
		r.crowd.release(a.address, port)
		r.refuse(a.client, v.Reason.String())
		return nil
	}
	b := r.backends[i]
	b.connections++
	r.affinity.came(a.client, i)
	if b.dead {
		b.lost++
		r.lost++
		r.part.Lost++
		r.crowd.release(a.address, port)
		return nil
	}
	c.server, c.nat, c.serverPort = i, v.Mode == lvs.NAT(), v.Port
	if err := r.handshake(&c); err != nil {
		return err
	}
	b.count(+1, r.now)
	id := r.conns.add(c)
	if b.Slots > 0 && b.busy >= b.Slots {
		b.line.push(ticket{id, r.conns.at(id).number})
		r.conns.at(id).ends = forever
		r.setTimer(id)
		return nil
	}
	r.serve(id, b)
	return nil
}

// serve lets a server begin with a connection.
func (r *run) serve(id int32, b *backend) {
	c := r.conns.at(id)
	b.busy++
	c.served = true
	c.ends = r.now + min(b.takes(c.work, r.now), forever-r.now)
	r.setTimer(id)
}

// setTimer reminds of a connection at its end, or earlier, before the director
// forgets it.
func (r *run) setTimer(id int32) {
	c := r.conns.at(id)
	at := c.ends
	if r.keepAlive > 0 {
		at = min(at, r.now+r.keepAlive)
	}
	c.timer++
	r.timers.push(timer{at, id, c.timer})
}

// remind lets a connection end, or sends a packet so that the director keeps it.
func (r *run) remind(t timer) error {
	c := r.conns.at(t.conn)
	if c.timer != t.number {
		return nil
	}
	if c.ends > r.now {
		r.setTimer(t.conn)
		return r.send(c, carries)
	}
	b := r.backends[c.server]
	r.ended(c, b)
	if err := r.farewell(c); err != nil {
		return err
	}
	r.forget(t.conn, b)
	for b.Slots > 0 && b.busy < b.Slots {
		next, ok := b.line.pop()
		if !ok {
			break
		}
		if r.conns.at(next.conn).number == next.number {
			r.serve(next.conn, b)
		}
	}
	return nil
}

// ended notes how long a connection took.
func (r *run) ended(c *conn, b *backend) {
	took := r.now - c.arrived
	r.took.add(took)
	r.part.Ended++
	r.partTime += took.Seconds()
	b.took.n++
	b.took.sum += took.Seconds()
}

// forget takes a connection from its server.
func (r *run) forget(id int32, b *backend) {
	c := r.conns.at(id)
	if c.served {
		b.busy--
	}
	b.count(-1, r.now)
	r.crowd.release(int(c.address), c.port)
	r.conns.remove(id)
}

// cut breaks all connections of a server.
func (r *run) cut(b *backend) {
	server := r.index[b.Addr]
	for id := range r.conns.all {
		if c := &r.conns.all[id]; c.open && c.server == server {
			r.broken++
			r.part.Broken++
			b.broken++
			r.forget(int32(id), b)
		}
	}
	b.line.clear()
}

// sample ends a part of the time.
func (r *run) sample() {
	r.settleDue()
	s := r.part
	s.At = r.now
	s.Connections, s.Active = make([]int, len(r.backends)), make([]int, len(r.backends))
	got, due := make([]float64, len(r.backends)), make([]float64, len(r.backends))
	for i, b := range r.backends {
		s.Connections[i], s.Active[i] = b.connections-b.sampled, b.active
		got[i], due[i] = float64(s.Connections[i]), b.due-b.sampledDue
		b.sampled, b.sampledDue = b.connections, b.due
	}
	s.Imbalance = perDue(got, due)
	if s.Ended > 0 {
		s.Time = r.partTime / float64(s.Ended)
	}
	r.samples = append(r.samples, s)
	r.part, r.partTime = Sample{}, 0
}

// settleDue adds to each server what it was due of the connections since the last
// change of weights.
func (r *run) settleDue() {
	n := float64(r.arrived - r.counted)
	for i, share := range r.shares {
		r.backends[i].due += n * share
	}
	r.counted = r.arrived
}

func (r *run) weightShares() []float64 {
	weights := make([]float64, len(r.backends))
	for i, b := range r.backends {
		weights[i] = float64(b.effective())
	}
	return shares(weights)
}

// samplesWanted returns how many samples there will be.
func (r *run) samplesWanted() int {
	return int(min(time.Duration(cmp.Or(r.Samples, defaultSamples)), max(1, r.duration())))
}
