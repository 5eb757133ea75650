package lvs

import (
	"net/netip"
)

// NATDirector is the host of a director for [NAT]: a router between clients and
// real servers.
//
// Redirects are sent only for packets that go back by the interface by which they
// came: turning them off matters when clients and real servers share one, and
// default's value is for interfaces to come.
//
// In IPv6 routes that were learnt from routers go when forwarding is turned on,
// and do not come back by themselves: give such a host its routes, or set
// accept_ra to 2 first.
type NATDirector struct {
	VIP       netip.Addr // that clients connect to
	Interface string     // where clients reach the VIP
	Inside    string     // where the real servers are; "" is Interface

	// Label is the name of an IPv4 VIP for ifconfig; "" is none. It is not used
	// when the VIP is on the interface already, whatever its network.
	Label string

	// Routed says that the VIP is in no network of the interface: a router sends
	// packets for it here. Without, such a VIP is refused by [Host.Plan].
	Routed bool

	// Network is the real servers' network. FullNAT and Masquerade need it.
	Network netip.Prefix

	// Masquerade hides the servers behind the director for connections of their
	// own. Answers to clients do not need it.
	Masquerade bool

	// FullNAT also gives the client's packets the director's address, for real
	// servers whose answers would not come back through the director. The
	// servers no longer see who the client is.
	FullNAT bool

	// Source is the address that FullNAT gives; the zero address is that of the
	// interface by which a packet leaves.
	Source netip.Addr
}

// Setup returns what the host needs. The error names the field.
func (d NATDirector) Setup() (Setup, error) {
	if d.Inside == "" {
		d.Inside = d.Interface
	}
	translates := d.FullNAT || d.Masquerade
	return need("NAT director", d.requirements,
		plainAddr("VIP", d.VIP), interfaceName("Interface", d.Interface), interfaceName("Inside", d.Inside),
		optional(translates || d.Network.IsValid(), func() *Error { return networkOf("Network", d.Network, d.VIP) }),
		optional(d.Source.IsValid(), func() *Error { return plainAddr("Source", d.Source) }),
		optional(d.Source.IsValid(), func() *Error { return sameFamily("Source", d.Source, "the VIP", d.VIP) }),
		optional(d.Source.IsValid() && !d.FullNAT, func() *Error { return invalid("Source", "is for FullNAT, which is off") }))
}

func (d NATDirector) requirements() (s Setup) {
	s = append(s, Requirement{Want: Link{Name: "lo", Up: true}, Why: "IPVS takes no real server while lo is down"})
	s = append(s, forwarding(d.VIP.Is6(), "answers of the real servers are forwarded to the clients"))
	if d.VIP.Is4() {
		s = append(s, noRedirects(d.Interface, d.Inside)...)
	}
	s = append(s, Requirement{
		Want: Address{
			Interface: d.Interface, Prefix: hostPrefix(d.VIP), Label: d.Label, Deprecated: d.VIP.Is6(),
			InSubnet: !d.Routed, AnyPrefix: true,
		},
		Why: "IPVS sees only packets that are delivered to this host",
	})
	if d.Masquerade {
		s = append(s, Requirement{Want: SourceNAT{IPv6: d.VIP.Is6(), From: d.Network}, Why: "the servers reach others by the director's address"})
	}
	if d.FullNAT {
		s = append(s,
			SysctlConntrack.Requirement("1", "source NAT sees only connections that netfilter tracks"),
			Requirement{Want: SourceNAT{IPv6: d.VIP.Is6(), To: d.Network, Source: d.Source}, Why: "the servers answer to the director, whatever their routes"})
	}
	return s
}

func forwarding(is6 bool, why string) Requirement {
	key := SysctlIPForward
	if is6 {
		key = SysctlIPv6Forwarding
	}
	return Requirement{Want: Sysctl{key, "1"}, Why: why}
}

// noRedirects keeps real servers from learning shorter ways than through the
// director. IPv6 has no such switch.
func noRedirects(interfaces ...string) (s Setup) {
	seen := make(map[string]bool)
	for _, name := range append([]string{"all", "default"}, interfaces...) {
		if !seen[name] {
			s = append(s, Requirement{Want: Sysctl{InterfaceSysctl(name, "send_redirects", false), "0"}, Why: "do not tell servers of a way around the director"})
		}
		seen[name] = true
	}
	return s
}

// NATRealServer is the host of a real server for [NAT] without FullNAT: its
// answers go through the director.
type NATRealServer struct {
	// Director is the director's address in the real server's network.
	Director netip.Addr

	// Clients are the networks of the clients; none is all, by the default
	// route. One that is the server's own must not be among them.
	Clients []netip.Prefix

	// Metric is that of the routes. A default route that is there with the same
	// metric is replaced, and comes back with [Host.Undo].
	Metric int
}

// Setup returns what the host needs. The error names the field.
func (r NATRealServer) Setup() (Setup, error) {
	checks := []*Error{plainAddr("Director", r.Director)}
	for _, c := range r.Clients {
		checks = append(checks, networkOf("Clients", c, r.Director))
		if c.Bits() > 0 && c.Contains(r.Director) {
			checks = append(checks, invalid("Clients", "%s is the network that the director is in: clients there are answered directly, which breaks NAT; use FullNAT for them", c))
		}
	}
	if r.Metric < 0 {
		checks = append(checks, invalid("Metric", "%d is negative", r.Metric))
	}
	return need("NAT real server", r.requirements, checks...)
}

func (r NATRealServer) requirements() (s Setup) {
	clients := r.Clients
	if len(clients) == 0 {
		clients = []netip.Prefix{defaultRoute(r.Director)}
	}
	for _, c := range clients {
		s = append(s, Requirement{Want: Route{To: c, Via: r.Director, Metric: r.Metric}, Why: "answers go back through the director, which puts the VIP into them"})
	}
	return s
}

func defaultRoute(family netip.Addr) netip.Prefix {
	if family.Is4() {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
}
