package lvs

import (
	"cmp"
	"net/netip"

	"github.com/golvs/lvs/internal/wire"
)

// TunnelDirector is the host of a director for a tunnel ([IPIP], [GUE], [GRE]):
// it has the VIP, and a route to each real server. The tunnel itself is IPVS's.
// It is not encrypted, whatever it is called: who can read packets between
// director and real server reads what the client sends. An IPsec policy between
// the two does not change that for an IPv4 tunnel, whose packets do not pass
// through it: [IPsecTunnel] is encrypted.
type TunnelDirector struct {
	VIP       netip.Addr // that clients connect to
	Interface string     // where clients reach the VIP

	Label  string // as in [DRDirector]
	Routed bool   // as in [DRDirector]

	// Servers are real servers that are reached by Via, when the host has no
	// route to them yet. They may be of the other family than the VIP.
	Servers []netip.Addr
	Via     netip.Addr // of the family of Servers; used with them only

	IPsec []IPsecTunnel // to real servers that IPVS forwards to by them
}

// Setup returns what the host needs. The error names the field.
func (d TunnelDirector) Setup() (Setup, error) {
	checks := []*Error{plainAddr("VIP", d.VIP), interfaceName("Interface", d.Interface)}
	if len(d.Servers) > 0 || d.Via.IsValid() {
		checks = append(checks, plainAddr("Via", d.Via))
	}
	for _, server := range d.Servers {
		checks = append(checks, plainAddr("Servers", server), sameFamily("Servers", server, "Via", d.Via))
	}
	numbers, inner := make(map[uint32]bool), make(map[netip.Addr]bool)
	for _, t := range d.IPsec {
		checks = append(checks, t.validate(d.VIP))
		if numbers[t.SPI] || inner[t.Inner] {
			checks = append(checks, invalid("IPsec", "two tunnels have the SPI %d, or the inner address %s", t.SPI, t.Inner))
		}
		numbers[t.SPI], inner[t.Inner] = true, true
	}
	return need("tunnel director", d.requirements, checks...)
}

func (d TunnelDirector) requirements() Setup {
	s := directorVIP(d.VIP, d.Interface, d.Label, d.Routed)
	for _, server := range d.Servers {
		s = append(s, Requirement{Want: Route{To: hostPrefix(server), Via: d.Via}, Why: "the outer packets go to the real server"})
	}
	for _, t := range d.IPsec {
		s = append(s, t.directorSide(d.VIP.Is6())...)
	}
	return s
}

// TunnelRealServer is the host of a real server behind a tunnel: it takes the
// client's packets out, has the VIP, tells nobody, and answers directly.
//
// What comes for it must be let through by firewalls on the way: protocol 4 or
// 41 for [IPIP], 47 for [GRE], the UDP port for [GUE].
type TunnelRealServer struct {
	VIP netip.Addr // that packets come for

	// Mode is that of the real server in the director's table. With IPsec it is
	// [DR].
	Mode Mode

	// Local is the address by which the director knows the real server. It may be
	// of the other family than the VIP. IPsec has its own.
	Local netip.Addr

	// IPsec is the tunnel by which packets come, if its packets are encrypted.
	IPsec IPsecTunnel

	// MTU is that of the tunnel device; 0 leaves it to the kernel. IPsec has its
	// own.
	MTU int

	// MSS is the greatest TCP segment that clients are told to send, so that
	// their packets fit into the tunnel; 0 tells them nothing, and clients must
	// hear of it by path MTU discovery. It is set here, for the answers of the
	// server do not pass by the director. 1500 bytes on the way to the server
	// leave 1440 for IPIP in IPv4. It needs Gateway and Interface.
	MSS int

	// Gateway and Interface are the way to the clients. Used with MSS only.
	Gateway   netip.Addr
	Interface string

	// Table is the number of the routing table that answers use when MSS is set,
	// and the priority of the rule that sends them there; 0 is 4004. Another VIP
	// with another MSS or gateway needs another.
	Table int
}

const tunnelTable = 4004

// Setup returns what the host needs. The error names the field. The module fou,
// for [GUE], is not loaded by the kernel itself: see [Module].
func (r TunnelRealServer) Setup() (Setup, error) {
	if r.Table == 0 {
		r.Table = tunnelTable
	}
	return need("tunnel real server", r.requirements,
		plainAddr("VIP", r.VIP), r.checkTunnel(),
		optional(r.MTU != 0, func() *Error { return Link{Name: "tunl0", MTU: r.MTU}.validate() }),
		optional(r.MSS != 0, r.checkMSS))
}

func (r TunnelRealServer) checkTunnel() *Error {
	if r.IPsec.isZero() {
		return cmp.Or(r.checkMode(), plainAddr("Local", r.Local))
	}
	switch {
	case r.Mode != DR:
		return invalid("Mode", "is %s, and what comes by an encrypted tunnel is forwarded by DR: leave it out", r.Mode)
	case r.Local.IsValid():
		return invalid("Local", "is for a tunnel of IPVS's: IPsec.Server is the address of an encrypted one")
	case r.MTU != 0:
		return invalid("MTU", "is for a tunnel of IPVS's: IPsec has its own")
	}
	return r.IPsec.validate(r.VIP)
}

func (r TunnelRealServer) checkMode() *Error {
	if !r.Mode.isTunnel() {
		return invalid("Mode", "%s is no tunnel: want IPIP, GUE or GRE", r.Mode)
	}
	return r.Mode.validate()
}

func (r TunnelRealServer) checkMSS() *Error {
	if r.MSS < 88 || r.MSS > 65495 {
		return invalid("MSS", "%d is not within 88 and 65495", r.MSS)
	}
	if r.Table < 1 || r.Table > 32765 {
		return invalid("Table", "%d is not within 1 and 32765", r.Table)
	}
	if err := plainAddr("Gateway", r.Gateway); err != nil {
		return err
	}
	if err := sameFamily("Gateway", r.Gateway, "the VIP", r.VIP); err != nil {
		return err
	}
	return interfaceName("Interface", r.Interface)
}

func (r TunnelRealServer) requirements() Setup {
	s, device := r.open()
	if r.VIP.Is4() {
		s = append(s, Requirement{Want: Sysctl{InterfaceSysctl(device.Name, "rp_filter", false), "2"},
			Why: "clients are not reached by the tunnel: a strict filter drops what comes out of it"})
	}
	s = append(s, suppressARP(r.VIP, device.Name)...)
	s = append(s, Requirement{Want: vipAddress(r.VIP, device.Name, ""), Why: "take packets for the VIP"})
	if r.MSS != 0 {
		s = append(s, r.segments()...)
	}
	return s
}

// open are the settings that bring packets out of the tunnel, and its device.
func (r TunnelRealServer) open() (s Setup, device Link) {
	if !r.IPsec.isZero() {
		return r.IPsec.serverSide(r.VIP.Is6())
	}
	device = r.device()
	s = append(s, Requirement{Want: Module{moduleOf(device.Kind)}, Why: "it takes packets out of the tunnel"})
	if r.Mode.tunnelType() == wire.TunnelGUE {
		s = append(s,
			Requirement{Want: Module{"fou"}, Why: "it takes packets out of UDP"},
			Requirement{Want: FOUPort{Port: r.Mode.tunnelPort(), IPv6: r.Local.Is6()}, Why: "the port that the director sends to"})
	}
	return append(s, Requirement{Want: device, Why: "the tunnel's device takes packets only when it is up"}), device
}

// device returns the device that takes the packets out. Where there is one that
// takes all, it is used; otherwise one is made for the server's own address.
func (r TunnelRealServer) device() Link {
	own := func(name, kind string) Link {
		return Link{Name: name, Kind: kind, Up: true, MTU: r.MTU, Local: r.Local}
	}
	every := func(name, kind string) Link { return Link{Name: name, Kind: kind, Up: true, MTU: r.MTU} }
	outer6, checksum := r.Local.Is6(), r.Mode.tunnelFlags()&TunnelChecksum != 0
	switch {
	case r.Mode.tunnelType() == wire.TunnelGRE && checksum:
		device := own("lvs-gre", "gre")
		if outer6 {
			device = own("lvs-gre6", "ip6gre")
		}
		device.Checksum = true
		return device
	case r.Mode.tunnelType() == wire.TunnelGRE && outer6:
		return every("ip6gre0", "ip6gre")
	case r.Mode.tunnelType() == wire.TunnelGRE:
		return every("gre0", "gre")
	case outer6 && r.VIP.Is4():
		device := own("lvs-tun6", "ip6tnl")
		device.AnyProtocol = true
		return device
	case outer6:
		return every("ip6tnl0", "ip6tnl")
	case r.VIP.Is6():
		return every("sit0", "sit")
	}
	return every("tunl0", "ipip")
}

// segments are the settings by which clients hear of the MSS: the answers, which
// come from the VIP, have a route of their own.
func (r TunnelRealServer) segments() Setup {
	is6 := r.VIP.Is6()
	return Setup{
		{Want: Route{To: defaultRoute(r.VIP), Table: r.Table, Via: r.Gateway, Interface: r.Interface, AdvMSS: r.MSS},
			Why: "tell clients to send segments that fit into the tunnel"},
		{Want: Rule{Priority: r.Table, From: hostPrefix(r.VIP), Table: r.Table, IPv6: is6}, Why: "answers of the VIP use that route"},
	}
}
