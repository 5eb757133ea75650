package lvs

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"
	"time"

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
		return invalid("protocol", "want tcp, udp, sctp or protocol-NUMBER").about("parse", strconv.Quote(string(text)))
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

// VIP returns the virtual address and port; it is not valid for a
// firewall-mark service. Port 0 stands for every port.
func (id ServiceID) VIP() netip.AddrPort { return id.vip }

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
	const op = "parse service"
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return ServiceID{}, invalid("", `want a form like "tcp://10.0.0.1:80" or "fwmark://7"`).about(op, strconv.Quote(s))
	}
	if scheme == "fwmark" || scheme == "fwmark6" {
		mark, err := strconv.ParseUint(rest, 10, 32)
		if err != nil || mark == 0 {
			return ServiceID{}, invalid("mark", "%q is not a number from 1 to 4294967295", rest).about(op, strconv.Quote(s))
		}
		if scheme == "fwmark6" {
			return FWMark6(uint32(mark)), nil
		}
		return FWMark(uint32(mark)), nil
	}
	protocol, ok := parseProtocol(scheme)
	if !ok {
		return ServiceID{}, invalid("protocol", "%q is none of tcp, udp, sctp, fwmark and fwmark6", scheme).about(op, strconv.Quote(s))
	}
	vip, err := netip.ParseAddrPort(rest)
	if err != nil {
		return ServiceID{}, invalid("VIP", "%q is not an address and a port", rest).about(op, strconv.Quote(s))
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

// Service is a virtual service: what clients connect to.
type Service struct {
	ID ServiceID `json:"id" yaml:"id"` // what it is for; the zero value is refused

	// Scheduler picks the real server of a new connection. Empty means [WLC]
	// when the service is added; an update must name one.
	Scheduler Scheduler `json:"scheduler,omitempty" yaml:"scheduler,omitempty"`

	// Flags are switches of the scheduler; zero is none.
	Flags SchedulerFlags `json:"flags,omitzero" yaml:"flags,omitempty"`

	// Persistence sends a client's later connections to the same real server;
	// zero is none.
	Persistence Persistence `json:"persistence,omitzero" yaml:"persistence,omitempty"`

	// OnePacket schedules each datagram by itself. It is for UDP, and for a
	// firewall mark, where it concerns the UDP packets only.
	OnePacket bool `json:"onePacket,omitempty" yaml:"onePacket,omitempty"`
}

// Equal tells whether the kernel would see the same service: an empty scheduler
// is [WLC], and a mask that is full, or has no persistence to serve, is none.
func (s Service) Equal(other Service) bool { return s.normal() == other.normal() }

func (s Service) normal() Service {
	s.Scheduler = cmp.Or(s.Scheduler, WLC)
	if s.Persistence.Timeout == 0 || s.Persistence.Mask == fullMask(s.ID) {
		s.Persistence.Mask = 0
	}
	return s
}

// String shows the service in one line, such as
// "tcp://192.168.0.11:80 lc persistent 5m0s/24".
func (s Service) String() string {
	var b strings.Builder
	b.WriteString(s.ID.String() + " " + cmp.Or(s.Scheduler, WLC).String())
	if s.Flags != 0 {
		b.WriteString(" (" + s.Flags.Names(s.Scheduler) + ")")
	}
	if s.Persistence != (Persistence{}) {
		b.WriteString(" persistent " + s.Persistence.String())
	}
	if s.OnePacket {
		b.WriteString(" ops")
	}
	return b.String()
}

// validate refuses what can never work. An edit passes the service as it was:
// what it does not touch is not looked at.
func (s Service) validate(was *Service) *Error {
	fresh := was == nil
	if fresh {
		if err := validateID(s.ID); err != nil {
			return err
		}
		was = &Service{}
	}
	if fresh || s.Scheduler != was.Scheduler {
		if err := s.Scheduler.validate(); err != nil {
			return err
		}
	}
	if own := s.Flags & ownFlags; own != 0 && (fresh || s.Flags != was.Flags) {
		return invalid("Flags", "%#x are not the scheduler's; set Persistence or OnePacket instead", uint32(own))
	}
	if fresh || s.Persistence != was.Persistence {
		if err := s.Persistence.validate(s.ID); err != nil {
			return err
		}
	}
	if s.OnePacket && !was.OnePacket && s.ID.mark == 0 && s.ID.protocol != ProtocolUDP {
		return invalid("OnePacket", "a %s service cannot be scheduled by the packet, only UDP can", s.ID.protocol)
	}
	if (fresh || s.Persistence != was.Persistence) && s.catchAll() && s.Persistence.Timeout == 0 {
		return invalid("Persistence", "a service on port 0 stands for every port only with persistence; "+
			"without, it would refuse all connections to %s", s.ID.vip.Addr())
	}
	return nil
}

// catchAll tells whether the service stands for every port of its address.
func (s Service) catchAll() bool { return s.ID.mark == 0 && s.ID.vip.Port() == 0 }

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

// MaxPersistence is the longest persistence timeout that every kernel keeps as
// it was given. The kernel counts in ticks, 32 bits wide; past this, one with
// 1000 ticks a second would store some shorter time without a word.
const MaxPersistence = 4_294_967 * time.Second

// Persistence sends all connections of a client to the real server of its
// first. The zero value is no persistence.
//
// As text it reads "5m0s", "5m0s/24", "5m0s/255.255.0.255" or, with an engine,
// "5m0s/24 pe=sip"; none is "none".
type Persistence struct {
	// Timeout is how long the server is remembered after the client's last
	// connection: whole seconds, at most [MaxPersistence]. Zero is no
	// persistence. Usual is 5 minutes.
	Timeout time.Duration

	// Mask makes all clients of a network one client. Zero means each address
	// is a client of its own.
	Mask Mask

	// Engine names a persistence engine, "sip" in Linux; empty is none.
	Engine string
}

// String returns the text form.
func (p Persistence) String() string {
	s := "none"
	if p.Timeout != 0 {
		s = p.Timeout.String()
	}
	s += p.Mask.String()
	if p.Engine != "" {
		s += " pe=" + p.Engine
	}
	return s
}

// MarshalText returns the text form.
func (p Persistence) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads the text form; an empty text is none. The error is of the
// kind [ErrInvalid].
func (p *Persistence) UnmarshalText(text []byte) error {
	*p = Persistence{}
	for i, word := range strings.Fields(string(text)) {
		engine, isEngine := strings.CutPrefix(word, "pe=")
		switch {
		case isEngine && i > 0:
			p.Engine = engine
		case i > 0:
			return invalid("persistence", "%q is not pe=NAME", word).about("parse", strconv.Quote(string(text)))
		default:
			if err := p.parseTime(word); err != nil {
				return err.about("parse", strconv.Quote(string(text)))
			}
		}
	}
	return nil
}

func (p *Persistence) parseTime(word string) *Error {
	timeout, mask, masked := strings.Cut(word, "/")
	if timeout != "none" {
		d, err := time.ParseDuration(timeout)
		if err != nil {
			return invalid("persistence", "%q is not a time such as 5m or 300s", timeout)
		}
		p.Timeout = d
	}
	if masked {
		return p.Mask.parse(mask)
	}
	return nil
}

func (p Persistence) validate(id ServiceID) *Error {
	switch {
	case p.Timeout < 0 || p.Timeout > MaxPersistence:
		return invalid("Persistence.Timeout", "%s is not within 0 and %s", p.Timeout, MaxPersistence)
	case p.Timeout%time.Second != 0:
		return invalid("Persistence.Timeout", "%s is not in whole seconds, and the kernel counts no finer", p.Timeout)
	case p.Timeout == 0 && p.Engine != "":
		return invalid("Persistence.Engine", "%q needs a Timeout: without persistence it does nothing", p.Engine)
	}
	if bad := validateName("Persistence.Engine", p.Engine, wire.MaxEngineName); bad != nil {
		return bad
	}
	return p.Mask.validate(id)
}

// Mask says which part of a client's address counts for [Persistence]. Zero is
// the whole address. Make others with [PrefixMask] and [DottedMask]. As text it
// reads "/24", "/255.255.0.255", or "" for the whole address.
type Mask uint64

const (
	prefixMask Mask = 1 << 32
	dottedMask Mask = 2 << 32
	maskKind        = prefixMask | dottedMask
)

// PrefixMask returns the mask of the first n bits: of an IPv4 address 0 (all
// clients are one) to 32, of an IPv6 address 1 to 128.
func PrefixMask(n int) Mask {
	if n < 0 || n > 128 {
		n = -1 // refused when it is used
	}
	return prefixMask | Mask(uint32(n))
}

// DottedMask returns an IPv4 mask, which need not be contiguous.
func DottedMask(mask [4]byte) Mask {
	m := binary.BigEndian.Uint32(mask[:])
	if ones := bits.LeadingZeros32(^m); m == prefixToMask(ones) {
		return PrefixMask(ones)
	}
	return dottedMask | Mask(m)
}

func prefixToMask(n int) uint32 { return ^uint32(0) << (32 - n) }

func fullMask(id ServiceID) Mask {
	if id.Is6() {
		return PrefixMask(128)
	}
	return PrefixMask(32)
}

// String returns the text form.
func (m Mask) String() string {
	switch m & maskKind {
	case prefixMask:
		return "/" + strconv.Itoa(int(int32(uint32(m))))
	case dottedMask:
		return "/" + netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(m)))).String()
	}
	return ""
}

// MarshalText returns the text form.
func (m Mask) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads the text form, with or without the slash. The error is of
// the kind [ErrInvalid].
func (m *Mask) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*m = 0
		return nil
	}
	if err := m.parse(strings.TrimPrefix(string(text), "/")); err != nil {
		return err.about("parse mask", strconv.Quote(string(text)))
	}
	return nil
}

func (m *Mask) parse(s string) *Error {
	if n, err := strconv.ParseUint(s, 10, 8); err == nil && n <= 128 {
		*m = PrefixMask(int(n))
		return nil
	}
	addr, err := netip.ParseAddr(s)
	if err != nil || !addr.Is4() {
		return invalid("mask", "%q is neither a number of bits, 0 to 128, nor an IPv4 mask", s)
	}
	*m = DottedMask(addr.As4())
	return nil
}

func (m Mask) validate(id ServiceID) *Error {
	n := int(int32(uint32(m)))
	switch {
	case m == 0:
		return nil
	case m&maskKind == dottedMask && id.Is6():
		return invalid("Persistence.Mask", "%s is an IPv4 mask, and %s is an IPv6 service", m, id)
	case m&maskKind == dottedMask:
		return nil
	case m&maskKind != prefixMask || m&^(maskKind|Mask(^uint32(0))) != 0:
		return invalid("Persistence.Mask", "%#x was made neither by PrefixMask nor by DottedMask", uint64(m))
	case id.Is6() && (n < 1 || n > 128):
		return invalid("Persistence.Mask", "%s is not within /1 and /128", m)
	case !id.Is6() && (n < 0 || n > 32):
		return invalid("Persistence.Mask", "%s is not within /0 and /32", m)
	}
	return nil
}

// ServiceStatus is a service as the kernel reports it.
type ServiceStatus struct {
	Service
	Stats Stats `json:"stats" yaml:"stats"` // those of all its servers together
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
