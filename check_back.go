package lvs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/golvs/lvs/internal/netstate"
)

// answers looks whether the answers of a DR or tunnel server reach the clients, and
// whether the host takes what they send by an interface.
func (j *judge) answers(director *party, e ServiceEntry, s RealServer, host *party, vip netip.Addr, iface string) {
	clients := j.clientsOf(director, vip)
	for _, client := range clients {
		if !host.isFirmly(client) && j.answer(e, s, host, vip, client, iface, SeverityBroken) {
			return
		}
	}
	// The rest of the world has clients if the director, or others beside the server,
	// know a way to it.
	rest := defaultRoute(vip).Addr()
	if director.route(rest, netip.Addr{}).Onward() {
		severity := SeverityBroken
		if len(clients) > 0 {
			severity = SeverityRisk // these have their answers
		}
		j.answer(e, s, host, vip, rest, iface, severity)
	}
}

// answer looks at the answers to one client, and reports whether something is wrong
// with them.
func (j *judge) answer(e ServiceEntry, s RealServer, host *party, vip, client netip.Addr, iface string, severity Severity) bool {
	to := "clients elsewhere"
	if !client.IsUnspecified() {
		to = "the client " + client.String()
	}
	need := fmt.Sprintf("%s answers %s by it", s.Addr, to)
	note := func(about *party, f Finding) bool {
		if f.Severity == SeverityBroken {
			f.Severity = severity
		}
		j.add(about, f)
		return true
	}
	w := host.answer(e, netip.AddrPortFrom(vip, e.ID.AddrPort().Port()), client)
	if w.Unsure {
		j.unclear[FindingRouteBlocked] = true
		return false
	}
	if what := host.blocked(w); what != "" {
		f := FindingReturnRoute.broken("answers of %s to %s: %s", s.Addr, to, what)
		return note(host, j.routed(f, host, w))
	}
	if f, bad := host.martian(iface, client, vip); bad && !client.IsUnspecified() {
		if f.Code == FindingMartianSource && host.has(client) && !j.vips[client] {
			f = f.fix().run(host.without(client)...)
			f.Advice = ""
		}
		return note(host, f)
	}
	if w.Local() {
		return false
	}
	if f, bad := host.strays(w, client); bad {
		f.Detail = fmt.Sprintf("answers of %s: %s", s.Addr, f.Detail)
		return note(host, f)
	}
	if client.IsUnspecified() && !w.Via.IsValid() {
		return false // by a tunnel or the like
	}
	f, about, bad := j.onward(host, w, need)
	if bad {
		if g := j.gateway(host, w, client); about != host && w.Via.IsValid() && g.IsValid() {
			f.Detail = strings.TrimSuffix(f.Detail, ": "+need)
			return note(host, f.insteadBy(g, w, s, to))
		}
		return note(about, f)
	}
	if f, short := host.lasts(w, client, routersBefore(w), need); short {
		return note(host, f)
	}
	return false
}

// insteadBy makes the way by another gateway the cure of answers that go by a host
// which does not pass them on, as the finding says.
func (f Finding) insteadBy(g netip.Addr, w netstate.Way, s RealServer, to string) Finding {
	var there []string
	for _, requirement := range f.Fix {
		there = append(there, fmt.Sprint(requirement.Want))
	}
	f.Detail = fmt.Sprintf("%s answers %s by %s, and there: %s", s.Addr, to, w.Via, f.Detail)
	f = f.run().fix(Requirement{Want: Route{To: w.To, Via: g, Table: w.Table, Metric: w.Metric}, Why: viaOthers})
	f.Advice = ""
	if len(there) > 0 {
		f = f.advise("or let %s pass them on: %s", w.Via, strings.Join(there, "; "))
	}
	return f
}

// returns looks whether the answers of a NAT server come back through the
// director. Where source NAT may be at work, or routers are between, that cannot
// be told.
func (j *judge) returns(director *party, e ServiceEntry, s RealServer, host *party) {
	server := s.Addr.Addr()
	if j.translates(director, e, s, host) {
		return
	}
	near := director.beside(host.networks(server))
	if len(near) == 0 {
		j.apart(director, s, host)
		j.unclear[FindingReturnRoute], j.unclear[FindingSameSubnet] = true, true
		return
	}
	vips := j.vipsOf(director, e)
	clients := j.clientsOf(director, server)
	for _, vip := range vips {
		if len(host.networks(vip)) > 0 {
			j.unclear[FindingSameSubnet] = true // clients beside the VIP are beside the server
		}
	}
	rest := defaultRoute(server).Addr()
	if len(clients) == 0 && director.route(rest, netip.Addr{}).Onward() {
		clients = append(clients, rest)
	}
	for _, client := range clients {
		if j.returned(director, e, s, host, client, near[0]) {
			return
		}
	}
	if len(clients) == 0 && !host.hasHop(director) {
		j.add(host, FindingReturnRoute.broken("no route of the real server %s goes through the director", s.Addr).fix(byDirector(server, near[0])))
	}
}

// apart looks why a director is in no network of a NAT server: it has lost the
// address that the server's answers go to, or the length of it.
func (j *judge) apart(director *party, s RealServer, host *party) {
	server := s.Addr.Addr()
	if wide, ok := j.widen(director, server); ok {
		j.add(director, FindingReturnRoute.broken("the director is in no network of the real server %s", s.Addr).fix(wide))
		return
	}
	via := host.route(defaultRoute(server).Addr(), server).Via
	networks := host.networks(via)
	if !via.IsValid() || j.byAddr[via] != nil || len(networks) == 0 {
		return
	}
	f := FindingReturnRoute.risk("answers of %s go to %s, which is not an address of the director", s.Addr, via)
	if name := director.bare(via); name != "" {
		f.Severity = SeverityBroken
		f = f.fix(j.readdress(director, name, netip.PrefixFrom(via, networks[0].Prefix.Bits()))...)
	}
	j.add(director, f.advise("if that is a router, see that it sends them to the director"))
}

// byDirector is the route that sends a server's answers through the director.
func byDirector(server, director netip.Addr) Requirement {
	return Requirement{Want: Route{To: defaultRoute(server), Via: director}, Why: "answers go back through the director, which puts the VIP into them"}
}

// hasHop reports whether a route of the host goes by another one.
func (p *party) hasHop(other *party) bool {
	for _, r := range p.Routes {
		if r.Via.IsValid() && other.has(r.Via) {
			return true
		}
	}
	return false
}

// returned looks at a NAT server's answers to one client, and reports whether
// something is wrong with them.
func (j *judge) returned(director *party, e ServiceEntry, s RealServer, host *party, client, near netip.Addr) bool {
	server := s.Addr.Addr()
	to := "clients elsewhere"
	if !client.IsUnspecified() {
		to = "the client " + client.String()
	}
	w := host.answer(e, s.Addr, client)
	what := host.blocked(w)
	switch {
	case w.Unsure:
		j.unclear[FindingReturnRoute] = true
		return false
	case what != "":
		commands, leads := host.unblock(w)
		f := FindingReturnRoute.broken("answers of %s to %s: %s", s.Addr, to, what).run(commands...)
		if !leads {
			f = f.fix(byDirector(server, near))
		}
		j.add(host, f)
		return true
	case len(host.networks(client)) > 0 && !client.IsUnspecified():
		beside := host.networks(client)[0]
		j.add(host, FindingSameSubnet.broken("the client %s is in the network %s of the real server %s", client, beside.Prefix.Masked(), s.Addr).
			advise("use FullNAT for clients in the servers' own network"))
		return true
	}
	if f, bad := j.linkFault(host, w.Interface, fmt.Sprintf("%s answers %s by it", s.Addr, to)); bad {
		j.add(host, f)
		return true
	}
	if slices.ContainsFunc(w.Each(), func(by netstate.Way) bool { return !j.isDirectorsHop(by.Via, e) }) {
		f := FindingReturnRoute.broken("answers of %s to %s do not go by the director", s.Addr, to)
		if len(w.Hops) > 0 {
			f.Detail += ", or not all of them"
			j.add(host, f.run(replaceRoute(w.RouteEntry, netstate.RouteEntry{Via: near})))
			return true
		}
		if w.To.Bits() > 0 {
			f = f.run(deleteRoute(w.RouteEntry))
		}
		r := byDirector(server, near)
		if route := r.Want.(Route); w.To.Bits() == 0 {
			if isUnusual(w.Table) {
				route.Table = w.Table
			}
			route.Metric = w.Metric
			r.Want = route
		}
		j.add(host, f.fix(r))
		return true
	}
	return j.lastsByDirector(director, e, s, host, client) || j.sentOn(director, e, s, client)
}

// isDirectorsHop reports whether a next hop is a director of the service.
func (j *judge) isDirectorsHop(via netip.Addr, e ServiceEntry) bool {
	p := j.byAddr[via]
	if !via.IsValid() || p == nil {
		return false
	}
	_, ok := p.services[e.ID]
	return ok
}

// sentOn looks whether a director sends the answers of a NAT server on to a client.
func (j *judge) sentOn(director *party, e ServiceEntry, s RealServer, client netip.Addr) bool {
	server := s.Addr.Addr()
	iface := director.interfaceOn(server)
	if names := director.networks(server); len(names) > 0 {
		iface = names[0].Interface
	}
	need := fmt.Sprintf("answers of %s are sent on to clients", s.Addr)
	if f, bad := j.passes(director, iface, answering(e, s.Addr, client), need); bad {
		j.add(director, f)
		return true
	}
	for _, vip := range j.vipsOf(director, e) {
		// IPVS asks again for the way once the answer comes from the VIP.
		w := director.routing.Resolve(answering(e, netip.AddrPortFrom(vip, e.ID.AddrPort().Port()), client))
		if w.Unsure {
			j.unclear[FindingRouteBlocked] = true
			continue
		}
		if what := director.blocked(w); what != "" {
			j.add(director, j.routed(FindingRouteBlocked.broken("%s: %s", what, need), director, w))
			return true
		}
		if f, bad := director.strays(w, client); bad {
			j.add(director, f)
			return true
		}
		if client.IsUnspecified() && !w.Via.IsValid() {
			continue
		}
		if f, about, bad := j.onward(director, w, need); bad {
			if w.To.Bits() > 0 && about != director {
				f = f.run(deleteRoute(w.RouteEntry))
				about = director
				f.Fix = nil
			}
			j.add(about, f)
			return true
		}
	}
	return false
}
