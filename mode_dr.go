package lvs

import (
	"cmp"
	"net/netip"
)

// DRDirector is the host of a director for [DR]. It has the VIP, and its own address
// (DIP) is in the network of the real servers' addresses (RIPs).
//
// The host route to the VIP is the one that ifconfig's alias has. Packets reach the VIP
// without it, by the local route that comes with the address.
type DRDirector struct {
	VIP       netip.Addr // virtual IP: the address that clients connect to
	Interface string     // where clients reach the VIP, such as "eth0"

	// Label is the name of an IPv4 VIP for ifconfig; "" is the interface's with
	// ":0" appended.
	Label string

	// Routed says that the VIP is in no network of the interface: a router sends
	// packets for it here. Otherwise [Host.Plan] refuses such a VIP.
	Routed bool

	// Forwarding turns ip_forward on as well. IPVS does not need it; a director
	// that is also a router does.
	Forwarding bool

	// Marks gives packets the firewall marks of services: see [FWMark]. A mark without
	// To is for packets to the VIP. Without marks, services are for addresses.
	Marks []PacketMark

	// Checks is the interface where real servers answer health checks that go through
	// IPVS, often Interface: see package health. Their answers come from the VIP, and
	// Linux drops IPv4 packets that come from an address of its own, unless they are
	// accepted. The interface then also accepts packets whose source is forged to be one of this
	// host's addresses. "" is for a director without such checks.
	Checks string
}

// Setup returns what the host needs. The error matches [ErrInvalid] and names the
// field.
func (d DRDirector) Setup() (Setup, error) {
	bad := cmp.Or(validateAddr("VIP", d.VIP), validateInterface("Interface", d.Interface), validateMarks(d.VIP, d.Marks), validateChecks(d.Checks))
	return newSetup("DR director", bad, d.requirements)
}

func (d DRDirector) requirements() (s Setup) {
	if d.Forwarding {
		s = append(s, forwarding(d.VIP.Is6(), "forward packets; DR itself does not need it"))
	}
	s = append(s, directorVIP(d.VIP, d.Interface, d.Label, d.Routed)...)
	s = append(s, markVIP(d.VIP, d.Marks)...)
	return append(s, checksFrom(d.VIP, d.Interface, d.Checks)...)
}

// DRRealServer is the host of a real server for [DR]. It accepts packets for the VIP,
// answers clients directly, and does not announce the VIP by ARP. Its own address is
// the RIP, by which the director knows it.
//
// The kernel uses the larger of the values for all interfaces and for the one that
// receives ARP, so the values for all suppress it. Those for the device are set because
// administrators look for them, and the host route because ifconfig's alias has it:
// packets are accepted without.
type DRRealServer struct {
	VIP netip.Addr // virtual IP: the address that clients connect to

	// Device has the VIP: "" is "lo". Another one is made, as a dummy, unless it
	// exists.
	Device string

	// Label is the name of an IPv4 VIP for ifconfig; "" is the device's with
	// ":0" appended.
	Label string

	// Incoming is the interface that receives the director's packets. Its reverse path
	// filter is made loose, so that packets of clients are accepted whose answers leave
	// by another interface. "" leaves the filters unchanged, which is enough on a host
	// in one network.
	Incoming string
}

// Setup returns what the host needs. ARP is suppressed before the VIP is added. The
// error matches [ErrInvalid] and names the field.
func (r DRRealServer) Setup() (Setup, error) {
	if r.Device == "" {
		r.Device = "lo"
	}
	bad := cmp.Or(validateAddr("VIP", r.VIP), validateInterface("Device", r.Device))
	if bad == nil && r.Incoming != "" {
		bad = validateInterface("Incoming", r.Incoming)
	}
	return newSetup("DR real server", bad, r.requirements)
}

func (r DRRealServer) requirements() (s Setup) {
	device := Link{Name: r.Device, Up: true}
	if r.Device != "lo" {
		device.Kind = "dummy"
	}
	s = append(s, Requirement{Want: device, Why: "the VIP is on a device without a network behind it"})
	s = append(s, suppressARP(r.VIP, r.Device)...)
	if r.Incoming != "" && r.VIP.Is4() {
		s = append(s, Requirement{Want: Sysctl{InterfaceSysctl(r.Incoming, "rp_filter", false), "2"},
			Why: "a strict filter drops packets of clients whose answers leave by another interface"})
	}
	s = append(s, serverVIP(r.VIP, r.Device, aliasLabel(r.VIP, r.Device, r.Label)))
	if r.VIP.Is4() {
		s = append(s, aliasRoute(r.VIP, r.Device))
	}
	return s
}
