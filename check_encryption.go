package lvs

import "github.com/golvs/lvs/internal/wire"

// clearText looks for policies of IPsec that are meant for the tunnels of IPVS, and
// do not reach them: in IPv4 none does, and in IPv6 only one that names no
// protocol.
func (j *judge) clearText(e ServiceEntry) {
	for _, s := range e.Servers {
		for _, p := range j.own.policies {
			if s.Mode.isTunnel() && deceives(p, s.RealServer, e.ID.Is6()) {
				j.add(j.own, finding("clear-text-tunnel", SeverityRisk, "%s -> %s: there is %s", e.ID, s.RealServer, p).
					advise("forward by an EncryptedTunnel, or remove the policy"))
				break
			}
		}
	}
}

func deceives(p SecurityPolicy, s RealServer, is6 bool) bool {
	outer6 := s.Addr.Addr().Is6()
	return !p.In && p.To.Contains(s.Addr.Addr()) && (p.Protocol == outerProtocol(s.Mode, is6) || p.Protocol == 0 && !outer6)
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
