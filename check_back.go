package lvs

import (
	"net/netip"
	"slices"
)

// returns looks whether the answers of a NAT server come back through the
// director. Where source NAT may be at work, or routers are between, that cannot
// be told.
func (j *judge) returns(director *party, e ServiceEntry, s RealServer, host *party) {
	server := s.Addr.Addr()
	if j.translates(server) {
		return
	}
	near := director.beside(host.networks(server))
	if director.sysctl(VSConntrack.Key) != "0" || len(near) == 0 {
		j.unclear["return-route"], j.unclear["same-subnet"] = true, true
		return
	}
	if e.ID.FWMark() == 0 && len(host.networks(e.ID.VIP().Addr())) > 0 {
		j.unclear["same-subnet"] = true // clients beside the VIP are beside the server
	}
	mend := Setting{Route{To: defaultRoute(server), Via: near[0]}, "answers go back through the director, which puts the VIP into them"}
	if !slices.ContainsFunc(host.Routes, func(r RouteEntry) bool { return director.isHop(r.Via) }) {
		j.add(host, finding("return-route", SeverityBroken, "no route of the real server %s goes by the director", s.Addr).mend(mend))
		return
	}
	j.answered(director, s, host, mend)
}

// isHop reports whether a next hop is the host.
func (p *party) isHop(via netip.Addr) bool { return via.IsValid() && p.has(via) }

// answered looks at the clients that a director has, and where a NAT server's
// answers to them go.
func (j *judge) answered(director *party, s RealServer, host *party, mend Setting) {
	server := s.Addr.Addr()
	for _, client := range director.Clients {
		if client.Is6() != server.Is6() {
			continue
		}
		if beside := host.networks(client); len(beside) > 0 {
			j.add(host, finding("same-subnet", SeverityBroken, "the client %s is in the network %s of the real server %s", client, beside[0].Prefix.Masked(), s.Addr).
				advise("use FullNAT for clients in the servers' own network"))
		} else if way := host.route(client, server); !way.Onward() || !director.isHop(way.Via) {
			j.add(host, finding("return-route", SeverityBroken, "answers of %s to the client %s do not go by the director", s.Addr, client).mend(mend))
		}
	}
}

// translates reports whether the setup gives what goes to a server the director's
// address, so that it answers there whatever its routes.
func (j *judge) translates(server netip.Addr) bool {
	return slices.ContainsFunc(j.setup, func(s Setting) bool {
		nat, ok := s.Want.(SourceNAT)
		return ok && nat.To.IsValid() && nat.To.Contains(server)
	})
}
