package lvs

import (
	"cmp"
	"net/netip"
	"strconv"
	"strings"

	"github.com/golvs/lvs/internal/wire"
)

// Protocol is the number of an IP protocol. IPVS balances [ProtocolTCP],
// [ProtocolUDP] and [ProtocolSCTP]. The kernel accepts services of other
// protocols, but never finds a packet for them.
//
// The text form is "tcp", "udp", "sctp", or "protocol-" and the number.
type Protocol uint16

// The protocols that IPVS balances, and those of IPsec, whose packets follow the
// connection from UDP port 500 to port 500 of the same two hosts, if IPVS has one.
const (
	ProtocolTCP  Protocol = 6
	ProtocolUDP  Protocol = 17
	ProtocolESP  Protocol = 50
	ProtocolAH   Protocol = 51
	ProtocolSCTP Protocol = 132
)

const otherProtocol = "protocol-" // then the number

// String returns the text form.
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

// hasPorts reports whether packets of the protocol have ports.
func (p Protocol) hasPorts() bool { return p == ProtocolTCP || p == ProtocolUDP || p == ProtocolSCTP }

// ParseProtocol parses the text form, in any case. Errors match [ErrInvalid].
func ParseProtocol(s string) (Protocol, error) {
	p, ok := parseProtocol(s)
	if !ok {
		return 0, invalid("Protocol", "want tcp, udp, sctp or protocol-NUMBER").about(OpParse, strconv.Quote(s))
	}
	return p, nil
}

// MarshalText returns the text form.
func (p Protocol) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText parses text as [ParseProtocol] does.
func (p *Protocol) UnmarshalText(text []byte) (err error) {
	read, err := ParseProtocol(string(text))
	if err == nil {
		*p = read
	}
	return err
}

func parseProtocol(s string) (Protocol, bool) {
	s = strings.ToLower(s)
	for _, p := range []Protocol{ProtocolTCP, ProtocolUDP, ProtocolSCTP} {
		if s == p.String() {
			return p, true
		}
	}
	number, ok := strings.CutPrefix(s, otherProtocol)
	n, err := strconv.ParseUint(number, 10, 16)
	return Protocol(n), ok && err == nil
}

// ServiceID identifies a service: by protocol, virtual address (VIP) and port,
// or by a firewall mark and an address family. IDs are comparable, so they can
// be keys of a map. The zero value is not a service.
//
// The text form is "tcp://10.168.0.91:80", "udp://[2001:db8::1]:53",
// "fwmark://7" or, for IPv6, "fwmark6://7".
type ServiceID struct {
	vip      netip.AddrPort
	mark     uint32
	family   uint16 // wire.AFInet or wire.AFInet6; zero in the zero value
	protocol Protocol
}

// NewServiceID returns the ID of the service at an address. An IPv4 address that
// is mapped into IPv6 becomes IPv4. The result is the zero value if the address
// is not valid.
func NewServiceID(p Protocol, vip netip.AddrPort) ServiceID {
	if !vip.Addr().IsValid() {
		return ServiceID{}
	}
	vip = unmap(vip)
	return ServiceID{protocol: p, vip: vip, family: familyOf(vip.Addr())}
}

// TCP returns the ID of a TCP service: see [NewServiceID].
func TCP(vip netip.AddrPort) ServiceID { return NewServiceID(ProtocolTCP, vip) }

// UDP returns the ID of a UDP service: see [NewServiceID].
func UDP(vip netip.AddrPort) ServiceID { return NewServiceID(ProtocolUDP, vip) }

// SCTP returns the ID of an SCTP service: see [NewServiceID].
func SCTP(vip netip.AddrPort) ServiceID { return NewServiceID(ProtocolSCTP, vip) }

// FWMark returns the ID of the service for IPv4 packets with a firewall mark. It
// returns the zero value for mark 0, which unmarked packets have.
func FWMark(mark uint32) ServiceID { return markID(mark, wire.AFInet) }

// FWMark6 returns the ID of the service for IPv6 packets with a firewall mark,
// as [FWMark] does for IPv4.
func FWMark6(mark uint32) ServiceID { return markID(mark, wire.AFInet6) }

func markID(mark uint32, family uint16) ServiceID {
	if mark == 0 {
		return ServiceID{}
	}
	return ServiceID{mark: mark, family: family}
}

// IsValid reports whether the ID identifies a service. The zero value does not.
func (id ServiceID) IsValid() bool { return id.family != 0 }

// Protocol returns the protocol, 0 for a firewall mark.
func (id ServiceID) Protocol() Protocol { return id.protocol }

// AddrPort returns the virtual address and port, the zero value for a firewall
// mark. Port 0 means every port.
func (id ServiceID) AddrPort() netip.AddrPort { return id.vip }

// FWMark returns the firewall mark, 0 for a service with an address.
func (id ServiceID) FWMark() uint32 { return id.mark }

// Is6 reports whether the service is for IPv6 packets.
func (id ServiceID) Is6() bool { return id.family == wire.AFInet6 }

// Equal reports whether both are the same service, as == does. It lets go-cmp
// compare IDs, which have unexported fields; other types of this package have
// an Equal for the same reason.
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

// noService is the text of the zero ServiceID for people; its text form is empty.
const noService = "<no service>"

// String returns the text form, or "<no service>" for the zero value.
func (id ServiceID) String() string {
	switch {
	case !id.IsValid():
		return noService
	case id.mark != 0 && id.Is6():
		return "fwmark6://" + strconv.FormatUint(uint64(id.mark), 10)
	case id.mark != 0:
		return "fwmark://" + strconv.FormatUint(uint64(id.mark), 10)
	}
	return id.protocol.String() + "://" + id.vip.String()
}

// MustParseServiceID is like [ParseServiceID], and panics if s cannot be parsed.
// It is for constants, such as those of tests.
func MustParseServiceID(s string) ServiceID {
	id, err := ParseServiceID(s)
	if err != nil {
		panic(err)
	}
	return id
}

// ParseServiceID parses the text form; its scheme may have any case. Errors match
// [ErrInvalid].
func ParseServiceID(s string) (ServiceID, error) {
	id, err := parseServiceID(s)
	if err != nil {
		return ServiceID{}, err.about(OpParse, strconv.Quote(s))
	}
	return id, nil
}

func parseServiceID(s string) (ServiceID, *Error) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return ServiceID{}, invalid("ID", `want a form like "tcp://10.0.0.1:80" or "fwmark://7"`)
	}
	switch scheme = strings.ToLower(scheme); scheme {
	case "fwmark", "fwmark6":
		mark, err := strconv.ParseUint(rest, 10, 32)
		if err != nil || mark == 0 {
			return ServiceID{}, invalid("FWMark", "%q is not a number from 1 to 4294967295", rest)
		}
		if scheme == "fwmark6" {
			return FWMark6(uint32(mark)), nil
		}
		return FWMark(uint32(mark)), nil
	}
	protocol, ok := parseProtocol(scheme)
	if !ok {
		return ServiceID{}, invalid("Protocol", "%q is not tcp, udp, sctp, fwmark or fwmark6", scheme)
	}
	vip, err := netip.ParseAddrPort(rest)
	if err != nil {
		return ServiceID{}, invalid("AddrPort", "%q is not an address and a port", rest)
	}
	return NewServiceID(protocol, vip), nil
}

// MarshalText returns the text form, which is empty for the zero value.
func (id ServiceID) MarshalText() ([]byte, error) {
	if !id.IsValid() {
		return []byte{}, nil
	}
	return []byte(id.String()), nil
}

// UnmarshalText parses text as [ParseServiceID] does; an empty text is the zero
// value.
func (id *ServiceID) UnmarshalText(text []byte) (err error) {
	*id = ServiceID{}
	if len(text) > 0 {
		*id, err = ParseServiceID(string(text))
	}
	return err
}

// requireID refuses the zero value.
func requireID(id ServiceID) *Error {
	if !id.IsValid() {
		return invalid("ID", "is not a service: zero value, invalid VIP, or mark 0")
	}
	return nil
}

// validateID refuses services that no packet can reach.
func validateID(id ServiceID) *Error {
	switch vip := id.vip.Addr(); {
	case !id.IsValid():
		return requireID(id)
	case id.mark != 0:
		return nil
	case vip.IsUnspecified():
		return invalid("ID", "packets cannot be sent to %s", vip)
	case vip.Zone() != "":
		return invalid("ID", "IPVS has no zones, and %s has one", vip)
	case id.protocol != ProtocolTCP && id.protocol != ProtocolUDP && id.protocol != ProtocolSCTP:
		return invalid("ID", "IPVS balances TCP, UDP and SCTP, but not %s", id.protocol)
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

// familyName returns the name of an address family for messages.
func familyName(is6 bool) string {
	if is6 {
		return "IPv6"
	}
	return "IPv4"
}
