package lvs

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/golvs/lvs/internal/netstate"
	"github.com/golvs/lvs/internal/wire"
)

// checkTunnel looks for what unpacks the tunnel to a real server, and returns the device.
func (j *judge) checkTunnel(director *hostView, e ServiceEntry, s RealServer, host *hostView) string {
	inner := netip.IPv4Unspecified()
	if e.ID.Is6() {
		inner = netip.IPv6Unspecified()
	}
	server := s.Addr.Addr()
	want := TunnelRealServer{VIP: inner, Mode: s.Mode, Local: server}.device()
	var device, down, before Link
	for _, l := range host.links {
		switch {
		case l.Kind != want.Kind || !director.sendsTunnelFrom(l.Remote, server):
		case !host.unpacks(l, want, server):
			if l.Up && l.Local == server && !host.interfaces[l.Name].Keyed {
				before = l
			}
		case !l.Up:
			down = l
		case device.Name == "" || l.Local == server:
			device = l
		}
	}
	port := FOUPort{Port: s.Mode.Port(), IPv6: server.Is6()}
	if s.Mode.tunnel == wire.TunnelGUE && !slices.Contains(host.fouPorts, port) {
		j.add(host, FindingFOUMissing.broken("real server %s by %s: the host has no such receive port", s.Addr, s.Mode).
			fix(Requirement{Want: port, Why: "the port that the director sends to"}).run(host.freePortCommands(port)...))
	}
	switch {
	case device.Name != "" && (device.Local == server || before.Name == ""):
		return device.Name
	case device.Name != "":
		want = Link{Name: device.Name, Up: true}
	case down.Name != "":
		want = Link{Name: down.Name, Up: true}
	}
	f := FindingTunnelDown.broken("real server %s by %s: no device that is up unpacks its packets", s.Addr, s.Mode).
		fix(j.deviceFix(host, want)...)
	if before.Name != "" {
		f = j.withReplacedDevice(f, host, before, want)
	}
	j.add(host, f)
	return want.Name
}

// withReplacedDevice adds to a finding what removes a device that receives the packets but
// drops them for their content, and gives its VIPs another device.
func (j *judge) withReplacedDevice(f Finding, host *hostView, old, now Link) Finding {
	f.Detail += fmt.Sprintf(", and %s receives and drops them", old.Name)
	f.Commands = append(f.Commands, "ip link del dev "+old.Name)
	for _, a := range host.addresses {
		if vip := a.Prefix.Addr(); a.Interface == old.Name && j.vips[vip] {
			f.Fix = append(f.Fix, Requirement{Want: vipAddress(vip, now.Name, ""), Why: "receive packets for the VIP"})
		}
	}
	return f
}

// freePortCommands returns the command that removes a receive port which unpacks something
// else, or none if no port does.
func (p *hostView) freePortCommands(want FOUPort) []string {
	if !slices.Contains(p.otherPorts, want) {
		return nil
	}
	return []string{fmt.Sprintf("ip fou del port %d%s", want.Port, familyFlag(want.IPv6))}
}

// checkTunnelFilter looks for a reverse-path filter that drops what comes out of a tunnel.
func (j *judge) checkTunnelFilter(e ServiceEntry, host *hostView, device string) {
	filter, hasAddress := host.parameter(device, "rp_filter"), host.hasAddress4(device)
	if e.ID.Is6() || filter == "0" || filter == "" || filter == "2" && hasAddress || host.hasRouteBy(device) {
		return
	}
	f := FindingRPFilter.broken("rp_filter of %s is %s", device, filter)
	if filter == "2" {
		f.Detail += ", and the device has no address"
	}
	j.add(host, f.fix(host.looserFilter(device, hasAddress)...))
}

// hasRouteBy reports whether a route that an administrator made goes by an interface.
func (p *hostView) hasRouteBy(iface string) bool {
	return slices.ContainsFunc(p.Routes, func(r RouteEntry) bool { return r.Interface == iface && r.Type == "" && !r.ByKernel })
}

// deviceFix returns the requirements that make a tunnel's device, or set it up.
func (j *judge) deviceFix(host *hostView, device Link) (s Setup) {
	if device.Kind != "" && !slices.ContainsFunc(host.links, func(l Link) bool { return l.Name == device.Name }) {
		s = append(s, Requirement{Want: Module{moduleOf(device.Kind)}, Why: "the module unpacks the tunnel"})
	}
	return append(s, Requirement{Want: device, Why: "the device unpacks packets only while it is up"})
}

// sendsTunnelFrom reports whether IPVS may use an address as the source of tunnels to a
// server, which a device at their other end expects; the zero address is any.
func (p *hostView) sendsTunnelFrom(a, server netip.Addr) bool {
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
	for _, own := range p.subnetsContaining(hop) {
		if own.Interface == w.Interface {
			return a == own.Prefix.Addr() // the first one: others in that network are not used as sources
		}
	}
	return p.has(a)
}

// unpacks reports whether a device of the host, once it is up, unpacks the packets to a
// server that another device would.
func (p *hostView) unpacks(l, want Link, server netip.Addr) bool {
	i, inner := p.interfaces[l.Name], uint8(4)
	if want.Kind == "sit" || want.Kind == "ip6tnl" && !want.AnyProtocol {
		inner = 41
	}
	return l.Kind == want.Kind && l.Checksum == want.Checksum && !i.Keyed && !i.Ordered && (i.Inner == 0 || i.Inner == inner) &&
		(l.AnyProtocol || !want.AnyProtocol || i.Inner == inner) && (!l.Local.IsValid() || l.Local == server)
}

// checkTunnelSource looks for a tunnel whose packets have a source that the real server has
// too, and therefore drops.
func (j *judge) checkTunnelSource(director *hostView, e ServiceEntry, s RealServer, w netstate.Way) {
	server := s.Addr.Addr()
	source, host := director.sourceOf(w), j.byAddr[server]
	if !s.Mode.IsTunnel() || server.Is6() || !source.IsValid() || host == nil || !host.delivers(source) ||
		host.parameter(host.interfaceOn(server), "accept_local") == "1" {
		return
	}
	f := FindingMartianSource.broken("%s -> %s: packets of the tunnel have the source %s, which the real server has too", e.ID, s, source)
	for _, a := range director.addresses {
		if own := a.Prefix.Addr(); a.Interface == w.Interface && own.Is4() && !host.has(own) {
			j.add(director, f.run(routeReplaceCommand(w.RouteEntry, w.RouteEntry)+optionText("src", own)))
			return
		}
	}
	j.add(director, f.advise("give the route to the server a source (src) that only the director has"))
}

// tunnelProtocol returns the IP protocol number of a tunnel's packets.
func tunnelProtocol(m Mode, is6 bool) uint8 {
	switch {
	case m.tunnel == wire.TunnelGUE:
		return 17
	case m.tunnel == wire.TunnelGRE:
		return 47
	case is6:
		return 41
	}
	return 4
}
