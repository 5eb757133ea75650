package kernel

// What netfilter's connection tracking knows of the connections that conntrack=1
// leaves to it. It matters when a client uses a port again: a packet that netfilter
// takes for one of the old connection does not open a new one.

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
	opener    uint8 // the side whose packet began it: fromClient or fromServer
	replied   bool  // a packet came back to the opener
	closing   bool  // a side has begun to close
	lastReset bool  // the opener's last packet was a reset, and nothing came since
	began     tick
	expires   tick
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

// follow returns the entry after a packet of one side, and whether the packet
// belongs to the one of before. An entry without a state is none.
func (t track) follow(p *Packet, side uint8, now tick) (after track, known bool) {
	if t.expires <= now {
		t = track{opener: side}
	}
	if p.Protocol == protoUDP {
		return t.followUDP(side, now)
	}
	event, valid := trackEvent(p.TCP)
	if !valid {
		return t, false
	}
	if event == trackSyn && side == t.opener && t.givesWay() {
		t = track{opener: side}
	}
	known = t.state != trackNone
	direction := side ^ t.opener
	switch state := trackTCP[direction][event][t.state]; {
	case state == trackInvalid:
		return t, false
	case state == trackIgnored:
		t.lastReset = false
		return t, known
	case event == trackRst && !t.replied:
		return track{}, true // nobody ever answered
	default:
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

// givesWay reports whether a SYN of the opener's begins a new entry.
func (t track) givesWay() bool {
	return (t.state == trackTimeWait || t.state == trackClose) && (t.closing || t.lastReset)
}

func (t track) followUDP(side uint8, now tick) (after track, known bool) {
	known = t.state != trackNone
	if !known {
		t = track{opener: side, state: trackEstablished, began: now}
	}
	t.expires = now + trackDatagram
	if t.replied && now >= t.began+streamBegins {
		t.expires = now + trackStream
	}
	t.replied = t.replied || side != t.opener
	return t, known
}

// conntrack is netfilter's table, as far as connections of IPVS are in it.
type conntrack struct {
	entries map[connID]track
	tracked [inet6 + 1]bool // families that something besides IPVS has netfilter track
}

// Track says of which families netfilter tracks connections. It does so where
// something asks for it: a rule that looks at connections, or translates addresses.
// IPVS asks for it only in services of port 21 that have a NAT server.
func (k *Kernel) Track(ipv4, ipv6 bool) {
	k.lock()
	defer k.mu.Unlock()
	k.conntrack.tracked[inet4], k.conntrack.tracked[inet6] = ipv4, ipv6
}

// tracks reports whether netfilter tracks a connection.
func (k *Kernel) tracks(c *conn) bool {
	return c.is(connTracked) && (k.conntrack.tracked[c.family] || k.services.tracking[c.family] > 0)
}

// track lets netfilter see a packet of one side of a connection, and reports
// whether it belongs to an entry that was there. What a NAT server begins has
// another address than the client's packets, so it is another entry's.
func (k *Kernel) track(id connID, c *conn, p *Packet, side uint8) (known bool) {
	if c.is(connCopied) {
		return c.protocol != protoTCP || State(c.state) != tcpTimeWait && State(c.state) != tcpClose
	}
	if id == 0 || !k.tracks(c) {
		return false
	}
	after, known := k.conntrack.entries[id].follow(p, side, k.now)
	if after.state == trackNone || after.opener == fromServer && c.method == methodMasq {
		delete(k.conntrack.entries, id)
	} else {
		k.conntrack.entries[id] = after
	}
	return known
}

// knows reports what track would, and changes nothing. Of a connection that was
// copied it says that netfilter may know it.
func (k *Kernel) knows(id connID, c *conn, p *Packet) bool {
	if c.is(connCopied) {
		return true
	}
	_, known := k.conntrack.entries[id].follow(p, fromClient, k.now)
	return known && k.tracks(c)
}
