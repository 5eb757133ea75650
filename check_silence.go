package lvs

import (
	"fmt"
	"net/netip"
	"slices"
)

// silence looks whether another host than the director answers for a VIP on a
// network where clients and routers ask for it, or tells of it there.
func (j *judge) silence(director *party, e ServiceEntry, host *party) {
	for _, vip := range j.vipsOf(director, e) {
		own := host.having(vip)
		if !director.delivers(vip) {
			continue
		}
		for _, name := range director.askedOn(vip) {
			for _, i := range host.Interfaces {
				if host.isBlind(i.Name) || i.NoARP {
					continue
				}
				what, severity := host.tells(own, vip, i.Name)
				if what == "" {
					continue
				}
				if j.shareWire(director, name, host, i.Name) {
					j.tattles(director, e, host, vip, i.Name, what, severity)
				}
			}
		}
	}
}

// tattles adds the finding about a host that tells of the VIP.
func (j *judge) tattles(director *party, e ServiceEntry, host *party, vip netip.Addr, iface, what string, severity Severity) {
	code := FindingARPOther
	if host.serves(e) {
		code = FindingARPFlux
	}
	f := code.at(severity, "it has %s, and %s", vip, what)
	switch {
	case host.stands(vip, iface):
		f.Detail = "it " + what
		f = f.run(fmt.Sprintf("ip%s neigh del proxy %s dev %s", familyFlag(vip.Is6()), vip, iface))
		if !host.isProxy(vip, iface) {
			f = f.run().fix(Requirement{Want: Sysctl{InterfaceSysctl("all", "proxy_arp", false), "0"}, Why: "answer for no other hosts"},
				Requirement{Want: Sysctl{InterfaceSysctl(iface, "proxy_arp", false), "0"}, Why: "answer for no other hosts"})
		}
	case slices.ContainsFunc(host.having(vip), func(a Address) bool { return a.Interface == iface }):
		taken := j.moved(host, e, vip, iface)
		f.Commands, f.Fix = taken.Commands, taken.Fix
		if j.precedes(host, director, e) {
			f = f.run().fix().advise("one of the two directors has to give the VIP up")
		}
	default:
		f = f.fix(suppressARP(vip, "lo")[2:]...)
	}
	j.add(host, f)
	j.announce(director, vip, severity)
}

// moved takes a VIP off an interface on which it is asked for. A real server gets it
// on lo, silently.
func (j *judge) moved(host *party, e ServiceEntry, vip netip.Addr, iface string) (f Finding) {
	for _, a := range host.having(vip) {
		if a.Interface == iface {
			f.Commands = append(f.Commands, fmt.Sprintf("ip%s addr del %s dev %s", familyFlag(vip.Is6()), a.Prefix, iface))
		}
	}
	if host.serves(e) {
		if s := suppressARP(vip, "lo"); len(s) > 2 {
			f.Fix = s[2:]
		}
		f.Fix = append(f.Fix, Requirement{Want: vipAddress(vip, "lo", ""), Why: "take packets for the VIP"})
	}
	return f
}

// precedes reports whether of two hosts that have the VIP the first is rather the
// director.
func (j *judge) precedes(host, director *party, e ServiceEntry) bool {
	_, has := host.services[e.ID]
	return has && director.runs(SyncBackup) && !director.runs(SyncMaster)
}

// stands reports whether a host answers for an address as a proxy on an interface. It
// does only where it forwards: in IPv4 for addresses behind another interface, and in
// IPv6, where it was told to be one, for all that the interface does not have itself.
func (p *party) stands(a netip.Addr, iface string) bool {
	if p.sysctl(InterfaceSysctl(iface, "forwarding", a.Is6())) != "1" {
		return false
	}
	if a.Is6() {
		told := max(p.sysctl(InterfaceSysctl(iface, "proxy_ndp", true)), p.sysctl(InterfaceSysctl("all", "proxy_ndp", true)))
		return told == "1" && p.isProxy(a, iface)
	}
	w := p.arrival(a, netip.Addr{}, iface)
	return w.Onward() && w.Interface != iface && (p.isProxy(a, iface) || p.parameter(iface, "proxy_arp") == "1")
}

// isProxy reports whether a host was told to answer for an address on an interface.
func (p *party) isProxy(a netip.Addr, iface string) bool {
	return slices.ContainsFunc(p.Neighbours, func(n Neighbour) bool { return n.Proxy && n.Addr == a && n.Interface == iface })
}

// tells says how a host makes an address known on an interface, "" if it does not.
// Linux answers in IPv6 only for addresses of the interface that was asked.
func (p *party) tells(own []Address, vip netip.Addr, iface string) (what string, severity Severity) {
	here := slices.ContainsFunc(own, func(a Address) bool { return a.Interface == iface })
	switch {
	case p.stands(vip, iface):
		return fmt.Sprintf("answers for %s on %s as a proxy", vip, iface), SeverityBroken
	case !p.delivers(vip):
		return "", ""
	case vip.Is6():
		if here {
			return "answers neighbour solicitations for it on " + iface, SeverityBroken
		}
		return "", ""
	}
	ignore, announce := p.parameter(iface, "arp_ignore"), p.parameter(iface, "arp_announce")
	if _, _, hushed := p.firewall.hushes(vip, iface); hushed {
		return "", ""
	}
	switch {
	case answersARP(ignore, own, here):
		return fmt.Sprintf("answers ARP for it on %s: arp_ignore is %s", iface, ignore), SeverityBroken
	case announce == "0", announce == "1":
		return fmt.Sprintf("asks by ARP with it on %s: arp_announce is %s", iface, announce), SeverityRisk
	}
	return "", ""
}

// answersARP reports whether a host answers those who ask for an address of its, by
// the value of arp_ignore: 1 and 2 answer for addresses of the interface alone, 3
// for all but those of the scope host, 8 for none. Other values are as 0.
func answersARP(ignore string, own []Address, here bool) bool {
	switch ignore {
	case "1", "2":
		return here
	case "3":
		return slices.ContainsFunc(own, func(a Address) bool { return a.Scope != "host" })
	}
	return ignore != "8"
}

// shareWire reports whether interfaces of two hosts are on one network as far as
// the facts tell: they have addresses in it, or know each other there.
func (j *judge) shareWire(director *party, name string, host *party, its string) bool {
	for _, a := range host.addresses {
		if a.Interface != its || a.Prefix.IsSingleIP() || a.Prefix.Addr().IsLinkLocalUnicast() {
			continue
		}
		for _, d := range director.addresses {
			if d.Interface == name && !d.Prefix.IsSingleIP() && d.Prefix.Masked() == a.Prefix.Masked() {
				return true
			}
		}
	}
	return knows(director, name, host.interfaces[its].MAC) || knows(host, its, director.interfaces[name].MAC)
}

// knows reports whether a host has a neighbour with a hardware address.
func knows(p *party, iface, mac string) bool {
	return mac != "" && slices.ContainsFunc(p.Neighbours, func(n Neighbour) bool { return n.Interface == iface && n.MAC == mac })
}
