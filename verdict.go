package lvs

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Verdict is what happens to a packet, and why.
type Verdict struct {
	Action  Action         `json:"action"`           // what happens to it
	Reason  Reason         `json:"reason"`           // why
	Service ServiceID      `json:"service,omitzero"` // the zero value if no service is for the packet
	Server  netip.AddrPort `json:"server,omitzero"`  // the real server, as its service knows it; not valid without one
	Port    uint16         `json:"port,omitempty"`   // on which the server gets the packet, even if its own is 0
	Mode    Mode           `json:"mode"`             // how the packet reaches the server; it means nothing without one
	State   ConnState      `json:"state,omitempty"`  // of the connection after the packet; "" without one
}

// Target returns where the server gets the packet: its address and [Verdict.Port]. It is
// not valid if there is no server.
func (v Verdict) Target() netip.AddrPort {
	if !v.Server.IsValid() {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(v.Server.Addr(), v.Port)
}

// Equal reports whether both are the same, as == does.
func (v Verdict) Equal(other Verdict) bool { return v == other }

// String describes the verdict, such as "forwarded to 10.168.0.94:80 by dr: the
// scheduler picked it".
func (v Verdict) String() string {
	var b strings.Builder
	b.WriteString(v.Action.String())
	if v.Action == ActionForwarded {
		fmt.Fprintf(&b, " to %s by %s", v.Target(), v.Mode)
	}
	b.WriteString(": " + v.Reason.String())
	return b.String()
}

// Action is what happens to a packet.
type Action uint8

// What happens to a packet.
const (
	ActionForwarded Action = iota + 1 // it goes to a real server
	ActionReplied                     // it comes from a real server, and goes to the client
	ActionRefused                     // the client gets an ICMP error: port unreachable, or as the reason says
	ActionDropped                     // it goes nowhere, and the client gets no error
	ActionPassed                      // IPVS leaves it to the director's own stack
)

// actionWords are the text forms of the actions.
var actionWords = [...]string{
	ActionForwarded: "forwarded", ActionReplied: "replied", ActionRefused: "refused", ActionDropped: "dropped", ActionPassed: "passed on",
}

// String returns the action in words.
func (a Action) String() string {
	if a == 0 || int(a) >= len(actionWords) {
		return "action-" + strconv.Itoa(int(a))
	}
	return actionWords[a]
}

// MarshalText returns what String returns.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what String returns. The error matches [ErrInvalid].
func (a *Action) UnmarshalText(text []byte) error {
	i := slices.Index(actionWords[:], string(text))
	if i <= 0 {
		return invalid("action", "want one of %s", strings.Join(actionWords[1:], ", ")).about(OpParse, strconv.Quote(string(text)))
	}
	*a = Action(i)
	return nil
}

// Reason is why a packet was forwarded or not.
type Reason uint8

// Why a packet was forwarded or not.
const (
	ReasonConnection      Reason = iota + 1 // it belongs to a connection
	ReasonScheduled                         // the scheduler picked the server
	ReasonPersistence                       // persistence ties the client to the server, whatever its weight and thresholds
	ReasonBypass                            // no server is usable, and cache_bypass is on
	ReasonNoService                         // no service is for it
	ReasonNoServerUsable                    // the scheduler found no server with a weight and below its upper threshold; without HashFallback, SH and MH look at one alone, and so does DH
	ReasonNoServers                         // the service has no servers
	ReasonNoScheduler                       // the service's scheduler is [NoScheduler]
	ReasonNotOpening                        // it belongs to no connection and cannot open one
	ReasonNotPersistent                     // a service of port 0 accepts packets only if it is persistent
	ReasonFTPData                           // it may be FTP data, for which the service must be persistent
	ReasonFromFTPData                       // it comes from port 20, which IPVS never schedules
	ReasonEngine                            // the service's persistence engine finds no key in it: for sip, it is not UDP or has no Call-ID
	ReasonServerRemoved                     // its connection's server was removed, and expire_nodest_conn is off
	ReasonConntrack                         // conntrack knows another connection of its addresses and ports; net.ipv4.vs.conntrack may be off
	ReasonDropRate                          // drop_packet is on
	ReasonConnectionLimit                   // conn_max is reached
	ReasonBackupOnly                        // backup_only is on and a backup daemon runs
	ReasonNoMode                            // the kernel does not know the server's forwarding mode
	ReasonNoConnection                      // it comes from a server of [NAT] and belongs to no connection, and nat_icmp_send is on
	ReasonProtocol                          // IPVS balances TCP, UDP and SCTP, and forwards AH and ESP: no other protocol
	ReasonNoChunk                           // it is an SCTP packet without a chunk, and belongs to no connection
	ReasonRelated                           // it is an ICMP error about a packet of a connection; if it is refused, about one in a tunnel to a server, and the client gets such an error about what was inside
	ReasonChecksum                          // it is an ICMP error with a wrong checksum
	ReasonNotTracked                        // the helper for FTP has to change it, but netfilter does not track its connection
	ReasonServerFirst                       // it is a datagram of a server of [NAT] that opens a connection, because the service has a persistence engine
	ReasonOwnStack                          // it would go to the director itself, where IPVS cannot bring it: no packet for another host, which by [NAT] and [ModeLocalNode] leaves on the way there, and none by cache_bypass

	// Why a packet gets no further, although IPVS may have a server for it.
	ReasonNotLocal      // the VIP is not an address of the director, so IPVS does not see the packet
	ReasonNoRoute       // the director has no route to the server, and sends the client an ICMP error: host unreachable
	ReasonNotOnLink     // a router is between the director and a server of [DR], and cannot know to send it there
	ReasonLoopback      // the VIP or the server is a loopback address, which packets from outside cannot have
	ReasonLinkDown      // the interface to the server has no carrier
	ReasonTooLong       // it is longer than the MTU on the way to the server
	ReasonNotListening  // the server is the director itself, where no program listens
	ReasonForwardingOff // it is an answer of a server of [NAT], and the director does not forward
	ReasonNoNeighbour   // no host on the link answers for the address of the server, or of the router before it
	ReasonFirewall      // a firewall of the director drops it
	ReasonMalformed     // it is cut off, or a checksum of its headers is wrong; see [Simulator.DeliverIP]
	ReasonExpired       // its TTL or hop limit is used up, and its sender gets an ICMP error: time exceeded
	ReasonFragment      // it is a fragment, and waits for the others
)

// reasonTexts are the text forms of the reasons, and their descriptions.
var reasonTexts = [...]struct{ name, words string }{
	ReasonConnection:      {"connection", "it belongs to a connection"},
	ReasonScheduled:       {"scheduled", "the scheduler picked it"},
	ReasonPersistence:     {"persistence", "persistence ties the client to it"},
	ReasonBypass:          {"bypass", "no server is usable, and cache_bypass is on"},
	ReasonNoService:       {"no-service", "no service is for it"},
	ReasonNoServerUsable:  {"no-server-usable", "the scheduler finds no server with a weight and below its upper threshold"},
	ReasonNoServers:       {"no-servers", "the service has no servers"},
	ReasonNoScheduler:     {"no-scheduler", "the service has no scheduler"},
	ReasonNotOpening:      {"not-opening", "it belongs to no connection and cannot open one"},
	ReasonNotPersistent:   {"not-persistent", "a service of port 0 must be persistent"},
	ReasonFTPData:         {"ftp-data", "it may be FTP data, for which the service must be persistent"},
	ReasonFromFTPData:     {"from-ftp-data", "it comes from port 20"},
	ReasonEngine:          {"engine", "the persistence engine of the service finds no key in it"},
	ReasonServerRemoved:   {"server-removed", "its connection's server was removed"},
	ReasonConntrack:       {"conntrack", "conntrack knows another connection of its addresses and ports"},
	ReasonDropRate:        {"drop-rate", "drop_packet dropped it"},
	ReasonConnectionLimit: {"connection-limit", "conn_max is reached"},
	ReasonBackupOnly:      {"backup-only", "backup_only is on and a backup daemon runs"},
	ReasonNoMode:          {"no-mode", "the server's forwarding mode is unknown"},
	ReasonNoConnection:    {"no-connection", "it comes from a server of nat and belongs to no connection, and nat_icmp_send is on"},
	ReasonProtocol:        {"protocol", "IPVS does not balance its protocol"},
	ReasonNoChunk:         {"no-chunk", "it has no chunk and belongs to no connection"},
	ReasonRelated:         {"related", "it is an ICMP error about a packet of a connection"},
	ReasonChecksum:        {"checksum", "its ICMP checksum is wrong"},
	ReasonNotTracked:      {"not-tracked", "the helper for FTP has to change it, but netfilter does not track its connection"},
	ReasonServerFirst:     {"server-first", "its server opens a connection with it, for the service has a persistence engine"},
	ReasonOwnStack:        {"own-stack", "it would go to the director itself, where IPVS cannot bring it"},
	ReasonNotLocal:        {"not-local", "its destination is not an address of the director, so IPVS does not see it"},
	ReasonNoRoute:         {"no-route", "the director has no route to the server"},
	ReasonNotOnLink:       {"not-on-link", "a router is between the director and the server, which dr cannot cross"},
	ReasonLoopback:        {"loopback", "packets from outside do not reach a loopback address"},
	ReasonLinkDown:        {"link-down", "the interface to the server has no carrier"},
	ReasonTooLong:         {"too-long", "it is longer than the MTU on the way to the server"},
	ReasonNotListening:    {"not-listening", "the server is the director itself, where no program listens"},
	ReasonForwardingOff:   {"forwarding-off", "the director does not forward, so answers of nat do not reach the client"},
	ReasonNoNeighbour:     {"no-neighbour", "no host on the link to the server answers for its address"},
	ReasonFirewall:        {"firewall", "a firewall of the director drops it"},
	ReasonMalformed:       {"malformed", "it is cut off, or a checksum of its headers is wrong"},
	ReasonExpired:         {"expired", "its TTL or hop limit is used up"},
	ReasonFragment:        {"fragment", "it waits for the other fragments of its packet"},
}

// String describes the reason in words.
func (r Reason) String() string {
	if r == 0 || int(r) >= len(reasonTexts) {
		return "reason-" + strconv.Itoa(int(r))
	}
	return reasonTexts[r].words
}

// MarshalText returns a short name, such as "no-server-usable" for
// [ReasonNoServerUsable].
func (r Reason) MarshalText() ([]byte, error) {
	if r == 0 || int(r) >= len(reasonTexts) {
		return []byte(r.String()), nil
	}
	return []byte(reasonTexts[r].name), nil
}

// UnmarshalText reads the short name. The error matches [ErrInvalid].
func (r *Reason) UnmarshalText(text []byte) error {
	var names []string
	for i, t := range reasonTexts[1:] {
		if t.name == string(text) {
			*r = Reason(i + 1)
			return nil
		}
		names = append(names, t.name)
	}
	return invalid("reason", "want one of %s", strings.Join(names, ", ")).about(OpParse, strconv.Quote(string(text)))
}
