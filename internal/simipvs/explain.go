package simipvs

import (
	"fmt"
	"net/netip"

	"github.com/golvs/lvs/internal/simipvs/sched"
)

// Explanation is what would become of a packet, and why.
type Explanation struct {
	Verdict    Verdict
	Connection *Entry // that the packet belongs to; nil: none
	Outdated   Reason // why the packet does not go by it; 0: it does
	Template   *Entry // that ties the client to a server; nil: none
	Untied     bool   // the template ties nobody any more

	Scheduler string            // that was asked; "" if none was
	Flags     uint32            // of its service
	Pick      sched.Explanation // its
	Hidden    bool              // it cannot be asked without consequences: Verdict says nothing
}

// Suppose is what an explanation takes for true, to see what follows. The zero
// value takes everything as it is.
type Suppose struct {
	Server *netip.AddrPort // that the scheduler picks; not valid: it picks none
	Owner  *Owner          // that the packet's connection is of
	Tied   *Owner          // that the template is of; the zero value: a server that was removed
	Ended  *bool           // whether the packet's connection has ended, such that a new one may be opened
	Forgot bool            // conntrack knows no connection
}

// Explain tells what Deliver would do with a packet, and changes nothing.
func (k *Kernel) Explain(p *Packet, supposed Suppose) (x Explanation, err error) {
	l := look{packet: p, suppose: supposed, told: &x}
	if err := p.ends(&l.ends); err != nil {
		return x, err
	}
	k.lock()
	defer k.mu.Unlock()
	l.Kernel = k
	o, err := l.receive()
	if err == nil {
		k.tell(o, &x.Verdict)
	}
	return x, err
}

// look goes with a packet where Deliver goes, step by step, and leaves no traces.
type look struct {
	*Kernel
	packet  *Packet
	ends    ends
	suppose Suppose
	told    *Explanation
}

func (l *look) receive() (outcome, error) {
	o, err := l.balance()
	if err == nil && !l.suppose.Forgot && l.wouldDropClash(l.packet, &l.ends, &o) {
		o.action, o.reason = Dropped, Conntracked
	}
	return o, err
}

func (l *look) balance() (outcome, error) {
	if l.services.of(l.ends.family) == 0 {
		return outcome{action: Passed, reason: NoService}, nil
	}
	id, reply := l.find(&l.ends)
	if !reply && l.refusesServer(l.packet, &l.ends) {
		return outcome{action: Refused, reason: NoConnection}, nil
	}
	if id == 0 {
		if l.ignoresRequests() {
			return outcome{action: Passed, reason: BackupOnly}, nil
		}
		return l.open()
	}
	c := l.owned(*l.conns.at(id), l.suppose.Owner)
	l.told.Connection = l.entry(c)
	switch {
	case reply:
		return outcome{action: Replied, reason: Connected, conn: l.after(*c, fromServer)}, nil
	case l.ignoresRequests():
		return outcome{action: Passed, reason: BackupOnly}, nil
	}
	l.told.Outdated = l.outdated(c)
	switch why := l.told.Outdated; {
	case why == 0:
		return transmit(Connected, l.after(*c, fromClient)), nil
	case why == ServerRemoved && l.sysctl.expireNodestConn == 0:
		return outcome{action: Dropped, reason: ServerRemoved, conn: c}, nil
	case !l.suppose.Forgot && l.knows(c, l.packet):
		return outcome{action: Dropped, reason: Conntracked}, nil
	}
	return l.open()
}

// owned returns a connection, or a template, as it would be if it were an owner's.
func (l *look) owned(c conn, by *Owner) *conn {
	if by == nil {
		return &c
	}
	d := l.named(by.Service, by.Server)
	if d == nil {
		c.dest = 0
		return &c
	}
	c.dest, c.method = d.ID, uint8(d.method)
	c.flags |= connNoOutput
	if c.method == methodMasq {
		c.flags &^= connNoOutput
	}
	return &c
}

func (l *look) ignoresRequests() bool { return l.sysctl.backupOnly != 0 && l.daemons.backupRuns() }

func (l *look) outdated(c *conn) Reason {
	why, ended := l.Kernel.outdated(c, l.packet), l.suppose.Ended
	switch {
	case ended == nil || why != 0 && why != Reused:
		return why
	case *ended:
		return Reused
	}
	return 0
}

// after returns the connection as it would be after the packet. It is nobody's
// while it goes there, so that nobody is told.
func (l *look) after(c conn, direction int) *conn {
	dest, template := c.dest, c.control
	c.dest, c.control = 0, 0
	l.follow(&c, l.packet, direction)
	c.dest, c.control = dest, template
	return &c
}

func (l *look) open() (outcome, error) {
	s := l.serviceFor(l.packet.Mark, &l.ends)
	if s == nil {
		return outcome{action: Passed, reason: NoService}, nil
	}
	o := outcome{action: Passed, reason: NotOpening}
	switch {
	case !l.opens(l.packet):
	case s.engine != "" && s.flags&flagPersistent != 0 && l.packet.Protocol == protoUDP:
		return o, fmt.Errorf("the persistence engine %s is not simulated: %w", s.engine, ErrUnsupported)
	case l.wouldDrop():
		o = outcome{action: Dropped, reason: DropRate}
	default:
		o = l.schedule(s)
	}
	o.service = s
	return o, nil
}

func (l *look) wouldDrop() bool {
	counter := l.dropCounter
	defer func() { l.dropCounter = counter }()
	return l.drops()
}

func (l *look) schedule(s *service) outcome {
	switch {
	case l.ends.sport == ftpDataPort:
		return outcome{action: Passed, reason: FromFTPData}
	case s.flags&flagPersistent != 0:
		return l.schedulePersistent(s)
	case s.key.mark == 0 && l.ends.dport != s.key.port:
		return l.leave(s, OtherPort)
	}
	d := l.pick(s)
	switch {
	case d == nil:
		return l.leave(s, NoServer)
	case l.full():
		return outcome{action: Dropped, reason: TooMany}
	}
	return l.begin(Scheduled, s, d, d.portFor(l.ends.dport))
}

func (l *look) schedulePersistent(s *service) outcome {
	d, why, more := l.tied(s), ByTemplate, 0
	if d == nil {
		if d = l.pick(s); d == nil {
			return l.leave(s, NoServer)
		}
		why, more = Scheduled, 1 // the template comes before the connection
	}
	if l.fullWith(more) {
		return outcome{action: Dropped, reason: TooMany}
	}
	port := l.ends.dport
	if port == s.key.port {
		port = d.portFor(port)
	}
	return l.begin(why, s, d, port)
}

// tied returns the server to which a template ties the client, nil if none does.
func (l *look) tied(s *service) *dest {
	key := templateKey(s, &l.ends)
	id := l.findTemplate(&key)
	if id == 0 {
		return nil
	}
	t := l.owned(*l.conns.at(id), l.suppose.Tied)
	l.told.Template, l.told.Untied = l.entry(t), !l.valid(t)
	if l.told.Untied {
		return nil
	}
	return l.dests[t.dest]
}

// pick asks the scheduler, or takes what is supposed of it.
func (l *look) pick(s *service) *dest {
	l.told.Scheduler, l.told.Flags = s.scheduler, s.flags
	if l.suppose.Server != nil {
		return s.dests[*l.suppose.Server]
	}
	f := l.flowOf(s, l.packet)
	x, ok := s.group.Explain(&f)
	l.told.Pick, l.told.Hidden = x, !ok
	if x.Server == nil {
		return nil
	}
	return l.dests[x.Server.ID]
}

// begin returns what would become of the packet if it opened a connection.
func (l *look) begin(why Reason, s *service, d *dest, port uint16) outcome {
	c := l.fresh(uint8(d.method))
	c.dest, c.destPort = d.ID, port
	if c.method != methodMasq {
		c.flags |= connNoOutput
	}
	if s.flags&flagOnePacket != 0 && c.protocol == protoUDP {
		c.flags |= connOnePacket
	}
	l.leaveToConntrack(&c)
	return transmit(why, l.after(c, fromClient))
}

func (l *look) fresh(method uint8) conn {
	return conn{
		client: l.ends.src, virtual: l.ends.dst, clientPort: l.ends.sport, vport: l.ends.dport,
		protocol: l.ends.protocol, family: uint8(l.ends.family), method: method,
	}
}

func (l *look) leave(s *service, why Reason) outcome {
	switch {
	case !l.bypasses(s, l.packet):
		return l.refuse(s, &l.ends, why)
	case l.full():
		return outcome{action: Dropped, reason: TooMany}
	}
	c := l.fresh(methodBypass)
	if s.flags&flagOnePacket == 0 || c.protocol != protoUDP {
		l.leaveToConntrack(&c)
	}
	return transmit(Bypassed, l.after(c, fromClient))
}

// entry is a connection as it is listed.
func (k *Kernel) entry(c *conn) *Entry {
	server := netip.IPv4Unspecified()
	if c.family == inet6 {
		server = netip.IPv6Unspecified()
	}
	if d := k.dests[c.dest]; d != nil {
		server = d.Addr.Addr()
	}
	return &Entry{
		Protocol: c.protocol, State: c.stateName(), Expires: int(k.left(c)),
		Client: netip.AddrPortFrom(addrOf(uint32(c.family), &c.client), c.clientPort),
		VIP:    netip.AddrPortFrom(addrOf(uint32(c.family), &c.virtual), c.vport),
		Server: netip.AddrPortFrom(server, c.destPort),
	}
}

// Recount makes a server count as many connections as another kernel's, whatever
// connections there are, and closes it from its upper threshold on.
func (k *Kernel) Recount(service ServiceName, server netip.AddrPort, to Counts) {
	k.lock()
	defer k.mu.Unlock()
	if d := k.named(service, server); d != nil {
		d.Active, d.Inactive, d.persistent = int32(to.Active), int32(to.Inactive), int32(to.Persistent)
		d.Overloaded = d.upper != 0 && d.total() >= d.upper
		k.counted(d)
	}
}

// OpenDoubtful finds the servers of a service of which counts and thresholds do not
// tell whether they are closed since they reached the upper one, and opens them.
func (k *Kernel) OpenDoubtful(service ServiceName) (servers []netip.AddrPort) {
	k.lock()
	defer k.mu.Unlock()
	s := k.byName(service)
	if s == nil {
		return nil
	}
	for server := range s.group.All() {
		if d := k.dests[server.ID]; k.mayBeClosed(d) {
			d.Overloaded = false
			k.counted(d)
			servers = append(servers, d.Addr)
		}
	}
	return servers
}

// mayBeClosed reports whether a server may be closed or not, by its counts and
// thresholds. Older kernels look at them when a connection comes or goes, and not
// when thresholds are lowered: one that has as many connections as the upper
// threshold may be open, and one that has fewer than its lower threshold, if that
// was raised, may be closed.
func (k *Kernel) mayBeClosed(d *dest) bool {
	switch total := d.total(); {
	case d.upper == 0 || total == 0:
		return false
	case k.totals:
		return total >= d.floor() && total < d.upper
	case d.lower != 0:
		return true
	default:
		return total >= d.floor()
	}
}

// Close lets a server take no new connections, as one that reached its upper
// threshold.
func (k *Kernel) Close(service ServiceName, server netip.AddrPort) {
	k.lock()
	defer k.mu.Unlock()
	if d := k.named(service, server); d != nil {
		d.Overloaded = true
		k.counted(d)
	}
}
