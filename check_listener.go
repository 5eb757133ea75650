package lvs

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
)

// checkProgram looks whether a program of a real server accepts packets for an address and
// port.
func (j *judge) checkProgram(director, host *hostView, e ServiceEntry, s RealServer, at netip.AddrPort) {
	if at.Port() == 0 && s.Mode == NAT() {
		at = netip.AddrPortFrom(at.Addr(), e.ID.AddrPort().Port())
	}
	if at.Port() == 0 || e.ID.FWMark() != 0 {
		return // any port
	}
	if why, _ := host.unread("listeners"); why != "" {
		j.unclear[FindingProgramMissing] = true
		return
	}
	if sends, translated := host.firewall.translation(e.ID.Protocol(), at); sends != nil {
		j.checkRedirect(host, e, s, at, sends)
		return
	} else if translated {
		return // perhaps to where a program listens
	}
	if e.ID.Protocol() == ProtocolTCP {
		j.checkBacklog(host, e, s)
	}
	if host.listensAt(e.ID.Protocol(), at) || host != director && host.hasServiceAt(e.ID.Protocol(), at) {
		return
	}
	f := FindingProgramMissing.broken("%s -> %s: no program listens at %s (%s)", e.ID, s.Addr, at, e.ID.Protocol()).
		advise("start the program, or let it listen on that address")
	if port := j.portOfSiblings(host, e, s); port != 0 {
		right := s
		right.Addr = netip.AddrPortFrom(s.Addr.Addr(), port)
		f.Detail += ", but one listens on the port of the other servers"
		j.add(director, f.change(AddRealServer(e.ID, right), RemoveRealServer(e.ID, s.Addr)))
		return
	}
	j.add(host, f)
}

// sysctlSomaxconn limits how many connections may wait for a program.
const sysctlSomaxconn = "net.core.somaxconn"

// checkBacklog looks whether connections find room to wait for a program.
func (j *judge) checkBacklog(host *hostView, e ServiceEntry, s RealServer) {
	const few = 8
	if most, err := strconv.Atoi(host.sysctl(sysctlSomaxconn)); err == nil && most < few {
		j.add(host, FindingBacklog.risk("%s -> %s: %s is %d", e.ID, s.Addr, sysctlSomaxconn, most).
			fix(Requirement{Want: Sysctl{sysctlSomaxconn, "4096"}, Why: "let connections wait until the program accepts them"}).
			advise("then restart the program: sockets that already listen keep their limit"))
	}
}

// checkRedirect looks whether a program accepts what a rule of the host redirects to
// another port.
func (j *judge) checkRedirect(host *hostView, e ServiceEntry, s RealServer, at netip.AddrPort, by *firewallStop) {
	port := cmp.Or(by.rule.ToPort, at.Port())
	if by.rule.Verdict != "redirect" || host.listensOnPort(e.ID.Protocol(), port) {
		return
	}
	j.add(host, FindingProgramMissing.broken("%s -> %s: %s sends packets to port %d, where no program listens (%s)", e.ID, s.Addr, by, port, e.ID.Protocol()).
		run(by.allowCommand(firewallPacket{to: at, is6: at.Addr().Is6(), protocol: uint8(e.ID.Protocol())})))
}

// listensOnPort reports whether a program that other hosts can reach listens on a port.
func (p *hostView) listensOnPort(protocol Protocol, port uint16) bool {
	return slices.ContainsFunc(p.Listeners, func(l Listener) bool {
		return l.Protocol == protocol && l.Addr.Port() == port && !l.Addr.Addr().IsLoopback()
	})
}

// listensAt reports whether a program accepts packets for an address and port.
func (p *hostView) listensAt(protocol Protocol, at netip.AddrPort) bool {
	return slices.ContainsFunc(p.Listeners, func(l Listener) bool { return l.accepts(protocol, at) })
}

// accepts reports whether the program accepts packets for an address and port.
func (l Listener) accepts(protocol Protocol, at netip.AddrPort) bool {
	a := l.Addr.Addr()
	return l.Protocol == protocol && l.Addr.Port() == at.Port() && (a == at.Addr() || a.IsUnspecified() && (a.Is6() || at.Addr().Is4()))
}

// hasServiceAt reports whether the host is a director for an address and port.
func (p *hostView) hasServiceAt(protocol Protocol, at netip.AddrPort) bool {
	for id := range p.services {
		if id.FWMark() != 0 || id.Protocol() == protocol && id.AddrPort().Addr() == at.Addr() && (id.AddrPort().Port() == at.Port() || id.AddrPort().Port() == 0) {
			return true
		}
	}
	return false
}

// portOfSiblings returns the port of another NAT server of the service if this host
// listens there, else 0.
func (j *judge) portOfSiblings(host *hostView, e ServiceEntry, s RealServer) uint16 {
	for _, other := range e.RealServers {
		at := netip.AddrPortFrom(s.Addr.Addr(), other.Addr.Port())
		if s.Mode == NAT() && at != s.Addr && host.listensAt(e.ID.Protocol(), at) {
			return at.Port()
		}
	}
	return 0
}

// checkWildcardListeners looks for programs of the director that listen on all addresses at
// the port of a service. Other ports are listed as unchecked.
func (j *judge) checkWildcardListeners() {
	type port struct {
		protocol Protocol
		number   uint16
	}
	services := make(map[port]ServiceID)
	for _, e := range j.own.Services {
		if e.ID.FWMark() == 0 && !j.own.serves(e) {
			services[port{e.ID.Protocol(), e.ID.AddrPort().Port()}] = e.ID
		}
	}
	if why, _ := j.own.unread("listeners"); why != "" {
		j.unclear[FindingProgramMissing] = true
	}
	for _, l := range j.own.Listeners {
		id, ok := services[port{l.Protocol, l.Addr.Port()}]
		if ok && l.Addr.Addr().IsUnspecified() && (l.Addr.Addr().Is6() || !id.Is6()) && !j.has(FindingWildcardListener) {
			j.add(j.own, FindingWildcardListener.risk("a program listens on *:%d (%s) of this host, the port of %s", l.Addr.Port(), l.Protocol, id).
				advise("let it listen on a single address: otherwise it answers clients when the service is removed"))
		}
	}
	j.addUnchecked(FindingWildcardListener, "ss -lntu lists what listens on *: clients reach it at the VIP unless a firewall prevents that")
}
