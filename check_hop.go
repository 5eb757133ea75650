package lvs

import (
	"net/netip"
	"slices"

	"github.com/golvs/lvs/internal/netstate"
)

// onward looks whether packets get to the next hosts of their way, and through these
// if they are some of the hosts. The need says what the packets are for.
func (j *judge) onward(p *party, w netstate.Way, need string) (f Finding, about *party, bad bool) {
	var good []netstate.RouteEntry
	for _, by := range w.Each() {
		one, at, isBad := j.onwardBy(p, by, need)
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
	if route, ok := j.instead(p, w, Route{To: w.To}); len(good) == 0 && ok {
		r := route.Want.(Route)
		good = append(good, netstate.RouteEntry{Via: r.Via, Interface: r.Interface})
	}
	if len(good) > 0 {
		f = f.run(replaceRoute(w.RouteEntry, good...)).fix()
		f.Advice, about = "", p
	}
	return f, about, true
}

// onwardBy is as onward, of a way by one next hop.
func (j *judge) onwardBy(p *party, w netstate.Way, need string) (Finding, *party, bool) {
	to := w.Question.To
	if f, bad := j.linkFault(p, w.Interface, need); bad {
		return f, p, true
	}
	hop := w.Via
	if !hop.IsValid() {
		hop = to
	}
	if next, iface := j.nextParty(p, w); next != nil {
		q := w.Question
		q.User, q.AnyUser, q.AnyFlow = 0, false, q.AnyFlow || q.Protocol == 0
		if f, bad := j.passes(next, iface, q, need); bad {
			return f, next, true
		}
	}
	if f, bad := j.neighbourFault(p, w.Interface, hop, need); bad {
		if f.Code != FindingNeighbourSilent || !w.Via.IsValid() && len(p.networks(to)) > 0 {
			return f, p, true
		}
		if route, ok := j.instead(p, w, Route{To: w.To, Table: w.Table, Metric: w.Metric}); j.leadsWithout(p, w) {
			f = f.run(deleteRoute(w.RouteEntry))
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
func (j *judge) leadsWithout(p *party, w netstate.Way) bool {
	rest := p.routing.Without(w.RouteEntry).Resolve(w.Question)
	_, bad := j.linkFault(p, rest.Interface, "")
	return rest.Onward() && !rest.Unsure && rest.Via.IsValid() && p.blocked(rest) == "" && p.knowsHop(rest) && !bad
}

// nextParty returns the host that a way goes by, if it is one of the hosts, and the
// interface by which packets come in there.
func (j *judge) nextParty(p *party, w netstate.Way) (*party, string) {
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
func (p *party) interfaceOn(a netip.Addr) string {
	for _, n := range p.networks(a) {
		if n.Interface != "lo" {
			return n.Interface
		}
	}
	for _, own := range p.having(a) {
		return own.Interface
	}
	return ""
}

// passes looks whether a host forwards a packet that comes in by an interface.
func (j *judge) passes(p *party, iface string, q netstate.Question, need string) (Finding, bool) {
	to, from := q.To, q.From
	if f, bad := p.martian(iface, from, to); bad {
		f.Detail += ": " + need
		more, _ := p.relays(iface, to.Is6(), need)
		return f.fix(append(f.Fix, more.Fix...)...), true
	}
	if f, bad := p.relays(iface, to.Is6(), need); bad {
		return f, true
	}
	q.In, q.AnyMark, q.InVRF = iface, p.firewall.marks, p.isInVRF(iface)
	w := p.routing.Resolve(q)
	if w.Unsure {
		j.unclear[FindingRouteBlocked] = true
		return Finding{}, false
	}
	if what := p.blocked(w); what != "" {
		return j.routed(FindingRouteBlocked.broken("%s: %s", what, need), p, w), true
	}
	return Finding{}, false
}

// relays looks whether a host forwards what comes in by an interface.
func (p *party) relays(iface string, is6 bool, need string) (Finding, bool) {
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

// martian looks whether a host drops a packet that comes in by an interface for its
// source: one of the host's own addresses, or one that it would not send to by that
// interface.
func (p *party) martian(iface string, from, to netip.Addr) (Finding, bool) {
	if from.Is6() || !from.IsValid() || iface == "" {
		return Finding{}, false
	}
	back := p.routing.Resolve(netstate.Question{To: from, From: to, AnyFlow: true})
	if back.Unsure {
		return Finding{}, false
	}
	if back.Local() && !p.has(from) {
		return FindingMartianSource.broken("packets from %s come in by %s, and the route %s keeps those for it on that host itself", from, iface, back.To).
			run(p.removal(back.RouteEntry)), true
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
	if back.Via.IsValid() && back.To.Bits() > 0 && !p.knowsHop(back) && usual.Interface == iface {
		return f.run(deleteRoute(back.RouteEntry)), true // a filter that is loose lets in what is not answered
	}
	return f.fix(p.loosen(iface, back.Onward() && hasAddress)...), true
}

// knowsHop reports whether the next hop of a way was found on the link.
func (p *party) knowsHop(w netstate.Way) bool {
	return slices.ContainsFunc(p.Neighbours, func(n Neighbour) bool {
		return n.Interface == w.Interface && n.Addr == w.Via && n.MAC != "" && !n.isGone()
	})
}

// loosen returns the settings of a filter that lets packets through: the loose one
// where it does.
func (p *party) loosen(iface string, loose bool) (s Setup) {
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

func (p *party) hasAddress4(iface string) bool {
	for _, a := range p.addresses {
		if a.Interface == iface && a.Prefix.Addr().Is4() {
			return true
		}
	}
	return false
}
