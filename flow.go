package lvs

import (
	"fmt"
	"net/netip"
)

// Flow is who talks to whom: a client to a virtual address.
type Flow struct {
	Protocol Protocol       `json:"protocol"`         // [ProtocolTCP] or [ProtocolUDP]; 0 is TCP
	Client   netip.AddrPort `json:"client"`           // its address and port
	VIP      netip.AddrPort `json:"vip"`              // the virtual address and port
	FWMark   uint32         `json:"fwmark,omitempty"` // the firewall's mark on the client's packets; 0 is none
}

// Equal tells whether both are the same flow, as == does.
func (f Flow) Equal(other Flow) bool { return f == other }

// String shows the flow in one line.
func (f Flow) String() string { return fmt.Sprintf("%s %s -> %s", f.protocol(), f.Client, f.VIP) }

func (f Flow) validate() *Error {
	if p := f.protocol(); p > 255 {
		return invalid("Protocol", "%s is not a protocol of a packet", p)
	}
	return validateEnds(f.protocol(), "Client", f.Client, "VIP", f.VIP)
}

func (f Flow) protocol() Protocol {
	if f.Protocol == 0 {
		return ProtocolTCP
	}
	return f.Protocol
}

// validateEnds refuses fields that cannot be the two ends of a packet.
func validateEnds(p Protocol, field string, from netip.AddrPort, other string, to netip.AddrPort) *Error {
	for _, end := range []struct {
		field string
		at    netip.AddrPort
	}{{field, from}, {other, to}} {
		switch {
		case !end.at.IsValid():
			return invalid(end.field, "is not set")
		case end.at.Addr().Zone() != "":
			return invalid(end.field, "%s has a zone, which no packet has", end.at)
		case end.at.Port() == 0 && (p == ProtocolTCP || p == ProtocolUDP):
			return invalid(end.field, "%s has port 0, which no packet has", end.at)
		}
	}
	if from.Addr().Unmap().Is4() != to.Addr().Unmap().Is4() {
		return invalid(other, "%s is not of the address family of %s", to, from)
	}
	return nil
}
