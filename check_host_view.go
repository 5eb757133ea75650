package lvs

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/golvs/lvs/internal/netstate"
)

// hostView is the state of a host, indexed for look-ups.
type hostView struct {
	HostState
	isOwn      bool
	interfaces map[string]InterfaceState
	sysctls    map[SysctlKey]string
	addresses  []Address
	byAddr     map[netip.Addr][]Address
	subnets    []Address // addresses with a network around them
	links      []Link
	fouPorts   []FOUPort
	otherPorts []FOUPort // that decapsulate something else
	policies   []IPsecPolicy
	services   map[ServiceID]ServiceEntry
	routing    *netstate.Routing
	rules      []netstate.RuleEntry
	firewall   *hostFirewall
}

func newHostView(f HostState) *hostView {
	p := &hostView{
		HostState: f, interfaces: make(map[string]InterfaceState), sysctls: make(map[SysctlKey]string),
		byAddr: make(map[netip.Addr][]Address), services: make(map[ServiceID]ServiceEntry), firewall: newHostFirewall(f),
	}
	for _, i := range f.Interfaces {
		p.interfaces[i.Name] = i
	}
	for _, one := range f.Resources {
		other, isOther := one.(foreignResource)
		if port, ok := other.seen.(FOUPort); ok {
			p.otherPorts = append(p.otherPorts, port)
			continue
		}
		if isOther {
			one = other.seen
		}
		switch one := one.(type) {
		case Sysctl:
			p.sysctls[one.Key] = one.Value
		case Address:
			p.addresses = append(p.addresses, one)
			if !one.Prefix.IsSingleIP() {
				p.subnets = append(p.subnets, one)
			}
			p.byAddr[one.Prefix.Addr()] = append(p.byAddr[one.Prefix.Addr()], one)
		case Link:
			p.links = append(p.links, one)
		case FOUPort:
			p.fouPorts = append(p.fouPorts, one)
		case IPsecPolicy:
			p.policies = append(p.policies, one)
		}
	}
	for _, e := range f.Services {
		p.services[e.ID] = e
	}
	routes := make([]netstate.RouteEntry, len(f.Routes))
	for i, r := range f.Routes {
		routes[i] = netstate.RouteEntry(r)
	}
	for _, r := range f.Rules {
		p.rules = append(p.rules, netstate.RuleEntry(r))
	}
	p.routing = netstate.NewRouting(routes, p.rules)
	p.firewall.skipsPolicy = p.skipsPolicies
	return p
}

// sysctl returns the value of a sysctl, "" if it is not known.
func (p *hostView) sysctl(key SysctlKey) string { return p.sysctls[key] }

// parameter returns the value of an interface's sysctl of which the kernel uses the
// greater of the interface's own and the one of all; "" if neither is known.
func (p *hostView) parameter(iface, name string) string {
	return greaterSysctl(p.sysctl(InterfaceSysctl(iface, name, false)), p.sysctl(InterfaceSysctl("all", name, false)))
}

// greaterSysctl returns the greater of two numbers. One that is not a number is less.
func greaterSysctl(a, b string) string {
	x, err := strconv.Atoi(a)
	if y, errB := strconv.Atoi(b); err != nil || errB == nil && y > x {
		return b
	}
	return a
}

// addrsEqual returns the host's entries for an address, one for each interface that has it.
func (p *hostView) addrsEqual(a netip.Addr) []Address { return p.byAddr[a] }

func (p *hostView) has(a netip.Addr) bool { return len(p.byAddr[a]) > 0 }

// subnetsContaining returns the addresses of the host whose networks contain a.
func (p *hostView) subnetsContaining(a netip.Addr) (all []Address) {
	for _, own := range p.subnets {
		if own.Prefix.Masked().Contains(a) {
			all = append(all, own)
		}
	}
	return all
}

// mtu returns the MTU of an interface, 0 if it is not known.
func (p *hostView) mtu(iface string) int {
	for _, l := range p.links {
		if l.Name == iface {
			return l.MTU
		}
	}
	return 0
}

// route returns the route of a packet that the host's kernel sends.
func (p *hostView) route(to, from netip.Addr) netstate.Way {
	return p.routing.Resolve(netstate.Question{To: to, From: from})
}

// arrival returns the route of a packet that arrives by an interface.
func (p *hostView) arrival(to, from netip.Addr, iface string) netstate.Way {
	return p.routing.Resolve(netstate.Question{To: to, From: from, In: iface, AnyMark: p.firewall.marks, AnyFlow: true, InVRF: p.isInVRF(iface)})
}

// isInVRF reports whether an interface belongs to a VRF.
func (p *hostView) isInVRF(iface string) bool {
	return p.interfaces[p.interfaces[iface].Master].Kind == "vrf"
}

// delivers reports whether packets for an address are delivered to the host.
func (p *hostView) delivers(a netip.Addr) bool { return p.arrival(a, netip.Addr{}, "*").Local() }

// mtuOf returns the MTU of a route.
func (p *hostView) mtuOf(w netstate.Way) int {
	if w.MTU != 0 {
		return w.MTU
	}
	return p.mtu(w.Interface)
}

// addrsWithin returns the addresses of the host that are in one of the networks.
func (p *hostView) addrsWithin(networks []Address) (all []netip.Addr) {
	for _, n := range networks {
		for _, own := range p.addresses {
			if n.Prefix.Masked().Contains(own.Prefix.Addr()) {
				all = append(all, own.Prefix.Addr())
			}
		}
	}
	return all
}

// serves reports whether the host is one of the real servers of a service.
func (p *hostView) serves(e ServiceEntry) bool {
	return slices.ContainsFunc(e.RealServers, func(s RealServerStatus) bool { return p.has(s.Addr.Addr()) })
}

// runs reports whether a sync daemon of a role runs.
func (p *hostView) runs(role SyncRole) bool {
	return slices.ContainsFunc(p.Daemons, func(d SyncDaemon) bool { return d.Role == role })
}

// unread returns why a part of the host was not read, and the command that shows it; "" if
// it was read.
func (p *hostView) unread(what string) (why, command string) {
	var all, commands []string
	for _, u := range p.Unread {
		if u.What == what {
			all, commands = append(all, u.Why), append(commands, u.Command)
		}
	}
	return strings.Join(all, "; "), strings.Join(slices.Compact(commands), "; ")
}

// isSame reports whether a state is one of the same host: the host has all its addresses
// in networks, and its hardware addresses.
func (p *hostView) isSame(other HostState) bool {
	if p.isApart(other) {
		return false
	}
	same := false
	for _, a := range resourcesOf[Address](other) {
		if a.Interface == "lo" || a.Prefix.IsSingleIP() || a.Prefix.Addr().IsLinkLocalUnicast() {
			continue
		}
		if same = p.has(a.Prefix.Addr()); !same {
			return false
		}
	}
	return same
}

// isApart reports whether a state is of a host with other hardware addresses.
func (p *hostView) isApart(other HostState) bool {
	macs := make(map[string]bool)
	for _, i := range p.Interfaces {
		macs[i.MAC] = i.MAC != "" && !i.Loopback
	}
	known, shared := false, false
	for _, i := range other.Interfaces {
		known = known || i.MAC != "" && !i.Loopback
		shared = shared || macs[i.MAC]
	}
	return known && !shared && slices.ContainsFunc(p.Interfaces, func(i InterfaceState) bool { return macs[i.MAC] })
}

// label is the host's name in findings: "" for the host that was checked.
func (p *hostView) label() string {
	if p.isOwn {
		return ""
	}
	return p.Name
}

// interfacesAskedFor returns the interfaces on which clients and routers ask for an
// address: those in whose networks it is, with interfaces on top of them that have it;
// else the one that has it; else the one of the default route.
func (p *hostView) interfacesAskedFor(a netip.Addr) (names []string) {
	seen := make(map[string]bool)
	add := func(name string) {
		if i, ok := p.interfaces[name]; ok && !i.Loopback && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, n := range p.subnetsContaining(a) {
		if p.interfaces[n.Interface].Kind != "dummy" {
			add(n.Interface)
		}
	}
	found := slices.Clone(names)
	for _, own := range p.addrsEqual(a) {
		if i := p.interfaces[own.Interface]; !p.hasNoNetwork(own.Interface) && (len(found) == 0 || slices.Contains(found, i.Below)) {
			add(own.Interface)
		}
	}
	if len(names) == 0 {
		add(p.route(defaultRoute(a).Addr(), netip.Addr{}).Interface)
	}
	return names
}

// hasNoNetwork reports whether no network is behind an interface, so that nothing but what
// tunnels bring arrives by it.
func (p *hostView) hasNoNetwork(name string) bool {
	i := p.interfaces[name]
	return i.Loopback || i.Kind == "dummy" || linkKinds[i.Kind]
}

// isInNetwork reports whether the host is in a network by an address.
func (p *hostView) isInNetwork(a netip.Addr) bool {
	return slices.ContainsFunc(p.addrsEqual(a), func(own Address) bool { return !own.Prefix.IsSingleIP() && !p.hasNoNetwork(own.Interface) })
}
