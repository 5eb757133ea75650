package lvs

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/golvs/lvs/internal/netstate"
)

// checkARP looks for another host than the director that answers for a VIP, or announces
// it, on a network where clients and routers ask for it.
func (j *judge) checkARP(director *hostView, e ServiceEntry, host *hostView) {
	for _, vip := range j.vipsOf(director, e) {
		own := host.addrsEqual(vip)
		if !director.delivers(vip) {
			continue
		}
		for _, name := range director.interfacesAskedFor(vip) {
			for _, i := range host.Interfaces {
				if host.hasNoNetwork(i.Name) || i.NoARP {
					continue
				}
				what, severity := host.announces(own, vip, i.Name)
				if what == "" {
					continue
				}
				if j.shareWire(director, name, host, i.Name) {
					j.addAnnouncer(director, e, host, vip, i.Name, what, severity)
				}
			}
		}
	}
}

// addAnnouncer adds the finding about a host that announces the VIP.
func (j *judge) addAnnouncer(director *hostView, e ServiceEntry, host *hostView, vip netip.Addr, iface, what string, severity Severity) {
	code := FindingARPOther
	if host.serves(e) {
		code = FindingARPFlux
	}
	f := code.at(severity, "the host has %s, and %s", vip, what)
	switch {
	case host.isProxyFor(vip, iface):
		f.Detail = "the host " + what
		f = f.run(fmt.Sprintf("ip%s neigh del proxy %s dev %s", familyFlag(vip.Is6()), vip, iface))
		if !host.hasProxyEntry(vip, iface) {
			f = f.run().fix(Requirement{Want: Sysctl{InterfaceSysctl("all", "proxy_arp", false), "0"}, Why: "do not answer for other hosts"},
				Requirement{Want: Sysctl{InterfaceSysctl(iface, "proxy_arp", false), "0"}, Why: "do not answer for other hosts"})
		}
	case slices.ContainsFunc(host.addrsEqual(vip), func(a Address) bool { return a.Interface == iface }):
		taken := j.moveVIP(host, e, vip, iface)
		f.Commands, f.Fix = taken.Commands, taken.Fix
		if j.isRatherDirector(host, director, e) {
			f = f.run().fix().advise("remove the VIP from one of the two directors")
		}
	default:
		f = f.fix(suppressARP(vip, "lo")[2:]...)
	}
	j.add(host, f)
	j.checkStaleNeighbours(director, vip, severity)
}

// moveVIP takes a VIP off an interface where others ask for it. A real server gets it on
// lo instead, without announcing it.
func (j *judge) moveVIP(host *hostView, e ServiceEntry, vip netip.Addr, iface string) (f Finding) {
	for _, a := range host.addrsEqual(vip) {
		if a.Interface == iface {
			f.Commands = append(f.Commands, fmt.Sprintf("ip%s addr del %s dev %s", familyFlag(vip.Is6()), a.Prefix, iface))
		}
	}
	if host.serves(e) {
		if s := suppressARP(vip, "lo"); len(s) > 2 {
			f.Fix = s[2:]
		}
		f.Fix = append(f.Fix, Requirement{Want: vipAddress(vip, "lo", ""), Why: "receive packets for the VIP"})
	}
	return f
}

// isRatherDirector reports whether, of two hosts that have the VIP, the first is more
// likely the director.
func (j *judge) isRatherDirector(host, director *hostView, e ServiceEntry) bool {
	_, has := host.services[e.ID]
	return has && director.runs(SyncBackup) && !director.runs(SyncMaster)
}

// isProxyFor reports whether a host answers for an address on an interface as a proxy.
// Only a host that forwards does. In IPv4 it answers for addresses behind another
// interface; in IPv6 only for addresses that have a proxy entry on the interface.
func (p *hostView) isProxyFor(a netip.Addr, iface string) bool {
	if p.sysctl(InterfaceSysctl(iface, "forwarding", a.Is6())) != "1" {
		return false
	}
	if a.Is6() {
		enabled := greaterSysctl(p.sysctl(InterfaceSysctl(iface, "proxy_ndp", true)), p.sysctl(InterfaceSysctl("all", "proxy_ndp", true)))
		return enabled == "1" && p.hasProxyEntry(a, iface)
	}
	w := p.arrival(a, netip.Addr{}, iface)
	return w.Onward() && w.Interface != iface && (p.hasProxyEntry(a, iface) || p.parameter(iface, "proxy_arp") == "1")
}

// hasProxyEntry reports whether a host has an entry that makes it answer for an address
// on an interface.
func (p *hostView) hasProxyEntry(a netip.Addr, iface string) bool {
	return slices.ContainsFunc(p.Neighbours, func(n Neighbour) bool { return n.Proxy && n.Addr == a && n.Interface == iface })
}

// announces describes how a host makes an address known on an interface; it returns ""
// if the host does not. In IPv6 Linux answers only for addresses of the interface that
// the question came in by.
func (p *hostView) announces(own []Address, vip netip.Addr, iface string) (what string, severity Severity) {
	here := slices.ContainsFunc(own, func(a Address) bool { return a.Interface == iface })
	switch {
	case p.isProxyFor(vip, iface):
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
	if _, _, hushed := p.firewall.dropsARP(vip, iface); hushed {
		return "", ""
	}
	switch {
	case answersARP(ignore, own, here):
		return fmt.Sprintf("answers ARP for it on %s: arp_ignore is %s", iface, ignore), SeverityBroken
	case announce == "0", announce == "1":
		return fmt.Sprintf("sends ARP requests with it on %s: arp_announce is %s", iface, announce), SeverityRisk
	}
	return "", ""
}

// answersARP reports whether a host answers ARP requests for one of its addresses, by the
// value of arp_ignore: 1 and 2 answer only for addresses of the same interface, 3 for
// all but those of scope host, 8 for none. Other values are as 0.
func answersARP(ignore string, own []Address, here bool) bool {
	switch ignore {
	case "1", "2":
		return here
	case "3":
		return slices.ContainsFunc(own, func(a Address) bool { return a.Scope != "host" })
	}
	return ignore != "8"
}

// shareWire reports whether interfaces of two hosts are on one network as far as the
// states show: they have addresses in it, or know each other as neighbours there.
func (j *judge) shareWire(director *hostView, name string, host *hostView, its string) bool {
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
	return knowsMAC(director, name, host.interfaces[its].MAC) || knowsMAC(host, its, director.interfaces[name].MAC)
}

// findSilentInterface returns the finding about an interface that does not answer
// requests for an address of the host, and false if it does.
func (p *hostView) findSilentInterface(name string, a netip.Addr) (Finding, bool) {
	i := p.interfaces[name]
	if i.NoARP && !p.hasNoNetwork(name) {
		return FindingARPSilent.broken("%s neither sends nor answers ARP requests: it has the flag NOARP", name).
			run("ip link set dev " + name + " arp on"), true
	}
	if by, command, hushed := p.firewall.dropsARP(a, name); hushed {
		return FindingARPSilent.broken("requests for %s on %s get no answer: %s", a, name, by).run(command), true
	}
	if a.Is6() {
		return Finding{}, false
	}
	ignore := p.parameter(name, "arp_ignore")
	here := slices.ContainsFunc(p.addrsEqual(a), func(own Address) bool { return own.Interface == name })
	if answersARP(ignore, p.addrsEqual(a), here) {
		return Finding{}, false
	}
	var fix Setup
	for _, where := range []string{"all", name} {
		if key := InterfaceSysctl(where, "arp_ignore", false); p.sysctl(key) != "0" {
			fix = append(fix, Requirement{Want: Sysctl{key, "0"}, Why: "answer requests for the address"})
		}
	}
	return FindingARPSilent.broken("requests for %s on %s get no answer: arp_ignore is %s", a, name, ignore).fix(fix...), true
}

// dropsARP reports whether firewall rules surely drop requests for an address on an
// interface, or the answers. It returns where, and the command that lets them pass.
func (w *hostFirewall) dropsARP(a netip.Addr, iface string) (by *firewallStop, command string, surely bool) {
	if a.Is6() {
		return w.dropsSolicitations(a, iface)
	}
	question := firewallPacket{in: iface, to: netip.AddrPortFrom(a, 0)}
	answer := firewallPacket{out: iface, from: netip.AddrPortFrom(a, 0)}
	for _, c := range w.chains {
		p := question
		switch {
		case c.Family != "arp" || c.Device != "" && c.Device != iface:
			continue
		case c.Hook == "output" || c.Hook == "egress":
			p = answer
		case c.Hook != "input" && c.Hook != "ingress":
			continue
		}
		if f := w.walkChain(c, &p); f.drops != nil {
			return f.drops, f.drops.allowARP(a), true
		}
	}
	return nil, "", false
}

// dropsSolicitations is dropsARP for IPv6, whose requests are ICMPv6 packets to a
// multicast group. Connection tracking does not see them.
func (w *hostFirewall) dropsSolicitations(a netip.Addr, iface string) (by *firewallStop, command string, surely bool) {
	group := netip.MustParseAddr("ff02::1:ff00:0").As16()
	raw := a.As16()
	copy(group[13:], raw[13:])
	const icmpv6 = 58
	p := firewallPacket{in: iface, to: netip.AddrPortFrom(netip.AddrFrom16(group), 0), is6: true, protocol: icmpv6, state: netstate.StateUntracked}
	f := w.follow(p, "ingress", "prerouting", "input")
	if f.drops == nil {
		p.in, p.out, p.from, p.to, p.remote = "", iface, netip.AddrPortFrom(a, 0), netip.AddrPort{}, true
		f = w.follow(p, "output", "postrouting", "egress")
	}
	if f.drops == nil {
		return nil, "", false
	}
	return f.drops, f.drops.allowCommand(firewallPacket{is6: true, protocol: icmpv6}), true
}

// checkStaleNeighbours adds the finding that neighbours of a director may still know the
// VIP at another host, as they do for minutes after a change.
func (j *judge) checkStaleNeighbours(director *hostView, vip netip.Addr, severity Severity) {
	for _, name := range director.interfacesAskedFor(vip) {
		i := director.interfaces[name]
		if i.MAC == "" || i.NoARP {
			continue
		}
		key := InterfaceSysctl(name, "arp_notify", false)
		if vip.Is6() {
			key = InterfaceSysctl(name, "ndisc_notify", true)
		}
		j.add(director, FindingARPStale.at(severity, "neighbours on %s may still know %s at another host", name, vip).
			run(Sysctl{key, "1"}.String(), "ip link set dev "+name+" address "+i.MAC))
	}
}
