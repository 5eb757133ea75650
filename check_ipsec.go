package lvs

import (
	"net/netip"
	"slices"

	"github.com/golvs/lvs/internal/wire"
)

// clearText looks for policies of IPsec that are meant for the tunnels of IPVS, and
// do not reach them: in IPv4 none does, and in IPv6 only one that names no
// protocol.
func (j *judge) clearText(e ServiceEntry) {
	for _, s := range e.Servers {
		for _, p := range j.own.policies {
			if s.Mode.isTunnel() && deceives(p, s.RealServer, e.ID.Is6()) {
				j.add(j.own, FindingClearTextTunnel.risk("%s -> %s: there is %s", e.ID, s.RealServer, p).
					advise("forward by an IPsecTunnel, or remove the policy"))
				break
			}
		}
	}
}

func deceives(p IPsecPolicy, s RealServer, is6 bool) bool {
	outer6 := s.Addr.Addr().Is6()
	return !p.In && p.To.Contains(s.Addr.Addr()) && (p.Protocol == outerProtocol(s.Mode, is6) || p.Protocol == 0 && !outer6)
}

// spares reports whether a chain of policies of IPsec is not asked about a packet, for
// the interface that it comes in or leaves by.
func (p *party) spares(c FirewallChain, packet parcel) bool {
	name, iface := "disable_policy", packet.in
	switch {
	case c.Family != "xfrm":
		return false
	case c.Hook == "xfrm-out":
		name, iface = "disable_xfrm", packet.out
	}
	if packet.is6 {
		return c.Hook != "xfrm-out" && p.sysctl(InterfaceSysctl(iface, name, true)) == "1"
	}
	return p.parameter(iface, name) == "1"
}

// isPlain reports whether packets of IPVS to a real server surely get there without
// IPsec: it forwards them past all policies, but for tunnels in IPv6, and no gateway is
// on the way.
func (p *party) isPlain(s RealServer) bool {
	w := p.route(s.Addr.Addr(), netip.Addr{})
	return w.Onward() && !w.Via.IsValid() && !p.isBlind(w.Interface) && !(s.Mode.isTunnel() && s.Addr.Addr().Is6())
}

// encrypts reports whether a host may send packets by IPsec.
func (p *party) encrypts() bool {
	return slices.ContainsFunc(p.Chains, func(c FirewallChain) bool { return c.Hook == "xfrm-out" })
}

// withdraw is the command that takes away what drops packets: a policy, or the default.
func (s stop) withdraw() string {
	if s.rule == nil {
		return "ip xfrm policy setdefault " + s.chain.Name + " accept"
	}
	return "ip xfrm policy delete " + s.rule.Handle
}

// outerProtocol is what a tunnel's packets carry, by the number that IP has for
// it.
func outerProtocol(m Mode, is6 bool) uint8 {
	switch {
	case m.tunnelType() == wire.TunnelGUE:
		return 17
	case m.tunnelType() == wire.TunnelGRE:
		return 47
	case is6:
		return 41
	}
	return 4
}
