package lvs

import (
	"fmt"
	"net/netip"
	"slices"
)

// checkServerHost checks the host of a real server: whether it receives the packets, and
// where its answers go.
func (j *judge) checkServerHost(director *hostView, e ServiceEntry, s RealServer, host *hostView) {
	server := s.Addr.Addr()
	iface := host.interfaceOn(server)
	if f, bad := j.linkFault(host, iface, fmt.Sprintf("needed for %s", server)); bad {
		j.add(host, f)
		return
	}
	if f, bad := host.findSilentInterface(iface, server); bad {
		if !director.cannotFind(server) {
			f.Severity = SeverityRisk // until neighbours forget its address
		}
		j.add(host, f)
	}
	if s.Mode == NAT() {
		j.checkProgram(director, host, e, s, s.Addr)
		j.checkReturnRoute(director, e, s, host)
		return
	}
	device := "lo"
	if s.Mode.IsTunnel() {
		device = j.checkTunnel(director, e, s, host)
		iface = device
		if f, bad := j.linkFault(host, device, fmt.Sprintf("needed to unpack packets of %s", e.ID)); bad && f.Code == FindingLinkTaken {
			j.add(host, f)
			return
		}
		j.checkPathMTU(director, e, s, host)
	}
	for _, vip := range j.vipsOf(director, e) {
		f, bad := j.findUndelivered(host, vip, device)
		if bad {
			f.Detail = fmt.Sprintf("real server %s of %s: %s", s.Addr, e.ID, f.Detail)
			if changes := e.likeSiblings(s); len(changes) > 0 && changes[0].get().server.Mode == NAT() && host.hasRouteVia(director) {
				f.Detail += ", but its route leads to the director, as NAT needs it, and the other servers use NAT"
				j.add(director, f.fix().run().change(changes...))
				return
			}
			j.add(host, f)
			continue
		}
		if j.checkMask(host, vip, j.clientsOf(director, vip)) {
			continue
		}
		if s.Mode.IsTunnel() {
			j.checkTunnelFilter(e, host, device)
			inner := firewallPacketTo(e, netip.AddrPortFrom(vip, e.ID.AddrPort().Port()))
			inner.in = device
			j.checkFirewallOfServer(host, inner, j.clientsOf(director, vip), fmt.Sprintf("unpacked packets for %s", e.ID))
		}
		j.checkProgram(director, host, e, s, netip.AddrPortFrom(vip, e.ID.AddrPort().Port()))
		j.checkAnswers(director, e, s, host, vip, iface)
	}
}

// checkMode looks for a server that is forwarded to by NAT but is set up for another mode,
// which all others of its service have: it has the VIP, and answers past the director.
func (j *judge) checkMode(director *hostView, e ServiceEntry, s RealServer, host *hostView) bool {
	if s.Mode != NAT() || host == nil || host.hasRouteVia(director) {
		return false
	}
	vips := j.vipsOf(director, e)
	if !j.hasAll(host, vips) || j.hasSourceNAT(director, e, s, host) {
		return false
	}
	changes := e.likeSiblings(s)
	if len(changes) == 0 {
		return false
	}
	j.add(director, FindingModeMismatch.broken("%s -> %s: the server has %s, as for %s, and its answers do not pass through the director",
		e.ID, s, vips[0], changes[0].get().server.Mode).change(changes...))
	return true
}

// checkMask looks for a VIP with a network around it on a device without a network behind
// it, and reports whether the host therefore does not find others.
func (j *judge) checkMask(host *hostView, vip netip.Addr, clients []netip.Addr) bool {
	for _, own := range host.addrsEqual(vip) {
		if own.Prefix.IsSingleIP() || vip.IsLoopback() || !host.hasNoNetwork(own.Interface) {
			continue
		}
		f := FindingVIPMask.risk("%s is on %s, so the host looks for that network there", own.Prefix, own.Interface)
		for _, a := range append(slices.Clone(clients), j.addrsOfOthers(host, own.Prefix)...) {
			w := host.route(a, vip)
			if own.Prefix.Masked().Contains(a) && !host.has(a) && (w.Local() || w.Interface == own.Interface) {
				f.Severity = SeverityBroken
				f.Detail += fmt.Sprintf(", and cannot reach %s", a)
				break
			}
		}
		j.add(host, f.fix(Requirement{Want: vipAddress(vip, own.Interface, ""), Why: "receive packets for the VIP"}).
			run(fmt.Sprintf("ip%s addr del %s dev %s", familyFlag(vip.Is6()), own.Prefix, own.Interface)))
		return f.Severity == SeverityBroken
	}
	return false
}

// addrsOfOthers returns addresses of other hosts: those that are known, and one in each
// network of the host that overlaps a prefix.
func (j *judge) addrsOfOthers(host *hostView, overlaps netip.Prefix) (all []netip.Addr) {
	for _, p := range j.hosts {
		for _, a := range p.addresses {
			switch addr := a.Prefix.Addr(); {
			case p.hasNoNetwork(a.Interface) || j.vips[addr]:
			case p != host:
				all = append(all, addr)
			case !a.Prefix.IsSingleIP() && a.Prefix.Overlaps(overlaps):
				all = append(all, a.Prefix.Masked().Addr().Next())
			}
		}
	}
	return all
}
