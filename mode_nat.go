package lvs

import (
	"cmp"
	"net/netip"
)

// NATDirector is the host of a director for [NAT]: a router between clients and real
// servers. It has the VIP on the clients' side, and its own address (DIP) is in the
// network of the real servers' addresses (RIPs).
//
// Redirects are sent only for packets that leave by the interface on which they
// arrived: turning them off matters when clients and real servers share one. The value
// for default is for later interfaces.
//
// In IPv6, turning forwarding on removes routes that were learned from routers, and
// they do not come back automatically: give such a host its routes, or set accept_ra
// to 2 first.
type NATDirector struct {
	VIP       netip.Addr // virtual IP: the address that clients connect to
	Interface string     // where clients reach the VIP
	Inside    string     // where the real servers are; "" is Interface

	// Label is the name of an IPv4 VIP for ifconfig; "" is none. It is not used if the
	// interface has the VIP already, with any prefix length.
	Label string

	// Routed says that the VIP is in no network of the interface: a router sends
	// packets for it here. Otherwise [Host.Plan] refuses such a VIP.
	Routed bool

	// Network is the network of the RIPs. FullNAT and Masquerade need it.
	Network netip.Prefix

	// Masquerade hides the real servers behind the director when they open connections
	// themselves. Answers to clients do not need it.
	Masquerade bool

	// FullNAT also replaces the client's address in packets to the real servers by the
	// director's (DIP), for servers whose answers would not pass through the director
	// otherwise. The servers no longer see the client's address. Packets that the
	// director forwards as a router, past IPVS, keep their source.
	FullNAT bool

	// Source is the address that FullNAT uses, a DIP; the zero address is that of the
	// interface by which a packet leaves.
	Source netip.Addr

	Marks []PacketMark // as in [DRDirector]
}

// Setup returns what the host needs. The error matches [ErrInvalid] and names the
// field.
func (d NATDirector) Setup() (Setup, error) {
	if d.Inside == "" {
		d.Inside = d.Interface
	}
	return newSetup("NAT director", d.validate(), d.requirements)
}

func (d NATDirector) validate() *Error {
	bad := cmp.Or(validateAddr("VIP", d.VIP), validateInterface("Interface", d.Interface), validateInterface("Inside", d.Inside), validateMarks(d.VIP, d.Marks))
	if bad != nil {
		return bad
	}
	if d.FullNAT || d.Masquerade || d.Network.IsValid() {
		if bad := validateNetwork("Network", d.Network, d.VIP); bad != nil {
			return bad
		}
	}
	switch {
	case !d.Source.IsValid():
		return nil
	case !d.FullNAT:
		return invalid("Source", "is for FullNAT, which is off")
	}
	return cmp.Or(validateAddr("Source", d.Source), validateFamily("Source", d.Source, "the VIP", d.VIP))
}

func (d NATDirector) requirements() (s Setup) {
	s = append(s, loopbackUp(), forwarding(d.VIP.Is6(), "forward the answers of the real servers to the clients"))
	if d.VIP.Is4() {
		s = append(s, noRedirects(d.Interface, d.Inside)...)
	}
	s = append(s, Requirement{
		Want:     Address{Interface: d.Interface, Prefix: hostPrefix(d.VIP), Label: d.Label, Deprecated: d.VIP.Is6()},
		Why:      "IPVS sees only packets that are delivered to this host",
		InSubnet: !d.Routed, AnyPrefix: true,
	})
	s = append(s, markVIP(d.VIP, d.Marks)...)
	if d.Masquerade {
		s = append(s, Requirement{Want: SourceNAT{IPv6: d.VIP.Is6(), From: d.Network}, Why: "real servers reach other hosts from the director's address"})
	}
	if d.FullNAT {
		s = append(s,
			SysctlConntrack.Requirement("1", "source NAT sees only connections that netfilter tracks"),
			Requirement{Want: SourceNAT{IPv6: d.VIP.Is6(), To: d.Network, Source: d.Source, VIP: d.VIP}, Why: "real servers answer to the director, whatever their routes"})
	}
	return s
}

// noRedirects keeps real servers from learning of shorter ways than through the
// director. IPv6 has no such parameter.
func noRedirects(interfaces ...string) (s Setup) {
	seen := make(map[string]bool)
	for _, name := range append([]string{"all", "default"}, interfaces...) {
		if !seen[name] {
			s = append(s, Requirement{Want: Sysctl{InterfaceSysctl(name, "send_redirects", false), "0"}, Why: "do not tell real servers of a way around the director"})
		}
		seen[name] = true
	}
	return s
}

// NATRealServer is the host of a real server for [NAT] without FullNAT. Its answers
// pass through the director, which replaces the RIP in them by the VIP.
type NATRealServer struct {
	// Director is the director's own address (DIP) in the real server's network.
	Director netip.Addr

	// Clients are the networks of the clients; none means all, by the default route.
	// The network that the real server shares with the director must not be among
	// them.
	Clients []netip.Prefix

	// Metric is that of the routes. A default route of the same metric is replaced,
	// and [Host.Undo] restores it.
	Metric int
}

// Setup returns what the host needs. The error matches [ErrInvalid] and names the
// field.
func (r NATRealServer) Setup() (Setup, error) {
	return newSetup("NAT real server", r.validate(), r.requirements)
}

func (r NATRealServer) validate() *Error {
	if bad := validateAddr("Director", r.Director); bad != nil {
		return bad
	}
	for _, c := range r.Clients {
		if bad := validateNetwork("Clients", c, r.Director); bad != nil {
			return bad
		}
		if c.Bits() > 0 && c.Contains(r.Director) {
			return invalid("Clients", "%s is the network of the director: clients there are answered directly, which breaks NAT; use FullNAT for them", c)
		}
	}
	if r.Metric < 0 {
		return invalid("Metric", "%d is negative", r.Metric)
	}
	return nil
}

func (r NATRealServer) requirements() (s Setup) {
	clients := r.Clients
	if len(clients) == 0 {
		clients = []netip.Prefix{defaultRoute(r.Director)}
	}
	for _, c := range clients {
		s = append(s, Requirement{Want: Route{To: c, Via: r.Director, Metric: r.Metric}, Why: "answers return through the director, which puts the VIP into them"})
	}
	return s
}
