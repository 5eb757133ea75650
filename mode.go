package lvs

import (
	"strconv"
	"strings"

	"github.com/golvs/lvs/internal/wire"
)

// Mode is how packets get from the director to a real server: [DR], [NAT], or a
// tunnel ([IPIP], [GUE], [GRE]). The kernel also has two modes of its own,
// [ModeLocalNode] and [ModeBypass]. The zero value is DR. Modes are comparable,
// so they can be used in a switch and as keys of a map.
//
// Other tools can leave modes in the kernel that have no name here. They are
// read, printed and parsed without loss.
//
// The text form is "dr", "nat", "ipip", "gue:6080", "gue:6080+csum", "gre+csum",
// "local" or "bypass".
type Mode struct {
	xmethod uint8 // the kernel's forwarding method, XOR that of DR, so that DR is zero
	tunnel  uint8 // the kernel's tunnel type; it keeps one with every method
	port    uint16
	flags   TunnelFlags
}

// DR returns direct routing, the zero [Mode]. The director sends the packet to
// the server's MAC address and changes nothing else, and the server answers the
// client directly. So the server must be on the same link, have the VIP on a
// device that does not answer ARP for it, and listen on the service's port.
// [DRDirector] and [DRRealServer] set the hosts up.
func DR() Mode { return Mode{} }

// NAT returns network address translation, which ipvsadm calls masquerading. The
// director rewrites the address and port of the packet and of the answer, so
// the answer must pass through the director. NAT is the only mode in which a
// server may listen on a port other than the service's. [NATDirector] and
// [NATRealServer] set the hosts up.
func NAT() Mode { return newMode(wire.MethodMasq, 0, 0, 0) }

// ModeLocalNode returns the mode in which the kernel delivers packets to the
// director itself. It uses this mode for servers whose address is the
// director's own, while listings show the configured mode. The mode can be
// read, but not set: adding a server with it matches [ErrInvalid].
func ModeLocalNode() Mode { return newMode(wire.MethodLocalNode, 0, 0, 0) }

// ModeBypass returns the mode in which the kernel forwards packets to their
// original destination. It uses this mode for connections when cache_bypass is
// on. The mode can be read, but not set: adding a server with it matches
// [ErrInvalid].
func ModeBypass() Mode { return newMode(wire.MethodBypass, 0, 0, 0) }

func newMode(method uint32, tunnel uint8, port, flags uint16) Mode {
	return Mode{uint8(method ^ wire.MethodDirect), tunnel, port, TunnelFlags(flags)}
}

func (m Mode) method() uint32 { return uint32(m.xmethod ^ wire.MethodDirect) }

// withoutTunnel returns the method alone.
func (m Mode) withoutTunnel() Mode { return Mode{xmethod: m.xmethod} }

// IsTunnel reports whether packets travel to the server inside other packets.
func (m Mode) IsTunnel() bool { return m.method() == wire.MethodTunnel }

// Port returns the UDP port of a [GUE] tunnel, and 0 for other modes.
func (m Mode) Port() uint16 { return m.port }

// TunnelFlags returns the switches of a [GUE] or [GRE] tunnel, and 0 for other
// modes.
func (m Mode) TunnelFlags() TunnelFlags { return m.flags }

// Name returns the text form without the tunnel's port and switches: "dr",
// "nat", "ipip", "gue", "gre", "local" or "bypass".
func (m Mode) Name() string {
	if m.IsTunnel() {
		return tunnelName(m.tunnel)
	}
	return methodName(m.withoutTunnel())
}

// String returns the text form.
func (m Mode) String() string {
	switch {
	case m.IsTunnel():
		return m.tunnelString()
	case m != m.withoutTunnel():
		return m.Name() + "/" + m.tunnelString()
	default:
		return m.Name()
	}
}

const otherMethod = "method-" // then the number

func methodName(m Mode) string {
	switch m {
	case DR():
		return "dr"
	case NAT():
		return "nat"
	case ModeLocalNode():
		return "local"
	case ModeBypass():
		return "bypass"
	}
	return otherMethod + strconv.Itoa(int(m.method()))
}

// ParseMode parses the text form, and the words of ipvsadm, keepalived and
// ldirectord in any case: "gatewaying", "gate", "route" and "g" are [DR];
// "masquerading", "masq" and "m" are [NAT]; "tunneling", "tunnel", "tun" and
// "i" are [IPIP]. Errors match [ErrInvalid].
func ParseMode(s string) (Mode, error) {
	text := strings.ToLower(s)
	if m, ok := parseMethod(text); ok {
		return m, nil
	}
	method, tunnel, foreign := strings.Cut(text, "/")
	if !foreign {
		method, tunnel = "ipip", text
	}
	m, known := parseMethod(method)
	t, ok := parseTunnel(tunnel)
	if !known || !ok {
		return Mode{}, invalid("Mode", "want dr, nat, ipip, gue:PORT or gre").about(OpParse, strconv.Quote(s))
	}
	t.xmethod = m.xmethod
	return t, nil
}

func parseMethod(s string) (Mode, bool) {
	switch s {
	case "dr", "gatewaying", "gate", "route", "g":
		return DR(), true
	case "nat", "masquerading", "masq", "m":
		return NAT(), true
	case "ipip", "tunneling", "tunnel", "tun", "i":
		return IPIP(), true
	case "local":
		return ModeLocalNode(), true
	case "bypass":
		return ModeBypass(), true
	}
	number, ok := strings.CutPrefix(s, otherMethod)
	n, err := strconv.ParseUint(number, 10, 8)
	return newMode(uint32(n), 0, 0, 0), ok && err == nil
}

// MarshalText returns the text form.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText parses text as [ParseMode] does; an empty text is [DR].
func (m *Mode) UnmarshalText(text []byte) (err error) {
	*m = DR()
	if len(text) > 0 {
		*m, err = ParseMode(string(text))
	}
	return err
}

// validate refuses modes that a program cannot set.
func (m Mode) validate() *Error {
	switch method := m.withoutTunnel(); method {
	case DR(), NAT():
		if m != method {
			return invalid("Mode", "%s does not use a tunnel", method)
		}
		return nil
	case IPIP():
		return m.validateTunnel()
	case ModeLocalNode(), ModeBypass():
		return invalid("Mode", "%s is for the kernel's own use: want dr, nat, ipip, gue or gre", method)
	}
	return invalid("Mode", "the kernel has no forwarding method %d", m.method())
}
