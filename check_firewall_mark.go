package lvs

import (
	"fmt"
	"net/netip"
	"slices"
)

// checkMarks looks whether any rule gives packets the mark of a service.
func (j *judge) checkMarks(director *hostView, e ServiceEntry) {
	if why, command := director.unread("firewall"); why != "" {
		j.doubt(director, why, command)
		return
	}
	if len(director.firewall.markingRules(e.ID)) > 0 {
		return
	}
	if slices.ContainsFunc(director.FirewallRules, func(r FirewallRule) bool { return r.Verdict == "other" }) {
		j.doubt(director, "it may mark packets for "+e.ID.String()+" by a rule that Check does not understand", showFirewallCommands)
		return
	}
	f := FindingMarkMissing.broken("no rule gives packets the mark of %s", e.ID).
		advise("mark the clients' packets: iptables -t mangle -A PREROUTING -d VIP -p tcp --dport PORT -j MARK --set-mark %d", e.ID.FWMark())
	if command := j.markCommandOf(director, e.ID); command != "" {
		f = f.run(command).advise("the command marks all packets to that address if it names no port")
	} else if mark, ok := j.markRequirement(director, e.ID); ok {
		f = f.fix(mark)
	}
	j.add(director, f)
}

// markCommandOf returns the command that marks packets for a service by what the host uses
// already: those that another rule marks, or those for the setup's VIP. It returns "" if
// neither is known.
func (j *judge) markCommandOf(director *hostView, id ServiceID) string {
	for _, r := range director.FirewallRules {
		if r.Verdict == "mark" && r.hasAddress(id.Is6()) && !j.hasMarkService(director, r.SetMark) {
			return r.markCommand(id.FWMark())
		}
	}
	vip, ok := j.vipOfSetup(director, id)
	if !ok {
		return ""
	}
	return director.markCommandAtEntry(firewallPacket{to: netip.AddrPortFrom(vip, 0), is6: vip.Is6(), protocol: uint8(ProtocolTCP), in: director.interfaceForVIP(vip)}, id.FWMark())
}

// markRequirement returns the requirement that marks packets for a service: the setup's, or
// one for all packets to the setup's VIP.
func (j *judge) markRequirement(director *hostView, id ServiceID) (Requirement, bool) {
	for _, s := range j.setup {
		if m, ok := s.Want.(PacketMark); ok && director.isOwn && m.Mark == id.FWMark() && m.To.Addr().Is6() == id.Is6() {
			return s, true
		}
	}
	vip, ok := j.vipOfSetup(director, id)
	if !ok {
		return Requirement{}, false
	}
	return Requirement{Want: PacketMark{To: hostPrefix(vip), Mark: id.FWMark()}, Why: "the service gets only packets with its mark"}, true
}

// vipOfSetup returns the setup's VIP of a family if its packets are delivered to the host.
func (j *judge) vipOfSetup(director *hostView, id ServiceID) (netip.Addr, bool) {
	for _, s := range j.setup {
		a, ok := s.Want.(Address)
		if vip := a.Prefix.Addr(); ok && director.isOwn && vip.Is6() == id.Is6() && director.delivers(vip) {
			return vip, true
		}
	}
	return netip.Addr{}, false
}

// hasAddress reports whether a rule is for a single address of a family.
func (r FirewallRule) hasAddress(is6 bool) bool {
	return slices.ContainsFunc(r.To, func(p netip.Prefix) bool { return p.IsSingleIP() && p.Addr().Is6() == is6 })
}

// hasMarkService reports whether the director has a service of a mark.
func (j *judge) hasMarkService(director *hostView, mark uint32) bool {
	return slices.ContainsFunc(director.Services, func(e ServiceEntry) bool { return e.ID.FWMark() == mark })
}

// markCommandAtEntry returns the command that marks packets by what the host already uses:
// a filter of traffic control at their interface, or a chain at a hook where they enter.
func (p *hostView) markCommandAtEntry(packet firewallPacket, mark uint32) string {
	if p.interfaces[packet.in].Ingress {
		return markCommandAt(firewallChainKey{family: "tc", table: packet.in, chain: "ingress"}, packet, mark)
	}
	for _, c := range p.firewall.chains {
		if c.Hook == "prerouting" && c.Type != "nat" && c.sees(packet) {
			return markCommandAt(firewallChainKey{c.Family, c.Table, c.Name, c.Legacy}, packet, mark)
		}
	}
	return ""
}

// markedAddrs returns the addresses to which packets get the mark of a service by rules.
func (w *hostFirewall) markedAddrs(id ServiceID) (all []netip.Addr) {
	for _, r := range w.markingRules(id) {
		for _, p := range r.To {
			if p.IsSingleIP() && p.Addr().Is6() == id.Is6() && !slices.Contains(all, p.Addr()) {
				all = append(all, p.Addr())
			}
		}
	}
	return all
}

// markingRules returns the rules that give packets the mark of a service.
func (w *hostFirewall) markingRules(id ServiceID) (all []FirewallRule) {
	for _, c := range w.chains {
		if !slices.Contains([]string{"ingress", "prerouting", "input"}, c.Hook) || c.Family == "ip" && id.Is6() || c.Family == "ip6" && !id.Is6() {
			continue
		}
		for key, rules := range w.rules {
			if key.family != c.Family || key.table != c.Table || key.legacy != c.Legacy {
				continue
			}
			for _, r := range rules {
				if r.Verdict == "mark" && r.SetMark == id.FWMark() {
					all = append(all, r)
				}
			}
		}
	}
	return all
}

// markCommand returns the command that gives the packets of a rule another mark.
func (r FirewallRule) markCommand(mark uint32) string {
	p := firewallPacket{protocol: r.Protocol, is6: r.Family == "ip6"}
	var port uint16
	if len(r.ToPorts) == 1 && r.ToPorts[0][0] == r.ToPorts[0][1] {
		port = r.ToPorts[0][0]
	}
	for _, to := range r.To {
		if to.IsSingleIP() {
			p.to, p.is6 = netip.AddrPortFrom(to.Addr(), port), to.Addr().Is6()
		}
	}
	return markCommandAt(r.chainKey(), p, mark)
}

func (r FirewallRule) chainKey() firewallChainKey {
	return firewallChainKey{r.Family, r.Table, r.Chain, r.Legacy}
}

// markCommandAt returns the command that gives packets a mark in a chain.
func markCommandAt(c firewallChainKey, p firewallPacket, mark uint32) string {
	switch {
	case c.family == "tc":
		return fmt.Sprintf("tc filter add dev %s %s pref 1%s action skbedit mark %d", c.table, c.chain, flowerMatch(p), mark)
	case c.legacy && p.is6:
		return fmt.Sprintf("ip6tables-legacy -t %s -A %s%s -j MARK --set-mark %d", c.table, c.chain, iptablesMatch(p), mark)
	case c.legacy:
		return fmt.Sprintf("iptables-legacy -t %s -A %s%s -j MARK --set-mark %d", c.table, c.chain, iptablesMatch(p), mark)
	}
	return fmt.Sprintf("nft add rule %s %s %s%s meta mark set %d", c.family, c.table, c.chain, nftMatch(p), mark)
}
