package lvs

import "net/netip"

// DRDirector is the host of a director for [DR]: it has the VIP, and is on the
// network of the real servers.
//
// The host route to the VIP is there because ifconfig's alias has it; packets find
// the VIP without, by the local route that comes with the address.
type DRDirector struct {
	VIP       netip.Addr // that clients connect to
	Interface string     // where clients reach the VIP, such as "eth0"

	// Label is the name of an IPv4 VIP for ifconfig; "" is the interface's with
	// ":0" behind it.
	Label string

	// Routed says that the VIP is in no network of the interface: a router sends
	// packets for it here. Without, such a VIP is refused by [Host.Plan].
	Routed bool

	// Forwarding turns ip_forward on as well. IPVS does not need it; a director
	// that is a router does.
	Forwarding bool
}

// Setup returns what the host needs. The error names the field.
func (d DRDirector) Setup() (Setup, error) {
	return need("DR director", d.requirements, plainAddr("VIP", d.VIP), interfaceName("Interface", d.Interface))
}

func (d DRDirector) requirements() (s Setup) {
	if d.Forwarding {
		s = append(s, forwarding(d.VIP.Is6(), "forward packets; DR itself does not need it"))
	}
	return append(s, directorVIP(d.VIP, d.Interface, d.Label, d.Routed)...)
}

// directorVIP are the settings by which a director receives packets for the VIP.
func directorVIP(vip netip.Addr, iface, label string, routed bool) Setup {
	a := vipAddress(vip, iface, aliasLabel(vip, iface, label))
	a.InSubnet = !routed
	s := Setup{
		{Want: Link{Name: "lo", Up: true}, Why: "IPVS takes no real server while lo is down"},
		{Want: a, Why: "IPVS sees only packets that are delivered to this host"},
	}
	if vip.Is4() {
		s = append(s, Requirement{Want: Route{To: hostPrefix(vip), Interface: iface}, Why: "the route that ifconfig's alias has"})
	}
	return s
}

// DRRealServer is the host of a real server for [DR]: it takes packets for the
// VIP, and tells nobody that it has it.
//
// What silences it is the larger of the values of all interfaces and of the one
// by which ARP comes in, so those of all do it. Those of the device are there
// because administrators look for them, and the host route because ifconfig's
// alias has it: packets flow without.
type DRRealServer struct {
	VIP netip.Addr // that packets come for

	// Device has the VIP: "" is "lo". Another one is made, of the kind dummy,
	// unless it is there.
	Device string

	// Label is the name of an IPv4 VIP for ifconfig; "" is the device's with
	// ":0" behind it.
	Label string

	// Incoming is the interface by which the director's packets come in. Its filter
	// is made loose, so that clients are taken whose answers go by another interface.
	// "" leaves the filters as they are, which does on a host of one network.
	Incoming string
}

// Setup returns what the host needs. The error names the field. ARP is silenced
// before the VIP is there.
func (r DRRealServer) Setup() (Setup, error) {
	if r.Device == "" {
		r.Device = "lo"
	}
	checks := []*Error{plainAddr("VIP", r.VIP), interfaceName("Device", r.Device)}
	if r.Incoming != "" {
		checks = append(checks, interfaceName("Incoming", r.Incoming))
	}
	return need("DR real server", r.requirements, checks...)
}

func (r DRRealServer) requirements() (s Setup) {
	device := Link{Name: r.Device, Up: true}
	if r.Device != "lo" {
		device.Kind = "dummy"
	}
	s = append(s, Requirement{Want: device, Why: "the VIP is on a device that no network is behind"})
	s = append(s, suppressARP(r.VIP, r.Device)...)
	if r.Incoming != "" && r.VIP.Is4() {
		s = append(s, Requirement{Want: Sysctl{InterfaceSysctl(r.Incoming, "rp_filter", false), "2"},
			Why: "a strict filter drops packets of clients whose answers go by another interface"})
	}
	s = append(s, Requirement{Want: vipAddress(r.VIP, r.Device, aliasLabel(r.VIP, r.Device, r.Label)), Why: "take packets for the VIP"})
	if r.VIP.Is4() {
		s = append(s, Requirement{Want: Route{To: hostPrefix(r.VIP), Interface: r.Device}, Why: "the route that ifconfig's alias has"})
	}
	return s
}
