package lvs

import (
	"strconv"
	"strings"

	"github.com/golvs/lvs/internal/wire"
)

// Mode is how a packet gets from the director to a real server: [DR], [NAT], a
// tunnel ([IPIP], [GUE], [GRE]), or one of those that the kernel uses by itself
// ([ModeLocalNode], [ModeBypass]). It is comparable. Other tools can leave modes behind
// that have no name; they keep their number.
//
// As text it reads "dr", "nat", "ipip", "gue:6080", "gue:6080+csum",
// "gre+csum", "local" or "bypass".
type Mode uint64

// A mode holds the method, such that direct routing is zero, and the tunnel
// that the kernel keeps with every method.
const (
	methodBits      = 0xff
	tunnelTypeShift = 8
	tunnelPortShift = 16
	tunnelFlagShift = 32

	// ModeLocalNode delivers to the director itself. The kernel chooses it by
	// itself for an address of its own, and whoever lists sees the mode that
	// was asked for: it is not meant to be set.
	ModeLocalNode = Mode(wire.MethodLocalNode ^ wire.MethodDirect)

	// ModeBypass sends on to where the packet was going. The kernel uses it for
	// connections when cache_bypass is on: it is not meant to be set.
	ModeBypass = Mode(wire.MethodBypass ^ wire.MethodDirect)
)

func newMode(method uint32, tunnel uint8, port, flags uint16) Mode {
	return Mode((method^wire.MethodDirect)&methodBits) | tunnelMode(tunnel, port, flags)
}

func tunnelMode(kind uint8, port, flags uint16) Mode {
	return Mode(kind)<<tunnelTypeShift | Mode(port)<<tunnelPortShift | Mode(flags)<<tunnelFlagShift
}

func (m Mode) method() uint32     { return uint32(m&methodBits) ^ wire.MethodDirect }
func (m Mode) tunnelType() uint8  { return uint8(m >> tunnelTypeShift) }
func (m Mode) tunnelPort() uint16 { return uint16(m >> tunnelPortShift) }
func (m Mode) tunnelFlags() TunnelFlags {
	return TunnelFlags(m >> tunnelFlagShift)
}
func (m Mode) isTunnel() bool { return m.method() == wire.MethodTunnel }

// String returns the text form.
func (m Mode) String() string {
	tunnel := m &^ methodBits
	switch method := m & methodBits; {
	case method == IPIP:
		return tunnel.tunnelString()
	case tunnel != 0:
		return methodString(method) + "/" + tunnel.tunnelString()
	default:
		return methodString(method)
	}
}

func methodString(m Mode) string {
	switch m {
	case DR:
		return "dr"
	case NAT:
		return "nat"
	case ModeLocalNode:
		return "local"
	case ModeBypass:
		return "bypass"
	}
	return "method-" + strconv.Itoa(int(m.method()))
}

// ParseMode reads the text form, and "tun" for "ipip". The error is of the kind
// [ErrInvalid].
func ParseMode(s string) (Mode, error) {
	name, tunnel, both := strings.Cut(s, "/")
	if !both {
		if m, ok := parseMethod(name); ok {
			return m, nil
		}
		tunnel = name
	}
	t, ok := parseTunnel(tunnel)
	if !ok {
		return 0, invalid("mode", "want dr, nat, ipip, gue:PORT, gre, local or bypass").about(OpParse, strconv.Quote(s))
	}
	m := IPIP
	if both {
		if m, ok = parseMethod(name); !ok {
			return 0, invalid("mode", "%q is no method", name).about(OpParse, strconv.Quote(s))
		}
	}
	return m | t, nil
}

func parseMethod(s string) (Mode, bool) {
	for _, m := range []Mode{DR, NAT, ModeLocalNode, ModeBypass} {
		if s == methodString(m) {
			return m, true
		}
	}
	number, ok := strings.CutPrefix(s, "method-")
	n, err := strconv.ParseUint(number, 10, 8)
	return newMode(uint32(n), 0, 0, 0), ok && err == nil
}

// MarshalText returns the text form.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads the text form; an empty text is [DR].
func (m *Mode) UnmarshalText(text []byte) (err error) {
	*m = DR
	if len(text) > 0 {
		*m, err = ParseMode(string(text))
	}
	return err
}

func (m Mode) validate() *Error {
	switch m & methodBits {
	case DR, NAT, ModeLocalNode, ModeBypass:
		if m&^methodBits != 0 {
			return invalid("Mode", "%s does not use a tunnel", methodString(m&methodBits))
		}
		return nil
	case IPIP:
		return m.validateTunnel()
	}
	return invalid("Mode", "the kernel has no forwarding method %d", m.method())
}

// DR is direct routing: the director puts the server's MAC address on the packet
// and changes nothing else. The server must be on the same network, have the
// VIP on a device that does not answer ARP for it, and listen on the service's
// own port; it answers the client directly. It is the zero [Mode]. [DRDirector]
// and [DRRealServer] set the hosts up.
const DR Mode = 0

// NAT is network address translation (ipvsadm calls it masquerading): the
// director rewrites address and port of the packet and of its answer, which
// must come back through it. The only mode in which a server may listen on
// another port than the service's. [NATDirector] and [NATRealServer] set the
// hosts up.
const NAT = Mode(wire.MethodMasq ^ wire.MethodDirect)
