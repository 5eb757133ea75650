package main

import (
	"flag"
	"net/netip"

	"github.com/golvs/lvs"
)

func setupModes() []setupMode {
	return []setupMode{
		{"dr-director", "the director for direct routing", "The director gets the VIP on the network of the real servers.", "vip", func() setupFlags { return &drDirector{} }},
		{"dr-server", "a real server for direct routing", "The real server accepts packets for the VIP, and does not announce it by ARP.", "vip", func() setupFlags { return &drServer{} }},
		{"nat-director", "the director for network address translation", "The director forwards between clients and real servers.", "vip", func() setupFlags { return &natDirector{} }},
		{"nat-server", "a real server for network address translation", "Answers return through the director. With -fullnat there, a real server needs nothing.", "director", func() setupFlags { return &natServer{} }},
		{"tun-director", "the director for tunnels", "IPVS makes the tunnels itself. They are not encrypted, unless -ipsec gives others.", "vip", func() setupFlags { return &tunDirector{} }},
		{"tun-server", "a real server behind a tunnel", "The real server unpacks the tunnel, and answers clients directly.", "vip", func() setupFlags { return &tunServer{} }},
	}
}

// addrFlag defines a flag for an address.
func addrFlag(f *flag.FlagSet, a *netip.Addr, name, usage string) {
	f.TextVar(a, name, netip.Addr{}, usage)
}

func vipFlag(f *flag.FlagSet, a *netip.Addr) {
	addrFlag(f, a, "vip", "the virtual `ADDRESS` that clients connect to")
}

func interfaceFlag(f *flag.FlagSet, name *string) {
	f.StringVar(name, "interface", "", "the `INTERFACE` where clients reach the VIP, such as eth0")
}

// addrName returns an address as part of a file's name.
func addrName(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

type drDirector struct{ lvs.DRDirector }

func (d *drDirector) Name() string { return addrName(d.VIP) }

func (d *drDirector) Flags(f *flag.FlagSet) {
	vipFlag(f, &d.VIP)
	interfaceFlag(f, &d.Interface)
	vipDetails(f, &d.Label, &d.Routed)
	marksFlag(f, &d.Marks)
	checksFlag(f, &d.Checks)
	f.BoolVar(&d.Forwarding, "forward", false, "turn ip_forward on; direct routing does not need it")
}

// vipDetails defines flags for how a director has the VIP.
func vipDetails(f *flag.FlagSet, label *string, routed *bool) {
	f.StringVar(label, "label", "", "the `NAME` of an IPv4 VIP for ifconfig")
	f.BoolVar(routed, "routed", false, "a router sends packets for the VIP here: it is in no network of the interface")
}

// checksFlag defines a flag for health checks through IPVS.
func checksFlag(f *flag.FlagSet, name *string) {
	f.StringVar(name, "checks", "", "the `INTERFACE` where real servers answer health checks through IPVS; it then accepts packets from the host's own addresses")
}

type drServer struct{ lvs.DRRealServer }

func (r *drServer) Name() string { return addrName(r.VIP) }

func (r *drServer) Flags(f *flag.FlagSet) {
	vipFlag(f, &r.VIP)
	f.StringVar(&r.Device, "device", "", "the `DEVICE` that has the VIP; lo without the flag, and a dummy is made for others")
	f.StringVar(&r.Label, "label", "", "the `NAME` of an IPv4 VIP for ifconfig")
	f.StringVar(&r.Incoming, "incoming", "", "the `INTERFACE` of the director's packets, whose reverse path filter is made loose")
}

type natDirector struct{ lvs.NATDirector }

func (d *natDirector) Name() string { return addrName(d.VIP) }

func (d *natDirector) Flags(f *flag.FlagSet) {
	vipFlag(f, &d.VIP)
	interfaceFlag(f, &d.Interface)
	vipDetails(f, &d.Label, &d.Routed)
	marksFlag(f, &d.Marks)
	f.StringVar(&d.Inside, "inside", "", "the `INTERFACE` to the real servers, if it is another")
	f.TextVar(&d.Network, "network", netip.Prefix{}, "the `NETWORK` of the real servers, such as 10.0.1.0/24")
	f.BoolVar(&d.Masquerade, "masquerade", false, "let real servers reach others by the director's address; answers to clients do not need it")
	f.BoolVar(&d.FullNAT, "fullnat", false, "give packets of clients the director's address: real servers need no route back, and do not see the client's address")
	addrFlag(f, &d.Source, "source", "the director's `ADDRESS` for -fullnat, if the interface has several")
}

type natServer struct{ lvs.NATRealServer }

func (r *natServer) Name() string { return addrName(r.Director) }

func (r *natServer) Flags(f *flag.FlagSet) {
	addrFlag(f, &r.Director, "director", "the director's `ADDRESS` in the network of the real servers")
	f.Func("clients", "a `NETWORK` of clients, may be repeated; all without the flag", func(s string) error {
		p, err := netip.ParsePrefix(s)
		r.Clients = append(r.Clients, p)
		return err
	})
	f.IntVar(&r.Metric, "metric", 0, "the `METRIC` of the routes")
}
