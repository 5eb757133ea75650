package lvs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/golvs/lvs/internal/netstate"
)

// checkAnswers looks whether the answers of a DR or tunnel server reach the clients, and
// whether the host accepts the clients' packets by an interface.
func (j *judge) checkAnswers(director *hostView, e ServiceEntry, s RealServer, host *hostView, vip netip.Addr, iface string) {
	clients := j.clientsOf(director, vip)
	for _, client := range clients {
		if !host.isInNetwork(client) && j.checkAnswer(e, s, host, vip, client, iface, SeverityBroken) {
			return
		}
	}
	// The rest of the world has clients if the director has a route to it.
	rest := defaultRoute(vip).Addr()
	if director.route(rest, netip.Addr{}).Onward() {
		severity := SeverityBroken
		if len(clients) > 0 {
			severity = SeverityRisk // the known clients get their answers
		}
		j.checkAnswer(e, s, host, vip, rest, iface, severity)
	}
}

// checkAnswer follows the answers to one client, and reports whether it added a finding.
func (j *judge) checkAnswer(e ServiceEntry, s RealServer, host *hostView, vip, client netip.Addr, iface string, severity Severity) bool {
	to := "distant clients"
	if !client.IsUnspecified() {
		to = "the client " + client.String()
	}
	need := fmt.Sprintf("needed for answers of %s to %s", s.Addr, to)
	note := func(about *hostView, f Finding) bool {
		if f.Severity == SeverityBroken {
			f.Severity = severity
		}
		j.add(about, f)
		return true
	}
	w := host.answerRoute(e, netip.AddrPortFrom(vip, e.ID.AddrPort().Port()), client)
	if w.Unsure {
		j.unclear[FindingRouteBlocked] = true
		return false
	}
	if what := host.whyBlocked(w); what != "" {
		f := FindingReturnRoute.broken("answers of %s to %s: %s", s.Addr, to, what)
		return note(host, j.withRouteFix(f, host, w))
	}
	if f, bad := host.findMartian(iface, client, vip); bad && !client.IsUnspecified() {
		if f.Code == FindingMartianSource && host.has(client) && !j.vips[client] {
			f = f.fix().run(host.deleteAddrCommands(client)...)
			f.Advice = ""
		}
		return note(host, f)
	}
	if w.Local() {
		return false
	}
	if f, bad := host.findStray(w, client); bad {
		f.Detail = fmt.Sprintf("answers of %s: %s", s.Addr, f.Detail)
		return note(host, f)
	}
	if client.IsUnspecified() && !w.Via.IsValid() {
		return false // by a tunnel, for example
	}
	f, about, bad := j.checkOnward(host, w, need)
	if bad {
		if g := j.gatewayOfOthers(host, w, client); about != host && w.Via.IsValid() && g.IsValid() {
			f.Detail = strings.TrimSuffix(f.Detail, ": "+need)
			return note(host, f.viaGateway(g, w, s, to))
		}
		return note(about, f)
	}
	if f, short := host.findShortTTL(w, client, knownRouters(w), need); short {
		return note(host, f)
	}
	return false
}

// viaGateway changes a finding about a host that does not forward answers: the fix is a
// route by another gateway.
func (f Finding) viaGateway(g netip.Addr, w netstate.Way, s RealServer, to string) Finding {
	var there []string
	for _, requirement := range f.Fix {
		there = append(there, fmt.Sprint(requirement.Want))
	}
	f.Detail = fmt.Sprintf("answers of %s to %s go by %s, and there: %s", s.Addr, to, w.Via, f.Detail)
	f = f.run().fix(Requirement{Want: Route{To: w.To, Via: g, Table: w.Table, Metric: w.Metric}, Why: viaOthers})
	f.Advice = ""
	if len(there) > 0 {
		f = f.advise("or let %s forward them: %s", w.Via, strings.Join(there, "; "))
	}
	return f
}

// checkReturnRoute looks whether the answers of a NAT server return through the director.
// That is not known with source NAT, or with routers on the way.
func (j *judge) checkReturnRoute(director *hostView, e ServiceEntry, s RealServer, host *hostView) {
	server := s.Addr.Addr()
	if j.hasSourceNAT(director, e, s, host) {
		return
	}
	near := director.addrsWithin(host.subnetsContaining(server))
	if len(near) == 0 {
		j.checkDirectorAddress(director, s, host)
		j.unclear[FindingReturnRoute], j.unclear[FindingSameSubnet] = true, true
		return
	}
	vips := j.vipsOf(director, e)
	clients := j.clientsOf(director, server)
	for _, vip := range vips {
		if len(host.subnetsContaining(vip)) > 0 {
			j.unclear[FindingSameSubnet] = true // clients in the VIP's network are in the server's
		}
	}
	rest := defaultRoute(server).Addr()
	if len(clients) == 0 && director.route(rest, netip.Addr{}).Onward() {
		clients = append(clients, rest)
	}
	for _, client := range clients {
		if j.checkReturnedAnswer(director, e, s, host, client, near[0]) {
			return
		}
	}
	if len(clients) == 0 && !host.hasRouteVia(director) {
		j.add(host, FindingReturnRoute.broken("no route of the real server %s leads to the director", s.Addr).fix(routeByDirector(server, near[0])))
	}
}

// checkDirectorAddress looks why a director is in no network of a NAT server: it may have
// lost the address that the server's answers go to, or its prefix length.
func (j *judge) checkDirectorAddress(director *hostView, s RealServer, host *hostView) {
	server := s.Addr.Addr()
	if wide, ok := j.widerPrefix(director, server); ok {
		j.add(director, FindingReturnRoute.broken("the director is in no network of the real server %s", s.Addr).fix(wide))
		return
	}
	via := host.route(defaultRoute(server).Addr(), server).Via
	networks := host.subnetsContaining(via)
	if !via.IsValid() || j.byAddr[via] != nil || len(networks) == 0 {
		return
	}
	f := FindingReturnRoute.risk("answers of %s go to %s, which is not an address of the director", s.Addr, via)
	if name := director.soleBareInterface(via); name != "" {
		f.Severity = SeverityBroken
		f = f.fix(j.addrFix(director, name, netip.PrefixFrom(via, networks[0].Prefix.Bits()))...)
	}
	j.add(director, f.advise("if that is a router, make sure that it sends them to the director"))
}

// routeByDirector returns the route that sends a server's answers through the director.
func routeByDirector(server, director netip.Addr) Requirement {
	return Requirement{Want: Route{To: defaultRoute(server), Via: director}, Why: "answers return through the director, which gives them the VIP as source"}
}

// hasRouteVia reports whether a route of the host has another host as the next hop.
func (p *hostView) hasRouteVia(other *hostView) bool {
	for _, r := range p.Routes {
		if r.Via.IsValid() && other.has(r.Via) {
			return true
		}
	}
	return false
}

// checkReturnedAnswer follows a NAT server's answers to one client, and reports whether it
// added a finding.
func (j *judge) checkReturnedAnswer(director *hostView, e ServiceEntry, s RealServer, host *hostView, client, near netip.Addr) bool {
	server := s.Addr.Addr()
	to := "distant clients"
	if !client.IsUnspecified() {
		to = "the client " + client.String()
	}
	w := host.answerRoute(e, s.Addr, client)
	what := host.whyBlocked(w)
	switch {
	case w.Unsure:
		j.unclear[FindingReturnRoute] = true
		return false
	case what != "":
		commands, leads := host.unblock(w)
		f := FindingReturnRoute.broken("answers of %s to %s: %s", s.Addr, to, what).run(commands...)
		if !leads {
			f = f.fix(routeByDirector(server, near))
		}
		j.add(host, f)
		return true
	case len(host.subnetsContaining(client)) > 0 && !client.IsUnspecified():
		beside := host.subnetsContaining(client)[0]
		j.add(host, FindingSameSubnet.broken("the client %s is in the network %s of the real server %s", client, beside.Prefix.Masked(), s.Addr).
			advise("use FullNAT for clients in the servers' own network"))
		return true
	}
	if f, bad := j.linkFault(host, w.Interface, fmt.Sprintf("needed for answers of %s to %s", s.Addr, to)); bad {
		j.add(host, f)
		return true
	}
	if slices.ContainsFunc(w.Each(), func(by netstate.Way) bool { return !j.isDirector(by.Via, e) }) {
		f := FindingReturnRoute.broken("answers of %s to %s do not pass through the director", s.Addr, to)
		if len(w.Hops) > 0 {
			f.Detail += ", or only some of them do"
			j.add(host, f.run(routeReplaceCommand(w.RouteEntry, netstate.RouteEntry{Via: near})))
			return true
		}
		if w.To.Bits() > 0 {
			f = f.run(routeDeleteCommand(w.RouteEntry))
		}
		r := routeByDirector(server, near)
		if route := r.Want.(Route); w.To.Bits() == 0 {
			if isCustomTable(w.Table) {
				route.Table = w.Table
			}
			route.Metric = w.Metric
			r.Want = route
		}
		j.add(host, f.fix(r))
		return true
	}
	return j.checkAnswerTTL(director, e, s, host, client) || j.checkSentOn(director, e, s, client)
}

// isDirector reports whether a next hop is a director of the service.
func (j *judge) isDirector(via netip.Addr, e ServiceEntry) bool {
	p := j.byAddr[via]
	if !via.IsValid() || p == nil {
		return false
	}
	_, ok := p.services[e.ID]
	return ok
}

// checkSentOn looks whether a director forwards the answers of a NAT server to a client.
func (j *judge) checkSentOn(director *hostView, e ServiceEntry, s RealServer, client netip.Addr) bool {
	server := s.Addr.Addr()
	iface := director.interfaceOn(server)
	if names := director.subnetsContaining(server); len(names) > 0 {
		iface = names[0].Interface
	}
	need := fmt.Sprintf("needed to forward answers of %s to clients", s.Addr)
	if f, bad := j.findNotForwarded(director, iface, answerQuestion(e, s.Addr, client), need); bad {
		j.add(director, f)
		return true
	}
	for _, vip := range j.vipsOf(director, e) {
		// IPVS looks the route up again once the answer has the VIP as source.
		w := director.routing.Resolve(answerQuestion(e, netip.AddrPortFrom(vip, e.ID.AddrPort().Port()), client))
		if w.Unsure {
			j.unclear[FindingRouteBlocked] = true
			continue
		}
		if what := director.whyBlocked(w); what != "" {
			j.add(director, j.withRouteFix(FindingRouteBlocked.broken("%s: %s", what, need), director, w))
			return true
		}
		if f, bad := director.findStray(w, client); bad {
			j.add(director, f)
			return true
		}
		if client.IsUnspecified() && !w.Via.IsValid() {
			continue
		}
		if f, about, bad := j.checkOnward(director, w, need); bad {
			if w.To.Bits() > 0 && about != director {
				f = f.run(routeDeleteCommand(w.RouteEntry))
				about = director
				f.Fix = nil
			}
			j.add(about, f)
			return true
		}
	}
	return false
}

// answerQuestion returns the look-up of the route of a service's answers to a client, as
// they leave a host with a source.
func answerQuestion(e ServiceEntry, from netip.AddrPort, client netip.Addr) netstate.Question {
	q := netstate.Question{To: client, From: from.Addr(), FromPort: from.Port(), ToClient: true}
	if e.ID.FWMark() != 0 || from.Port() == 0 {
		q.AnyFlow = true
		return q
	}
	q.Protocol = uint8(e.ID.Protocol())
	return q
}

// answerRoute returns the route of a program's answers to a client.
func (p *hostView) answerRoute(e ServiceEntry, from netip.AddrPort, client netip.Addr) netstate.Way {
	q := answerQuestion(e, from, client)
	q.User, q.AnyUser = p.userAt(e.ID, from)
	return p.routing.Resolve(q)
}

// userAt returns the user of the programs that listen at an address and port, and whether
// it is unknown.
func (p *hostView) userAt(id ServiceID, at netip.AddrPort) (user uint32, unknown bool) {
	unknown = true
	for _, l := range p.Listeners {
		if id.FWMark() != 0 || !l.accepts(id.Protocol(), at) {
			continue
		}
		if !unknown && l.User != user {
			return 0, true
		}
		user, unknown = l.User, false
	}
	return user, unknown
}
