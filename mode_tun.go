package lvs

import (
	"cmp"
	"net/netip"

	"github.com/golvs/lvs/internal/wire"
)

// TunnelDirector is the host of a director for a tunnel ([IPIP], [GUE], [GRE]). It has
// the VIP, and a route to the address of each real server (RIP). IPVS itself makes the
// tunnel, and sends its outer packets from the director's own address (DIP).
//
// The tunnel is not encrypted: whoever can read packets between director and real
// server reads what the client sends. An IPsec policy between the two does not change
// that for an IPv4 tunnel, whose packets bypass it. [IPsecTunnel] is encrypted.
type TunnelDirector struct {
	VIP       netip.Addr // virtual IP: the address that clients connect to
	Interface string     // where clients reach the VIP

	Label  string // as in [DRDirector]
	Routed bool   // as in [DRDirector]

	// Servers are the RIPs of real servers that are reached by Via, if the host has no
	// route to them yet. They may be of the other family than the VIP.
	Servers []netip.Addr
	Via     netip.Addr // the next hop, of the family of Servers; used with them only

	IPsec []IPsecTunnel // to real servers that are reached by encrypted tunnels

	Marks  []PacketMark // as in [DRDirector]
	Checks string       // as in [DRDirector]
}

// Setup returns what the host needs. The error matches [ErrInvalid] and names the
// field.
func (d TunnelDirector) Setup() (Setup, error) {
	return newSetup("tunnel director", d.validate(), d.requirements)
}

func (d TunnelDirector) validate() *Error {
	bad := cmp.Or(validateAddr("VIP", d.VIP), validateInterface("Interface", d.Interface), validateMarks(d.VIP, d.Marks), validateChecks(d.Checks))
	if bad == nil && (len(d.Servers) > 0 || d.Via.IsValid()) {
		bad = validateAddr("Via", d.Via)
	}
	if bad != nil {
		return bad
	}
	for _, server := range d.Servers {
		if bad := cmp.Or(validateAddr("Servers", server), validateFamily("Servers", server, "Via", d.Via)); bad != nil {
			return bad
		}
	}
	numbers, inner := make(map[uint32]bool), make(map[netip.Addr]bool)
	for _, t := range d.IPsec {
		if bad := t.validate(d.VIP); bad != nil {
			return bad
		}
		if numbers[t.SPI] || inner[t.Inner] {
			return invalid("IPsec", "two tunnels have the SPI %d or the inner address %s", t.SPI, t.Inner)
		}
		numbers[t.SPI], inner[t.Inner] = true, true
	}
	return nil
}

func (d TunnelDirector) requirements() Setup {
	s := directorVIP(d.VIP, d.Interface, d.Label, d.Routed)
	s = append(s, markVIP(d.VIP, d.Marks)...)
	s = append(s, checksFrom(d.VIP, d.Interface, d.Checks)...)
	for _, server := range d.Servers {
		s = append(s, Requirement{Want: Route{To: hostPrefix(server), Via: d.Via}, Why: "outer packets go to the real server's address"})
	}
	for _, t := range d.IPsec {
		s = append(s, t.directorSide(d.VIP.Is6())...)
	}
	return s
}

// TunnelRealServer is the host of a real server behind a tunnel. It decapsulates the
// client's packets, has the VIP without announcing it, and answers clients directly.
//
// Firewalls on the way must let the tunnel pass: protocol 4 or 41 for [IPIP], 47 for
// [GRE], the UDP port for [GUE].
type TunnelRealServer struct {
	VIP netip.Addr // virtual IP: the address that clients connect to

	// Mode is that of the real server in the director's table. With IPsec it is
	// [DR].
	Mode Mode

	// Local is the real server's own address (RIP), by which the director knows it. It
	// may be of the other family than the VIP. IPsec has its own.
	Local netip.Addr

	// IPsec is the tunnel that delivers the packets, if it is encrypted.
	IPsec IPsecTunnel

	// MTU is that of the tunnel device in bytes; 0 leaves it to the kernel. IPsec has
	// its own.
	MTU int

	// MSS is the largest TCP segment in bytes that clients are asked to send, so that
	// their packets fit into the tunnel. 0 asks for nothing: clients depend on path MTU
	// discovery. It is set on the real server because its answers do not pass through
	// the director. With 1500 bytes between director and real server, IPIP in IPv4
	// leaves 1440. MSS needs Gateway and Interface.
	MSS int

	// Gateway and Interface are the way to the clients. They are used with MSS only.
	Gateway   netip.Addr
	Interface string // by which the answers leave

	// Table is the number of the routing table for answers when MSS is set, and the
	// priority of the rule that selects it; 0 is 4004. A VIP with another MSS or
	// gateway needs another table.
	Table int
}

const tunnelTable = 4004

// Setup returns what the host needs. The kernel does not load the module fou, which
// [GUE] needs: see [Module]. The error matches [ErrInvalid] and names the field.
func (r TunnelRealServer) Setup() (Setup, error) {
	if r.Table == 0 {
		r.Table = tunnelTable
	}
	return newSetup("tunnel real server", r.validate(), r.requirements)
}

func (r TunnelRealServer) validate() *Error {
	bad := cmp.Or(validateAddr("VIP", r.VIP), r.validateTunnel())
	if bad == nil && r.MTU != 0 {
		bad = Link{Name: "tunl0", MTU: r.MTU}.validate()
	}
	if bad == nil && r.MSS != 0 {
		bad = r.validateMSS()
	}
	return bad
}

func (r TunnelRealServer) validateTunnel() *Error {
	if r.IPsec.isZero() {
		return cmp.Or(r.validateMode(), validateAddr("Local", r.Local))
	}
	switch {
	case r.Mode != DR():
		return invalid("Mode", "is %s, but encrypted tunnels are used with DR: leave it out", r.Mode)
	case r.Local.IsValid():
		return invalid("Local", "is for an unencrypted tunnel; use IPsec.Server")
	case r.MTU != 0:
		return invalid("MTU", "is for an unencrypted tunnel; use IPsec.MTU")
	}
	return r.IPsec.validate(r.VIP)
}

func (r TunnelRealServer) validateMode() *Error {
	if !r.Mode.IsTunnel() {
		return invalid("Mode", "%s is not a tunnel: want IPIP, GUE or GRE", r.Mode)
	}
	return r.Mode.validate()
}

func (r TunnelRealServer) validateMSS() *Error {
	if r.MSS < 88 || r.MSS > 65495 {
		return invalid("MSS", "%d is out of range [88, 65495]", r.MSS)
	}
	if r.Table < 1 || r.Table > 32765 {
		return invalid("Table", "%d is out of range [1, 32765]", r.Table)
	}
	return cmp.Or(validateAddr("Gateway", r.Gateway), validateFamily("Gateway", r.Gateway, "the VIP", r.VIP), validateInterface("Interface", r.Interface))
}

func (r TunnelRealServer) requirements() Setup {
	s, device := r.decapsulation()
	if r.VIP.Is4() {
		s = append(s, Requirement{Want: Sysctl{InterfaceSysctl(device.Name, "rp_filter", false), "2"},
			Why: "clients are not reached through the tunnel: a strict filter drops what it delivers"})
	}
	s = append(s, suppressARP(r.VIP, device.Name)...)
	s = append(s, serverVIP(r.VIP, device.Name, ""))
	if r.MSS != 0 {
		s = append(s, r.segments()...)
	}
	return s
}

// decapsulation returns the requirements of the end of the tunnel, and its device.
func (r TunnelRealServer) decapsulation() (s Setup, device Link) {
	if !r.IPsec.isZero() {
		return r.IPsec.serverSide(r.VIP.Is6())
	}
	device = r.device()
	s = append(s, Requirement{Want: Module{moduleOf(device.Kind)}, Why: "it decapsulates the tunnel's packets"})
	if r.Mode.tunnel == wire.TunnelGUE {
		s = append(s,
			Requirement{Want: Module{"fou"}, Why: "it decapsulates packets in UDP"},
			Requirement{Want: FOUPort{Port: r.Mode.Port(), IPv6: r.Local.Is6()}, Why: "the UDP port that the director sends to"})
	}
	return append(s, Requirement{Want: device, Why: "the tunnel's device accepts packets only when it is up"}), device
}

// device returns the device that decapsulates packets: the one that accepts those to
// all addresses if it exists for the tunnel, otherwise one for the server's own address.
func (r TunnelRealServer) device() Link {
	own := func(name, kind string) Link {
		return Link{Name: name, Kind: kind, Up: true, MTU: r.MTU, Local: r.Local}
	}
	shared := func(name, kind string) Link { return Link{Name: name, Kind: kind, Up: true, MTU: r.MTU} }
	outer6, checksum := r.Local.Is6(), r.Mode.TunnelFlags()&TunnelChecksum != 0
	switch {
	case r.Mode.tunnel == wire.TunnelGRE && checksum:
		device := own("lvs-gre", "gre")
		if outer6 {
			device = own("lvs-gre6", "ip6gre")
		}
		device.Checksum = true
		return device
	case r.Mode.tunnel == wire.TunnelGRE && outer6:
		return shared("ip6gre0", "ip6gre")
	case r.Mode.tunnel == wire.TunnelGRE:
		return shared("gre0", "gre")
	case outer6 && r.VIP.Is4():
		device := own("lvs-tun6", "ip6tnl")
		device.AnyProtocol = true
		return device
	case outer6:
		return shared("ip6tnl0", "ip6tnl")
	case r.VIP.Is6():
		return shared("sit0", "sit")
	}
	return shared("tunl0", "ipip")
}

// segments returns the requirements that announce the MSS to clients: answers, which
// come from the VIP, use a separate route.
func (r TunnelRealServer) segments() Setup {
	is6 := r.VIP.Is6()
	return Setup{
		{Want: Route{To: defaultRoute(r.VIP), Table: r.Table, Via: r.Gateway, Interface: r.Interface, AdvMSS: r.MSS},
			Why: "ask clients for segments that fit into the tunnel"},
		{Want: Rule{Priority: r.Table, From: hostPrefix(r.VIP), Table: r.Table, IPv6: is6}, Why: "answers from the VIP use that route"},
	}
}
