package lvs

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/golvs/lvs/internal/simipvs"
)

// Verdict is what happens to a packet, and why.
type Verdict struct {
	Action  Action         `json:"action"`           // what happens to it
	Reason  Reason         `json:"reason"`           // why
	Service ServiceID      `json:"service,omitzero"` // the zero value if none is for the packet
	Server  netip.AddrPort `json:"server,omitzero"`  // the real server, as its service knows it; not valid if there is none
	Port    uint16         `json:"port,omitempty"`   // on which the server gets the packet, also when its own is 0
	Mode    Mode           `json:"mode,omitzero"`    // how it gets there; left out of JSON when it is [DR]
	State   ConnState      `json:"state,omitempty"`  // of the connection after the packet; "" if there is none
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

// String says it in words, such as "forwarded to 10.168.0.94:80 by dr: the
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

// Action is what becomes of a packet.
type Action uint8

// What becomes of a packet.
const (
	ActionForwarded = Action(simipvs.Forwarded) // to a real server
	ActionReplied   = Action(simipvs.Replied)   // it is a real server's, and goes to the client
	ActionRefused   = Action(simipvs.Refused)   // the client is told by ICMP: port unreachable, or as the reason says
	ActionDropped   = Action(simipvs.Dropped)   // nobody is told
	ActionPassed    = Action(simipvs.Passed)    // IPVS leaves it to the director's own stack
)

// String returns a word.
func (a Action) String() string {
	switch a {
	case ActionForwarded:
		return "forwarded"
	case ActionReplied:
		return "replied"
	case ActionRefused:
		return "refused"
	case ActionDropped:
		return "dropped"
	case ActionPassed:
		return "passed on"
	}
	return "action-" + strconv.Itoa(int(a))
}

// Reason is why a packet was forwarded or not.
type Reason uint8

// Why a packet was forwarded or not.
const (
	ReasonConnection      = Reason(simipvs.Connected)     // it belongs to a connection
	ReasonScheduled       = Reason(simipvs.Scheduled)     // the scheduler picked the server
	ReasonPersistence     = Reason(simipvs.ByTemplate)    // persistence ties the client to the server, whatever its weight and thresholds
	ReasonBypass          = Reason(simipvs.Bypassed)      // no server was usable, and cache_bypass is on
	ReasonNoService       = Reason(simipvs.NoService)     // no service is for it
	ReasonNoServerUsable  = Reason(simipvs.NoServer)      // the scheduler found none: those with weight 0 or at their upper threshold do not count
	ReasonNoServers       = Reason(simipvs.NoServers)     // the service has none
	ReasonNoScheduler     = Reason(simipvs.NoScheduler)   // the service's scheduler is [NoScheduler]
	ReasonNotOpening      = Reason(simipvs.NotOpening)    // it belongs to no connection and cannot open one
	ReasonNotPersistent   = Reason(simipvs.OtherPort)     // a service of port 0 takes packets only when it is persistent
	ReasonFTPData         = Reason(simipvs.FTPData)       // it may be FTP data, for which the service would have to be persistent
	ReasonFromFTPData     = Reason(simipvs.FromFTPData)   // it comes from port 20, which IPVS never schedules
	ReasonServerRemoved   = Reason(simipvs.ServerRemoved) // its connection's server was removed, and expire_nodest_conn is off
	ReasonConntrack       = Reason(simipvs.Conntracked)   // netfilter has an entry in its way, perhaps of an earlier packet: net.ipv4.vs.conntrack need not be 1
	ReasonDropRate        = Reason(simipvs.DropRate)      // drop_packet is on
	ReasonConnectionLimit = Reason(simipvs.TooMany)       // conn_max is reached
	ReasonBackupOnly      = Reason(simipvs.BackupOnly)    // backup_only is on, and a backup daemon runs
	ReasonNoMode          = Reason(simipvs.NoTransmitter) // the server has a mode that is none

	// What keeps a packet from getting onward, although IPVS may have a server for it.
	ReasonNotLocal      = Reason(simipvs.NotLocal)      // the VIP is not an address of the director, so IPVS does not see the packet
	ReasonNoRoute       = Reason(simipvs.NoRoute)       // the director has no route to the server; the client is told by ICMP: host unreachable
	ReasonNotOnLink     = Reason(simipvs.NotOnLink)     // a router is between the director and a server of [DR], and does not know to send it there
	ReasonLoopback      = Reason(simipvs.Loopback)      // the VIP or the server is a loopback address, which packets from outside cannot have
	ReasonLinkDown      = Reason(simipvs.LinkDown)      // the interface by which it would leave has no carrier
	ReasonTooLong       = Reason(simipvs.TooLong)       // it is longer than the MTU on the way lets pass
	ReasonNotListening  = Reason(simipvs.NotListening)  // the server is the director itself, where no program listens
	ReasonForwardingOff = Reason(simipvs.ForwardingOff) // it is an answer of a server of [NAT], and the director does not forward
	ReasonNoNeighbour   = Reason(simipvs.NoNeighbour)   // no host on the link answers for the address of the server, or of the router before it
	ReasonFirewall      = Reason(simipvs.Firewalled)    // a firewall of the director takes it
	ReasonNoConnection  = Reason(simipvs.NoConnection)  // it comes from a server of [NAT] and belongs to no connection, and nat_icmp_send is on
)

var reasons = map[Reason]string{
	ReasonConnection:      "it belongs to a connection",
	ReasonScheduled:       "the scheduler picked it",
	ReasonPersistence:     "persistence ties the client to it",
	ReasonBypass:          "no server is usable, and cache_bypass is on",
	ReasonNoService:       "no service is for it",
	ReasonNoServerUsable:  "no server is usable: each has weight 0 or is at its upper threshold",
	ReasonNoServers:       "the service has no servers",
	ReasonNoScheduler:     "the service has no scheduler",
	ReasonNotOpening:      "it belongs to no connection and cannot open one",
	ReasonNotPersistent:   "a service of port 0 must be persistent",
	ReasonFTPData:         "it may be FTP data, for which the service must be persistent",
	ReasonFromFTPData:     "it comes from port 20",
	ReasonServerRemoved:   "its connection's server was removed",
	ReasonConntrack:       "conntrack knows another connection of its addresses and ports",
	ReasonDropRate:        "drop_packet took it",
	ReasonConnectionLimit: "conn_max is reached",
	ReasonBackupOnly:      "backup_only is on and a backup daemon runs",
	ReasonNoMode:          "the server's forwarding mode is none",

	ReasonNotLocal:      "its destination is not an address of the director, so IPVS does not see it",
	ReasonNoRoute:       "the director has no route to the server",
	ReasonNotOnLink:     "a router is between the director and the server, which dr cannot cross",
	ReasonLoopback:      "packets from outside do not get to a loopback address",
	ReasonLinkDown:      "the interface to the server has no carrier",
	ReasonTooLong:       "it is longer than the MTU on the way to the server lets pass",
	ReasonNotListening:  "the server is the director itself, where no program listens",
	ReasonForwardingOff: "the director does not forward, so answers of nat do not reach the client",
	ReasonNoNeighbour:   "no host on the link to the server answers for its address",
	ReasonFirewall:      "a firewall of the director takes it",
	ReasonNoConnection:  "it comes from a server of nat and belongs to no connection, and nat_icmp_send is on",
}

// String returns the reason in words.
func (r Reason) String() string {
	if s, ok := reasons[r]; ok {
		return s
	}
	return "reason-" + strconv.Itoa(int(r))
}
