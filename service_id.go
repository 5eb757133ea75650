package lvs

import (
	"cmp"
	"net/netip"
	"strconv"
	"strings"

	"github.com/golvs/lvs/internal/wire"
)

// Protocol is the number of an IP protocol. IPVS balances [ProtocolTCP],
// [ProtocolUDP] and [ProtocolSCTP]; it takes other numbers, and never finds a
// packet for them.
type Protocol uint16

// The protocols that IPVS balances.
const (
	ProtocolTCP  Protocol = 6
	ProtocolUDP  Protocol = 17
	ProtocolSCTP Protocol = 132
)

const otherProtocol = "protocol-" // then the number

// String returns "tcp", "udp", "sctp", or the number behind "protocol-".
func (p Protocol) String() string {
	switch p {
	case ProtocolTCP:
		return "tcp"
	case ProtocolUDP:
		return "udp"
	case ProtocolSCTP:
		return "sctp"
	}
	return otherProtocol + strconv.Itoa(int(p))
}

// MarshalText returns the text form.
func (p Protocol) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads the text form. The error is of the kind [ErrInvalid].
func (p *Protocol) UnmarshalText(text []byte) error {
	read, ok := parseProtocol(string(text))
	if !ok {
		return invalid("protocol", "want tcp, udp, sctp or protocol-NUMBER").about(OpParse, strconv.Quote(string(text)))
	}
	*p = read
	return nil
}

func parseProtocol(s string) (Protocol, bool) {
	switch s {
	case "tcp":
		return ProtocolTCP, true
	case "udp":
		return ProtocolUDP, true
	case "sctp":
		return ProtocolSCTP, true
	}
	number, ok := strings.CutPrefix(s, otherProtocol)
	n, err := strconv.ParseUint(number, 10, 16)
	return Protocol(n), ok && err == nil
}

// ServiceID tells one service from all others: protocol, virtual address (VIP)
// and port, or a firewall mark with an address family. It is comparable, so it
// can be a map's key. The zero value is no service.
//
// As text it reads "tcp://10.168.0.91:80", "udp://[2001:db8::1]:53",
// "fwmark://7" or, for IPv6, "fwmark6://7".
type ServiceID struct {
	protocol Protocol
	vip      netip.AddrPort
	mark     uint32
	family   uint16 // wire.AFInet or wire.AFInet6; zero in the zero value
}

// TCP returns the identity of a TCP service. An IPv4 address that is mapped
// into IPv6 is taken as IPv4; an address that is not valid gives the zero value.
func TCP(vip netip.AddrPort) ServiceID { return addressID(ProtocolTCP, vip) }

// UDP returns the identity of a UDP service, as [TCP] does.
func UDP(vip netip.AddrPort) ServiceID { return addressID(ProtocolUDP, vip) }

// SCTP returns the identity of an SCTP service, as [TCP] does.
func SCTP(vip netip.AddrPort) ServiceID { return addressID(ProtocolSCTP, vip) }

// FWMark returns the identity of the service for IPv4 packets that carry a
// firewall mark. Mark 0 is no mark: it gives the zero value.
func FWMark(mark uint32) ServiceID { return markID(mark, wire.AFInet) }

// FWMark6 returns the identity of the service for IPv6 packets that carry a
// firewall mark, as [FWMark] does.
func FWMark6(mark uint32) ServiceID { return markID(mark, wire.AFInet6) }

func addressID(p Protocol, vip netip.AddrPort) ServiceID {
	if !vip.Addr().IsValid() {
		return ServiceID{}
	}
	vip = unmap(vip)
	return ServiceID{protocol: p, vip: vip, family: familyOf(vip.Addr())}
}

func markID(mark uint32, family uint16) ServiceID {
	if mark == 0 {
		return ServiceID{}
	}
	return ServiceID{mark: mark, family: family}
}

// IsValid tells whether the identity names a service at all.
func (id ServiceID) IsValid() bool { return id.family != 0 }

// Protocol returns the protocol, 0 for a firewall-mark service.
func (id ServiceID) Protocol() Protocol { return id.protocol }

// AddrPort returns the virtual address and port; it is not valid for a
// firewall-mark service. Port 0 stands for every port.
func (id ServiceID) AddrPort() netip.AddrPort { return id.vip }

// FWMark returns the firewall mark, 0 for a service with an address.
func (id ServiceID) FWMark() uint32 { return id.mark }

// Is6 tells whether the service is for IPv6 packets.
func (id ServiceID) Is6() bool { return id.family == wire.AFInet6 }

// Equal tells whether both name the same service, as == does.
func (id ServiceID) Equal(other ServiceID) bool { return id == other }

// Compare orders services: those with an address first, by protocol, address
// and port, then firewall marks.
func (id ServiceID) Compare(other ServiceID) int {
	return cmp.Or(
		cmp.Compare(id.mark, other.mark),
		cmp.Compare(id.protocol, other.protocol),
		id.vip.Compare(other.vip),
		cmp.Compare(id.family, other.family),
	)
}

// String returns the text form, and "" for the zero value.
func (id ServiceID) String() string {
	switch {
	case !id.IsValid():
		return ""
	case id.mark != 0 && id.Is6():
		return "fwmark6://" + strconv.FormatUint(uint64(id.mark), 10)
	case id.mark != 0:
		return "fwmark://" + strconv.FormatUint(uint64(id.mark), 10)
	}
	return id.protocol.String() + "://" + id.vip.String()
}

// ParseServiceID reads the text form. The error is of the kind [ErrInvalid].
func ParseServiceID(s string) (ServiceID, error) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return ServiceID{}, invalid("", `want a form like "tcp://10.0.0.1:80" or "fwmark://7"`).about(OpParse, strconv.Quote(s))
	}
	if scheme == "fwmark" || scheme == "fwmark6" {
		mark, err := strconv.ParseUint(rest, 10, 32)
		if err != nil || mark == 0 {
			return ServiceID{}, invalid("mark", "%q is not a number from 1 to 4294967295", rest).about(OpParse, strconv.Quote(s))
		}
		if scheme == "fwmark6" {
			return FWMark6(uint32(mark)), nil
		}
		return FWMark(uint32(mark)), nil
	}
	protocol, ok := parseProtocol(scheme)
	if !ok {
		return ServiceID{}, invalid("protocol", "%q is none of tcp, udp, sctp, fwmark and fwmark6", scheme).about(OpParse, strconv.Quote(s))
	}
	vip, err := netip.ParseAddrPort(rest)
	if err != nil {
		return ServiceID{}, invalid("VIP", "%q is not an address and a port", rest).about(OpParse, strconv.Quote(s))
	}
	return addressID(protocol, vip), nil
}

// MarshalText returns the text form.
func (id ServiceID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the text form; an empty text is the zero value.
func (id *ServiceID) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*id = ServiceID{}
		return nil
	}
	*id, err = ParseServiceID(string(text))
	return err
}

// validateID refuses services that no packet can reach.
func validateID(id ServiceID) *Error {
	switch vip := id.vip.Addr(); {
	case !id.IsValid():
		return invalid("ID", "names no service (a zero value, a VIP that is not valid, or mark 0)")
	case id.mark != 0:
		return nil
	case vip.IsUnspecified():
		return invalid("ID", "%s is no address that packets are sent to", vip)
	case vip.Zone() != "":
		return invalid("ID", "IPVS has no zones, and %s has one", vip)
	case id.protocol != ProtocolTCP && id.protocol != ProtocolUDP && id.protocol != ProtocolSCTP:
		return invalid("ID", "IPVS balances TCP, UDP and SCTP, and never %s", id.protocol)
	}
	return nil
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

func familyOf(a netip.Addr) uint16 {
	if a.Is4() {
		return wire.AFInet
	}
	return wire.AFInet6
}

// familyName is for messages.
func familyName(is6 bool) string {
	if is6 {
		return "IPv6"
	}
	return "IPv4"
}
