package lvs

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/golvs/lvs/internal/netstate"
)

// delivered looks whether packets for a VIP come to the director, and to IPVS.
func (j *judge) delivered(director *party, e ServiceEntry) {
	for _, vip := range j.vipsOf(director, e) {
		if j.standsBy(director, e.ID, vip) {
			continue
		}
		if f, bad := j.undelivered(director, vip, director.placeOf(vip)); bad {
			f.Detail = fmt.Sprintf("%s: %s", e.ID, f.Detail)
			j.add(director, f)
			j.announce(director, vip, f.Severity)
			continue
		}
		j.asked(director, vip)
	}
	j.dropped(director, e)
}

// vipsOf returns the addresses that a service's packets come for, as far as they
// are known: those of a mark by the firewall's rules.
func (j *judge) vipsOf(director *party, e ServiceEntry) []netip.Addr {
	if e.ID.FWMark() != 0 {
		return director.firewall.marked(e.ID)
	}
	if vip := e.ID.AddrPort().Addr(); !vip.IsUnspecified() {
		return []netip.Addr{vip}
	}
	return nil
}

// standsBy reports whether a director has a service for the time when another one
// fails, which has the VIP now.
func (j *judge) standsBy(p *party, id ServiceID, vip netip.Addr) bool {
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

// undelivered returns the finding about a host that does not take packets for an
// address, which it should have on an interface; false if it takes them.
func (j *judge) undelivered(p *party, vip netip.Addr, iface string) (Finding, bool) {
	w := p.arrival(vip, netip.Addr{}, "*")
	if w.Unsure {
		j.unclear[FindingRouteBlocked] = true
	}
	if w.Local() || w.Unsure {
		return Finding{}, false
	}
	own := p.having(vip)
	if len(own) == 0 {
		f := FindingVIPMissing.broken("%s is not an address of the host", vip)
		if iface == "" {
			return f.advise("add it to an interface"), true
		}
		fix := Setup{{Want: vipAddress(vip, iface, ""), Why: "packets for it are delivered only to a host that has it"}}
		if key := InterfaceSysctl(iface, "disable_ipv6", true); vip.Is6() && p.sysctl(key) == "1" {
			f.Detail += fmt.Sprintf(": %s is 1", key)
		}
		return f.fix(append(p.enabled(iface, vip), fix...)...), true
	}
	a := own[0]
	if what := p.blocked(w); what != "" && w.Found && !w.Onward() {
		commands, _ := p.unblock(w)
		return FindingRouteBlocked.broken("packets for %s do not come to the host: %s", vip, what).run(commands...), true
	}
	for _, s := range p.Addresses {
		if s.Prefix.Addr() == vip && s.Duplicate {
			again := vipAddress(vip, s.Interface, "")
			again.NoDAD = true
			return FindingVIPUnused.broken("%s on %s is not used: another host was found to have it", vip, s.Interface).
				run(fmt.Sprintf("ip -6 addr del %s dev %s", s.Prefix, s.Interface)).
				fix(Requirement{Want: again, Why: "use it at once"}).advise("look first for the host that answered"), true
		}
		if s.Prefix.Addr() == vip && s.Tentative {
			return FindingVIPUnused.risk("%s on %s is not used yet: IPv6 asks whether another host has it", vip, s.Interface).
				advise("wait a second, or add it with nodad"), true
		}
	}
	if f, bad := j.linkFault(p, a.Interface, "it has "+vip.String()); bad && (vip.Is6() || f.Code == FindingLinkTaken) {
		return f, true
	}
	if w.Onward() && isUnusual(w.Table) {
		return FindingVIPMissing.broken("%s is on %s, and the rule of priority %d leads packets for it to %s", vip, a.Interface, w.Rule.Priority, w.Interface).
			run(p.deleteRule(*w.Rule)), true
	}
	rule := netstate.LocalRule(vip.Is6())
	if p.routing.WithRules(append(slices.Clone(p.rules), rule)).Resolve(w.Question).Local() {
		return FindingVIPMissing.broken("%s is on %s, and no rule asks the table local", vip, a.Interface).
			run(addRule(rule, "local")), true
	}
	f := FindingVIPMissing.broken("%s is on %s, and the table local has no route for it", vip, a.Interface)
	if slices.ContainsFunc(p.Routes, func(r RouteEntry) bool { return r.To == hostPrefix(vip) && r.Table == localTable }) {
		// One of another type stays, behind it.
		return f.run(fmt.Sprintf("ip%s route prepend local %s dev %s src %s table local", familyFlag(vip.Is6()), vip, a.Interface, vip)), true
	}
	return f.fix(Requirement{Want: Route{To: hostPrefix(vip), Table: localTable, Interface: a.Interface, Local: true, Source: vip}, Why: "packets for it are delivered to the host"}), true
}

// placeOf returns the interface that a director's VIP belongs on.
func (p *party) placeOf(vip netip.Addr) string {
	if names := p.askedOn(vip); len(names) > 0 {
		return names[0]
	}
	for _, i := range p.Interfaces {
		if !p.isBlind(i.Name) {
			return i.Name
		}
	}
	return ""
}

// asked looks whether those who ask for a VIP get an answer, and whether the
// director takes what they send then. One of several interfaces is enough.
func (j *judge) asked(director *party, vip netip.Addr) {
	var answering []string
	var first Finding
	for _, name := range director.askedOn(vip) {
		f, bad := j.linkFault(director, name, fmt.Sprintf("packets for %s come by it", vip))
		if !bad {
			f, bad = director.mute(name, director.askedFor(name, vip))
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
			f, bad := director.martian(name, client, vip)
			if !bad || director.isBesides(client, name) {
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

// askedFor returns the address of the host that is asked for on an interface, so
// that packets for a VIP come by it: the VIP, or the next hop of a router.
func (p *party) askedFor(iface string, vip netip.Addr) netip.Addr {
	if len(p.networks(vip)) > 0 {
		return vip
	}
	for _, a := range p.addresses {
		if a.Interface == iface && a.Prefix.Addr().Is6() == vip.Is6() {
			return a.Prefix.Addr()
		}
	}
	return vip
}

// isBesides reports whether an address is in a network of another interface: its
// packets come in there.
func (p *party) isBesides(a netip.Addr, iface string) bool {
	return slices.ContainsFunc(p.networks(a), func(n Address) bool { return n.Interface != iface })
}

// clientsOf returns the clients of a director that are of the family of an address.
func (j *judge) clientsOf(director *party, family netip.Addr) (all []netip.Addr) {
	for _, c := range director.Clients {
		if c.Is6() == family.Is6() && !director.has(c) {
			all = append(all, c)
		}
	}
	return all
}

// dropped looks for parameters by which IPVS drops packets of new connections.
func (j *judge) dropped(director *party, e ServiceEntry) {
	keep := SysctlDropPacket.Requirement("0", "drop no packets of new connections")
	switch director.sysctl(SysctlDropPacket) {
	case "2": // which the kernel makes of 1
		j.add(director, FindingDropsPackets.broken("%s is 2: less memory is free than %s says", SysctlDropPacket, SysctlAMemThresh).fix(keep))
	case "3":
		j.add(director, FindingDropsPackets.broken("%s is 3", SysctlDropPacket).fix(keep))
	}
	if director.sysctl(SysctlDropEntry) == "3" {
		j.add(director, FindingDropsPackets.risk("%s is 3", SysctlDropEntry).fix(SysctlDropEntry.Requirement("0", "keep half-open connections")))
	}
	if director.sysctl(SysctlBackupOnly) != "0" && director.runs(SyncBackup) && !slices.ContainsFunc(j.vipsOf(director, e), func(vip netip.Addr) bool { return !director.delivers(vip) }) {
		j.add(director, FindingBackupOnly.broken("%s is %s, a backup daemon runs, and %s comes here", SysctlBackupOnly, director.sysctl(SysctlBackupOnly), e.ID).
			fix(SysctlBackupOnly.Requirement("0", "balance while a backup daemon runs")).advise("or stop the daemon, if this host is the active one"))
	}
}
