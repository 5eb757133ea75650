package simipvs

// Types of SCTP chunks.
const (
	SCTPData             = 0
	SCTPInit             = 1
	SCTPInitAck          = 2
	SCTPSack             = 3
	SCTPHeartbeat        = 4
	SCTPHeartbeatAck     = 5
	SCTPAbort            = 6
	SCTPShutdown         = 7
	SCTPShutdownAck      = 8
	SCTPError            = 9
	SCTPCookieEcho       = 10
	SCTPCookieAck        = 11
	SCTPShutdownComplete = 14
)

// States of an SCTP association, by the kernel's numbers.
const (
	aNO State = iota
	aI1
	aIN
	aCS
	aCR
	aCW
	aCO
	aCE
	aES
	aSS
	aSR
	aSA
	aRE
	aCL
	assocStates
)

var assocNames = [assocStates]string{
	"NONE", "INIT1", "INIT", "C-SENT", "C-REPLIED", "C-WAIT", "COOKIE", "C-ECHOED", "ESTABLISHED",
	"S-SENT", "S-RECEIVED", "S-ACK-SENT", "REJECTED", "CLOSED",
}

// What an SCTP packet says.
const (
	assocOther = iota // data, and whatever else moves no association
	assocInit
	assocInitAck
	assocAbort
	assocShutdown
	assocShutdownAck
	assocError
	assocCookieEcho
	assocCookieAck
	assocShutdownDone
	assocEvents
)

// assocEvent is what a packet says by the type of its first chunk.
var assocEvent = [...]uint8{
	SCTPInit: assocInit, SCTPInitAck: assocInitAck, SCTPAbort: assocAbort,
	SCTPShutdown: assocShutdown, SCTPShutdownAck: assocShutdownAck, SCTPShutdownComplete: assocShutdownDone,
	SCTPError: assocError, SCTPCookieEcho: assocCookieEcho, SCTPCookieAck: assocCookieAck,
}

// assocTable has a column for each state: NO I1 IN CS CR CW CO CE ES SS SR SA RE CL. In NO,
// a packet from the server finds an association that an ICMP error opened. Without replies,
// an association gets into the other states only where a sync daemon told of it.
var assocTable = [directions][assocEvents][assocStates]State{
	fromClient: {
		assocOther:        {aES, aI1, aIN, aCS, aCR, aCW, aCO, aCE, aES, aSS, aSR, aSA, aRE, aCL},
		assocInit:         {aI1, aIN, aIN, aCS, aCR, aCW, aCO, aCE, aES, aSS, aSR, aSA, aIN, aIN},
		assocInitAck:      {aCW, aCW, aCW, aCS, aCR, aCO, aCO, aCE, aES, aSS, aSR, aSA, aRE, aCL},
		assocAbort:        {aCL, aCL, aCL, aCL, aCL, aRE, aCL, aCL, aCL, aCL, aCL, aCL, aCL, aCL},
		assocShutdown:     {aSR, aI1, aIN, aCS, aCR, aCW, aCO, aCE, aSR, aSS, aSR, aSA, aRE, aCL},
		assocShutdownAck:  {aCL, aIN, aIN, aCS, aCR, aCW, aCO, aCE, aES, aCL, aSR, aCL, aRE, aCL},
		assocError:        {aCL, aI1, aIN, aCS, aCR, aCW, aCO, aCL, aES, aSS, aSR, aSA, aRE, aCL},
		assocCookieEcho:   {aCR, aIN, aIN, aCR, aCR, aCW, aCO, aCE, aES, aSS, aSR, aSA, aRE, aCL},
		assocCookieAck:    {aES, aI1, aIN, aCS, aCR, aCW, aCO, aES, aES, aSS, aSR, aSA, aRE, aCL},
		assocShutdownDone: {aCL, aCL, aCL, aCS, aCR, aCW, aCO, aCE, aES, aSS, aSR, aCL, aRE, aCL},
	},
	fromServer: {
		assocOther:        {aES, aI1, aIN, aCS, aCR, aCW, aCO, aCE, aES, aSS, aSR, aSA, aRE, aCL},
		assocInit:         {aCW, aCW, aCW, aCW, aCW, aCW, aCW, aCW, aES, aCW, aCW, aCW, aCW, aCW},
		assocInitAck:      {aCS, aCS, aCS, aCS, aCR, aCW, aCO, aCE, aES, aSS, aSR, aSA, aRE, aCL},
		assocAbort:        {aCL, aRE, aCL, aCL, aCL, aCL, aCL, aCL, aCL, aCL, aCL, aCL, aCL, aCL},
		assocShutdown:     {aSS, aSS, aSS, aSS, aSS, aSS, aSS, aSS, aSS, aSS, aSR, aSA, aRE, aCL},
		assocShutdownAck:  {aSA, aSA, aSA, aSA, aSA, aCW, aCO, aCE, aES, aSA, aSA, aSA, aRE, aCL},
		assocError:        {aCL, aCL, aCL, aCL, aCL, aCW, aCO, aCE, aES, aSS, aSR, aSA, aRE, aCL},
		assocCookieEcho:   {aCE, aCE, aCE, aCE, aCE, aCE, aCE, aCE, aES, aSS, aSR, aSA, aRE, aCL},
		assocCookieAck:    {aES, aES, aES, aES, aES, aES, aES, aES, aES, aSS, aSR, aSA, aRE, aCL},
		assocShutdownDone: {aCL, aI1, aIN, aCS, aCR, aCW, aCO, aCE, aES, aSS, aSR, aSA, aRE, aCL},
	},
	fromClientOnly: {
		assocOther:        {aES, aI1, aIN, aCS, aCR, aES, aCO, aCE, aES, aSS, aSR, aSA, aRE, aCL},
		assocInit:         {aI1, aIN, aIN, aIN, aIN, aIN, aCO, aCE, aES, aSS, aSR, aSA, aIN, aIN},
		assocInitAck:      {aCE, aCE, aCE, aCE, aCE, aCE, aCO, aCE, aES, aSS, aSR, aSA, aRE, aCL},
		assocAbort:        {aCL, aCL, aCL, aCL, aCL, aRE, aCL, aCL, aCL, aCL, aCL, aCL, aCL, aCL},
		assocShutdown:     {aSR, aI1, aIN, aCS, aCR, aCW, aCO, aCE, aSR, aSS, aSR, aSA, aRE, aCL},
		assocShutdownAck:  {aCL, aIN, aIN, aCS, aCR, aCW, aCO, aCE, aCL, aCL, aSR, aCL, aRE, aCL},
		assocError:        {aCL, aI1, aIN, aCS, aCR, aCW, aCO, aCE, aES, aSS, aSR, aSA, aRE, aCL},
		assocCookieEcho:   {aES, aES, aES, aES, aES, aES, aCO, aCE, aES, aSS, aSR, aSA, aRE, aCL},
		assocCookieAck:    {aES, aI1, aIN, aES, aES, aCW, aES, aES, aES, aSS, aSR, aSA, aRE, aCL},
		assocShutdownDone: {aCL, aCL, aCL, aCL, aCL, aCW, aCO, aCE, aES, aSS, aCL, aCL, aRE, aCL},
	},
}

// assocTimeouts are longer by a second than whole minutes.
var assocTimeouts = [assocStates]span{
	aNO: 2 * second, aI1: 4 * second, aIN: 61 * second, aCS: 61 * second, aCR: 61 * second, aCW: 61 * second, aCO: 61 * second,
	aCE: 61 * second, aES: 900 * second, aSS: 61 * second, aSR: 61 * second, aSA: 61 * second, aRE: 4 * second, aCL: 61 * second,
}

// assocSays returns what a packet with at least one chunk says. Only behind a chunk of
// the cookie does a second one matter, and only if it aborts.
func (p *Packet) assocSays() uint8 {
	first := p.Chunks[0]
	switch {
	case len(p.Chunks) > 1 && (first == SCTPCookieEcho || first == SCTPCookieAck) && p.Chunks[1] == SCTPAbort:
		return assocAbort
	case int(first) < len(assocEvent):
		return assocEvent[first]
	}
	return assocOther
}

// firstChunk reports whether the first chunk of a packet is of a type.
func (p *Packet) firstChunk(kind byte) bool { return p.Chunks != "" && p.Chunks[0] == kind }

// opensAssoc reports whether a packet can open an association.
func (k *Kernel) opensAssoc(p *Packet) bool {
	return p.firstChunk(SCTPInit) || k.sysctl.sloppySCTP != 0 && !p.firstChunk(SCTPAbort)
}

// followSCTP moves an association to the state after a packet. One without a chunk only
// restarts the timer.
func (k *Kernel) followSCTP(c *conn, p *Packet, direction int) {
	if p.Chunks == "" {
		return
	}
	state := assocAfter(c, p, direction)
	if direction == fromServer {
		c.flags &^= connNoOutput
	}
	if k.moveTo(c, state, state == aES) && state == aES {
		k.assure(c)
	}
	c.timeout = assocTimeouts[state]
}

func assocAfter(c *conn, p *Packet, direction int) State {
	if p.Chunks == "" {
		return State(c.state)
	}
	if direction == fromClient && c.is(connNoOutput) {
		direction = fromClientOnly
	}
	return assocTable[direction][p.assocSays()][c.state]
}
