package lvs

import (
	"net/netip"
	"slices"
)

// checkClearText looks for IPsec policies that are meant for the tunnels of IPVS but do not
// apply to them: in IPv4 no policy does, in IPv6 only one that names no protocol.
func (j *judge) checkClearText(e ServiceEntry) {
	for _, s := range e.RealServers {
		for _, p := range j.own.policies {
			if s.Mode.IsTunnel() && missesTunnel(p, s.RealServer, e.ID.Is6()) {
				j.add(j.own, FindingClearTextTunnel.risk("%s -> %s: the host has the policy %s", e.ID, s.RealServer, p).
					advise("forward through an IPsecTunnel, or remove the policy"))
				break
			}
		}
	}
}

func missesTunnel(p IPsecPolicy, s RealServer, is6 bool) bool {
	outer6 := s.Addr.Addr().Is6()
	return !p.In && p.To.Contains(s.Addr.Addr()) && (p.Protocol == tunnelProtocol(s.Mode, is6) || p.Protocol == 0 && !outer6)
}

// skipsPolicies reports whether a packet bypasses a chain of IPsec policies, for the
// interface that it arrives or leaves by.
func (p *hostView) skipsPolicies(c FirewallChain, packet firewallPacket) bool {
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

// isPlain reports whether packets of IPVS to a real server surely arrive without IPsec:
// IPVS bypasses all policies except with tunnels over IPv6, and no gateway is on the way.
func (p *hostView) isPlain(s RealServer) bool {
	w := p.route(s.Addr.Addr(), netip.Addr{})
	return w.Onward() && !w.Via.IsValid() && !p.hasNoNetwork(w.Interface) && !(s.Mode.IsTunnel() && s.Addr.Addr().Is6())
}

// encrypts reports whether a host may send packets by IPsec.
func (p *hostView) encrypts() bool {
	return slices.ContainsFunc(p.Chains, func(c FirewallChain) bool { return c.Hook == "xfrm-out" })
}
