package conformance

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// This file builds and reads raw messages. It shares no code and no number with
// internal/wire, so that a mistake there is not hidden by the same one here.

// Commands of IPVS.
const (
	cNewService = 1
	cSetService = 2
	cDelService = 3
	cGetService = 4
	cNewDest    = 5
	cSetDest    = 6
	cDelDest    = 7
	cGetDest    = 8
	cNewDaemon  = 9
	cDelDaemon  = 10
	cGetDaemon  = 11
	cSetConfig  = 12
	cGetConfig  = 13
	cSetInfo    = 14
	cGetInfo    = 15
	cZero       = 16
	cFlush      = 17
)

// Attributes at the top of a message.
const (
	aService    = 1
	aDest       = 2
	aDaemon     = 3
	aTimeoutTCP = 4
	aTimeoutFin = 5
	aTimeoutUDP = 6
)

// Attributes of a service.
const (
	sAF        = 1
	sProtocol  = 2
	sAddr      = 3
	sPort      = 4
	sFWMark    = 5
	sScheduler = 6
	sFlags     = 7
	sTimeout   = 8
	sNetmask   = 9
	sStats     = 10
	sEngine    = 11
	sStats64   = 12
)

// Attributes of a destination.
const (
	dAddr     = 1
	dPort     = 2
	dMethod   = 3
	dWeight   = 4
	dUpper    = 5
	dLower    = 6
	dActive   = 7
	dInactive = 8
	dPersist  = 9
	dStats    = 10
	dAF       = 11
	dStats64  = 12
	dTunType  = 13
	dTunPort  = 14
	dTunFlags = 15
)

// Attributes of a sync daemon.
const (
	yState  = 1
	yDevice = 2
	ySyncID = 3
	yMaxLen = 4
	yGroup  = 5
	yGroup6 = 6
	yPort   = 7
	yTTL    = 8
)

// Numbers of netlink.
const (
	nlRequest = 0x1
	nlMulti   = 0x2
	nlAck     = 0x4
	nlIntr    = 0x10
	nlRoot    = 0x100
	nlDump    = 0x300

	nlNoop  = 1
	nlError = 2
	nlDone  = 3

	nlaNested    = 0x8000
	nlaByteOrder = 0x4000

	inet4 = 2
	inet6 = 10
)

func u8(v uint8) []byte                 { return []byte{v} }
func u16(v uint16) []byte               { return binary.NativeEndian.AppendUint16(nil, v) }
func u32(v uint32) []byte               { return binary.NativeEndian.AppendUint32(nil, v) }
func be16(v uint16) []byte              { return binary.BigEndian.AppendUint16(nil, v) }
func text(s string) []byte              { return append([]byte(s), 0) }
func flagged(flags, mask uint32) []byte { return append(u32(flags), u32(mask)...) }

// address16 is an address as replies have it.
func address16(s string) []byte {
	b := make([]byte, 16)
	copy(b, netip.MustParseAddr(s).AsSlice())
	return b
}

// attributes is a list of attributes, in order.
type attributes []attribute

type attribute struct {
	number uint16
	value  []byte
}

// set returns the list with an attribute changed where it is, or added.
func (a attributes) set(number uint16, value []byte) attributes {
	b := slices.Clone(a)
	for i := range b {
		if b[i].number == number {
			b[i].value = value
			return b
		}
	}
	return append(b, attribute{number, value})
}

// plus returns the list with one more attribute, even if it has one of that number.
func (a attributes) plus(number uint16, value []byte) attributes {
	return append(slices.Clone(a), attribute{number, value})
}

// without returns the list without the attributes of some numbers.
func (a attributes) without(numbers ...uint16) attributes {
	return slices.DeleteFunc(slices.Clone(a), func(at attribute) bool { return slices.Contains(numbers, at.number) })
}

// only returns the attributes of the list whose numbers another list has.
func (a attributes) only(like attributes) attributes {
	return slices.DeleteFunc(slices.Clone(a), func(at attribute) bool { return like.get(at.number) == nil })
}

// get returns the value of the last attribute of a number, nil if there is none.
func (a attributes) get(number uint16) []byte {
	for _, at := range slices.Backward(a) {
		if at.number == number {
			return at.value
		}
	}
	return nil
}

// String lists the attributes by number, so that order does not matter.
func (a attributes) String() string {
	b := slices.Clone(a)
	slices.SortStableFunc(b, func(x, y attribute) int { return int(x.number) - int(y.number) })
	var s strings.Builder
	for _, at := range b {
		fmt.Fprintf(&s, "%d=%x ", at.number, at.value)
	}
	return s.String()
}

func (a attributes) encode() []byte {
	var b []byte
	for _, at := range a {
		b = append(b, u16(uint16(4+len(at.value)))...)
		b = append(b, u16(at.number)...)
		b = append(b, at.value...)
		b = append(b, make([]byte, -len(at.value)&3)...)
	}
	return b
}

func parseAttributes(t testing.TB, b []byte) (a attributes) {
	t.Helper()
	for len(b) > 0 {
		if len(b) < 4 {
			t.Fatalf("%d bytes where an attribute should start", len(b))
		}
		n := int(binary.NativeEndian.Uint16(b))
		if n < 4 || n > len(b) {
			t.Fatalf("an attribute of %d bytes, and %d are left", n, len(b))
		}
		a = append(a, attribute{binary.NativeEndian.Uint16(b[2:]), b[4:n]})
		b = b[min((n+3)&^3, len(b)):]
	}
	return a
}

// request is a message to IPVS. The connection sets NLM_F_REQUEST.
type request struct {
	command uint8
	flags   uint16
	body    []byte // attributes
	notAsk  bool   // without NLM_F_REQUEST
	family  uint16 // another family than IPVS
}

// about returns a request with nested attributes: the service, then the
// destination.
func about(command uint8, nests ...attributes) request {
	var top attributes
	for i, n := range nests {
		top = append(top, attribute{uint16(aService + i), n.encode()})
	}
	return request{command: command, body: top.encode()}
}

// plain returns a request with attributes at the top.
func plain(command uint8, top attributes) request {
	return request{command: command, body: top.encode()}
}

// daemonRequest returns a request about a daemon.
func daemonRequest(command uint8, d attributes) request {
	return plain(command, attributes{{aDaemon, d.encode()}})
}

func newService(s attributes) request { return about(cNewService, s) }
func setService(s attributes) request { return about(cSetService, s) }
func delService(s attributes) request { return about(cDelService, s) }
func getService(s attributes) request { return about(cGetService, s) }
func newDest(s, d attributes) request { return about(cNewDest, s, d) }
func setDest(s, d attributes) request { return about(cSetDest, s, d) }
func delDest(s, d attributes) request { return about(cDelDest, s, d) }
func listDests(s attributes) request  { return about(cGetDest, s).dumped() }
func newDaemon(d attributes) request  { return daemonRequest(cNewDaemon, d) }
func delDaemon(state uint32) request {
	return daemonRequest(cDelDaemon, attributes{{yState, u32(state)}})
}
func setConfig(top attributes) request   { return plain(cSetConfig, top) }
func bare(command uint8) request         { return request{command: command} }
func listServices() request              { return bare(cGetService).dumped() }
func listDaemons() request               { return bare(cGetDaemon).dumped() }
func (r request) dumped() request        { r.flags |= nlDump; return r }
func (r request) with(fl uint16) request { r.flags |= fl; return r }

// keyOf returns the identity of a service: "tcp 10.1.0.1:80", "mark4 7".
func keyOf(s string) attributes {
	kind, rest, _ := strings.Cut(s, " ")
	switch kind {
	case "mark4", "mark6":
		var mark uint32
		if _, err := fmt.Sscan(rest, &mark); err != nil {
			panic(err)
		}
		af := map[string]uint16{"mark4": inet4, "mark6": inet6}[kind]
		return attributes{{sAF, u16(af)}, {sFWMark, u32(mark)}}
	}
	protocol := map[string]uint16{"tcp": 6, "udp": 17, "sctp": 132}[kind]
	vip := netip.MustParseAddrPort(rest)
	return attributes{
		{sAF, u16(afOf(vip.Addr()))}, {sProtocol, u16(protocol)},
		{sAddr, vip.Addr().AsSlice()}, {sPort, be16(vip.Port())},
	}
}

func afOf(a netip.Addr) uint16 {
	if a.Is4() {
		return inet4
	}
	return inet6
}

// serviceOf returns a whole service: scheduler rr, no flags, no persistence.
func serviceOf(key string) attributes {
	s := keyOf(key)
	netmask := []byte{255, 255, 255, 255}
	if bytes.Equal(s.get(sAF), u16(inet6)) {
		netmask = u32(128)
	}
	return append(s,
		attribute{sScheduler, text("rr")}, attribute{sFlags, flagged(0, ^uint32(0))},
		attribute{sTimeout, u32(0)}, attribute{sNetmask, netmask})
}

// destKeyOf returns the identity of a destination, without its family.
func destKeyOf(addr string) attributes {
	a := netip.MustParseAddrPort(addr)
	return attributes{{dAddr, a.Addr().AsSlice()}, {dPort, be16(a.Port())}}
}

// Forwarding methods and tunnel types.
const (
	masquerade, localNode, tunnel, direct, bypass = 0, 1, 2, 3, 4
	tunIPIP, tunGUE, tunGRE                       = 0, 1, 2
)

// destOf returns a whole destination: direct routing, weight 1.
func destOf(addr string) attributes {
	return append(destKeyOf(addr),
		attribute{dMethod, u32(direct)}, attribute{dWeight, u32(1)},
		attribute{dUpper, u32(0)}, attribute{dLower, u32(0)})
}

// otherFamilyDest returns a whole destination that says its family, reached
// through a tunnel.
func otherFamilyDest(addr string) attributes {
	return destOf(addr).set(dMethod, u32(tunnel)).set(dAF, u16(afOf(netip.MustParseAddrPort(addr).Addr())))
}

func daemonOf(state uint32) attributes {
	return attributes{{yState, u32(state)}, {yDevice, text(groundDevice)}, {ySyncID, u32(5)}}
}
