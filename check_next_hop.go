package lvs

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/golvs/lvs/internal/netstate"
)

// checkOnward looks whether packets reach the next hops of their route and, if these are
// hosts that Check knows, are forwarded there. The need says what the packets are for.
func (j *judge) checkOnward(p *hostView, w netstate.Way, need string) (f Finding, about *hostView, bad bool) {
	var good []netstate.RouteEntry
	for _, by := range w.Each() {
		one, at, isBad := j.checkNextHop(p, by, need)
		switch {
		case !isBad:
			good = append(good, by.RouteEntry)
		case !bad:
			f, about, bad = one, at, true
		}
	}
	if !bad || len(w.Hops) == 0 {
		return f, about, bad
	}
	if route, ok := j.otherGateway(p, w, Route{To: w.To}); len(good) == 0 && ok {
		r := route.Want.(Route)
		good = append(good, netstate.RouteEntry{Via: r.Via, Interface: r.Interface})
	}
	if len(good) > 0 {
		f = f.run(routeReplaceCommand(w.RouteEntry, good...)).fix()
		f.Advice, about = "", p
	}
	return f, about, true
}

// checkNextHop is checkOnward for a single next hop.
func (j *judge) checkNextHop(p *hostView, w netstate.Way, need string) (Finding, *hostView, bool) {
	to := w.Question.To
	if f, bad := j.linkFault(p, w.Interface, need); bad {
		return f, p, true
	}
	hop := w.Via
	if !hop.IsValid() {
		hop = to
	}
	if next, iface := j.nextHost(p, w); next != nil {
		q := w.Question
		q.User, q.AnyUser, q.AnyFlow = 0, false, q.AnyFlow || q.Protocol == 0
		if f, bad := j.findNotForwarded(next, iface, q, need); bad {
			return f, next, true
		}
	}
	if f, bad := j.neighbourFault(p, w.Interface, hop, need); bad {
		if f.Code != FindingNeighbourSilent || !w.Via.IsValid() && len(p.subnetsContaining(to)) > 0 {
			return f, p, true
		}
		if route, ok := j.otherGateway(p, w, Route{To: w.To, Table: w.Table, Metric: w.Metric}); j.leadsWithout(p, w) {
			f = f.run(routeDeleteCommand(w.RouteEntry))
			f.Advice = ""
		} else if ok {
			f = f.fix(route)
			f.Advice = ""
		}
		return f, p, true
	}
	return Finding{}, nil, false
}

// leadsWithout reports whether, without the route that packets go by, they would go to
// another neighbour that answers.
func (j *judge) leadsWithout(p *hostView, w netstate.Way) bool {
	rest := p.routing.Without(w.RouteEntry).Resolve(w.Question)
	_, bad := j.linkFault(p, rest.Interface, "")
	return rest.Onward() && !rest.Unsure && rest.Via.IsValid() && p.whyBlocked(rest) == "" && p.knowsNextHop(rest) && !bad
}

// nextHost returns the host that a route goes to, if it is one of the hosts, and the
// interface by which packets arrive there.
func (j *judge) nextHost(p *hostView, w netstate.Way) (*hostView, string) {
	if w.Via.IsValid() {
		next := j.byAddr[w.Via]
		if next == nil || next == p {
			return nil, ""
		}
		return next, next.interfaceOn(w.Via)
	}
	for _, l := range p.links {
		if l.Name != w.Interface || !l.Remote.IsValid() {
			continue
		}
		next := j.byAddr[l.Remote]
		if next == nil || next == p {
			return nil, ""
		}
		for _, other := range next.links {
			if other.Kind == l.Kind && other.Remote == l.Local {
				return next, other.Name
			}
		}
	}
	return nil, ""
}

// interfaceOn returns the interface by which packets for an address of the host arrive:
// one whose network contains it or else one that has it.
func (p *hostView) interfaceOn(a netip.Addr) string {
	for _, n := range p.subnetsContaining(a) {
		if n.Interface != "lo" {
			return n.Interface
		}
	}
	for _, own := range p.addrsEqual(a) {
		return own.Interface
	}
	return ""
}

// findNotForwarded returns the finding about a host that does not forward a packet which
// arrives by an interface, and false if it does.
func (j *judge) findNotForwarded(p *hostView, iface string, q netstate.Question, need string) (Finding, bool) {
	to, from := q.To, q.From
	if f, bad := p.findMartian(iface, from, to); bad {
		f.Detail += ": " + need
		more, _ := p.findForwardingOff(iface, to.Is6(), need)
		return f.fix(append(f.Fix, more.Fix...)...), true
	}
	if f, bad := p.findForwardingOff(iface, to.Is6(), need); bad {
		return f, true
	}
	q.In, q.AnyMark, q.InVRF = iface, p.firewall.marks, p.isInVRF(iface)
	w := p.routing.Resolve(q)
	if w.Unsure {
		j.unclear[FindingRouteBlocked] = true
		return Finding{}, false
	}
	if what := p.whyBlocked(w); what != "" {
		return j.withRouteFix(FindingRouteBlocked.broken("%s: %s", what, need), p, w), true
	}
	return Finding{}, false
}

// findForwardingOff returns the finding about a host on which forwarding is off for what
// arrives by an interface, and false if it is on.
func (p *hostView) findForwardingOff(iface string, is6 bool, need string) (Finding, bool) {
	key := InterfaceSysctl(iface, "forwarding", is6)
	all := SysctlIPForward
	if is6 {
		all = SysctlIPv6Forwarding
	}
	switch {
	case p.sysctl(all) == "0":
		return FindingForwardingOff.broken("%s is 0: %s", all, need).fix(forwarding(is6, need)), true
	case iface != "" && p.sysctl(key) == "0":
		return FindingForwardingOff.broken("%s is 0: %s", key, need).fix(Requirement{Want: Sysctl{key, "1"}, Why: need}), true
	}
	return Finding{}, false
}

// findMartian returns the finding about a host that drops a packet for its source: an
// address of the host itself, or one that the host would reach by another interface than
// the packet arrives by.
func (p *hostView) findMartian(iface string, from, to netip.Addr) (Finding, bool) {
	if from.Is6() || !from.IsValid() || iface == "" {
		return Finding{}, false
	}
	back := p.routing.Resolve(netstate.Question{To: from, From: to, AnyFlow: true})
	if back.Unsure {
		return Finding{}, false
	}
	if back.Local() && !p.has(from) {
		return FindingMartianSource.broken("packets from %s arrive by %s, but the local route %s says that the host has that address", from, iface, back.To).
			run(p.deleteRouteCommand(back.RouteEntry)), true
	}
	if back.Local() {
		if p.parameter(iface, "accept_local") == "1" {
			return Finding{}, false
		}
		f := FindingMartianSource.broken("packets from %s arrive by %s, but that is an address of the host itself", from, iface).
			fix(Requirement{Want: Sysctl{InterfaceSysctl(iface, "accept_local", false), "1"}, Why: "accept packets from an address that the host has too"}).
			advise("or send these packets another way")
		return f, true
	}
	filter := p.parameter(iface, "rp_filter")
	here := slices.ContainsFunc(back.Each(), func(by netstate.Way) bool { return by.Onward() && by.Interface == iface })
	if filter == "0" || filter == "" || here {
		return Finding{}, false
	}
	strict, hasAddress := filter == "1", p.hasAddress4(iface)
	if back.Onward() && !strict && hasAddress {
		return Finding{}, false
	}
	f := FindingRPFilter.broken("packets from %s arrive by %s, whose rp_filter is %s, but packets to it leave by %s", from, iface, filter, back.Interface)
	if !back.Onward() {
		f = FindingRPFilter.broken("packets from %s arrive by %s, whose rp_filter is %s, but no route leads to it", from, iface, filter)
	}
	usual := p.route(defaultRoute(from).Addr(), netip.Addr{})
	if back.Via.IsValid() && back.To.Bits() > 0 && !p.knowsNextHop(back) && usual.Interface == iface {
		return f.run(routeDeleteCommand(back.RouteEntry)), true // a looser filter would accept packets that are not answered
	}
	return f.fix(p.looserFilter(iface, back.Onward() && hasAddress)...), true
}

// knowsNextHop reports whether the next hop of a route was resolved on the link.
func (p *hostView) knowsNextHop(w netstate.Way) bool {
	return slices.ContainsFunc(p.Neighbours, func(n Neighbour) bool {
		return n.Interface == w.Interface && n.Addr == w.Via && n.MAC != "" && !n.isGone()
	})
}

// looserFilter returns the requirements that let packets through the reverse-path filter,
// by its loose mode if that is enough.
func (p *hostView) looserFilter(iface string, loose bool) (s Setup) {
	const why = "accept packets whose answers leave by another interface"
	if loose {
		return Setup{{Want: Sysctl{InterfaceSysctl(iface, "rp_filter", false), "2"}, Why: why}}
	}
	for _, name := range []string{"all", iface} {
		if key := InterfaceSysctl(name, "rp_filter", false); p.sysctl(key) != "0" {
			s = append(s, Requirement{Want: Sysctl{key, "0"}, Why: why})
		}
	}
	return s
}

func (p *hostView) hasAddress4(iface string) bool {
	for _, a := range p.addresses {
		if a.Interface == iface && a.Prefix.Addr().Is4() {
			return true
		}
	}
	return false
}

// sysctlDefaultTTL is how many routers IPv4 packets of the host may pass, plus one.
const sysctlDefaultTTL = "net.ipv4.ip_default_ttl"

// enoughTTL is more than the number of routers on any way in the Internet.
const enoughTTL = 30

// findShortTTL returns the finding about packets of a host whose TTL is too small for a way
// on which some routers are known, and false if it suffices.
func (p *hostView) findShortTTL(w netstate.Way, to netip.Addr, routers int, need string) (Finding, bool) {
	ttl, key := w.HopLimit, SysctlKey("")
	if ttl == 0 {
		key = sysctlDefaultTTL
		if to.Is6() {
			key = InterfaceSysctl(w.Interface, "hop_limit", true)
		}
		value, err := strconv.Atoi(p.sysctl(key))
		if err != nil {
			return Finding{}, false // it is not known
		}
		ttl = value
	}
	if routers == 0 || ttl >= enoughTTL {
		return Finding{}, false
	}
	f := FindingTTL.risk("packets of the host may pass %d routers, but %d or more are on the way: %s", max(ttl-1, 0), routers, need)
	if ttl <= routers {
		f.Severity = SeverityBroken
	}
	if key == "" {
		return f.run(routeChangeCommand(w.RouteEntry)), true
	}
	return f.fix(Requirement{Want: Sysctl{key, "64"}, Why: "use the usual TTL"}), true
}

// knownRouters returns how many routers of a way are known.
func knownRouters(w netstate.Way) int {
	if w.Via.IsValid() {
		return 1
	}
	return 0
}

// checkAnswerTTL looks whether the TTL of a NAT server's answers suffices to reach a client
// and the other known clients. The director forwards them as a router does.
func (j *judge) checkAnswerTTL(director *hostView, e ServiceEntry, s RealServer, host *hostView, client netip.Addr) bool {
	server := s.Addr.Addr()
	routers := 0
	for _, c := range append(j.clientsOf(director, server), client) {
		routers = max(routers, knownRouters(director.route(c, netip.Addr{})))
	}
	f, short := host.findShortTTL(host.route(client, server), client, 1+routers, fmt.Sprintf("needed for answers of %s through the director", s.Addr))
	if short {
		j.add(host, f)
	}
	return short && f.Severity == SeverityBroken
}
