package lvs

import (
	"cmp"
	"fmt"
	"net/netip"
)

// IPsecTunnel is a tunnel from a director to one real server in which packets are
// encrypted by IPsec ESP. The tunnels that IPVS makes itself cannot be encrypted, so
// this one is a device of the director, to which IPVS forwards by [DR]. Both hosts use
// the same value, as [TunnelDirector.IPsec] and [TunnelRealServer.IPsec]. The
// director's table has [IPsecTunnel.RealServer].
//
// Nothing is ever sent in clear text: without a key, packets are dropped. The answers
// of the real server go directly to the client and are not encrypted, nor are health
// checks and other traffic between the two hosts.
//
// The key is static, so there is no forward secrecy: whoever learns it can read
// everything that was recorded before, and can send in the director's name. There is no
// protection against replay either. Change the key often, and before 2^32 packets, under
// another SPI, or have an IKE daemon negotiate keys instead.
type IPsecTunnel struct {
	Director netip.Addr // outer address of the director (DIP)
	Server   netip.Addr // outer address of the real server (RIP)

	// Inner stands for the real server in the director's table. It is an address of the
	// VIP's family that no host has; only the director knows it.
	Inner netip.Addr

	SPI uint32   // number of the tunnel, 256 to 99999999, unique among the tunnels of a host
	Key IPsecKey // of both hosts

	// MTU is that of the tunnel's device in bytes; 0 is 1400, which fits into 1500 with
	// all headers.
	MTU int
}

// RealServer returns the real server of the director's table for the tunnel, with mode
// [DR] and weight 1. The port is the service's.
func (t IPsecTunnel) RealServer(port uint16) RealServer {
	return NewRealServer(netip.AddrPortFrom(t.Inner, port), DR())
}

func (t IPsecTunnel) isZero() bool { return t == IPsecTunnel{} }

func (t IPsecTunnel) validate(vip netip.Addr) *Error {
	bad := cmp.Or(
		validateAddr("IPsec.Director", t.Director), validateAddr("IPsec.Server", t.Server),
		validateFamily("IPsec.Server", t.Server, "Director", t.Director),
		validateAddr("IPsec.Inner", t.Inner), validateFamily("IPsec.Inner", t.Inner, "the VIP", vip),
		validateSPI("IPsec.SPI", t.SPI), Link{Name: "lvs", MTU: t.MTU}.validate())
	switch {
	case bad != nil:
		return bad
	case t.Key == IPsecKey{}:
		return invalid("IPsec.Key", "is missing: make one with NewIPsecKey, of %d bytes from crypto/rand", IPsecKeySize)
	case t.Inner == t.Server || t.Inner == vip:
		return invalid("IPsec.Inner", "%s is in use: the tunnel needs an address that no host has", t.Inner)
	}
	return nil
}

// device returns the tunnel's device at one of its ends.
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

// policies ensure that the device sends and accepts nothing but ESP. A device that
// carries IPv4 in IPv6 carries IPv6 too, and the kernel itself sends some.
func (t IPsecTunnel) policies(is6, in bool) (s Setup) {
	protocols := []uint8{4}
	switch {
	case is6:
		protocols = []uint8{41}
	case t.Server.Is6():
		protocols = []uint8{4, 41}
	}
	why := "the tunnel sends nothing in clear text"
	if in {
		why = "the tunnel accepts nothing in clear text"
	}
	for _, protocol := range protocols {
		s = append(s, Requirement{Want: IPsecPolicy{From: hostPrefix(t.Director), To: hostPrefix(t.Server), Protocol: protocol, In: in, SPI: t.SPI}, Why: why})
	}
	return s
}

func (t IPsecTunnel) association() Requirement {
	return Requirement{Want: IPsecAssociation{From: t.Director, To: t.Server, SPI: t.SPI, Key: t.Key}, Why: "how packets are encrypted"}
}

// directorSide returns the requirements of the director. The policy exists before
// anything could be sent.
func (t IPsecTunnel) directorSide(is6 bool) Setup {
	device := t.device(is6, t.Director, t.Server)
	return append(t.policies(is6, false),
		t.association(),
		Requirement{Want: Module{moduleOf(device.Kind)}, Why: "it encapsulates the tunnel's packets"},
		Requirement{Want: device, Why: "IPVS's own tunnels are not encrypted: this one is the host's"},
		Requirement{Want: Route{To: hostPrefix(t.Inner), Interface: device.Name}, Why: "what IPVS forwards to this address enters the tunnel"})
}

// serverSide returns the requirements of the real server's end, and its device.
func (t IPsecTunnel) serverSide(is6 bool) (Setup, Link) {
	device := t.device(is6, t.Server, t.Director)
	return append(t.policies(is6, true),
		t.association(),
		Requirement{Want: Module{moduleOf(device.Kind)}, Why: "it decapsulates the tunnel's packets"},
		Requirement{Want: device, Why: "the tunnel's device accepts packets only when it is up"}), device
}
