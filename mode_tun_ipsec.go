package lvs

import (
	"fmt"
	"net/netip"
)

// IPsecTunnel is a tunnel from a director to one real server in which packets
// are encrypted on the way (IPsec ESP). The tunnels that IPVS makes itself
// cannot be: so this one is a device of the director, over which IPVS forwards
// by [DR]. Both hosts take the same value, as [TunnelDirector.IPsec] and
// [TunnelRealServer.IPsec]; the director's table takes
// [IPsecTunnel.RealServer].
//
// Nothing is sent in clear text, from the first packet on: without a key packets
// are dropped. The answers of the real server go to the client directly, and are
// not encrypted, nor are health checks and anything else between the two hosts.
//
// The key is static, with all that follows. Who learns it reads all that was
// recorded before, and can send in the director's name. Who records packets can
// send them again: there is no protection against replay. Change the key often,
// and before 2^32 packets, under another SPI; or have keys agreed on by an IKE
// daemon in place of this.
type IPsecTunnel struct {
	Director netip.Addr // outer address of the director
	Server   netip.Addr // outer address of the real server

	// Inner stands for the real server in the director's table. It is an address
	// of the VIP's family that nobody has: only the director knows it.
	Inner netip.Addr

	SPI uint32   // number of the tunnel: 256 to 99999999, another for each tunnel of a host
	Key IPsecKey // of both hosts

	// MTU is that of the tunnel's device, in bytes; 0 is 1400, which fits with
	// all headers into 1500.
	MTU int
}

// RealServer returns what the director's table has for the tunnel: a [DR] server
// of weight 1. The port is the service's.
func (t IPsecTunnel) RealServer(port uint16) RealServer {
	return NewRealServer(netip.AddrPortFrom(t.Inner, port), DR)
}

func (t IPsecTunnel) isZero() bool { return t == IPsecTunnel{} }

func (t IPsecTunnel) validate(vip netip.Addr) *Error {
	for _, err := range []*Error{
		plainAddr("IPsec.Director", t.Director), plainAddr("IPsec.Server", t.Server),
		sameFamily("IPsec.Server", t.Server, "Director", t.Director),
		plainAddr("IPsec.Inner", t.Inner), sameFamily("IPsec.Inner", t.Inner, "the VIP", vip),
		checkSPI(t.SPI), Link{Name: "lvs", MTU: t.MTU}.validate(),
	} {
		if err != nil {
			return err
		}
	}
	switch {
	case t.Key == IPsecKey{}:
		return invalid("IPsec.Key", "is missing: make one with NewKey, of %d bytes from crypto/rand", IPsecKeySize)
	case t.Inner == t.Server || t.Inner == vip:
		return invalid("IPsec.Inner", "%s is somebody's address: the tunnel needs one that nobody has", t.Inner)
	}
	return nil
}

// device is the tunnel's device, seen from one of its ends.
func (t IPsecTunnel) device(is6 bool, local, remote netip.Addr) Link {
	l := Link{Name: fmt.Sprintf("lvs-esp%d", t.SPI), Up: true, MTU: t.MTU, Local: local, Remote: remote}
	if l.MTU == 0 {
		l.MTU = 1400
	}
	switch {
	case t.Server.Is6():
		l.Kind, l.AnyProtocol = "ip6tnl", !is6
	case is6:
		l.Kind = "sit"
	default:
		l.Kind = "ipip"
	}
	return l
}

// policies make that only ESP is sent, or taken, of whatever the device could
// send. A device that takes IPv4 in IPv6 takes IPv6 too, and the kernel itself
// sends some by it.
func (t IPsecTunnel) policies(is6, in bool) (s Setup) {
	protocols := []uint8{4}
	switch {
	case is6:
		protocols = []uint8{41}
	case t.Server.Is6():
		protocols = []uint8{4, 41}
	}
	why := "nothing leaves by the tunnel in clear text"
	if in {
		why = "nothing is taken out of the tunnel that came in clear text"
	}
	for _, protocol := range protocols {
		s = append(s, Requirement{Want: IPsecPolicy{From: hostPrefix(t.Director), To: hostPrefix(t.Server), Protocol: protocol, In: in, SPI: t.SPI}, Why: why})
	}
	return s
}

func (t IPsecTunnel) association() Requirement {
	return Requirement{Want: IPsecAssociation{From: t.Director, To: t.Server, SPI: t.SPI, Key: t.Key}, Why: "how packets are encrypted"}
}

// directorSide are the settings of the director. The policy is there before
// anything could be sent.
func (t IPsecTunnel) directorSide(is6 bool) Setup {
	device := t.device(is6, t.Director, t.Server)
	return append(t.policies(is6, false),
		t.association(),
		Requirement{Want: Module{moduleOf(device.Kind)}, Why: "it puts packets into the tunnel"},
		Requirement{Want: device, Why: "IPVS's own tunnels are not encrypted: this one is the host's"},
		Requirement{Want: Route{To: hostPrefix(t.Inner), Interface: device.Name}, Why: "what IPVS forwards to this address goes into the tunnel"})
}

// serverSide are the settings of the real server that bring packets out of the
// tunnel, and its device.
func (t IPsecTunnel) serverSide(is6 bool) (Setup, Link) {
	device := t.device(is6, t.Server, t.Director)
	return append(t.policies(is6, true),
		t.association(),
		Requirement{Want: Module{moduleOf(device.Kind)}, Why: "it takes packets out of the tunnel"},
		Requirement{Want: device, Why: "the tunnel's device takes packets only when it is up"}), device
}
