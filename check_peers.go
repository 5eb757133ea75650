package lvs

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/golvs/lvs/internal/wire"
)

// among looks at services together with the hosts that have a part in them: this
// one and its peers.
type among struct {
	*checker
	hosts   []HostFacts // this one comes first, without a name
	conns   []Connection
	absent  []string        // real servers that are on none of the hosts
	unclear map[string]bool // codes of what could not be told all the same
}

// peers looks at what takes the facts of other hosts.
func (c *checker) peers(ctx context.Context, peers []HostFacts) error {
	a := among{checker: c, unclear: make(map[string]bool)}
	own := HostFacts{Services: c.entries}
	if len(peers) > 0 {
		var err error
		if own, err = c.host.Facts(ctx); err != nil {
			return err
		}
		peers = slices.DeleteFunc(slices.Clone(peers), own.isSame) // somebody gives all hosts the facts of all
		own.Name = ""
		if a.conns, err = c.natConnections(ctx); err != nil {
			return err
		}
	}
	a.hosts = append([]HostFacts{own}, peers...)
	for i, director := range a.hosts {
		for _, e := range director.Services {
			if i == 0 || len(own.Services) == 0 && serves(own, e) {
				a.service(i, e)
			}
		}
	}
	a.seen(len(peers) > 0)
	return nil
}

// serves tells whether a host is one of the real servers of a service.
func serves(f HostFacts, e ServiceEntry) bool {
	return slices.ContainsFunc(e.Servers, func(s RealServerStatus) bool { return len(f.having(s.Addr.Addr())) > 0 })
}

// natConnections returns the connections, by which the clients of NAT are known.
func (c *checker) natConnections(ctx context.Context) ([]Connection, error) {
	for _, e := range c.entries {
		if slices.ContainsFunc(e.Servers, func(s RealServerStatus) bool { return s.Mode == NAT }) {
			return c.host.Connections(ctx)
		}
	}
	return nil, nil
}

// seen notes what the peers' facts have told, and what is missing.
func (a *among) seen(peers bool) {
	if len(a.absent) > 0 {
		slices.Sort(a.absent)
		list := slices.Compact(a.absent)
		text := strings.Join(list[:min(len(list), 10)], ", ")
		if more := len(list) - 10; more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		a.cannotSee("real-server", "give Check the facts of "+text+": Facts returns them there")
	}
	for _, code := range []string{"arp-other", "path-mtu", "same-subnet", "server-order"} {
		a.told[code] = peers && len(a.absent) == 0 && !a.unclear[code]
	}
	if a.unclear["return-route"] {
		a.cannotSee("return-route", "look whether answers of the real servers go back through the director, or FullNAT is there")
	}
}

// add notes a finding about a host, once.
func (a *among) add(about HostFacts, f Finding) {
	f.Host = about.Name
	for _, other := range a.findings {
		if other.Code == f.Code && other.Host == f.Host && (f.Host == "" || other.Evidence == f.Evidence) {
			return
		}
	}
	a.found(f)
}

// service looks at a service of a host, the hosts of its real servers, and the
// others.
func (a *among) service(at int, e ServiceEntry) {
	director := a.hosts[at]
	for _, s := range e.Servers {
		i := slices.IndexFunc(a.hosts, func(f HostFacts) bool { return len(f.having(s.Addr.Addr())) > 0 })
		switch {
		case len(director.having(s.Addr.Addr())) > 0, s.Mode.method() == wire.MethodLocalNode, s.Mode.method() == wire.MethodBypass:
		case i < 0:
			a.absent = append(a.absent, s.Addr.Addr().String())
		default:
			a.server(director, e, s.RealServer, a.hosts[i])
		}
	}
	alone := true
	for i, other := range a.hosts {
		if i != at {
			a.silence(director, e, other)
			alone = !a.order(director, e, other) && alone
		}
	}
	if alone && e.isHashed() {
		a.unclear["server-order"] = true
	}
}

// isHashed tells whether clients are sent by a hash, on which directors agree.
func (e ServiceEntry) isHashed() bool { return e.Scheduler == SH || e.Scheduler == MH }

// server looks at the host of a real server.
func (a *among) server(director HostFacts, e ServiceEntry, s RealServer, host HostFacts) {
	if s.Mode == NAT {
		a.returns(director, e, s, host)
		return
	}
	device := "lo"
	if s.Mode.isTunnel() {
		device = a.tunnel(e, s, host)
		a.room(director, e, s, host)
	}
	if e.ID.FWMark() != 0 {
		return
	}
	vip := e.ID.VIP().Addr()
	mend := Setting{vipAddress(vip, device, ""), "take packets for the VIP"}
	all := host.having(vip)
	if len(all) == 0 {
		a.add(host, finding("vip-missing", SeverityBroken, "the real server %s has no address %s", s.Addr, vip).mend(mend))
	}
	for _, own := range all {
		if !own.Prefix.IsSingleIP() {
			a.add(host, finding("vip-mask", SeverityBroken, "%s is on %s", own.Prefix, own.Interface).mend(mend).
				run(fmt.Sprintf("ip addr del %s dev %s", own.Prefix, own.Interface)))
		}
	}
}

// silence looks whether another host than the director answers for the VIP on a
// network where clients and routers ask for it, or tells of it there.
func (a *among) silence(director HostFacts, e ServiceEntry, host HostFacts) {
	if e.ID.FWMark() != 0 {
		return
	}
	vip := e.ID.VIP().Addr()
	own := host.having(vip)
	code, mend := "arp-other", Setup(nil)
	if serves(host, e) {
		code, mend = "arp-flux", silent(vip, "lo")
	}
	for _, network := range director.networks(vip) {
		for _, at := range factsOf[Address](host) {
			if len(own) == 0 || at.Interface == "lo" || at.Prefix.IsSingleIP() || at.Prefix.Masked() != network.Prefix.Masked() {
				continue
			}
			if what := host.tells(own, at.Interface); what != "" {
				a.add(host, finding(code, SeverityBroken, "it has %s, and %s", vip, what).mend(mend...).
					advise("silence ARP there, or take the VIP off %s: one host answers for it, the director", at.Interface))
			}
		}
	}
}

// tells says how a host makes an address known on an interface, "" if it does not.
// Linux answers in IPv6 only for addresses of the interface that was asked.
func (f HostFacts) tells(own []Address, iface string) string {
	here := slices.ContainsFunc(own, func(a Address) bool { return a.Interface == iface })
	if own[0].Prefix.Addr().Is6() {
		if here {
			return "answers neighbour solicitations for it on " + iface
		}
		return ""
	}
	ignore, announce := f.interfaceSysctl(iface, "arp_ignore"), f.interfaceSysctl(iface, "arp_announce")
	switch {
	case ignore == "0", ignore != "8" && here:
		return fmt.Sprintf("answers ARP for it on %s: arp_ignore is %s", iface, ignore)
	case announce == "0", announce == "1":
		return fmt.Sprintf("asks by ARP with it on %s: arp_announce is %s", iface, announce)
	}
	return ""
}

// tunnel looks for what takes packets out of the tunnel to a real server, and
// returns its device.
func (a *among) tunnel(e ServiceEntry, s RealServer, host HostFacts) string {
	inner := netip.IPv4Unspecified()
	if e.ID.Is6() {
		inner = netip.IPv6Unspecified()
	}
	want := TunnelRealServer{VIP: inner, Mode: s.Mode, Local: s.Addr.Addr()}.device()
	var device Link
	for _, l := range factsOf[Link](host) {
		if l.takes(want) && (device.Name == "" || l.Local == want.Local) {
			device = l
		}
	}
	if port := (FOUPort{s.Mode.tunnelPort(), s.Addr.Addr().Is6()}); s.Mode.tunnelType() == wire.TunnelGUE && !slices.Contains(factsOf[FOUPort](host), port) {
		a.add(host, finding("fou-missing", SeverityBroken, "the real server %s by %s has no such port", s.Addr, s.Mode).mend(Setting{port, "the port that the director sends to"}))
	}
	if device.Name == "" {
		a.add(host, finding("tunnel-down", SeverityBroken, "the real server %s by %s has no device up that takes its packets", s.Addr, s.Mode).
			mend(Setting{want, "the tunnel's device takes packets only when it is up"}))
		return want.Name
	}
	if !e.ID.Is6() && host.interfaceSysctl(device.Name, "rp_filter") == "1" {
		a.add(host, finding("rp-filter", SeverityBroken, "%s filters strictly", device.Name).
			mend(Setting{Sysctl{InterfaceSysctl(device.Name, "rp_filter", false), "2"}, "clients are not reached by the tunnel"}))
	}
	return device.Name
}

// takes tells whether a device takes the packets that another one would.
func (l Link) takes(want Link) bool {
	return l.Up && l.Kind == want.Kind && l.Checksum == want.Checksum && (l.AnyProtocol || !want.AnyProtocol) &&
		(!l.Local.IsValid() || l.Local == want.Local)
}

// room looks whether packets that clients may send fit into a tunnel. A router
// between the hosts is not seen.
func (a *among) room(director HostFacts, e ServiceEntry, s RealServer, host HostFacts) {
	way, ok := director.route(s.Addr.Addr(), netip.Addr{})
	if !ok || way.Via.IsValid() {
		a.unclear["path-mtu"] = true
	}
	path := mtuOf(director, way)
	for _, at := range host.having(s.Addr.Addr()) {
		if mtu := host.mtu(at.Interface); mtu != 0 && (path == 0 || mtu < path) {
			path = mtu
		}
	}
	size, vip := ordinaryMTU, e.ID.VIP().Addr()
	headers := 40
	if e.ID.Is6() {
		headers = 60
	}
	if back, ok := host.route(defaultRoute(vip).Addr(), vip); ok && back.AdvMSS != 0 && e.ID.FWMark() == 0 {
		size = min(size, back.AdvMSS+headers)
	}
	if over := overhead(s); path != 0 && size+over > path {
		a.add(host, finding("path-mtu", SeverityRisk, "%s -> %s: clients may send %d bytes, and %d fit into the tunnel", e.ID, s, size, path-over).
			advise("set MSS of the real server's setup to %d, or let ICMP 'fragmentation needed' and 'packet too big' through to the director", path-over-headers))
	}
}

// ordinaryMTU is what clients send at most.
const ordinaryMTU = 1500

func mtuOf(f HostFacts, r Route) int {
	if r.MTU != 0 {
		return r.MTU
	}
	return f.mtu(r.Interface)
}

// returns looks whether the answers of a NAT server come back through the
// director. Where source NAT may be at work, or routers are between, that cannot
// be told.
func (a *among) returns(director HostFacts, e ServiceEntry, s RealServer, host HostFacts) {
	server := s.Addr.Addr()
	if a.translates(server) {
		return
	}
	near := director.beside(host.networks(server))
	if director.sysctl(VSConntrack.Key) != "0" || len(near) == 0 {
		a.unclear["return-route"], a.unclear["same-subnet"] = true, true
		return
	}
	if e.ID.FWMark() == 0 && len(host.networks(e.ID.VIP().Addr())) > 0 {
		a.unclear["same-subnet"] = true // clients beside the VIP are beside the server
	}
	mend := Setting{Route{To: defaultRoute(server), Via: near[0]}, "answers go back through the director, which puts the VIP into them"}
	if !slices.ContainsFunc(factsOf[Route](host), director.isHop) {
		a.add(host, finding("return-route", SeverityBroken, "no route of the real server %s goes by the director", s.Addr).mend(mend))
		return
	}
	a.answered(director, s, host, mend)
}

// beside returns the addresses of the host that are in networks of another one.
func (f HostFacts) beside(networks []Address) (all []netip.Addr) {
	for _, n := range networks {
		for _, own := range factsOf[Address](f) {
			if n.Prefix.Masked().Contains(own.Prefix.Addr()) {
				all = append(all, own.Prefix.Addr())
			}
		}
	}
	return all
}

// isHop tells whether a route goes by the host.
func (f HostFacts) isHop(r Route) bool { return r.Via.IsValid() && len(f.having(r.Via)) > 0 }

// answered looks at the clients that a NAT server has, and where its answers to
// them go.
func (a *among) answered(director HostFacts, s RealServer, host HostFacts, mend Setting) {
	server := s.Addr.Addr()
	for _, conn := range a.conns {
		if conn.Server != s.Addr || conn.IsTemplate() {
			continue
		}
		client := conn.Client.Addr()
		if beside := host.networks(client); len(beside) > 0 {
			a.add(host, finding("same-subnet", SeverityBroken, "the client %s is in the network %s of the real server %s", client, beside[0].Prefix.Masked(), s.Addr).
				advise("use FullNAT for clients in the servers' own network"))
		} else if r, ok := host.route(client, server); !ok || !director.isHop(r) {
			a.add(host, finding("return-route", SeverityBroken, "answers of %s to the client %s do not go by the director", s.Addr, client).mend(mend))
		}
	}
}

// translates tells whether the setup gives what goes to a server the director's
// address, so that it answers there whatever its routes.
func (a *among) translates(server netip.Addr) bool {
	return slices.ContainsFunc(a.setup, func(s Setting) bool {
		nat, ok := s.Want.(SourceNAT)
		return ok && nat.To.IsValid() && nat.To.Contains(server)
	})
}

// order compares a service by hash with that of another director, and tells
// whether there is one.
func (a *among) order(director HostFacts, e ServiceEntry, other HostFacts) bool {
	i := slices.IndexFunc(other.Services, func(o ServiceEntry) bool { return o.ID == e.ID })
	if i < 0 || !e.isHashed() {
		return false
	}
	if ours, theirs := e.hashes(), other.Services[i].hashes(); ours != theirs {
		a.add(other, finding("server-order", SeverityRisk, "%s: %s there, and %s on its peer", e.ID, theirs, ours).
			advise("add the servers in the same order, with the same weights and flags, on all directors"))
	}
	if e.ID.Protocol() == ProtocolTCP && director.sysctl(VSSloppyTCP.Key) == "0" {
		a.add(director, finding("backup-strict", SeverityRisk, "another director has %s too, and sloppy_tcp is 0", e.ID).
			mend(VSSloppyTCP.Setting(1, "take connections over from their middle")))
	}
	return true
}

// hashes is what decides where a service by hash sends a client.
func (e ServiceEntry) hashes() string {
	text := string(e.Scheduler)
	if e.Flags != 0 {
		text += " (" + e.Flags.String() + ")"
	}
	for _, s := range e.Servers {
		text += fmt.Sprintf(" %s*%d", s.Addr, s.Weight)
	}
	return text
}
