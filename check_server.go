package lvs

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/golvs/lvs/internal/wire"
)

// server looks at the host of a real server: whether it takes the packets, and
// where its answers go.
func (j *judge) server(director *party, e ServiceEntry, s RealServer, host *party) {
	server := s.Addr.Addr()
	iface := host.interfaceOn(server)
	if f, bad := j.linkFault(host, iface, fmt.Sprintf("%s has %s", iface, server)); bad {
		j.add(host, f)
		return
	}
	if f, bad := host.mute(iface, server); bad {
		if !director.misses(server) {
			f.Severity = SeverityRisk // until neighbours forget what the host announced
		}
		j.add(host, f)
	}
	if s.Mode == NAT {
		j.listens(director, host, e, s, s.Addr)
		j.returns(director, e, s, host)
		return
	}
	device := "lo"
	if s.Mode.isTunnel() {
		device = j.tunnel(director, e, s, host)
		iface = device
		if f, bad := j.linkFault(host, device, fmt.Sprintf("%s comes out of it", e.ID)); bad && f.Code == FindingLinkTaken {
			j.add(host, f)
			return
		}
		j.room(director, e, s, host)
	}
	for _, vip := range j.vipsOf(director, e) {
		f, bad := j.undelivered(host, vip, device)
		if bad {
			f.Detail = fmt.Sprintf("the real server %s of %s: %s", s.Addr, e.ID, f.Detail)
			if changes := e.asSiblings(s); len(changes) > 0 && changes[0].server.Mode == NAT && host.hasHop(director) {
				f.Detail += ", and it is set up for NAT, by which the others are reached"
				j.add(director, f.fix().run().change(changes...))
				return
			}
			j.add(host, f)
			continue
		}
		if j.masked(host, vip, j.clientsOf(director, vip)) {
			continue
		}
		if s.Mode.isTunnel() {
			j.filtered(e, host, device)
			inner := packetTo(e, netip.AddrPortFrom(vip, e.ID.AddrPort().Port()))
			inner.in = device
			j.arrives(host, inner, j.clientsOf(director, vip), fmt.Sprintf("packets for %s out of the tunnel", e.ID))
		}
		j.listens(director, host, e, s, netip.AddrPortFrom(vip, e.ID.AddrPort().Port()))
		j.answers(director, e, s, host, vip, iface)
	}
}

// otherMode looks for a server that is forwarded to by NAT, and is set up as the others
// of its service, which are not: it has the VIP, and answers past the director.
func (j *judge) otherMode(director *party, e ServiceEntry, s RealServer, host *party) bool {
	if s.Mode != NAT || host == nil || host.hasHop(director) {
		return false
	}
	vips := j.vipsOf(director, e)
	if !j.hasAll(host, vips) || j.translates(director, e, s, host) {
		return false
	}
	changes := e.asSiblings(s)
	if len(changes) == 0 {
		return false
	}
	j.add(director, FindingModeMismatch.broken("%s -> %s: it has %s, as for %s, and its answers do not go by the director",
		e.ID, s, vips[0], changes[0].server.Mode).change(changes...))
	return true
}

// masked looks for a VIP with a network around it on a device that no network is
// behind, and reports whether the host does not find others for it.
func (j *judge) masked(host *party, vip netip.Addr, clients []netip.Addr) bool {
	for _, own := range host.having(vip) {
		if own.Prefix.IsSingleIP() || vip.IsLoopback() || !host.isBlind(own.Interface) {
			continue
		}
		f := FindingVIPMask.risk("%s is on %s", own.Prefix, own.Interface)
		for _, a := range append(slices.Clone(clients), j.besides(host, own.Prefix)...) {
			w := host.route(a, vip)
			if own.Prefix.Masked().Contains(a) && !host.has(a) && (w.Local() || w.Interface == own.Interface) {
				f.Severity = SeverityBroken
				f.Detail += fmt.Sprintf(", and %s is sought there", a)
				break
			}
		}
		j.add(host, f.fix(Requirement{Want: vipAddress(vip, own.Interface, ""), Why: "take packets for the VIP"}).
			run(fmt.Sprintf("ip%s addr del %s dev %s", familyFlag(vip.Is6()), own.Prefix, own.Interface)))
		return f.Severity == SeverityBroken
	}
	return false
}

// besides returns addresses of other hosts: those that are known, and one of each
// network that a host is in and that overlaps another.
func (j *judge) besides(host *party, overlaps netip.Prefix) (all []netip.Addr) {
	for _, p := range j.hosts {
		for _, a := range p.addresses {
			switch addr := a.Prefix.Addr(); {
			case p.isBlind(a.Interface) || j.vips[addr]:
			case p != host:
				all = append(all, addr)
			case !a.Prefix.IsSingleIP() && a.Prefix.Overlaps(overlaps):
				all = append(all, a.Prefix.Masked().Addr().Next())
			}
		}
	}
	return all
}

// tunnel looks for what takes packets out of the tunnel to a real server, and
// returns its device.
func (j *judge) tunnel(director *party, e ServiceEntry, s RealServer, host *party) string {
	inner := netip.IPv4Unspecified()
	if e.ID.Is6() {
		inner = netip.IPv6Unspecified()
	}
	server := s.Addr.Addr()
	want := TunnelRealServer{VIP: inner, Mode: s.Mode, Local: server}.device()
	var device, down, before Link
	for _, l := range host.links {
		switch {
		case l.Kind != want.Kind || !director.sendsFrom(l.Remote, server):
		case !host.takes(l, want, server):
			if l.Up && l.Local == server && !host.interfaces[l.Name].Keyed {
				before = l
			}
		case !l.Up:
			down = l
		case device.Name == "" || l.Local == server:
			device = l
		}
	}
	port := FOUPort{Port: s.Mode.tunnelPort(), IPv6: server.Is6()}
	if s.Mode.tunnelType() == wire.TunnelGUE && !slices.Contains(host.fouPorts, port) {
		j.add(host, FindingFOUMissing.broken("the real server %s by %s has no such port", s.Addr, s.Mode).
			fix(Requirement{Want: port, Why: "the port that the director sends to"}).run(host.freePort(port)...))
	}
	switch {
	case device.Name != "" && (device.Local == server || before.Name == ""):
		return device.Name
	case device.Name != "":
		want = Link{Name: device.Name, Up: true}
	case down.Name != "":
		want = Link{Name: down.Name, Up: true}
	}
	f := FindingTunnelDown.broken("the real server %s by %s has no device up that takes its packets", s.Addr, s.Mode).
		fix(j.opened(host, want)...)
	if before.Name != "" {
		f = j.replaced(f, host, before, want)
	}
	j.add(host, f)
	return want.Name
}

// replaced adds to a finding what removes a device that the kernel gives packets to, and
// that drops them for what is in them. Its VIPs get another device.
func (j *judge) replaced(f Finding, host *party, old, now Link) Finding {
	f.Detail += fmt.Sprintf(", and %s drops them", old.Name)
	f.Commands = append(f.Commands, "ip link del dev "+old.Name)
	for _, a := range host.addresses {
		if vip := a.Prefix.Addr(); a.Interface == old.Name && j.vips[vip] {
			f.Fix = append(f.Fix, Requirement{Want: vipAddress(vip, now.Name, ""), Why: "take packets for the VIP"})
		}
	}
	return f
}

// freePort returns the command that removes a port which takes something else out
// than another of its number would; none if there is no such port.
func (p *party) freePort(want FOUPort) []string {
	want.Other = true
	if !slices.Contains(p.fouPorts, want) {
		return nil
	}
	return []string{fmt.Sprintf("ip fou del port %d%s", want.Port, familyFlag(want.IPv6))}
}

// filtered looks for a filter that drops what comes out of a tunnel, by which no
// client is reached.
func (j *judge) filtered(e ServiceEntry, host *party, device string) {
	filter, hasAddress := host.parameter(device, "rp_filter"), host.hasAddress4(device)
	if e.ID.Is6() || filter == "0" || filter == "" || filter == "2" && hasAddress || host.leads(device) {
		return
	}
	f := FindingRPFilter.broken("the filter of %s is %s", device, filter)
	if filter == "2" {
		f.Detail += ", and it has no address"
	}
	j.add(host, f.fix(host.loosen(device, hasAddress)...))
}

// leads reports whether a route goes by an interface.
func (p *party) leads(iface string) bool {
	return slices.ContainsFunc(p.Routes, func(r RouteEntry) bool { return r.Interface == iface && r.Type == "" && !r.ByKernel })
}

// opened are the settings that make a tunnel's device, or set it up.
func (j *judge) opened(host *party, device Link) (s Setup) {
	if device.Kind != "" && !slices.ContainsFunc(host.links, func(l Link) bool { return l.Name == device.Name }) {
		s = append(s, Requirement{Want: Module{moduleOf(device.Kind)}, Why: "it takes packets out of the tunnel"})
	}
	return append(s, Requirement{Want: device, Why: "the tunnel's device takes packets only when it is up"})
}

// sendsFrom reports whether tunnels of IPVS to a server may come from an address, by
// which a device at their other end knows them; the zero address is any.
func (p *party) sendsFrom(a, server netip.Addr) bool {
	w := p.route(server, netip.Addr{})
	switch {
	case !a.IsValid() || w.Unsure:
		return true
	case w.Source.IsValid():
		return a == w.Source
	}
	hop := w.Via
	if !hop.IsValid() {
		hop = server
	}
	for _, own := range p.networks(hop) {
		if own.Interface == w.Interface {
			return a == own.Prefix.Addr() // the first one; others in that network are no sources
		}
	}
	return p.has(a)
}

// takes reports whether a device of the host takes the packets to a server that another
// one would, once it is up.
func (p *party) takes(l, want Link, server netip.Addr) bool {
	i, inner := p.interfaces[l.Name], uint8(4)
	if want.Kind == "sit" || want.Kind == "ip6tnl" && !want.AnyProtocol {
		inner = 41
	}
	return l.Kind == want.Kind && l.Checksum == want.Checksum && !i.Keyed && !i.Ordered && (i.Inner == 0 || i.Inner == inner) &&
		(l.AnyProtocol || !want.AnyProtocol || i.Inner == inner) && (!l.Local.IsValid() || l.Local == server)
}
