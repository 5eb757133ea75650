package lvs

import (
	"context"
	"fmt"

	"github.com/golvs/lvs/internal/netstate"
	"github.com/golvs/lvs/internal/simipvs"
)

// FlowError is an ICMP error about a packet of a [Flow]. See [Host.ExplainError].
type FlowError struct {
	Type uint8 `json:"type"` // of ICMP, or of ICMPv6 if the error is about an IPv6 packet: 3 is "unreachable", in IPv6 1
	Code uint8 `json:"code"` // of this type: 4 of type 3 is "fragmentation needed"

	// FromServer says on which way the packet was that the error is about. If it is false,
	// an answer to the client was, so the client, or a router before it, sends the error.
	// If it is true, a packet to the real server was, so the server or a router before it
	// does: of [NAT] to the client, about a packet to the server's own address, of a tunnel
	// to the director, about a packet of the tunnel.
	FromServer bool `json:"fromServer,omitempty"`
}

// String describes the error in words, such as "ICMP error 3/4 from the client's side".
func (e FlowError) String() string {
	side := "client"
	if e.FromServer {
		side = "server"
	}
	return fmt.Sprintf("ICMP error %d/%d from the %s's side", e.Type, e.Code, side)
}

// Equal reports whether both are the same error, as == does.
func (e FlowError) Equal(other FlowError) bool { return e == other }

// ExplainError returns what would happen to an ICMP error about a packet of a flow, and why.
// It changes nothing, and is otherwise like [Host.Explain].
//
// If IPVS knows the connection, the reason is [ReasonRelated]. An error from the client's
// side is then [ActionForwarded] to the server, one from the server's side is
// [ActionReplied] to the client, and one about a packet in a tunnel is [ActionRefused]:
// IPVS sends the client an error of its own about what was inside. IPVS does not look
// into tunnels of IPv6, nor at IPv6 in them. What it leaves to the director's own stack, or
// on its way to the client, is [ActionPassed]. With [SysctlScheduleICMP], an error from the
// client's side may open a connection.
//
// The error is taken to quote the ports, the first fragment, and a packet that must not be
// fragmented if it says that one was too long, and to have a right checksum. A
// [SimPacket] and [Simulator.DeliverIP] can have others. Of a server that was removed a
// live host does not show the mode, so NAT, DR and IPIP are listed, which stands for all
// tunnels.
func (h *Host) ExplainError(ctx context.Context, f Flow, e FlowError) (Explanation, error) {
	return h.explain(ctx, f, &e)
}

// packet returns the error as the simulated kernel has it.
func (e *FlowError) packet(about *simipvs.Packet) *simipvs.Packet {
	const header = 8
	p := &simipvs.Packet{
		Protocol: uint8(ProtocolICMP), Mark: about.Mark, Length: about.Length + header,
		ICMP: &simipvs.ICMP{Type: e.Type, Code: e.Code, Flow: about, FromServer: e.FromServer},
	}
	if e.FromServer {
		p.Mark = 0 // the flow's is that of what clients send
	}
	return p
}

// backward adds what happens to errors from the side of a server. Those that are for the
// client come to IPVS if the director forwards.
func (w *wayfinder) backward(given []Verdict) {
	for _, v := range given {
		way := w.network.routing.Resolve(netstate.Question{To: v.Server.Addr()})
		if v.Action == ActionReplied && !way.Local() && !w.network.forwards(way.Interface, w.flow.VIP.Addr()) {
			w.stop(v, ActionDropped, ReasonForwardingOff)
			continue
		}
		w.addVerdict(v)
	}
}
