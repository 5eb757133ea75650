// Package netstate holds the state of a network namespace besides IPVS as values:
// links, addresses, routes, firewall rules and so on. Packages hostnet and simnet read
// and change it, on Linux and in memory. The package also finds the routes of packets.
package netstate

import (
	"errors"
	"net/netip"
)

// Resource is one thing that a namespace can have: one of the values below. They are
// comparable.
type Resource interface {
	// Place identifies what the resource is about. A namespace has at most one resource
	// in a place. Places are comparable.
	Place() any
}

// Link is a network interface.
type Link struct {
	Name        string
	Kind        string // "ipip", "sit", "ip6tnl", "gre", "ip6gre", "dummy"; others are only read
	Up          bool
	MTU         int        // 0 leaves it to the kernel
	Local       netip.Addr // outer address of a tunnel; the zero address is any
	Remote      netip.Addr // the other end's; the zero address is any
	AnyProtocol bool       // of an ip6tnl: accepts IPv4 and IPv6
	Checksum    bool       // of a gre: packets must have checksums
}

// Address is an address of an interface.
type Address struct {
	Interface string
	Prefix    netip.Prefix
	Label     string // "" is the interface's name
	Broadcast netip.Addr
	Scope     string // "global", "site", "link" or "host"
	NoDAD     bool   // of an IPv6 address: usable at once

	Deprecated bool // not chosen as the source of new packets
	DADFailed  bool // of an IPv6 address: another host has it, so it is not in use
	Other      bool // has what this type cannot express: a lifetime, a metric, a peer, flags
}

// Route is a route with one next hop.
type Route struct {
	To        netip.Prefix
	Table     int
	Metric    int
	Via       netip.Addr
	Interface string
	Source    netip.Addr
	MTU       int
	AdvMSS    int
	OnLink    bool
	Local     bool   // packets are delivered here
	Scope     string // of an IPv4 route
	Protocol  int    // the number of the program that made it
	Other     bool   // has what this type cannot express: several next hops, an encapsulation
}

// Rule is a rule of policy routing.
type Rule struct {
	Priority int
	From, To netip.Prefix
	Mark     uint32
	Table    int
	IPv6     bool
	Other    bool // has what this type cannot express: an interface, a mask, another action
}

// SourceNAT is a table of nftables with one rule.
type SourceNAT struct {
	Table    string // its name
	IPv6     bool
	From, To netip.Prefix // the zero prefix is any
	Out      string       // interface; "" is any
	Source   netip.Addr   // the zero address is the interface's own
	VIP      netip.Addr   // only connections that were opened to it; the zero address is any
	Other    bool         // the table exists with other contents
}

// PacketMark is a table of nftables with one rule.
type PacketMark struct {
	Table       string // its name
	To          netip.Prefix
	Protocol    uint8  // 0 is any
	First, Last uint16 // ports; both 0 are any
	Mark        uint32
	Other       bool // the table exists with other contents
}

// FOUPort is a UDP port that decapsulates GUE.
type FOUPort struct {
	Port  uint16
	IPv6  bool
	Other bool // decapsulates something else, or for some addresses only
}

// IPsecPolicy asks for ESP in transport mode.
type IPsecPolicy struct {
	From, To netip.Prefix
	Protocol uint8 // 0 is any
	In       bool
	SPI      uint32
	Other    bool // it requires something else
}

// IPsecAssociation is ESP in transport mode, with AES-256-CBC and HMAC-SHA-256.
type IPsecAssociation struct {
	From, To netip.Addr
	SPI      uint32
	Key      Secret // none if the kernel does not report it
	Other    bool   // the number is in use by something else
}

// Module is a kernel module that is available, loaded or built in.
type Module struct{ Name string }

func (l Link) Place() any    { return Link{Name: l.Name} }
func (a Address) Place() any { return Address{Interface: a.Interface, Prefix: a.Prefix} }
func (r Route) Place() any   { return Route{To: r.To, Table: r.Table, Metric: r.Metric} }

func (r Rule) Place() any {
	r.Other = false
	return r
}

func (n SourceNAT) Place() any  { return tablePlace{n.Table, n.IPv6} }
func (m PacketMark) Place() any { return tablePlace{m.Table, m.To.Addr().Is6()} }

// tablePlace is the place of what is alone in a table of nftables.
type tablePlace struct {
	name string
	ipv6 bool
}

func (p FOUPort) Place() any { return FOUPort{Port: p.Port, IPv6: p.IPv6} }

func (p IPsecPolicy) Place() any {
	p.SPI, p.Other = 0, false
	return p
}

func (a IPsecAssociation) Place() any { return IPsecAssociation{To: a.To, SPI: a.SPI} }

func (m Module) Place() any { return m }

// MainTable is the default routing table.
const MainTable = 254

// Errors of an implementation besides the kernel's.
var (
	ErrNoInterface = errors.New("no such interface")
	ErrNoModule    = errors.New("the module is not loaded, and the kernel could not load it")
	ErrNoIPsec     = errors.New("this kernel has no IPsec")
	ErrNoNFTables  = errors.New("this kernel lacks nftables, or a part of it")
)

// fallbacks are the devices that loading a module makes in every namespace.
var fallbacks = map[string]Link{
	"ipip":       {Name: "tunl0", Kind: "ipip"},
	"sit":        {Name: "sit0", Kind: "sit"},
	"ip6_tunnel": {Name: "ip6tnl0", Kind: "ip6tnl"},
	"ip_gre":     {Name: "gre0", Kind: "gre"},
	"ip6_gre":    {Name: "ip6gre0", Kind: "ip6gre"},
}

// DeviceOf returns the device that loading a module makes.
func DeviceOf(module string) (Link, bool) {
	l, ok := fallbacks[module]
	return l, ok
}
