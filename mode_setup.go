package lvs

import "net/netip"

// vipAddress returns the address that a VIP is on an interface: with nothing
// around it, and with a label and itself as the broadcast address where ifconfig
// would have put them. In IPv6 it is deprecated: Linux would send the tunnel's
// packets from it otherwise, which no real server that has the VIP takes, and
// health checks would be answered by the real server to itself.
func vipAddress(vip netip.Addr, iface, label string) Address {
	a := Address{Interface: iface, Prefix: hostPrefix(vip), Deprecated: vip.Is6()}
	if vip.Is4() {
		a.Broadcast, a.Label = vip, label
	}
	return a
}

// aliasLabel is the name that ifconfig shows an address by, "" where there is
// none, or it would be too long.
func aliasLabel(vip netip.Addr, iface, label string) string {
	if label == "" && vip.Is4() && len(iface) <= 13 {
		return iface + ":0"
	}
	return label
}

// suppressARP are the settings by which a real server that has the VIP tells nobody.
// IPv6 answers for addresses of the interface that was asked alone, and needs
// none.
func suppressARP(vip netip.Addr, device string) (s Setup) {
	if !vip.Is4() {
		return nil
	}
	for _, name := range []string{device, "all"} {
		s = append(s,
			Requirement{Want: Sysctl{InterfaceSysctl(name, "arp_ignore", false), "1"}, Why: "do not answer ARP for the VIP: clients must find the director"},
			Requirement{Want: Sysctl{InterfaceSysctl(name, "arp_announce", false), "2"}, Why: "do not ask by ARP with the VIP: it would teach others a wrong way"})
	}
	return s
}

// need makes a setup of what was validated, or an error that names the field.
func need(what string, setup func() Setup, checks ...*Error) (Setup, error) {
	for _, bad := range checks {
		if bad != nil {
			return nil, bad.about(OpSetUp, what)
		}
	}
	return setup(), nil
}
