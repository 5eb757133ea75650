package lvs

import (
	"strconv"
	"strings"

	"github.com/golvs/lvs/internal/wire"
)

// IPIP returns a tunnel in which the packet travels inside another IP packet.
// The server removes the outer header, has the VIP on one of its own devices,
// and answers the client directly. It may be in any network, and even have an
// address of the other family. The tunnel is not encrypted. [TunnelDirector]
// and [TunnelRealServer] set the hosts up.
func IPIP() Mode { return newMode(wire.MethodTunnel, wire.TunnelIPIP, 0, 0) }

// GUE returns a tunnel of generic UDP encapsulation to a port of the server,
// which must not be 0. It is otherwise like [IPIP]. Linux has had it since 5.2, and its flags since 5.3.
func GUE(port uint16, flags ...TunnelFlags) Mode {
	return newMode(wire.MethodTunnel, wire.TunnelGUE, port, uint16(join(flags)))
}

// GRE returns a tunnel of generic routing encapsulation. It is otherwise like
// [IPIP]. Linux has had it since 5.3.
func GRE(flags ...TunnelFlags) Mode {
	return newMode(wire.MethodTunnel, wire.TunnelGRE, 0, uint16(join(flags)))
}

// TunnelFlags are switches of a [GUE] or [GRE] tunnel. Zero sends no checksum.
type TunnelFlags uint16

// Switches of a tunnel.
const (
	// TunnelChecksum adds a checksum to the outer header.
	TunnelChecksum TunnelFlags = wire.TunnelChecksum
	// TunnelRemoteChecksum leaves the inner checksum to the receiver. For [GUE].
	TunnelRemoteChecksum TunnelFlags = wire.TunnelRemoteChecksum
)

func join(flags []TunnelFlags) (all TunnelFlags) {
	for _, f := range flags {
		all |= f
	}
	return all
}

// tunnelNames are the names of the kernel's tunnel types.
var tunnelNames = [...]string{wire.TunnelIPIP: "ipip", wire.TunnelGUE: "gue", wire.TunnelGRE: "gre"}

const otherTunnel = "tunnel-" // then the number

func tunnelName(kind uint8) string {
	if int(kind) < len(tunnelNames) {
		return tunnelNames[kind]
	}
	return otherTunnel + strconv.Itoa(int(kind))
}

func (m Mode) tunnelString() string {
	s := tunnelName(m.tunnel)
	if m.port != 0 {
		s += ":" + strconv.Itoa(int(m.port))
	}
	if m.flags&TunnelChecksum != 0 {
		s += "+csum"
	}
	if m.flags&TunnelRemoteChecksum != 0 {
		s += "+remcsum"
	}
	if rest := m.flags &^ (TunnelChecksum | TunnelRemoteChecksum); rest != 0 {
		s += "+" + otherFlag + strconv.FormatUint(uint64(rest), 16)
	}
	return s
}

// parseTunnel parses "gue:6080+csum" as a mode whose method is not set.
func parseTunnel(s string) (Mode, bool) {
	parts := strings.Split(s, "+")
	name, portText, hasPort := strings.Cut(parts[0], ":")
	kind, ok := parseTunnelName(name)
	if !ok {
		return Mode{}, false
	}
	m := Mode{tunnel: kind}
	if hasPort {
		port, err := strconv.ParseUint(portText, 10, 16)
		if err != nil {
			return Mode{}, false
		}
		m.port = uint16(port)
	}
	for _, part := range parts[1:] {
		f, ok := parseTunnelFlag(part)
		if !ok {
			return Mode{}, false
		}
		m.flags |= f
	}
	return m, true
}

func parseTunnelName(s string) (uint8, bool) {
	for kind, name := range tunnelNames {
		if s == name {
			return uint8(kind), true
		}
	}
	number, ok := strings.CutPrefix(s, otherTunnel)
	n, err := strconv.ParseUint(number, 10, 8)
	return uint8(n), ok && err == nil
}

func parseTunnelFlag(s string) (TunnelFlags, bool) {
	switch s {
	case "csum":
		return TunnelChecksum, true
	case "remcsum":
		return TunnelRemoteChecksum, true
	}
	hex, ok := strings.CutPrefix(s, otherFlag)
	n, err := strconv.ParseUint(hex, 16, 16)
	return TunnelFlags(n), ok && err == nil
}

func (m Mode) validateTunnel() *Error {
	const known = TunnelChecksum | TunnelRemoteChecksum
	switch {
	case int(m.tunnel) >= len(tunnelNames):
		return invalid("Mode", "the kernel has no tunnel type %d", m.tunnel)
	case m.flags&^known != 0:
		return invalid("Mode", "the tunnel flags %#x have no meaning", uint16(m.flags&^known))
	case m.tunnel == wire.TunnelGUE && m.port == 0:
		return invalid("Mode", "a GUE tunnel needs the UDP port on which the server receives it")
	case m.tunnel != wire.TunnelGUE && m.port != 0:
		return invalid("Mode", "only a GUE tunnel has a port, and %s has %d", m, m.port)
	case m.tunnel == wire.TunnelIPIP && m.flags != 0:
		return invalid("Mode", "an IPIP tunnel has no checksum, and %s asks for one", m)
	case m.tunnel == wire.TunnelGRE && m.flags&TunnelRemoteChecksum != 0:
		return invalid("Mode", "only a GUE tunnel can leave the checksum to the receiver")
	case m.flags == known:
		return invalid("Mode", "a tunnel sends a checksum or leaves it to the receiver, not both")
	}
	return nil
}
