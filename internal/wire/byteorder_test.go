package wire

import (
	"encoding/binary"
	"slices"
)

// The golden bytes are of little-endian machines. A big-endian one sends and
// takes the same, with those numbers turned round that are in the host's order.

// layout says where an attribute has such numbers.
type layout struct {
	widths map[uint16][]int   // of an attribute's numbers, one after the other
	nests  map[uint16]*layout // attributes that hold attributes
	all    bool               // each attribute is one number
}

var (
	counters      = &layout{all: true}
	serviceLayout = &layout{
		widths: map[uint16][]int{svcFamily: {2}, svcProtocol: {2}, svcFWMark: {4}, svcFlags: {4, 4}, svcTimeout: {4}},
		nests:  map[uint16]*layout{svcStats: counters, svcStats64: counters},
	}
	destLayout = &layout{
		widths: map[uint16][]int{
			destMethod: {4}, destWeight: {4}, destUpper: {4}, destLower: {4}, destActive: {4}, destInactive: {4},
			destPersistent: {4}, destFamily: {2}, destTunnelFlags: {2},
		},
		nests: map[uint16]*layout{destStats: counters, destStats64: counters},
	}
	daemonLayout = &layout{
		widths: map[uint16][]int{daemonState: {4}, daemonSyncID: {4}, daemonMaxLen: {2}, daemonPort: {2}},
	}
	commandLayout = &layout{
		widths: map[uint16][]int{attrTimeoutTCP: {4}, attrTimeoutFin: {4}, attrTimeoutUDP: {4}},
		nests:  map[uint16]*layout{attrService: serviceLayout, attrDest: destLayout, attrDaemon: daemonLayout},
	}
)

// toHostOrder makes a message of a little-endian machine one of this machine.
func toHostOrder(msg []byte) {
	switch {
	case host.Uint16([]byte{1, 0}) == 1:
	case Command(msg[0]) == CmdSetInfo:
		counters.turn(msg[headerLen:])
	default:
		commandLayout.turn(msg[headerLen:])
	}
}

func (l *layout) turn(attributes []byte) {
	var family uint16
	for b := attributes; len(b) >= attrHeaderLen; {
		n, attr := int(binary.LittleEndian.Uint16(b)), binary.LittleEndian.Uint16(b[2:])&attrTypeMask
		value := b[attrHeaderLen:n]
		slices.Reverse(b[:2])
		slices.Reverse(b[2:4])
		if l == serviceLayout && attr == svcFamily {
			family = binary.LittleEndian.Uint16(value)
		}
		widths := l.widths[attr]
		switch {
		case l.nests[attr] != nil:
			l.nests[attr].turn(value)
		case l.all:
			widths = []int{len(value)}
		case l == serviceLayout && attr == svcNetmask && family == AFInet6:
			widths = []int{4} // a number of bits; that of IPv4 is an address
		}
		for _, w := range widths {
			slices.Reverse(value[:w])
			value = value[w:]
		}
		b = b[min((n+3)&^3, len(b)):]
	}
}
