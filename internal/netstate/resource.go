// Package hostnet reads and changes what a network namespace has besides IPVS:
// links, addresses, routes, rules, source NAT, receive ports and modules. What
// is there, and what shall be, are the same comparable values.
package netstate

import (
	"errors"
	"net/netip"
)

// Resource is one of the values below.
type Resource interface{ resource() }

// Link is a network interface.
type Link struct {
	Name        string
	Kind        string // "ipip", "sit", "ip6tnl", "gre", "ip6gre", "dummy"; others are only read
	Up          bool
	MTU         int        // 0 leaves it to the kernel
	Local       netip.Addr // outer address of a tunnel; the zero address is any
	Remote      netip.Addr // the other end's; the zero address is any
	AnyProtocol bool       // of an ip6tnl: takes IPv4 and IPv6
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

	Deprecated bool // no source of new packets
	DADFailed  bool // of an IPv6 address: another host has it, so it is not in use
	Other      bool // has what this type cannot tell: a lifetime, a metric, a peer, flags
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
	Protocol  int    // who made it
	Other     bool   // has what this type cannot tell: several next hops, an encapsulation
}

// Rule is a rule of policy routing.
type Rule struct {
	Priority int
	From, To netip.Prefix
	Mark     uint32
	Table    int
	IPv6     bool
	Other    bool // has what this type cannot tell: an interface, a mask, another action
}

// SourceNAT is a table of nftables with one rule.
type SourceNAT struct {
	Table    string // its name
	IPv6     bool
	From, To netip.Prefix // the zero prefix is any
	Out      string       // interface; "" is any
	Source   netip.Addr   // the zero address is the interface's own
	Other    bool         // the table is there, and has something else in it
}

// FOUPort is a UDP port that takes packets out of GUE.
type FOUPort struct {
	Port  uint16
	IPv6  bool
	Other bool // takes something else out, or is for certain addresses only
}

// IPsecPolicy asks for ESP in transport mode.
type IPsecPolicy struct {
	From, To netip.Prefix
	Protocol uint8 // 0 is any
	In       bool
	SPI      uint32
	Other    bool // it asks for something else
}

// IPsecAssociation is ESP in transport mode, with AES-256-CBC and HMAC-SHA-256.
type IPsecAssociation struct {
	From, To netip.Addr
	SPI      uint32
	Key      Secret // none when the kernel does not tell
	Other    bool   // the number is taken by something else
}

// Module is a kernel module that is there, loaded or built in.
type Module struct{ Name string }

func (Link) resource()      {}
func (Address) resource()   {}
func (Route) resource()     {}
func (Rule) resource()      {}
func (SourceNAT) resource() {}
func (FOUPort) resource()   {}

func (IPsecPolicy) resource()      {}
func (IPsecAssociation) resource() {}

func (Module) resource() {}

// MainTable is the routing table that routes are in by default.
const MainTable = 254

// Errors that an implementation gives besides the kernel's.
var (
	ErrNoInterface = errors.New("there is no such interface")
	ErrNoModule    = errors.New("the module is not loaded, and the kernel could not load it by itself")
	ErrNoIPsec     = errors.New("this kernel has no IPsec")
	ErrNoNAT       = errors.New("this kernel has no NAT by nftables")
)

// fallbacks are the modules whose loading makes a device in every namespace.
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
