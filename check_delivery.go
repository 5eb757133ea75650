package lvs

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/golvs/lvs/internal/netstate"
)

// checkDelivery looks whether packets for a VIP reach the director, and IPVS on it.
func (j *judge) checkDelivery(director *hostView, e ServiceEntry) {
	for _, vip := range j.vipsOf(director, e) {
		if j.standsBy(director, e.ID, vip) {
			continue
		}
		if f, bad := j.findUndelivered(director, vip, director.interfaceForVIP(vip)); bad {
			f.Detail = fmt.Sprintf("%s: %s", e.ID, f.Detail)
			j.add(director, f)
			j.checkStaleNeighbours(director, vip, f.Severity)
			continue
		}
		j.checkReachable(director, vip)
	}
	j.checkDropSysctls(director, e)
}

// vipsOf returns the addresses that a service's packets are sent to, as far as they are
// known. Those of a firewall mark are known by the rules that set the mark.
func (j *judge) vipsOf(director *hostView, e ServiceEntry) []netip.Addr {
	if e.ID.FWMark() != 0 {
		return director.firewall.markedAddrs(e.ID)
	}
	if vip := e.ID.AddrPort().Addr(); !vip.IsUnspecified() {
		return []netip.Addr{vip}
	}
	return nil
}

// standsBy reports whether a director has a service as a standby: another director has
// the VIP now, or only a backup daemon runs.
func (j *judge) standsBy(p *hostView, id ServiceID, vip netip.Addr) bool {
	if p.delivers(vip) {
		return false
	}
	for _, other := range j.hosts {
		if _, has := other.services[id]; has && other != p && other.delivers(vip) {
			return true
		}
	}
	return p.runs(SyncBackup) && !p.runs(SyncMaster)
}

// findUndelivered returns the finding about a host to which packets for an address are not
// delivered, and false if they are. The interface is the one that should have it.
func (j *judge) findUndelivered(p *hostView, vip netip.Addr, iface string) (Finding, bool) {
	w := p.arrival(vip, netip.Addr{}, "*")
	if w.Unsure {
		j.unclear[FindingRouteBlocked] = true
	}
	if w.Local() || w.Unsure {
		return Finding{}, false
	}
	own := p.addrsEqual(vip)
	if len(own) == 0 {
		f := FindingVIPMissing.broken("%s is not an address of the host", vip)
		if iface == "" {
			return f.advise("add it to an interface"), true
		}
		fix := Setup{{Want: vipAddress(vip, iface, ""), Why: "only a host that has the address receives its packets"}}
		if key := InterfaceSysctl(iface, "disable_ipv6", true); vip.Is6() && p.sysctl(key) == "1" {
			f.Detail += fmt.Sprintf(": %s is 1", key)
		}
		return f.fix(append(p.enableFix(iface, vip), fix...)...), true
	}
	a := own[0]
	if what := p.whyBlocked(w); what != "" && w.Found && !w.Onward() {
		commands, _ := p.unblock(w)
		return FindingRouteBlocked.broken("packets for %s are not delivered to the host: %s", vip, what).run(commands...), true
	}
	for _, s := range p.Addresses {
		if s.Prefix.Addr() == vip && s.Duplicate {
			again := vipAddress(vip, s.Interface, "")
			again.NoDAD = true
			return FindingVIPUnused.broken("%s on %s is not in use: IPv6 found another host that has it", vip, s.Interface).
				run(fmt.Sprintf("ip -6 addr del %s dev %s", s.Prefix, s.Interface)).
				fix(Requirement{Want: again, Why: "use it at once, without asking for duplicates"}).advise("first look for the host that answered"), true
		}
		if s.Prefix.Addr() == vip && s.Tentative {
			return FindingVIPUnused.risk("%s on %s is not in use yet: IPv6 still looks for another host that has it", vip, s.Interface).
				advise("wait a second, or add the address with nodad"), true
		}
	}
	if f, bad := j.linkFault(p, a.Interface, "needed for "+vip.String()); bad && (vip.Is6() || f.Code == FindingLinkTaken) {
		return f, true
	}
	if w.Onward() && isCustomTable(w.Table) {
		return FindingVIPMissing.broken("%s is on %s, but the rule of priority %d sends packets for it to %s", vip, a.Interface, w.Rule.Priority, w.Interface).
			run(p.deleteRuleCommand(*w.Rule)), true
	}
	rule := netstate.LocalRule(vip.Is6())
	if p.routing.WithRules(append(slices.Clone(p.rules), rule)).Resolve(w.Question).Local() {
		return FindingVIPMissing.broken("%s is on %s, but no rule looks up the table local", vip, a.Interface).
			run(addRuleCommand(rule, "local")), true
	}
	f := FindingVIPMissing.broken("%s is on %s, but the table local has no route for it", vip, a.Interface)
	if slices.ContainsFunc(p.Routes, func(r RouteEntry) bool { return r.To == hostPrefix(vip) && r.Table == localRouteTable }) {
		// A route of another type stays, behind this one.
		return f.run(fmt.Sprintf("ip%s route prepend local %s dev %s src %s table local", familyFlag(vip.Is6()), vip, a.Interface, vip)), true
	}
	return f.fix(Requirement{Want: Route{To: hostPrefix(vip), Table: localRouteTable, Interface: a.Interface, Local: true, Source: vip}, Why: "this route delivers its packets to the host"}), true
}

// interfaceForVIP returns the interface that a director's VIP belongs on.
func (p *hostView) interfaceForVIP(vip netip.Addr) string {
	if names := p.interfacesAskedFor(vip); len(names) > 0 {
		return names[0]
	}
	for _, i := range p.Interfaces {
		if !p.hasNoNetwork(i.Name) {
			return i.Name
		}
	}
	return ""
}

// checkReachable looks whether requests for a VIP are answered, and whether the director
// accepts the packets that follow. One of several interfaces is enough.
func (j *judge) checkReachable(director *hostView, vip netip.Addr) {
	var answering []string
	var first Finding
	for _, name := range director.interfacesAskedFor(vip) {
		f, bad := j.linkFault(director, name, fmt.Sprintf("needed to receive packets for %s", vip))
		if !bad {
			f, bad = director.findSilentInterface(name, director.addrAskedFor(name, vip))
		}
		if !bad {
			answering = append(answering, name)
		} else if first.Code == "" {
			first = f
		}
	}
	if len(answering) == 0 {
		if first.Code != "" {
			j.add(director, first)
		}
		return
	}
	for _, client := range j.clientsOf(director, vip) {
		first = Finding{}
		for _, name := range answering {
			f, bad := director.findMartian(name, client, vip)
			if !bad || director.isBehindOther(client, name) {
				first = Finding{}
				break
			}
			first = f
		}
		if first.Code != "" {
			j.add(director, first)
			return
		}
	}
}

// addrAskedFor returns the address that others resolve on an interface, so that packets
// for a VIP arrive there: the VIP, or the address that a router uses as the next hop.
func (p *hostView) addrAskedFor(iface string, vip netip.Addr) netip.Addr {
	if len(p.subnetsContaining(vip)) > 0 {
		return vip
	}
	for _, a := range p.addresses {
		if a.Interface == iface && a.Prefix.Addr().Is6() == vip.Is6() {
			return a.Prefix.Addr()
		}
	}
	return vip
}

// isBehindOther reports whether an address is in a network of another interface, by which
// its packets arrive.
func (p *hostView) isBehindOther(a netip.Addr, iface string) bool {
	return slices.ContainsFunc(p.subnetsContaining(a), func(n Address) bool { return n.Interface != iface })
}

// clientsOf returns the clients of a director that are of the same family as an address.
func (j *judge) clientsOf(director *hostView, family netip.Addr) (all []netip.Addr) {
	for _, c := range director.Clients {
		if c.Is6() == family.Is6() && !director.has(c) {
			all = append(all, c)
		}
	}
	return all
}
