package simipvs

import "fmt"

const (
	protoICMP   = 1
	protoIPIP   = 4
	protoGRE    = 47
	protoICMPv6 = 58
)

// ICMP is what an ICMP error says.
type ICMP struct {
	Type, Code    uint8
	About         *Packet // that the error quotes; nil: too little of it to know its ends
	Inside        *Packet // the packet in About if that may be in a tunnel, and its quoted length
	Fragment      bool    // of Inside or else About, not the first: it has data where the ports would be
	Short         bool    // likewise: its ports are not known
	DF            bool    // Inside must not be fragmented
	WrongChecksum bool    // of the error
	Leaving       bool    // a program of the director sends it to another host
	Onward        bool    // the director forwards it to another host, on its way through

	// Flow is a packet by whose flow [Kernel.Explain] finds what the error quotes, which
	// About is not set to. FromServer says that it is about a packet to the server, and
	// not about an answer.
	Flow       *Packet
	FromServer bool
}

// Types of ICMP for IPv4 that IPVS looks at, and a code. Of ICMPv6 these are all types
// below the first that asks for something.
const (
	icmpUnreachable  = 3
	icmpSourceQuench = 4
	icmpTimeExceeded = 11

	codeFragmentationNeeded = 4
	icmpv6FirstQuery        = 128
)

// relates reports whether the error may concern a connection.
func (m *ICMP) relates(family uint32) bool {
	if family == inet6 {
		return m.Type < icmpv6FirstQuery
	}
	return m.Type == icmpUnreachable || m.Type == icmpSourceQuench || m.Type == icmpTimeExceeded
}

// ends sets the ends of a packet that would go back on the way that an ICMP error is
// about: to the server if the error comes from the client's side.
func (m *ICMP) ends(e *ends) error {
	if err := m.About.ends(e); err != nil {
		return err
	}
	*e = e.reversed()
	return nil
}

// answered is the packet that would go back, as schedulers see it: dh, lblc and lblcr
// take its source for its destination.
func (m *ICMP) answered(p *Packet) *Packet {
	return &Packet{
		Protocol: m.About.Protocol, Source: m.About.Destination, Destination: m.About.Destination,
		Mark: p.Mark, Length: p.Length, ICMP: m, Own: p.Own,
	}
}

// deliverError is Deliver for an ICMP error.
func (k *Kernel) deliverError(p *Packet, v *Verdict) error {
	var d decision
	var e ends
	k.lock()
	defer k.mu.Unlock()
	k.rethrow()
	if err := k.decideError(&d, p, &e, nil); err != nil {
		return err
	}
	k.commitError(&d, p, &e)
	d.tell(p, v)
	return nil
}

// decideError decides what happens to an ICMP error, and sets the ends that it concerns.
func (k *Kernel) decideError(d *decision, p *Packet, e *ends, w *world) error {
	m := p.ICMP
	if p.Protocol != protoICMP && p.Protocol != protoICMPv6 {
		return fmt.Errorf("an ICMP error of protocol %d", p.Protocol)
	}
	family := uint32(inet4)
	if p.Protocol == protoICMPv6 {
		family = inet6
	}
	switch {
	case !m.relates(family):
		d.pass(NoService)
		return nil
	case m.About == nil, m.Fragment && !k.readsFragments(family):
		d.pass(NotOpening)
		return nil
	case m.Inside != nil && k.hasTunnel(m.About):
		return k.decideTunnelError(d, p, e, w)
	case !m.About.isBalanced():
		d.pass(NotOpening)
		return nil
	case m.Short:
		return k.decideShort(d, m, family)
	}
	if err := m.ends(e); err != nil {
		return err
	}
	if e.family != family || !k.hooked(family) {
		d.pass(NoService)
		return nil
	}
	id, isReply := k.findRelated(m, e, w)
	if isReply && m.Onward && !k.ignoresRequests() {
		id, isReply = k.findOnward(p, e, id)
	}
	switch d.met = id; {
	case isReply:
		d.effect = effectReply
		d.action, d.reason = Replied, Related
		d.conn, d.dest = k.held(id, w)
		if d.conn.method == methodMasq && (m.WrongChecksum || k.findsRepliesWrong(family)) {
			d.fail()
		}
		return nil
	case k.ignoresRequests():
		d.pass(BackupOnly)
		return nil
	case m.isLaterUDP():
		d.met = 0
		d.pass(NotOpening)
		return nil
	case id != 0:
		c, server := k.held(id, w)
		d.effect = effectRequest
		d.transmit(Related, c, server)
	case k.sysctl.scheduleICMP == 0:
		d.pass(NotOpening)
		return nil
	default:
		k.openByError(d, m.answered(p), e, w)
	}
	k.stopBypass(d, w)
	if m.Leaving {
		k.letGo(d, family)
	}
	if d.conn != nil && m.WrongChecksum && k.checksRequests(d.conn) {
		d.fail()
	}
	return nil
}

// isLaterUDP reports whether the error is for the director and quotes a later fragment of
// UDP, which older kernels take for one of a tunnel.
func (m *ICMP) isLaterUDP() bool {
	return m.Fragment && m.About.Protocol == protoUDP && !m.Onward && !m.Leaving
}

// decideShort decides about an error that quotes a packet without its ports.
func (k *Kernel) decideShort(d *decision, m *ICMP, family uint32) error {
	d.pass(NotOpening)
	if k.sysctl.scheduleICMP != 0 && k.hooked(family) && !k.ignoresRequests() && !m.isLaterUDP() {
		d.action = Dropped
	}
	return nil
}

// findOnward finds the connection that an error concerns on its way through the director,
// where IPVS looks for requests, and for a service, before it looks for answers. reply is
// the connection whose server sends the error.
func (k *Kernel) findOnward(p *Packet, e *ends, reply connID) (id connID, isReply bool) {
	if id := k.findRequest(e); id != 0 {
		return id, false
	}
	if k.sysctl.scheduleICMP != 0 && !p.ICMP.About.isIPsec() && k.serviceFor(p.Mark, e) != nil {
		return 0, false
	}
	return reply, true
}

// openByError decides about an ICMP error of no connection, as about a packet of the
// client's. An error is never refused by another error.
func (k *Kernel) openByError(d *decision, p *Packet, e *ends, w *world) {
	s := k.serviceFor(p.Mark, e)
	switch {
	case p.ICMP.About.isIPsec():
		d.pass(NotOpening)
		return
	case s == nil:
		d.pass(NoService)
		return
	}
	d.service = s
	if k.drops(d, w) {
		d.action, d.reason = Dropped, DropRate
		return
	}
	k.schedule(d, s, p, e, w)
	if d.action == Refused {
		d.action = Dropped
	}
}

// decideTunnelError decides about an error that a router on the way to a server, or the
// server, sends about a packet in a tunnel of the director: IPVS sends the client one
// about what was inside.
func (k *Kernel) decideTunnelError(d *decision, p *Packet, e *ends, w *world) error {
	m := p.ICMP
	if err := m.Inside.ends(e); err != nil {
		return err
	}
	id, isReply := connID(0), false
	switch {
	case w != nil && w.about != 0:
		id = w.about
	case m.Inside.isBalanced() && !m.Short:
		id, isReply = k.find(e)
	}
	switch {
	case !k.hooked(inet4):
		d.pass(NoService)
		return nil
	case k.ignoresRequests():
		d.pass(BackupOnly)
		return nil
	case id == 0 || isReply:
		d.pass(NotOpening)
		return nil
	}
	d.met = id
	d.conn, d.dest = k.held(id, w)
	d.action, d.reason, d.effect = Refused, Related, effectReply
	switch {
	case m.WrongChecksum:
		d.fail()
	case m.Type == icmpUnreachable && m.Code == codeFragmentationNeeded && !m.DF:
		d.action, d.effect = Dropped, effectNone
	}
	return nil
}

// hasTunnel reports whether a packet is one of the director's to a server. Of several
// servers at one address and tunnel port the newest counts.
func (k *Kernel) hasTunnel(outer *Packet) bool {
	kind, port := uint8(tunnelIPIP), uint16(0)
	switch outer.Protocol {
	case protoGRE:
		kind = tunnelGRE
	case protoUDP:
		kind, port = tunnelGUE, outer.Destination.Port()
	}
	var newest *dest
	for _, d := range k.dests {
		if d != nil && d.svc != nil && d.method == methodTunnel && d.tunPort == port && d.Addr.Addr() == outer.Destination.Addr() &&
			(newest == nil || d.ranked > newest.ranked) {
			newest = d
		}
	}
	return newest != nil && newest.tunType == kind
}

// fail drops an error whose checksum is wrong. A connection that it opens stays.
func (d *decision) fail() {
	d.action, d.reason = Dropped, WrongChecksum
	if d.effect != effectOpening {
		d.effect = effectNone
	}
}

// commitError does what a decision about an ICMP error says. It changes no state and no
// timer of a connection that is there.
func (k *Kernel) commitError(d *decision, p *Packet, e *ends) {
	k.prepare(d, p, e)
	opens := d.effect == effectOpening
	if opens {
		k.enterOpening(d, p)
		if d.template != 0 {
			k.rearm(d.template, k.conns.at(d.template))
		}
	}
	if d.effect != effectNone && d.reason != WrongChecksum {
		k.countError(d, p)
	}
	if opens && d.conn.is(connOnePacket) {
		k.unbind(0, d.conn)
	}
}

// countError counts an ICMP error: what is behind the headers of a tunnel, if it came by
// one. It counts as a packet of the client's except by NAT.
func (k *Kernel) countError(d *decision, p *Packet) {
	length := p.Length
	if d.action == Refused {
		length = p.ICMP.Inside.Length
	}
	if d.effect != effectReply && d.conn.method != methodMasq {
		d.conn.packets++
	}
	switch server := d.dest; {
	case server == nil || !server.Available:
	case d.effect == effectReply:
		k.countOut(server, length)
	default:
		k.countIn(server, length)
	}
}

// What older kernels do otherwise, as of 6.1.176: they take the data of a later fragment
// for ports, check what comes from the client's side whatever the forwarding method, but
// never of IPv6, find each error of IPv6 wrong that comes from a NAT server's side, and by
// other methods than NAT leave IPv6 errors alone that the director sends to other hosts.

func (k *Kernel) readsFragments(family uint32) bool {
	return family == inet4 && !k.opts.Release.ChecksICMP()
}

func (k *Kernel) letGo(d *decision, family uint32) {
	if family == inet4 || k.opts.Release.ChecksICMP() || d.action != Forwarded || d.conn.method == methodMasq {
		return
	}
	if d.pass(NotOpening); d.effect == effectRequest {
		d.effect = effectNone
	}
}

func (k *Kernel) checksRequests(c *conn) bool {
	if k.opts.Release.ChecksICMP() {
		return c.method == methodMasq
	}
	return c.family == inet4
}

func (k *Kernel) findsRepliesWrong(family uint32) bool {
	return family == inet6 && !k.opts.Release.ChecksICMP()
}
