package lvs

import (
	"encoding/json"
	"net/netip"
	"time"
)

// ConnState is the state of a connection, by the kernel's name for it.
type ConnState string

// States of TCP connections, the state of all UDP flows, those of SCTP associations,
// which also have NONE and ESTABLISHED, and the two of persistence templates. See
// [Timeouts] for how long some of them last; the others last, in seconds: SYN_SENT 120,
// SYN_RECV 60, TIME_WAIT 120, CLOSE 10, CLOSE_WAIT 60, LAST_ACK 30, and of SCTP
// ESTABLISHED 900, INIT1 and REJECTED 4, the others 61.
const (
	StateNone        ConnState = "NONE" // also a template of which no connection was established
	StateEstablished ConnState = "ESTABLISHED"
	StateSynSent     ConnState = "SYN_SENT"
	StateSynRecv     ConnState = "SYN_RECV"
	StateFinWait     ConnState = "FIN_WAIT"
	StateTimeWait    ConnState = "TIME_WAIT"
	StateClose       ConnState = "CLOSE"
	StateCloseWait   ConnState = "CLOSE_WAIT"
	StateLastAck     ConnState = "LAST_ACK"
	StateListen      ConnState = "LISTEN"
	StateSynAck      ConnState = "SYNACK"
	StateUDP         ConnState = "UDP"
	StateAssured     ConnState = "ASSURED" // a template of which a connection was established

	StateSCTPInit1           ConnState = "INIT1"      // the client sent INIT
	StateSCTPInit            ConnState = "INIT"       // the client sent INIT again
	StateSCTPCookieSent      ConnState = "C-SENT"     // the server sent INIT ACK, which has the cookie
	StateSCTPCookieReplied   ConnState = "C-REPLIED"  // the client sent COOKIE ECHO
	StateSCTPCookieWait      ConnState = "C-WAIT"     // the server sent INIT too
	StateSCTPCookie          ConnState = "COOKIE"     // the client sent INIT ACK after that
	StateSCTPCookieEchoed    ConnState = "C-ECHOED"   // the server sent COOKIE ECHO
	StateSCTPShutdownSent    ConnState = "S-SENT"     // the server sent SHUTDOWN
	StateSCTPShutdownRecv    ConnState = "S-RECEIVED" // the client sent SHUTDOWN
	StateSCTPShutdownAckSent ConnState = "S-ACK-SENT" // the server sent SHUTDOWN ACK
	StateSCTPRejected        ConnState = "REJECTED"   // the server sent ABORT in answer to INIT
	StateSCTPClosed          ConnState = "CLOSED"     // it has ended
)

// templateStates are the states of templates.
var templateStates = []ConnState{StateNone, StateAssured}

// stateUnnamed is what the kernel lists for a state that it has no name for.
const stateUnnamed ConnState = "ERR!"

// connStates are the states of connections by protocol.
var connStates = map[Protocol][]ConnState{
	ProtocolTCP: {
		StateNone, StateEstablished, StateSynSent, StateSynRecv, StateFinWait, StateTimeWait,
		StateClose, StateCloseWait, StateLastAck, StateListen, StateSynAck, stateUnnamed,
	},
	ProtocolUDP: {StateUDP, stateUnnamed},
	ProtocolSCTP: {
		StateNone, StateSCTPInit1, StateSCTPInit, StateSCTPCookieSent, StateSCTPCookieReplied, StateSCTPCookieWait,
		StateSCTPCookie, StateSCTPCookieEchoed, StateEstablished, StateSCTPShutdownSent, StateSCTPShutdownRecv,
		StateSCTPShutdownAckSent, StateSCTPRejected, StateSCTPClosed, "?", stateUnnamed,
	},
}

// Connection is an entry of the kernel's connection table: a connection, or a
// template, which persistence keeps to send a client to the same real server
// again.
type Connection struct {
	Protocol Protocol       `json:"protocol,omitzero"` // 0 for the template of a firewall mark
	Client   netip.AddrPort `json:"client"`            // of a template: the client's network, port 0
	VIP      netip.AddrPort `json:"vip"`               // of a template: port 0 stands for all; a mark stands in the place of the address
	Server   netip.AddrPort `json:"server"`            // the zero address for a connection that cache_bypass let pass
	State    ConnState      `json:"state"`             // after its last packet
	Expires  time.Duration  `json:"expires"`           // time until it is forgotten, in whole seconds; "14m59s" in JSON
	Engine   string         `json:"engine,omitempty"`  // persistence engine
	Data     string         `json:"data,omitempty"`    // the engine's
	Origin   ConnOrigin     `json:"origin,omitempty"`  // if it was read, see [ConnectionFilter]
}

// ConnOrigin is how an entry came into the connection table, by the kernel's name for it.
type ConnOrigin string

// The origins of entries.
const (
	OriginUnknown ConnOrigin = ""      // it was not read
	OriginLocal   ConnOrigin = "LOCAL" // packets of clients made it
	OriginSync    ConnOrigin = "SYNC"  // a message of a sync daemon made it
)

type plainConnection Connection

// connectionText is a Connection in JSON.
type connectionText struct {
	plainConnection
	Expires textDuration `json:"expires"`
}

// MarshalJSON returns the fields of the type, with Expires in its text form.
func (c Connection) MarshalJSON() ([]byte, error) {
	return json.Marshal(connectionText{plainConnection(c), textDuration(c.Expires)})
}

// UnmarshalJSON reads what MarshalJSON returns. Errors match [ErrInvalid].
func (c *Connection) UnmarshalJSON(text []byte) error {
	var read connectionText
	if err := unmarshalStrict("lvs.Connection", text, &read); err != nil {
		return err
	}
	*c = Connection(read.plainConnection)
	c.Expires = time.Duration(read.Expires)
	return nil
}

// Equal reports whether both are the same entry in the same state, as == does.
func (c Connection) Equal(other Connection) bool { return c == other }

// IsTemplate reports whether the entry is a persistence template: it has no client port,
// and the state of one. A data connection of FTP that is expected has no client port
// either.
func (c Connection) IsTemplate() bool {
	return c.Client.Port() == 0 && (c.State == StateNone || c.State == StateAssured)
}
