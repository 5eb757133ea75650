package simipvs

// numbers are the sequence numbers of a control connection, as netfilter saw them. By them
// it considers packets invalid.
type numbers struct {
	sent  [2]sent // by the client and by the server
	last  int     // the side that sent the last packet
	event int     // what that packet was, such as trackAck
	end   uint32  // behind the last trackAck, or the last packet that was ignored
	ack   uint32  // what the last packet acknowledges that was ignored
}

// sent is how far one side has come, in numbers of its own.
type sent struct {
	begun  bool
	opened bool   // it began with a SYN
	syn    uint32 // behind that
	end    uint32
	acks   bool   // it has acknowledged something
	ack    uint32 // the most that it has acknowledged
}

// What netfilter thinks of a packet by its numbers.
type numbersJudgment int

const (
	numbersValid    numbersJudgment = iota
	numbersInvalid                  // the packet is of no connection
	numbersDoubtful                 // it is a reset that may not be one, and changes nothing
)

// note notes a packet of one side.
func (n *numbers) note(p *Packet, side int) {
	n.sent[side].add(p)
	n.last = side
	if n.event, _ = trackEvent(p.TCP); n.event == trackAck {
		n.end = p.end()
	}
}

// ignore notes a packet that netfilter ignored, such as what a server sends before it has
// answered the SYN.
func (n *numbers) ignore(p *Packet, side int) {
	n.last, n.end, n.ack = side, p.end(), p.Ack
	n.event, _ = trackEvent(p.TCP)
}

// end returns the number behind a packet.
func (p *Packet) end() uint32 {
	end := p.Seq + uint32(len(p.Data))
	if p.TCP&(TCPSyn|TCPFin) != 0 {
		end++
	}
	return end
}

// add notes a packet of that side.
func (s *sent) add(p *Packet) {
	end := p.end()
	if p.TCP&TCPSyn != 0 {
		s.opened, s.syn = s.opened || !s.begun, end
	}
	if !s.begun || isAfter(end, s.end) {
		s.begun, s.end = true, end
	}
	if p.TCP&TCPAck != 0 && (!s.acks || isAfter(p.Ack, s.ack)) {
		s.acks, s.ack = true, p.Ack
	}
}

// isBehind reports whether that side did not send all that the other acknowledges.
func (s *sent) isBehind(ack uint32) bool { return s.begun && isAfter(ack, s.end) }

func sideOf(isReply bool) int {
	if isReply {
		return fromServer
	}
	return fromClient
}

// judge returns what netfilter thinks of a packet of a control connection by its numbers.
func (k *Kernel) judge(p *Packet, e *ends, was track) (j numbersJudgment) {
	id, isReply := k.find(e)
	control := k.ftp.controls[id]
	if control == nil {
		return numbersValid
	}
	side := sideOf(isReply)
	if p.TCP&TCPRst != 0 {
		if j = control.judgeReset(p, side, was.state); j != numbersInvalid && control.refuses(p, isReply, was) {
			return j
		}
	}
	if p.TCP&TCPAck != 0 && control.overtakes(p, isReply) {
		return numbersInvalid
	}
	// The number of a reset does not matter if the connection is closing.
	if control.exceeds(p, side) && !(p.TCP&TCPRst != 0 && was.closing) {
		return numbersInvalid
	}
	return j
}

// exceeds reports whether a packet begins behind what its side may send: until the other
// side acknowledges something, and so announces a window, nothing behind the SYN.
func (n *numbers) exceeds(p *Packet, side int) bool {
	own, other := &n.sent[side], &n.sent[1-side]
	return p.TCP&TCPSyn == 0 && own.opened && !other.acks && isAfter(p.Seq, own.syn)
}

// overshoot notes a packet that is invalid because it exceeds what its side may send. What
// it has may be acknowledged, unless the other side has sent nothing.
func (n *numbers) overshoot(p *Packet, side int) {
	if n.sent[1-side].begun && n.exceeds(p, side) {
		n.sent[side].end = p.end()
	}
}

// refuses reports whether a reset refuses the packet before it: a SYN, or a packet of a
// connection that was not opened by both sides. It acknowledges just that packet, or has the
// number that an ignored packet of the server expects.
func (n *numbers) refuses(p *Packet, isReply bool, was track) bool {
	switch {
	case n.event == trackAck && was.state == trackSynSent && n.last == fromServer && !isReply && p.Seq == n.ack:
		return true
	case n.event == trackSyn && was.replied, n.event == trackAck && !was.assured:
		return p.Ack == n.end
	}
	return false
}

// overtakes reports whether a packet acknowledges what the other side did not send yet.
func (c *ftpControl) overtakes(p *Packet, isReply bool) bool {
	client, server := &c.sent[fromClient], &c.sent[fromServer]
	switch {
	case isReply && !server.begun && p.TCP&TCPSyn == 0:
		return client.isBehind(p.Ack - 1) // netfilter allows for a packet that it did not see
	case isReply:
		return client.isBehind(p.Ack)
	case client.opened && !server.begun:
		return isAfter(p.Ack, 0)
	}
	return server.isBehind(c.shift.expected(p.Ack))
}

// judgeReset judges a reset. It ends an established connection if its number is the next
// that the other side expects, or follows the last packet.
func (n *numbers) judgeReset(p *Packet, side int, state trackState) numbersJudgment {
	other := &n.sent[1-side]
	switch {
	case !other.acks || p.Seq == other.ack:
		return numbersValid
	case isAfter(other.ack, p.Seq):
		return numbersInvalid
	case state != trackEstablished, n.event == trackAck && n.last == side && n.end == p.Seq:
		return numbersValid
	}
	return numbersDoubtful
}
