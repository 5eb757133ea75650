package lvs

import (
	"fmt"
	"net/netip"
)

// Flow is the packets of a client to a virtual address.
type Flow struct {
	Protocol Protocol       `json:"protocol,omitzero"` // 0 is TCP
	Client   netip.AddrPort `json:"client"`            // address and port of the client; protocols other than TCP, UDP and SCTP have port 0
	VIP      netip.AddrPort `json:"vip"`               // virtual address and port
	FWMark   uint32         `json:"fwmark,omitempty"`  // firewall mark of the client's packets; 0 is none

	// Data is what datagrams of the flow carry, as far as a persistence engine looks at
	// it: for sip, a message with its Call-ID. If it is "", it is not known.
	Data string `json:"data,omitempty"`
}

// Equal reports whether both are the same flow, as == does; see [ServiceID.Equal].
func (f Flow) Equal(other Flow) bool { return f == other }

// String returns the flow in one line.
func (f Flow) String() string { return fmt.Sprintf("%s %s -> %s", f.protocol(), f.Client, f.VIP) }

func (f Flow) validate() *Error {
	if p := f.protocol(); p > 255 {
		return invalid("Protocol", "packets cannot have %s", p)
	}
	return validateEnds(f.protocol(), "Client", f.Client, "VIP", f.VIP)
}

func (f Flow) protocol() Protocol {
	if f.Protocol == 0 {
		return ProtocolTCP
	}
	return f.Protocol
}

// validateEnds refuses fields that cannot be the source and destination of a packet.
func validateEnds(p Protocol, field string, from netip.AddrPort, other string, to netip.AddrPort) *Error {
	if bad := validateEnd(p, field, from); bad != nil {
		return bad
	}
	if bad := validateEnd(p, other, to); bad != nil {
		return bad
	}
	if from.Addr().Unmap().Is4() != to.Addr().Unmap().Is4() {
		return invalid(other, "%s does not have the address family of %s", to, from)
	}
	return nil
}

func validateEnd(p Protocol, field string, at netip.AddrPort) *Error {
	switch {
	case !at.IsValid():
		return invalid(field, "must be set")
	case at.Addr().Zone() != "":
		return invalid(field, "packets have no zones, and %s has one", at)
	case at.Port() == 0 && p.hasPorts():
		return invalid(field, "packets have no port 0, and %s has it", at)
	case at.Port() != 0 && !p.hasPorts():
		return invalid(field, "packets of %s have no ports, and %s has one", p, at)
	}
	return nil
}
