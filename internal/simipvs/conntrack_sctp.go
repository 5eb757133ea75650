package simipvs

// Netfilter's states of SCTP. Unlike IPVS's they have names of what the client has done.
const (
	nNone trackState = iota
	nClosed
	nCookieWait
	nCookieEchoed
	nEstablished
	nShutdownSent
	nShutdownRecd
	nShutdownAckSent
	nHeartbeatSent
	assocTrackStates
)

// assocTrackTimeouts are netfilter's, as a new namespace has them.
var assocTrackTimeouts = [assocTrackStates]tick{
	nClosed: 10 * second, nCookieWait: 3 * second, nCookieEchoed: 3 * second, nEstablished: 210 * second,
	nShutdownSent: 3 * second, nShutdownRecd: 3 * second, nShutdownAckSent: 3 * second, nHeartbeatSent: 30 * second,
}

// assocBegins are the states of entries by the chunk that begins them. No other does.
var assocBegins = map[byte]trackState{
	SCTPInit: nClosed, SCTPHeartbeat: nHeartbeatSent, SCTPHeartbeatAck: nClosed, SCTPShutdownAck: nShutdownAckSent,
}

// assocMove is what moves an entry.
type assocMove struct {
	direction int
	chunk     byte
	from      trackState
}

// assocMoves are all moves but that to nClosed by an ABORT.
var assocMoves = map[assocMove]trackState{
	{toOpener, SCTPInitAck, nClosed}:                     nCookieWait,
	{fromOpener, SCTPCookieEcho, nCookieWait}:            nCookieEchoed,
	{toOpener, SCTPCookieEcho, nCookieWait}:              nCookieEchoed,
	{fromOpener, SCTPCookieAck, nCookieEchoed}:           nEstablished,
	{toOpener, SCTPCookieAck, nCookieEchoed}:             nEstablished,
	{toOpener, SCTPError, nCookieEchoed}:                 nClosed,
	{fromOpener, SCTPShutdown, nEstablished}:             nShutdownSent,
	{toOpener, SCTPShutdown, nEstablished}:               nShutdownRecd,
	{fromOpener, SCTPShutdownAck, nShutdownSent}:         nShutdownAckSent,
	{toOpener, SCTPShutdownAck, nShutdownSent}:           nShutdownAckSent,
	{fromOpener, SCTPShutdownAck, nShutdownRecd}:         nShutdownAckSent,
	{toOpener, SCTPShutdownAck, nShutdownRecd}:           nShutdownAckSent,
	{fromOpener, SCTPShutdownComplete, nShutdownAckSent}: nClosed,
	{toOpener, SCTPShutdownComplete, nShutdownAckSent}:   nClosed,
	{fromOpener, SCTPInit, nShutdownSent}:                nClosed,
	{fromOpener, SCTPInit, nShutdownRecd}:                nClosed,
	{fromOpener, SCTPInit, nHeartbeatSent}:               nCookieWait,
	{toOpener, SCTPHeartbeatAck, nHeartbeatSent}:         nEstablished,
}

// followSCTP follows each chunk. Verification tags are taken to be right, but a packet is
// invalid as long as netfilter has not seen what its tag must be.
func (t track) followSCTP(p *Packet, direction int, now tick) (after track, known bool) {
	if p.Chunks == "" || misbundled(p.Chunks) {
		return t, false
	}
	was := t
	known = t.state != trackNone
	for i := range len(p.Chunks) {
		chunk := p.Chunks[i]
		switch {
		case t.state == trackNone:
			if t.state = assocBegins[chunk]; t.state == trackNone {
				return track{}, false
			}
		case !t.tagged[direction] && !saysTag(chunk):
			return was, false
		case chunk == SCTPAbort:
			t.state = nClosed
		default:
			if to, moves := assocMoves[assocMove{direction, chunk, t.state}]; moves {
				t.state = to
			}
		}
		t.learn(chunk, direction)
	}
	t.expires = now + assocTrackTimeouts[t.state]
	t.replied = t.replied || direction == toOpener
	return t, known
}

// misbundled reports whether chunks are in one packet that may not be: those that open or end
// an association come alone, and those of the cookie first.
func misbundled(chunks string) bool {
	for i := range len(chunks) {
		switch chunks[i] {
		case SCTPInit, SCTPInitAck, SCTPShutdownComplete:
			if len(chunks) > 1 {
				return true
			}
		case SCTPCookieEcho, SCTPCookieAck:
			if i > 0 {
				return true
			}
		}
	}
	return false
}

// saysTag reports whether netfilter takes a chunk without knowing what the verification
// tag of its packet must be.
func saysTag(chunk byte) bool {
	return chunk == SCTPInit || chunk == SCTPHeartbeat || chunk == SCTPHeartbeatAck || chunk == SCTPShutdownAck
}

// learn notes the verification tags that a chunk shows: a packet to open an association has
// that of the packets in the other direction.
func (t *track) learn(chunk byte, direction int) {
	switch chunk {
	case SCTPInit, SCTPInitAck, SCTPShutdownAck:
		t.tagged[1-direction] = true
	case SCTPHeartbeat, SCTPHeartbeatAck:
		t.tagged[direction] = true
	}
}
