package simipvs

// numbers are the sequence numbers of a control connection, as netfilter saw them. By them
// it considers packets invalid.
type numbers struct {
	sent [2]sent // by the client and by the server
	last int     // the side that sent the last packet
	end  uint32  // behind that packet, if it has neither SYN, FIN nor RST
	data bool    // it has none of them
}

// sent is how far one side has come, in numbers of its own.
type sent struct {
	begun  bool
	opened bool // it began with a SYN
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

// note notes a packet of one side. Netfilter ignores what a server sends before it has
// answered the SYN.
func (n *numbers) note(p *Packet, side int) {
	if client := &n.sent[fromClient]; side == fromServer && client.opened && !n.sent[fromServer].begun && p.TCP&TCPSyn == 0 {
		return
	}
	n.sent[side].add(p)
	n.last, n.end, n.data = side, p.Seq+uint32(len(p.Data)), p.TCP&(TCPSyn|TCPFin|TCPRst) == 0
}

// add notes a packet of that side.
func (s *sent) add(p *Packet) {
	end := p.Seq + uint32(len(p.Data))
	if p.TCP&(TCPSyn|TCPFin) != 0 {
		end++
	}
	if !s.begun {
		s.opened = p.TCP&TCPSyn != 0
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

// judge returns what netfilter thinks of a packet of a control connection by its numbers.
func (k *Kernel) judge(p *Packet, e *ends, state trackState) numbersJudgment {
	id, isReply := k.find(e)
	control := k.ftp.controls[id]
	switch {
	case control == nil:
		return numbersValid
	case p.TCP&TCPAck != 0 && control.overtakes(p, isReply):
		return numbersInvalid
	case p.TCP&TCPRst != 0 && state == trackEstablished:
		return control.judgeReset(p, isReply)
	}
	return numbersValid
}

// overtakes reports whether a packet acknowledges what the other side did not send yet.
func (c *ftpControl) overtakes(p *Packet, isReply bool) bool {
	client, server := &c.sent[fromClient], &c.sent[fromServer]
	switch {
	case isReply:
		return client.isBehind(p.Ack)
	case client.opened && !server.begun:
		return isAfter(p.Ack, 0)
	}
	return server.isBehind(c.shift.expected(p.Ack))
}

// judgeReset judges a reset of an established connection. It is one if its number is the
// next that the other side expects, or follows the last packet.
func (n *numbers) judgeReset(p *Packet, isReply bool) numbersJudgment {
	side, other := fromClient, &n.sent[fromServer]
	if isReply {
		side, other = fromServer, &n.sent[fromClient]
	}
	switch {
	case !other.acks || p.Seq == other.ack:
		return numbersValid
	case isAfter(other.ack, p.Seq):
		return numbersInvalid
	case n.data && n.last == side && n.end == p.Seq:
		return numbersValid
	}
	return numbersDoubtful
}
