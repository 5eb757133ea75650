package simipvs

// What netfilter's connection tracking knows: the connections that conntrack=1
// leaves to it, and the packets that IPVS passes on. It matters when a client uses
// a port again: a packet that netfilter takes for one of an entry that it has does
// not open a new connection.

// trackState is a state of netfilter's, which has others than IPVS.
type trackState uint8

const (
	trackNone trackState = iota
	trackSynSent
	trackSynRecv
	trackEstablished
	trackFinWait
	trackCloseWait
	trackLastAck
	trackTimeWait
	trackClose
	trackSynSent2 // both sides opened
	trackStates

	trackIgnored = trackStates // the packet changes nothing
	trackInvalid = trackIgnored + 1
)

// track is netfilter's entry of a connection.
type track struct {
	state     trackState
	replied   bool    // a packet came back to the opener
	assured   bool    // TCP: after that, both sides opened it
	closing   bool    // a side has begun to close
	tagged    [2]bool // SCTP: whether the verification tag in a direction is known
	lastReset bool    // the opener's last packet was a reset, and nothing came since
	began     tick
	expires   tick
	reply     ends // those of the packets that come back
}

// What netfilter takes a TCP packet for.
const (
	trackSyn = iota
	trackSynAck
	trackFin
	trackAck
	trackRst
	trackEvents
)

const (
	fromOpener = iota
	toOpener
)

const (
	tNO = trackNone
	tSS = trackSynSent
	tSR = trackSynRecv
	tES = trackEstablished
	tFW = trackFinWait
	tCW = trackCloseWait
	tLA = trackLastAck
	tTW = trackTimeWait
	tCL = trackClose
	tS2 = trackSynSent2
	tIG = trackIgnored
	tIV = trackInvalid
)

// trackTCP has a column for each state: NO SS SR ES FW CW LA TW CL S2.
var trackTCP = [2][trackEvents][trackStates]trackState{
	fromOpener: {
		trackSyn:    {tSS, tSS, tIG, tIG, tIG, tIG, tIG, tSS, tSS, tS2},
		trackSynAck: {tIV, tIV, tSR, tIV, tIV, tIV, tIV, tIV, tIV, tSR},
		trackFin:    {tIV, tIV, tFW, tFW, tLA, tLA, tLA, tTW, tCL, tIV},
		trackAck:    {tES, tIV, tES, tES, tCW, tCW, tTW, tTW, tCL, tIV},
		trackRst:    {tIV, tCL, tCL, tCL, tCL, tCL, tCL, tCL, tCL, tCL},
	},
	toOpener: {
		trackSyn:    {tIV, tS2, tIG, tIG, tIG, tIG, tIG, tSS, tIG, tS2},
		trackSynAck: {tIV, tSR, tIG, tIG, tIG, tIG, tIG, tIG, tIG, tSR},
		trackFin:    {tIV, tIV, tFW, tFW, tLA, tLA, tLA, tTW, tCL, tIV},
		trackAck:    {tIV, tIG, tSR, tES, tCW, tCW, tTW, tTW, tCL, tIG},
		trackRst:    {tIV, tCL, tCL, tCL, tCL, tCL, tCL, tCL, tCL, tCL},
	},
}

// Netfilter's timeouts, as a new namespace has them. They can be changed on a
// host; that is not simulated.
var trackTimeouts = [trackStates]tick{
	trackSynSent: 120 * second, trackSynRecv: 60 * second, trackEstablished: 432000 * second, trackFinWait: 120 * second,
	trackCloseWait: 60 * second, trackLastAck: 30 * second, trackTimeWait: 120 * second, trackClose: 10 * second,
	trackSynSent2: 120 * second,
}

const (
	trackUnanswered = 300 * second // established, and nothing came back
	trackDatagram   = 30 * second
	trackStream     = 120 * second // of datagrams in both directions
	streamBegins    = 2 * second
)

// trackEvent returns what a packet is, false if its flags make no sense.
func trackEvent(flags uint8) (event int, valid bool) {
	switch flags & (TCPFin | TCPSyn | TCPRst | TCPAck) {
	case TCPSyn:
		return trackSyn, true
	case TCPSyn | TCPAck:
		return trackSynAck, true
	case TCPFin | TCPAck:
		return trackFin, true
	case TCPAck:
		return trackAck, true
	case TCPRst, TCPRst | TCPAck:
		return trackRst, true
	}
	return 0, false
}

// follow returns the entry after a packet in one direction, and whether the packet
// belongs to the previous one. An entry without a state does not exist.
func (t track) follow(p *Packet, direction int, now tick) (after track, known bool) {
	switch p.Protocol {
	case protoUDP:
		return t.followUDP(direction, now)
	case protoSCTP:
		return t.followSCTP(p, direction, now)
	}
	event, valid := trackEvent(p.TCP)
	if !valid {
		return t, false
	}
	if event == trackSyn && direction == fromOpener && t.givesWay() {
		t = track{}
	}
	known = t.state != trackNone
	switch state := trackTCP[direction][event][t.state]; {
	case state == trackInvalid:
		return t, false
	case state == trackIgnored:
		t.lastReset = false
		t.replied = t.replied || direction == toOpener
		return t, known
	case event == trackRst && !t.replied:
		return track{}, true // it was never answered
	default:
		t.assured = t.assured || t.replied && (t.state == trackSynRecv || t.state == trackEstablished) && state == trackEstablished
		t.closing = t.closing || state == trackFinWait && t.state != state
		t.state = state
	}
	t.lastReset = event == trackRst && direction == fromOpener
	t.expires = now + trackTimeouts[t.state]
	if t.state == trackEstablished && !t.replied && direction == fromOpener {
		t.expires = now + trackUnanswered
	}
	t.replied = t.replied || direction == toOpener
	return t, known
}

// ignores reports whether netfilter ignores a packet while there are control connections,
// where that matters.
func (k *Kernel) ignores(p *Packet, e *ends) bool {
	if len(k.ftp.controls) == 0 {
		return false
	}
	_, was, direction := k.conntrack.find(e, k.now)
	return was.ignores(p, direction)
}

// ignores reports whether a TCP packet changes nothing, whatever its numbers.
func (t track) ignores(p *Packet, direction int) bool {
	event, valid := trackEvent(p.TCP)
	return valid && p.Protocol == protoTCP && trackTCP[direction][event][t.state] == trackIgnored
}

// givesWay reports whether a SYN of the opener's begins a new entry.
func (t track) givesWay() bool {
	return (t.state == trackTimeWait || t.state == trackClose) && (t.closing || t.lastReset)
}

func (t track) followUDP(direction int, now tick) (after track, known bool) {
	known = t.state != trackNone
	if !known {
		t = track{state: trackEstablished, began: now}
	}
	t.expires = now + trackDatagram
	if t.replied && now >= t.began+streamBegins {
		t.expires = now + trackStream
	}
	t.replied = t.replied || direction == toOpener
	return t, known
}

// conntrack is netfilter's table.
type conntrack struct {
	entries map[ends]track  // by the first packet
	replies map[ends]ends   // to the first packet
	enough  int             // entries, at which those that expired are deleted
	tracked [inet6 + 1]bool // families that something besides IPVS has netfilter track
}

// find returns the entry that a packet belongs to, and the packet's direction. Without
// one, the packet is an opener's.
func (n *conntrack) find(e *ends, now tick) (first ends, t track, direction int) {
	first = *e
	if opener, reply := n.replies[*e]; reply {
		first, direction = opener, toOpener
	}
	if t = n.entries[first]; t.expires > now {
		return first, t, direction
	}
	return *e, track{}, fromOpener
}

// forget deletes the entry that a packet belongs to.
func (n *conntrack) forget(e *ends) {
	first := *e
	if opener, reply := n.replies[*e]; reply {
		first = opener
	}
	delete(n.replies, n.entries[first].reply)
	delete(n.entries, first)
}

// Track says of which families netfilter tracks connections. It does so where
// something asks for it: a rule that looks at connections, or translates addresses.
// IPVS asks for it only in services of port 21 that have a NAT server.
func (k *Kernel) Track(ipv4, ipv6 bool) {
	k.lock()
	defer k.mu.Unlock()
	k.conntrack.tracked[inet4], k.conntrack.tracked[inet6] = ipv4, ipv6
}

// tracks reports whether netfilter tracks a family.
func (k *Kernel) tracks(family uint32) bool {
	return k.conntrack.tracked[family] || k.services.tracking[family] > 0
}

// isTracked reports whether the packet's entry of netfilter's matters to IPVS, and is
// simulated.
func (p *Packet) isTracked() bool { return p.hasPorts() }

// begins returns the entry that a packet begins, without a state if it begins none,
// and whether it belongs to an entry that netfilter has.
func (k *Kernel) begins(p *Packet, e *ends) (begun track, known bool) {
	_, was, after, known := k.sees(p, e)
	if was.state == trackNone || after.state != trackNone && after != was && !known {
		return after, false
	}
	return track{}, known
}

// track lets netfilter see a packet before IPVS does, and returns what begins returns.
func (k *Kernel) track(p *Packet, e *ends) (begun track) {
	n := &k.conntrack
	first, was, after, known := k.sees(p, e)
	switch {
	case was.state == trackNone:
		n.forget(e) // it may have expired
		return after
	case after.state == trackNone:
		n.forget(e)
	case after == was:
		// The packet is invalid, or changes nothing.
	case !known:
		n.forget(e)
		return after
	default:
		n.entries[first] = after
	}
	return track{}
}

// sees returns what a packet makes of the entry that it belongs to, and changes
// nothing.
func (k *Kernel) sees(p *Packet, e *ends) (first ends, was, after track, known bool) {
	first, was, direction := k.conntrack.find(e, k.now)
	after, known = was.follow(p, direction, k.now)
	if known && len(k.ftp.controls) > 0 && !was.ignores(p, direction) {
		switch k.judge(p, e, was) {
		case numbersInvalid:
			return first, was, was, false
		case numbersDoubtful:
			return first, was, was, true
		}
	}
	return first, was, after, known
}

// enter adds the entry of a packet that leaves.
func (n *conntrack) enter(e *ends, t track, reply ends, now tick) {
	t.reply = reply
	n.forget(e) // these may have expired
	n.forget(&reply)
	n.sweep(now)
	n.entries[*e], n.replies[reply] = t, *e
}

// enters reports whether netfilter enters what a packet began. IPVS keeps a packet of
// its connections from being tracked unless conntrack was 1 when the connection began.
func (d *decision) enters(t track) bool {
	return t.state != trackNone && d.action != Refused && d.action != Dropped && (d.conn == nil || d.conn.is(connTracked))
}

// clash reports whether what a packet begins would have the packets of another entry.
// That happens where a connection ended and left its entry, as those of one packet
// do, and where a client uses a port for two connections to one server.
func (k *Kernel) clash(e, reply *ends) bool {
	for _, known := range []*ends{e, reply} {
		if first, other, _ := k.conntrack.find(known, k.now); other.state != trackNone && first != *e {
			return true
		}
	}
	return false
}

// dropClash drops a packet that begins an entry if that clashes.
func (k *Kernel) dropClash(d *decision, e, reply *ends) {
	if d.clashes = k.clash(e, reply); d.clashes && k.DropsClashes(e.protocol) {
		d.action, d.reason = Dropped, Conntracked
	}
}

// DropsClashes reports whether a packet is dropped whose entry would have the packets
// of another. Older kernels let datagrams through, without an entry.
func (k *Kernel) DropsClashes(protocol uint8) bool {
	return protocol != protoUDP || k.opts.Release.DropsClashes()
}

// sweep deletes what has expired, whenever there is twice as much as was left.
func (n *conntrack) sweep(now tick) {
	const few = 1 << 10
	if len(n.entries) < max(n.enough, few) {
		return
	}
	for first, t := range n.entries {
		if t.expires <= now {
			n.forget(&first)
		}
	}
	n.enough = 2 * len(n.entries)
}

// replyTo returns the packets that netfilter expects in return: IPVS tells it the other
// address of NAT, but not that of a one-packet connection.
func (k *Kernel) replyTo(e *ends, d *decision) ends {
	back := e.reversed()
	c := d.conn
	switch {
	case c == nil || c.method != methodMasq || c.is(connOnePacket):
	case d.effect == effectReply:
		back.dst, back.dport = c.virtual, c.vport
	default:
		back.src, back.sport = d.dest.addr16(), c.destPort
		if c.is(connForeign) {
			back.src = k.serverAddr(d.met, c).As16()
		}
	}
	return back
}

func (e *ends) reversed() ends {
	return ends{e.family, e.protocol, e.dst, e.src, e.dport, e.sport}
}

// ends are those of the client's packets.
func (c *conn) ends() ends {
	return ends{uint32(c.family), c.protocol, c.client, c.virtual, c.clientPort, c.vport}
}

// knownCopy reports whether netfilter is taken to know a connection whose entry is
// on another host.
func (c *conn) knownCopy() bool {
	return c.protocol != protoTCP || State(c.state) != tcpTimeWait && State(c.state) != tcpClose
}
