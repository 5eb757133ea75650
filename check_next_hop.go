package lvs

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/golvs/lvs/internal/netstate"
)

// checkOnward looks whether packets get to the next hosts of their way, and through these
// if they are some of the hosts. The need says what the packets are for.
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

// checkNextHop is as onward, of a way by one next hop.
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

// leadsWithout reports whether packets go another way, to a neighbour that answers,
// once the route that they go by is gone.
func (j *judge) leadsWithout(p *hostView, w netstate.Way) bool {
	rest := p.routing.Without(w.RouteEntry).Resolve(w.Question)
	_, bad := j.linkFault(p, rest.Interface, "")
	return rest.Onward() && !rest.Unsure && rest.Via.IsValid() && p.whyBlocked(rest) == "" && p.knowsNextHop(rest) && !bad
}

// nextHost returns the host that a way goes by, if it is one of the hosts, and the
// interface by which packets come in there.
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

// interfaceOn returns the interface on whose network packets for an address of the
// host come in, the one that has it if that is not known.
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

// findNotForwarded looks whether a host forwards a packet that comes in by an interface.
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

// findForwardingOff looks whether a host forwards what comes in by an interface.
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

// findMartian looks whether a host drops a packet that comes in by an interface for its
// source: one of the host's own addresses, or one that it would not send to by that
// interface.
func (p *hostView) findMartian(iface string, from, to netip.Addr) (Finding, bool) {
	if from.Is6() || !from.IsValid() || iface == "" {
		return Finding{}, false
	}
	back := p.routing.Resolve(netstate.Question{To: from, From: to, AnyFlow: true})
	if back.Unsure {
		return Finding{}, false
	}
	if back.Local() && !p.has(from) {
		return FindingMartianSource.broken("packets from %s come in by %s, and the route %s keeps those for it on that host itself", from, iface, back.To).
			run(p.deleteRouteCommand(back.RouteEntry)), true
	}
	if back.Local() {
		if p.parameter(iface, "accept_local") == "1" {
			return Finding{}, false
		}
		f := FindingMartianSource.broken("packets from %s come in by %s, and it is an address of that host itself", from, iface).
			fix(Requirement{Want: Sysctl{InterfaceSysctl(iface, "accept_local", false), "1"}, Why: "take packets from an address that this host has too"}).
			advise("or send them another way")
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
	f := FindingRPFilter.broken("packets from %s come in by %s, whose filter is %s, and go there by %s", from, iface, filter, back.Interface)
	if !back.Onward() {
		f = FindingRPFilter.broken("packets from %s come in by %s, whose filter is %s, and there is no route to it", from, iface, filter)
	}
	usual := p.route(defaultRoute(from).Addr(), netip.Addr{})
	if back.Via.IsValid() && back.To.Bits() > 0 && !p.knowsNextHop(back) && usual.Interface == iface {
		return f.run(routeDeleteCommand(back.RouteEntry)), true // a filter that is loose lets in what is not answered
	}
	return f.fix(p.looserFilter(iface, back.Onward() && hasAddress)...), true
}

// knowsNextHop reports whether the next hop of a way was found on the link.
func (p *hostView) knowsNextHop(w netstate.Way) bool {
	return slices.ContainsFunc(p.Neighbours, func(n Neighbour) bool {
		return n.Interface == w.Interface && n.Addr == w.Via && n.MAC != "" && !n.isGone()
	})
}

// looserFilter returns the settings of a filter that lets packets through: the loose one
// where it does.
func (p *hostView) looserFilter(iface string, loose bool) (s Setup) {
	const why = "let packets through whose answers go another way"
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

// defaultTTL is the parameter of how many routers IPv4 packets of the host may pass.
const sysctlDefaultTTL = "net.ipv4.ip_default_ttl"

// enoughTTL is what passes as many routers as there are on any way in the Internet.
const enoughTTL = 30

// findShortTTL returns the finding about packets of a host that do not live long enough for a
// way on which some routers are known; false if they do.
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
	f := FindingTTL.risk("packets of the host pass %d routers, and %d or more are on the way: %s", max(ttl-1, 0), routers, need)
	if ttl <= routers {
		f.Severity = SeverityBroken
	}
	if key == "" {
		return f.run(routeChangeCommand(w.RouteEntry)), true
	}
	return f.fix(Requirement{Want: Sysctl{key, "64"}, Why: "let packets pass as many routers as is usual"}), true
}

// knownRouters returns how many routers are known on a way.
func knownRouters(w netstate.Way) int {
	if w.Via.IsValid() {
		return 1
	}
	return 0
}

// checkAnswerTTL looks whether the answers of a NAT server live long enough to come
// to a client, and to the others that are known: the director passes them on, as
// routers do.
func (j *judge) checkAnswerTTL(director *hostView, e ServiceEntry, s RealServer, host *hostView, client netip.Addr) bool {
	server := s.Addr.Addr()
	routers := 0
	for _, c := range append(j.clientsOf(director, server), client) {
		routers = max(routers, knownRouters(director.route(c, netip.Addr{})))
	}
	f, short := host.findShortTTL(host.route(client, server), client, 1+routers, fmt.Sprintf("answers of %s by the director", s.Addr))
	if short {
		j.add(host, f)
	}
	return short && f.Severity == SeverityBroken
}
