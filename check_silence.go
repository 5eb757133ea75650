package lvs

import (
	"fmt"
	"slices"
)

// silence looks whether another host than the director answers for the VIP on a
// network where clients and routers ask for it, or tells of it there.
func (j *judge) silence(director *party, e ServiceEntry, host *party) {
	if e.ID.FWMark() != 0 {
		return
	}
	vip := e.ID.VIP().Addr()
	own := host.having(vip)
	if len(own) == 0 {
		return
	}
	code, mend := "arp-other", Setup(nil)
	if host.serves(e) {
		code, mend = "arp-flux", silent(vip, "lo")
	}
	for _, network := range director.networks(vip) {
		for _, at := range host.addresses {
			if at.Interface == "lo" || at.Prefix.IsSingleIP() || at.Prefix.Masked() != network.Prefix.Masked() {
				continue
			}
			if what := host.tells(own, at.Interface); what != "" {
				j.add(host, finding(code, SeverityBroken, "it has %s, and %s", vip, what).mend(mend...).
					advise("silence ARP there, or take the VIP off %s: one host answers for it, the director", at.Interface))
			}
		}
	}
}

// tells says how a host makes an address known on an interface, "" if it does not.
// Linux answers in IPv6 only for addresses of the interface that was asked.
func (p *party) tells(own []Address, iface string) string {
	here := slices.ContainsFunc(own, func(a Address) bool { return a.Interface == iface })
	if own[0].Prefix.Addr().Is6() {
		if here {
			return "answers neighbour solicitations for it on " + iface
		}
		return ""
	}
	ignore, announce := p.parameter(iface, "arp_ignore"), p.parameter(iface, "arp_announce")
	switch {
	case ignore == "0", ignore != "8" && here:
		return fmt.Sprintf("answers ARP for it on %s: arp_ignore is %s", iface, ignore)
	case announce == "0", announce == "1":
		return fmt.Sprintf("asks by ARP with it on %s: arp_announce is %s", iface, announce)
	}
	return ""
}
