package lvs

import (
	"strconv"
	"strings"

	"github.com/golvs/lvs/internal/wire"
)

// IPIP is a tunnel: the packet travels inside another IP packet to the server,
// which takes it out, has the VIP on a device of its own, and answers the client
// directly. The server may be anywhere, even in the other address family. The
// tunnel is not encrypted.
const IPIP = Mode(wire.MethodTunnel ^ wire.MethodDirect)

// TunnelFlags are switches of a [GUE] or [GRE] tunnel. Zero sends no checksum.
type TunnelFlags uint16

// Switches of a tunnel.
const (
	// TunnelChecksum adds a checksum to the outer header.
	TunnelChecksum TunnelFlags = wire.TunnelChecksum
	// TunnelRemoteChecksum leaves the inner checksum to the receiver. For GUE.
	TunnelRemoteChecksum TunnelFlags = wire.TunnelRemoteChecksum
)

// GUE is a tunnel through UDP to a port of the server, which must not be 0:
// generic UDP encapsulation. Linux has it since 5.2.
func GUE(port uint16, flags ...TunnelFlags) Mode {
	return IPIP | tunnelMode(wire.TunnelGUE, port, uint16(join(flags)))
}

// GRE is a tunnel by generic routing encapsulation. Linux has it since 5.3.
func GRE(flags ...TunnelFlags) Mode {
	return IPIP | tunnelMode(wire.TunnelGRE, 0, uint16(join(flags)))
}

func join(flags []TunnelFlags) (all TunnelFlags) {
	for _, f := range flags {
		all |= f
	}
	return all
}

// Tunnel types by their text.
var tunnelNames = [...]string{wire.TunnelIPIP: "ipip", wire.TunnelGUE: "gue", wire.TunnelGRE: "gre"}

const otherTunnel = "tunnel-" // then the number

func (m Mode) tunnelString() string {
	s := otherTunnel + strconv.Itoa(int(m.tunnelType()))
	if int(m.tunnelType()) < len(tunnelNames) {
		s = tunnelNames[m.tunnelType()]
	}
	if m.tunnelPort() != 0 {
		s += ":" + strconv.Itoa(int(m.tunnelPort()))
	}
	flags := m.tunnelFlags()
	if flags&TunnelChecksum != 0 {
		s += "+csum"
	}
	if flags&TunnelRemoteChecksum != 0 {
		s += "+remcsum"
	}
	if rest := flags &^ (TunnelChecksum | TunnelRemoteChecksum); rest != 0 {
		s += "+" + otherFlag + strconv.FormatUint(uint64(rest), 16)
	}
	return s
}

// parseTunnel reads "gue:6080+csum" as the tunnel of a mode, without a method.
func parseTunnel(s string) (Mode, bool) {
	parts := strings.Split(s, "+")
	name, portText, hasPort := strings.Cut(parts[0], ":")
	kind, ok := parseTunnelType(name)
	if !ok {
		return 0, false
	}
	var port uint64
	if hasPort {
		var err error
		if port, err = strconv.ParseUint(portText, 10, 16); err != nil {
			return 0, false
		}
	}
	var flags TunnelFlags
	for _, part := range parts[1:] {
		f, ok := parseTunnelFlag(part)
		if !ok {
			return 0, false
		}
		flags |= f
	}
	return tunnelMode(kind, uint16(port), uint16(flags)), true
}

func parseTunnelType(s string) (uint8, bool) {
	if s == "tun" {
		return wire.TunnelIPIP, true
	}
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
	flags := m.tunnelFlags()
	switch {
	case int(m.tunnelType()) >= len(tunnelNames):
		return invalid("Mode", "the kernel has no tunnel type %d", m.tunnelType())
	case flags&^known != 0:
		return invalid("Mode", "the tunnel flags %#x have no meaning", uint16(flags&^known))
	case m.tunnelType() == wire.TunnelGUE && m.tunnelPort() == 0:
		return invalid("Mode", "a GUE tunnel needs the UDP port that the server receives on")
	case m.tunnelType() != wire.TunnelGUE && m.tunnelPort() != 0:
		return invalid("Mode", "only a GUE tunnel has a port, and %s has %d", m, m.tunnelPort())
	case m.tunnelType() == wire.TunnelIPIP && flags != 0:
		return invalid("Mode", "an IPIP tunnel has no checksum, and %s asks for one", m)
	case m.tunnelType() == wire.TunnelGRE && flags&TunnelRemoteChecksum != 0:
		return invalid("Mode", "only a GUE tunnel can leave the checksum to the receiver")
	case flags == known:
		return invalid("Mode", "a tunnel sends a checksum or leaves it to the receiver, not both")
	}
	return nil
}
