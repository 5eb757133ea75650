package lab

import (
	"crypto/rand"
	"fmt"
	"net/netip"

	"github.com/golvs/lvs"
)

const (
	webPort      = 80
	pagePort     = 8080 // of the shared server
	guePort      = 6080
	clients      = 20   // addresses of the client
	encryptedMSS = 1320 // fits into the device's MTU of 1400
	tunnelMSS    = 1380 // fits with 60 bytes of headers into the largest tunnel here, of IPv6 in GUE in IPv6, whose packet has 1500
)

// network is a network of both families. Hosts have the same number in both.
type network struct {
	name   string
	v4, v6 netip.Prefix
}

var (
	outer = network{"outer", netip.MustParsePrefix("192.168.0.0/24"), netip.MustParsePrefix("2001:db8:c::/64")} // of the clients
	inner = network{"inner", netip.MustParsePrefix("10.168.0.0/24"), netip.MustParsePrefix("2001:db8:a::/64")}  // of the director
	far   = network{"far", netip.MustParsePrefix("10.168.1.0/24"), netip.MustParsePrefix("2001:db8:b::/64")}    // of real servers behind a router
	ghost = network{"ghost", netip.MustParsePrefix("10.255.0.0/24"), netip.MustParsePrefix("2001:db8:e::/64")}  // of encrypted tunnels: without any host
)

// addr returns the address of a host.
func (n network) addr(is6 bool, host byte) netip.Addr {
	if is6 {
		a := n.v6.Addr().As16()
		a[15] = host
		return netip.AddrFrom16(a)
	}
	a := n.v4.Addr().As4()
	a[3] = host
	return netip.AddrFrom4(a)
}

func (n network) prefix(is6 bool) netip.Prefix {
	if is6 {
		return n.v6
	}
	return n.v4
}

// machine is a planned host. It is a director or a real server if it has a setup.
type machine struct {
	name   string
	ports  []port // eth0, eth1 …
	router bool
	strict bool                      // rp_filter
	gate   func(is6 bool) netip.Addr // of the default route; nil is none
	setup  lvs.Setup
}

// port is an interface of a machine.
type port struct {
	net   network
	hosts []byte // its host numbers there
}

// plan is a planned lab.
type plan struct {
	options Options
	client  machine
	router  *machine // between the networks of a tunnel
	dir     machine
	servers []machine
	shared  machine // where the real servers take their page from
	service lvs.Service
	table   []lvs.RealServer
}

// Numbers of hosts in their networks: those of the seed where it has them.
const (
	routerHost   = 1
	natVIPHost   = 11
	directorHost = 90
	vipHost      = 91
	firstServer  = 94
	sharedHost   = 190
	firstClient  = 201
)

func (o Options) plan() (plan, error) {
	p := o.machines()
	switch {
	case o.tunnels():
		return p, p.tunnel()
	case o.Mode == "dr":
		return p, p.direct()
	}
	return p, p.translate()
}

// machines returns the plan with its machines, which are not connected yet.
func (o Options) machines() plan {
	p := plan{options: o, client: machine{name: "client"}, dir: machine{name: "director"}, shared: machine{name: "shared"}}
	for i := range o.Servers {
		p.servers = append(p.servers, machine{name: fmt.Sprintf("rs%d", i+1), strict: true})
	}
	return p
}

// clientPort is the client's interface, with an address for each client.
func clientPort(n network) []port {
	p := port{net: n}
	for i := range byte(clients) {
		p.hosts = append(p.hosts, firstClient+i)
	}
	return []port{p}
}

// direct is the seed's network: all hosts on one.
func (p *plan) direct() (err error) {
	is6 := p.options.Family == "6"
	vip := inner.addr(is6, vipHost)
	p.client.ports = clientPort(inner)
	p.dir.ports = []port{{inner, []byte{directorHost}}}
	p.balance(vip, lvs.DR(), inner, is6)
	if p.dir.setup, err = (lvs.DRDirector{VIP: vip, Interface: "eth0", Checks: p.options.checks()}).Setup(); err != nil {
		return err
	}
	return p.eachServer(func(netip.Addr) (lvs.Setup, error) { return lvs.DRRealServer{VIP: vip}.Setup() })
}

// translate is a director between two networks. With full NAT the real servers
// have no way back to the clients but by the director.
func (p *plan) translate() (err error) {
	is6, full := p.options.Family == "6", p.options.Mode == "fullnat"
	vip := outer.addr(is6, natVIPHost)
	p.client.ports = clientPort(outer)
	p.dir.ports = []port{{inner, []byte{directorHost}}, {outer, []byte{directorHost}}}
	p.balance(vip, lvs.NAT(), inner, is6)
	director := lvs.NATDirector{VIP: vip, Interface: "eth1", Inside: "eth0", Network: inner.prefix(is6), FullNAT: full}
	if p.dir.setup, err = director.Setup(); err != nil || full {
		return err
	}
	return p.eachServer(func(netip.Addr) (lvs.Setup, error) {
		return lvs.NATRealServer{Director: inner.addr(is6, directorHost)}.Setup()
	})
}

// tunnel is a router between three networks: those of the clients, of the
// director and of the real servers.
func (p *plan) tunnel() (err error) {
	is6, outside6 := p.options.Family == "6", p.options.Family != "4"
	vip := inner.addr(is6, vipHost)
	gate := func(n network) func(bool) netip.Addr {
		return func(is6 bool) netip.Addr { return n.addr(is6, routerHost) }
	}
	p.router = &machine{
		name: "router", router: true,
		ports: []port{{outer, []byte{routerHost}}, {inner, []byte{routerHost}}, {far, []byte{routerHost}}},
	}
	p.client.ports, p.client.gate = clientPort(outer), gate(outer)
	p.dir.ports = []port{{inner, []byte{directorHost}}}
	mode := map[string]lvs.Mode{"ipip": lvs.IPIP(), "gue": lvs.GUE(guePort), "gre": lvs.GRE()}[p.options.Mode]
	p.balance(vip, mode, far, outside6)
	director := lvs.TunnelDirector{VIP: vip, Interface: "eth0", Via: inner.addr(outside6, routerHost), Checks: p.options.checks()}
	for i := range p.servers {
		p.servers[i].gate = gate(far)
		director.Servers = append(director.Servers, p.table[i].Addr.Addr())
	}
	server := lvs.TunnelRealServer{VIP: vip, Mode: mode, MSS: tunnelMSS, Gateway: far.addr(is6, routerHost), Interface: "eth0"}
	if p.options.Encrypt {
		return p.encrypt(director, server)
	}
	if p.dir.setup, err = director.Setup(); err != nil {
		return err
	}
	return p.eachServer(func(local netip.Addr) (lvs.Setup, error) {
		server.Local = local
		return server.Setup()
	})
}

// encrypt replaces each tunnel of IPVS by an encrypted one with a fresh key.
func (p *plan) encrypt(director lvs.TunnelDirector, server lvs.TunnelRealServer) (err error) {
	server.Mode, server.MSS = lvs.DR(), encryptedMSS
	for i, address := range director.Servers {
		secret := make([]byte, lvs.IPsecKeySize)
		_, _ = rand.Read(secret) // never fails
		t := lvs.IPsecTunnel{
			Director: inner.addr(address.Is6(), directorHost), Server: address,
			Inner: ghost.addr(server.VIP.Is6(), firstServer+byte(i)), SPI: 0x1000 + uint32(i),
		}
		if t.Key, err = lvs.NewIPsecKey(secret); err != nil {
			return err
		}
		director.IPsec = append(director.IPsec, t)
		p.table[i] = t.RealServer(webPort)
		server.IPsec = t
		if p.servers[i].setup, err = server.Setup(); err != nil {
			return err
		}
	}
	p.dir.setup, err = director.Setup()
	return err
}

// balance makes the service, and its table of servers in a network.
func (p *plan) balance(vip netip.Addr, mode lvs.Mode, n network, is6 bool) {
	p.service = lvs.Service{ID: lvs.TCP(netip.AddrPortFrom(vip, webPort)), Scheduler: p.options.Scheduler}
	for i := range p.servers {
		host := firstServer + byte(i)
		p.servers[i].ports = []port{{n, []byte{host}}}
		p.table = append(p.table, lvs.NewRealServer(netip.AddrPortFrom(n.addr(is6, host), webPort), mode))
	}
	p.share(n)
}

// share puts the shared server into the real servers' network.
func (p *plan) share(n network) { p.shared.ports = []port{{n, []byte{sharedHost}}} }

// pages returns where the shared server has its page.
func (p *plan) pages() netip.AddrPort {
	return netip.AddrPortFrom(p.shared.ports[0].net.addr(p.options.Family == "6", sharedHost), pagePort)
}

// eachServer gives each real server the setup for its address.
func (p *plan) eachServer(setup func(local netip.Addr) (lvs.Setup, error)) (err error) {
	for i := range p.servers {
		if p.servers[i].setup, err = setup(p.table[i].Addr.Addr()); err != nil {
			return err
		}
	}
	return nil
}

// checks returns the interface where real servers answer the director's checks.
func (o Options) checks() string {
	if o.Checks {
		return "eth0"
	}
	return ""
}

// machines returns all of them.
func (p *plan) machines() []machine {
	all := []machine{p.client, p.dir}
	if p.router != nil {
		all = append(all, *p.router)
	}
	return append(append(all, p.servers...), p.shared)
}

// base is what a machine has before it becomes a director or a real server: loopback,
// its addresses and its default route. Real servers filter by the reverse path, as many
// distributions do.
func (m machine) base() (s lvs.Setup) {
	s = append(s, lvs.Requirement{Want: lvs.Link{Name: "lo", Up: true}})
	if m.strict {
		s = append(s, lvs.Requirement{Want: lvs.Sysctl{Key: lvs.InterfaceSysctl("all", "rp_filter", false), Value: "1"}})
	}
	for i, port := range m.ports {
		name := fmt.Sprintf("eth%d", i)
		s = append(s, lvs.Requirement{Want: lvs.Link{Name: name, Up: true}})
		for _, host := range port.hosts {
			for _, is6 := range []bool{false, true} {
				a := netip.PrefixFrom(port.net.addr(is6, host), port.net.prefix(is6).Bits())
				s = append(s, lvs.Requirement{Want: lvs.Address{Interface: name, Prefix: a, NoDAD: is6}})
			}
		}
	}
	if m.router {
		s = append(s, lvs.Requirement{Want: lvs.Sysctl{Key: lvs.SysctlIPForward, Value: "1"}}, lvs.Requirement{Want: lvs.Sysctl{Key: lvs.SysctlIPv6Forwarding, Value: "1"}})
	}
	if m.gate != nil {
		s = append(s,
			lvs.Requirement{Want: lvs.Route{To: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Via: m.gate(false)}},
			lvs.Requirement{Want: lvs.Route{To: netip.PrefixFrom(netip.IPv6Unspecified(), 0), Via: m.gate(true)}})
	}
	return s
}
