package simipvs

// State is the state of a connection.
type State uint8

// States of TCP, by the kernel's numbers.
const (
	tcpNone State = iota
	tcpEstablished
	tcpSynSent
	tcpSynRecv
	tcpFinWait
	tcpTimeWait
	tcpClose
	tcpCloseWait
	tcpLastAck
	tcpListen
	tcpSynAck
	tcpStates
)

var tcpNames = [tcpStates]string{
	"NONE", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT", "TIME_WAIT",
	"CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "SYNACK",
}

var tcpActive = [tcpStates]bool{tcpEstablished: true, tcpSynSent: true, tcpSynRecv: true, tcpSynAck: true}

// initialTimeout is what a connection has until its first change of state, and
// renewedTimeout what a template gets that still has connections at its end.
const (
	initialTimeout = 3 * second
	renewedTimeout = 60 * second
)

// TCP flags of a packet.
const (
	TCPFin = 0x01
	TCPSyn = 0x02
	TCPRst = 0x04
	TCPAck = 0x10
)

// What a TCP packet says, in the order in which the kernel looks.
const (
	eventSyn = iota
	eventFin
	eventAck
	eventRst
	tcpEvents
)

// Whence a packet comes. Where no reply was seen, because replies take another
// way, the client's packets must do.
const (
	fromClient = iota
	fromServer
	fromClientOnly
	directions
)

type tcpTable [directions][tcpEvents][tcpStates]State

const (
	sNO = tcpNone
	sES = tcpEstablished
	sSS = tcpSynSent
	sSR = tcpSynRecv
	sFW = tcpFinWait
	sTW = tcpTimeWait
	sCL = tcpClose
	sCW = tcpCloseWait
	sLA = tcpLastAck
	sLI = tcpListen
	sSA = tcpSynAck
)

// tcpNormal has a column for each state: NO ES SS SR FW TW CL CW LA LI SA.
var tcpNormal = tcpTable{
	fromClient: {
		eventSyn: {sSR, sES, sES, sSR, sSR, sSR, sSR, sSR, sSR, sSR, sSR},
		eventFin: {sCL, sCW, sSS, sTW, sTW, sTW, sCL, sCW, sLA, sLI, sTW},
		eventAck: {sES, sES, sSS, sES, sFW, sTW, sCL, sCW, sCL, sLI, sES},
		eventRst: {sCL, sCL, sCL, sSR, sCL, sCL, sCL, sCL, sLA, sLI, sSR},
	},
	fromServer: {
		eventSyn: {sSS, sES, sSS, sSR, sSS, sSS, sSS, sSS, sSS, sLI, sSR},
		eventFin: {sTW, sFW, sSS, sTW, sFW, sTW, sCL, sTW, sLA, sLI, sTW},
		eventAck: {sES, sES, sSS, sES, sFW, sTW, sCL, sCW, sLA, sES, sES},
		eventRst: {sCL, sCL, sSS, sCL, sCL, sTW, sCL, sCL, sCL, sCL, sCL},
	},
	fromClientOnly: {
		eventSyn: {sSR, sES, sES, sSR, sSR, sSR, sSR, sSR, sSR, sSR, sSR},
		eventFin: {sCL, sFW, sSS, sTW, sFW, sTW, sCL, sCW, sLA, sLI, sTW},
		eventAck: {sES, sES, sSS, sES, sFW, sTW, sCL, sCW, sCL, sLI, sES},
		eventRst: {sCL, sCL, sCL, sSR, sCL, sCL, sCL, sCL, sLA, sLI, sCL},
	},
}

// tcpSecure is used when secure_tcp is in effect. Only these rows differ.
var tcpSecure = func() tcpTable {
	t := tcpNormal
	t[fromClient][eventSyn][sSA] = sSA
	t[fromClient][eventFin][sSA] = sSA
	t[fromClient][eventAck][sSR] = sSR
	t[fromClient][eventAck][sSA] = sSA
	t[fromClient][eventRst][sSA] = sCL
	t[fromServer][eventSyn][sSR] = sSA
	t[fromServer][eventSyn][sSA] = sSA
	t[fromClientOnly][eventSyn] = [tcpStates]State{sSA, sES, sES, sSR, sSA, sSA, sSA, sSA, sSA, sSA, sSA}
	return t
}()

// event returns what a packet's flags say, false when they say nothing.
func event(flags uint8) (event int, any bool) {
	switch {
	case flags&TCPRst != 0:
		return eventRst, true
	case flags&TCPSyn != 0:
		return eventSyn, true
	case flags&TCPFin != 0:
		return eventFin, true
	case flags&TCPAck != 0:
		return eventAck, true
	}
	return 0, false
}

// follow moves a connection to the state after a packet.
func (k *Kernel) follow(c *conn, p *Packet, direction int) {
	switch p.Protocol {
	case protoTCP:
		k.followTCP(c, p, direction)
	case protoSCTP:
		k.followSCTP(c, p, direction)
	case protoUDP:
		c.timeout = k.timeouts.udp
		if direction == fromServer {
			k.assure(c)
		}
	}
}

func (k *Kernel) followTCP(c *conn, p *Packet, direction int) {
	state := k.tcpAfter(c, p, direction)
	if direction == fromServer {
		c.flags &^= connNoOutput
	}
	if k.moveTo(c, state, tcpActive[state]) && state == tcpEstablished {
		k.assure(c)
	}
	c.timeout = k.tcpTimeout(state)
}

// moveTo puts a connection into a state, and reports whether it was in another.
func (k *Kernel) moveTo(c *conn, s State, active bool) bool {
	if s == State(c.state) {
		return false
	}
	k.setActive(c, active)
	c.state = uint8(s)
	return true
}

// stateAfter returns the state of a connection after a packet. Only TCP and SCTP have
// states, and AH and ESP, which are of a connection of UDP, change none.
func (k *Kernel) stateAfter(c *conn, p *Packet, direction int) State {
	switch c.protocol {
	case protoTCP:
		return k.tcpAfter(c, p, direction)
	case protoSCTP:
		return assocAfter(c, p, direction)
	}
	return State(c.state)
}

func (k *Kernel) tcpAfter(c *conn, p *Packet, direction int) State {
	e, any := event(p.TCP)
	if !any {
		return tcpClose
	}
	if direction == fromClient && c.is(connNoOutput) {
		direction = fromClientOnly
	}
	table := &tcpNormal
	if k.sysctl.secureTCP >= defenceActing {
		table = &tcpSecure
	}
	return table[direction][e][c.state]
}

// tcpTimeout returns how long a connection lasts in a state.
func (k *Kernel) tcpTimeout(s State) span {
	switch s {
	case tcpEstablished:
		return k.timeouts.tcp
	case tcpFinWait:
		return k.timeouts.fin
	}
	return tcpTimeouts[s]
}

var tcpTimeouts = [tcpStates]span{
	tcpNone: 2 * second, tcpSynSent: 120 * second, tcpSynRecv: 60 * second,
	tcpTimeWait: 120 * second, tcpClose: 10 * second, tcpCloseWait: 60 * second,
	tcpLastAck: 30 * second, tcpListen: 120 * second, tcpSynAck: 120 * second,
}

// setActive counts a connection as active or inactive.
func (k *Kernel) setActive(c *conn, active bool) {
	if c.dest == 0 || c.is(connInactive) != active || k.dests[c.dest].unbound {
		return
	}
	d := k.dests[c.dest]
	if active {
		c.flags &^= connInactive
		d.Active++
		d.Inactive--
	} else {
		c.flags |= connInactive
		d.Active--
		d.Inactive++
	}
	k.counted(d)
}

// assure marks the template of a connection that was established.
func (k *Kernel) assure(c *conn) {
	if c.control == 0 {
		return
	}
	if t := k.conns.at(c.control); t.is(connTemplate) {
		t.flags |= connAssured
	}
}

// stateName names the state as the kernel lists it.
func (c *conn) stateName() string {
	switch {
	case c.is(connTemplate) && c.state >= templateStates: // another director said so
		return "ERR!"
	case c.is(connTemplate) && c.is(connAssured):
		return "ASSURED"
	case c.is(connTemplate):
		return "NONE"
	case c.protocol == protoTCP:
		return tcpNames[c.state]
	case c.protocol == protoSCTP:
		return assocNames[c.state]
	case c.protocol == protoUDP:
		return "UDP"
	}
	return "ERR!"
}
