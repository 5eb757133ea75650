package lvs

import (
	"cmp"
	"fmt"
	"net/netip"
)

// newSetup returns the setup of a part, unless its fields are bad.
func newSetup(part string, bad *Error, requirements func() Setup) (Setup, error) {
	if bad != nil {
		return nil, bad.about(OpSetUp, part)
	}
	return requirements(), nil
}

// vipAddress returns a VIP as the address of an interface: with the prefix of a single
// address, and with a label and itself as the broadcast address as ifconfig would have
// it. In IPv6 it is deprecated. Otherwise Linux would choose it as the source of the
// tunnel's packets, which no real server that has the VIP accepts, and a real server
// would answer health checks to itself.
func vipAddress(vip netip.Addr, iface, label string) Address {
	a := Address{Interface: iface, Prefix: hostPrefix(vip), Deprecated: vip.Is6()}
	if vip.Is4() {
		a.Broadcast, a.Label = vip, label
	}
	return a
}

// aliasLabel returns the name by which ifconfig shows a VIP, "" if there is none, or
// it would be too long.
func aliasLabel(vip netip.Addr, iface, label string) string {
	if label == "" && vip.Is4() && len(iface) <= 13 {
		return iface + ":0"
	}
	return label
}

// directorVIP returns the requirements of a director that receives packets for the VIP.
func directorVIP(vip netip.Addr, iface, label string, routed bool) Setup {
	s := Setup{
		loopbackUp(),
		{
			Want: vipAddress(vip, iface, aliasLabel(vip, iface, label)), InSubnet: !routed,
			Why: "IPVS sees only packets that are delivered to this host",
		},
	}
	if vip.Is4() {
		s = append(s, aliasRoute(vip, iface))
	}
	return s
}

// markVIP returns the requirements that mark packets for services by firewall mark. A
// mark without To is for the VIP.
func markVIP(vip netip.Addr, marks []PacketMark) (s Setup) {
	for _, m := range marks {
		if !m.To.IsValid() {
			m.To = hostPrefix(vip)
		}
		s = append(s, Requirement{Want: m, Why: fmt.Sprintf("packets for the service of firewall mark %d", m.Mark)})
	}
	return s
}

// validateMarks returns an error for marks that are not for the VIP's family.
func validateMarks(vip netip.Addr, marks []PacketMark) *Error {
	for _, r := range markVIP(vip, marks) {
		m := r.Want.(PacketMark)
		if bad := cmp.Or(m.validate(), validateFamily("Marks", m.To.Addr(), "the VIP", vip)); bad != nil {
			return invalid("Marks", "%s: %s", m, bad.detail)
		}
	}
	return nil
}

// checksFrom returns the requirements of a director that has the VIP on one interface, and
// on another one, or the same, gets the answers to its health checks through IPVS. A strict
// reverse path filter would drop them on another one. IPv6 needs nothing.
func checksFrom(vip netip.Addr, iface, checks string) (s Setup) {
	if checks == "" || !vip.Is4() {
		return nil
	}
	s = append(s, Requirement{Want: Sysctl{InterfaceSysctl(checks, "accept_local", false), "1"},
		Why: "answers to health checks through IPVS come from the VIP; forged packets from this host's addresses are accepted as well"})
	if checks != iface {
		s = append(s, Requirement{Want: Sysctl{InterfaceSysctl(checks, "rp_filter", false), "2"},
			Why: "a strict filter drops what comes from the VIP, which is on " + iface})
	}
	return s
}

func validateChecks(iface string) *Error {
	if iface == "" {
		return nil
	}
	return validateInterface("Checks", iface)
}

// loopbackUp returns what every director needs.
func loopbackUp() Requirement {
	return Requirement{Want: Link{Name: "lo", Up: true}, Why: "IPVS accepts no real server while lo is down"}
}

// aliasRoute returns the route to an IPv4 VIP that ifconfig's alias has. Packets reach
// the VIP without it.
func aliasRoute(vip netip.Addr, iface string) Requirement {
	return Requirement{Want: Route{To: hostPrefix(vip), Interface: iface}, Why: "the route that ifconfig's alias has"}
}

// serverVIP returns the requirement of a real server that accepts packets for the VIP.
func serverVIP(vip netip.Addr, device, label string) Requirement {
	return Requirement{Want: vipAddress(vip, device, label), Why: "accept packets for the VIP"}
}

// suppressARP returns the requirements that keep a real server from announcing the VIP.
// IPv6 needs none: a host answers only for addresses of the interface that receives the
// request.
func suppressARP(vip netip.Addr, device string) (s Setup) {
	if !vip.Is4() {
		return nil
	}
	for _, name := range []string{device, "all"} {
		s = append(s,
			Requirement{Want: Sysctl{InterfaceSysctl(name, "arp_ignore", false), "1"}, Why: "do not answer ARP for the VIP: clients must find the director"},
			Requirement{Want: Sysctl{InterfaceSysctl(name, "arp_announce", false), "2"}, Why: "do not use the VIP in ARP requests: others would learn that it is here"})
	}
	return s
}

// forwarding returns the requirement that the host forwards packets of a family.
func forwarding(is6 bool, why string) Requirement {
	key := SysctlIPForward
	if is6 {
		key = SysctlIPv6Forwarding
	}
	return Requirement{Want: Sysctl{key, "1"}, Why: why}
}

// defaultRoute returns the destination of the default route of an address's family.
func defaultRoute(family netip.Addr) netip.Prefix {
	if family.Is4() {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
}
