package simipvs

import (
	"net/netip"
	"slices"

	"github.com/golvs/lvs/internal/simipvs/sched"
)

// decision is what happens to a packet: the verdict, and what commit has to do. Making
// one changes nothing but the scheduler, if [Kernel.Deliver] has to ask it.
type decision struct {
	action  Action
	reason  Reason
	service *service // that the packet is for, if it was looked up
	conn    *conn    // that the packet follows, or opens; nil: none
	dest    *dest    // the connection's server; nil: none, or a bypass

	effect   effect
	met      connID // the connection of the packet's ends, whether the packet follows it or not
	outdated Reason // why the packet does not follow it; 0: it does
	ends     bool   // the connection that was met ends
	tracked  bool   // netfilter knows it
	begins   bool   // netfilter begins an entry with it
	ignored  bool   // netfilter ignores it
	read     bool   // the kernel's persistence engine looked for its key
	template connID // of the client; 0: none
	invalid  bool   // the template no longer ties the client to a server
	ties     bool   // a new template ties the client to the server
	sampled  bool   // drop_packet counts the packet
	clashes  bool   // netfilter cannot enter the packet, see clash
	again    bool   // netfilter looks at the packet again, behind NAT

	ftp     *ftpStep        // nil: no helper acts
	rewrite *Rewrite        // nil: no helper changes the packet
	foreign *netip.AddrPort // where data of FTP come from, if from no real server
}

// effect is what a packet does to its connection.
type effect uint8

const (
	effectNone    effect = iota
	effectRequest        // it comes from the client
	effectReply          // it comes from the server
	effectOpening        // it comes from the client, and opens the connection
	effectStopped        // it comes from the server, and a helper stops it
	effectReverse        // it comes from the server, and opens the connection
)

// world is what [Kernel.Explain] supposes, and where it notes how the scheduler picks.
// [Kernel.Deliver] has none.
type world struct {
	Suppose
	scheduler string // that was asked; "": none
	flags     uint32 // of its service
	pick      sched.Explanation
	hidden    bool     // it cannot be asked without consequences
	unread    string   // the engine that would read the packet, if that had data
	keys      []string // that it may find there
	about     connID   // the connection of the packet that an ICMP error quotes, if that is known; 0: it is looked up
}

// decide finds out what happens to a packet. Netfilter sees it before IPVS does, and
// once more when it leaves.
func (k *Kernel) decide(d *decision, p *Packet, e *ends, w *world) error {
	var begun track
	tracks := k.tracks(e.family) && p.isTracked() && (w == nil || w.Tracked == nil)
	if tracks {
		begun, d.tracked = k.begins(p, e)
		d.ignored = d.tracked && k.ignores(p, e)
	}
	if err := k.balance(d, p, e, w); err != nil {
		return err
	}
	k.stopBypass(d, w)
	if d.begins = begun.state != trackNone; w == nil && d.effect != effectNone && d.conn.is(connHelped) && p.Data != "" {
		k.help(d, p)
	}
	switch {
	case !tracks:
	case d.enters(begun):
		reply := k.replyTo(e, d)
		k.dropClash(d, e, &reply)
	case d.looksAgain(begun):
		d.again = true
		k.decideAgain(d, p, e)
	}
	return nil
}

// balance decides what IPVS does with a packet.
func (k *Kernel) balance(d *decision, p *Packet, e *ends, w *world) error {
	switch {
	case !p.isBalanced():
		d.pass(OtherProtocol)
		return nil
	case !k.hooked(e.family):
		d.pass(NoService)
		return nil
	}
	id, isReply := k.find(e)
	if w != nil && w.Gone {
		id, isReply = 0, false
	}
	switch d.met = id; {
	case isReply:
		c := k.conns.at(id)
		d.action, d.reason, d.conn, d.dest, d.effect = Replied, Connected, c, k.dests[c.dest], effectReply
		return nil
	case k.reverses(d, p, e, w):
		d.met = 0
		d.action, d.reason = Replied, Reversed
		return nil
	case k.refusesServer(p, e):
		d.met = 0
		d.action, d.reason = Refused, NoConnection
		return nil
	case k.ignoresRequests():
		d.pass(BackupOnly)
		return nil
	case id == 0:
		return k.open(d, p, e, w)
	}
	return k.proceed(d, p, e, w)
}

// find returns the connection of a packet, and whether the packet is a reply.
func (k *Kernel) find(e *ends) (id connID, reply bool) {
	t := &k.conns
	hash := t.hash(e.protocol, &e.src, e.sport, &e.dst, e.dport)
	for i := *bucket(t.byEnds, hash); i != 0; {
		c := t.at(i)
		switch {
		case c.protocol != e.protocol || uint32(c.family) != e.family || c.is(connTemplate):
		case id == 0 && c.clientPort == e.sport && c.is(connAwaited) == (e.sport == 0) && c.vport == e.dport && c.client == e.src && c.virtual == e.dst:
			id = i // of two alike, which servers that speak first make, the newer one counts
		case c.method != methodMasq && c.clientPort == e.dport && c.vport == e.sport && c.client == e.dst && c.virtual == e.src:
			return i, true
		}
		i = c.next
	}
	if reply := k.findReply(e, hash); reply != 0 {
		return reply, true
	}
	if id == 0 && k.awaited > 0 {
		id = k.findAwaited(e)
	}
	return id, false
}

// findReply returns the connection of NAT whose server sends a packet. hash is that of
// its ends.
func (k *Kernel) findReply(e *ends, hash uint32) connID {
	t := &k.conns
	if t.replies == 0 || k.natServers[e.src] == 0 {
		return 0
	}
	for i := *bucket(t.byReply, hash|1); i != 0; {
		c := t.at(i)
		if c.clientPort == e.dport && c.destPort == e.sport && c.client == e.dst &&
			c.protocol == e.protocol && uint32(c.family) == e.family && k.serverAddr(i, c).As16() == e.src {
			return i
		}
		i = c.nextReply
	}
	return 0
}

// refusesServer reports whether nat_icmp_send refuses a packet of no connection
// that comes from a NAT server. A reset is not answered, nor is an abort.
func (k *Kernel) refusesServer(p *Packet, e *ends) bool {
	if k.sysctl.natICMPSend == 0 || p.isIPsec() || p.Protocol == protoTCP && p.TCP&TCPRst != 0 || p.firstChunk(SCTPAbort) {
		return false
	}
	return slices.ContainsFunc(k.dests, func(d *dest) bool {
		return d != nil && d.svc != nil && d.method == methodMasq && d.Addr == *p.Source &&
			(d.key.mark != 0 || d.key.protocol == uint16(e.protocol))
	})
}

// proceed decides about a client's packet whose ends have a connection.
func (k *Kernel) proceed(d *decision, p *Packet, e *ends, w *world) error {
	c, server := k.held(d.met, w)
	if c.is(connCopied) {
		d.tracked = c.knownCopy()
	}
	if w != nil && w.Tracked != nil {
		d.tracked = *w.Tracked && c.is(connTracked)
	}
	d.outdated = k.outdated(c, server, p, w)
	switch {
	case d.outdated == Reused && d.tracked && c.controls > 0:
		d.outdated = 0
		fallthrough
	case d.outdated == 0:
		d.effect = effectRequest
		d.transmit(Connected, c, server)
		return nil
	case d.outdated == ServerRemoved && k.sysctl.expireNodestConn == 0:
		d.action, d.reason, d.conn, d.dest = Dropped, ServerRemoved, c, server
		return nil
	case d.tracked:
		d.ends = true
		d.action, d.reason = Dropped, Conntracked
		return nil
	}
	// The kernel ends the old connection with its next tick: while it schedules
	// the new one, the old one still counts.
	d.ends = true
	return k.open(d, p, e, w)
}

// hooked reports whether IPVS sees packets of an address family: without services of
// it, its hooks are not there.
func (k *Kernel) hooked(family uint32) bool {
	return k.services.of(family) > 0 || k.elsewhere.Services
}

// ignoresRequests reports whether packets of clients are not for this director.
func (k *Kernel) ignoresRequests() bool {
	return k.sysctl.backupOnly != 0 && (k.daemons.backupRuns() || k.elsewhere.Backup)
}

// pass leaves a packet to the director's own stack.
func (d *decision) pass(why Reason) { d.action, d.reason = Passed, why }

// transmit hands a packet to the connection's server.
func (d *decision) transmit(why Reason, c *conn, server *dest) {
	d.action, d.reason, d.conn, d.dest = Forwarded, why, c, server
	switch {
	case c.method > methodBypass:
		d.pass(NoTransmitter)
	case c.method == methodTunnel && server != nil && server.unbound:
		d.action, d.reason = Dropped, NoTransmitter // only a service knows the kind of the tunnel
	}
}

// begins reports whether a packet is one by which clients begin a connection.
func (p *Packet) begins() bool {
	return p.Protocol == protoTCP && p.TCP&TCPSyn != 0 || p.firstChunk(SCTPInit)
}

// outdated returns why a packet may not follow its old connection, 0 if it may.
func (k *Kernel) outdated(c *conn, server *dest, p *Packet, w *world) Reason {
	if p.begins() {
		if k.sysctl.expireNodestConn != 0 && server != nil && server.Weight == 0 {
			return ServerQuiesced
		}
		ended := k.sysctl.connReuseMode != 0 && c.control == 0 && reusable(c, k.sysctl.connReuseMode)
		if w != nil && w.Ended != nil {
			ended = *w.Ended
		}
		if ended {
			return Reused
		}
	}
	if server != nil && server.removed() {
		return ServerRemoved
	}
	return 0
}

// reusable reports whether a client may open a connection again from the same port,
// because the old one has ended.
func reusable(c *conn, mode int) bool {
	if c.protocol == protoSCTP {
		return State(c.state) == aCL
	}
	switch State(c.state) {
	case tcpTimeWait, tcpClose:
		return true
	case tcpFinWait:
		return mode&2 != 0 && c.is(connNoOutput)
	}
	return false
}

// open decides about a packet that may open a connection.
func (k *Kernel) open(d *decision, p *Packet, e *ends, w *world) error {
	switch {
	case p.isIPsec():
		d.pass(NotOpening)
		return nil
	case p.Protocol == protoSCTP && p.Chunks == "":
		d.action, d.reason = Dropped, NoChunk
		return nil
	}
	s := k.serviceFor(p.Mark, e)
	if s == nil {
		d.pass(NoService)
		return nil
	}
	switch d.service = s; {
	case !k.opens(p):
		d.pass(NotOpening)
	case k.drops(d, w):
		d.action, d.reason = Dropped, DropRate
	default:
		k.schedule(d, s, p, e, w)
	}
	return nil
}

// opens reports whether a packet can open a connection.
func (k *Kernel) opens(p *Packet) bool {
	switch p.Protocol {
	case protoUDP:
		return true
	case protoSCTP:
		return k.opensAssoc(p)
	}
	return (p.TCP&TCPSyn != 0 || k.sysctl.sloppyTCP != 0) && p.TCP&TCPRst == 0
}
