// Package simnet is what a network namespace of Linux has besides IPVS, in
// memory: links, addresses, routes, rules, source NAT, receive ports, modules
// and their parameters, with what the kernel changes by itself when one of them
// changes. No packet passes.
package simnet

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"syscall"

	"github.com/golvs/lvs/internal/netstate"
)

// Network is a network namespace. Any number of goroutines may use it.
type Network struct {
	mu        sync.Mutex
	links     []netstate.Link
	addresses []netstate.Address
	routes    []netstate.Route
	rules     []netstate.Rule
	nats      []netstate.SourceNAT
	fous      []netstate.FOUPort
	policies  []netstate.IPsecPolicy
	secured   []netstate.IPsecAssociation
	modules   map[string]bool
	params    params
}

// New returns a namespace with an interface lo, which is up.
func New() *Network {
	n := &Network{modules: make(map[string]bool), params: newParams()}
	n.addLink(netstate.Link{Name: "lo", Kind: "device", Up: true, MTU: 65536})
	n.addresses = []netstate.Address{
		{Interface: "lo", Prefix: netip.MustParsePrefix("127.0.0.1/8"), Scope: "host"},
		{Interface: "lo", Prefix: netip.MustParsePrefix("::1/128"), Scope: "host"},
	}
	return n
}

// AddInterface adds a network card, which is up.
func (n *Network) AddInterface(name string, mtu int, addrs []netip.Prefix) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.addLink(netstate.Link{Name: name, Kind: "device", Up: true, MTU: mtu})
	for _, p := range addrs {
		a := netstate.Address{Interface: name, Prefix: p, Scope: "global"}
		if p.Addr().Is4() && p.Bits() < 31 {
			a.Broadcast = lastOf(p)
		}
		n.addresses = append(n.addresses, a)
		n.params.settle(name, p.Addr().Is4())
	}
}

// LoadModule loads a module, as modprobe(8) does.
func (n *Network) LoadModule(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.loadModule(name)
}

func (n *Network) loadModule(name string) {
	n.modules[name] = true
	if device, ok := netstate.DeviceOf(name); ok && n.link(device.Name) == nil {
		device.MTU = usualMTU(device.Kind)
		n.addLink(device)
	}
}

func usualMTU(kind string) int {
	switch kind {
	case "ipip", "sit":
		return 1480
	case "gre":
		return 1476
	case "ip6tnl":
		return 1452
	case "ip6gre":
		return 1448
	}
	return 1500
}

func (n *Network) addLink(l netstate.Link) {
	n.links = append(n.links, l)
	n.params.addInterface(l)
}

func (n *Network) link(name string) *netstate.Link {
	for i := range n.links {
		if n.links[i].Name == name {
			return &n.links[i]
		}
	}
	return nil
}

// Links lists the interfaces.
func (n *Network) Links() ([]netstate.Link, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.links), nil
}

// Addresses lists the addresses of all interfaces.
func (n *Network) Addresses() ([]netstate.Address, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.addresses), nil
}

// Dump lists everything, one thing a line, in an order of its own: two equal
// namespaces have equal dumps.
func (n *Network) Dump() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []string
	note := func(v any) { all = append(all, fmt.Sprintf("%T %+v", v, v)) }
	for _, v := range n.links {
		note(v)
	}
	for _, v := range n.addresses {
		note(v)
	}
	for _, v := range n.routes {
		note(v)
	}
	for _, v := range n.rules {
		note(v)
	}
	for _, v := range n.nats {
		note(v)
	}
	for _, v := range n.fous {
		note(v)
	}
	for _, v := range n.policies {
		note(v)
	}
	for _, v := range n.secured {
		note(v)
	}
	for name := range n.modules {
		note(netstate.Module{Name: name})
	}
	all = append(all, n.params.dump()...)
	slices.Sort(all)
	return all
}

// Find returns what is there in the place of a fact, nil if nothing is.
func (n *Network) Find(f netstate.Resource) (netstate.Resource, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch f := f.(type) {
	case netstate.Link:
		if l := n.link(f.Name); l != nil {
			return *l, nil
		}
	case netstate.Address:
		return found(n.addresses, func(a netstate.Address) bool { return a.Interface == f.Interface && a.Prefix == f.Prefix })
	case netstate.Route:
		return found(n.routes, sameRoute(f))
	case netstate.Rule:
		return found(n.rules, func(r netstate.Rule) bool { return r == f })
	case netstate.SourceNAT:
		return found(n.nats, sameTable(f))
	case netstate.FOUPort:
		return found(n.fous, func(p netstate.FOUPort) bool { return p == f })
	case netstate.IPsecPolicy:
		return found(n.policies, samePolicy(f))
	case netstate.IPsecAssociation:
		return found(n.secured, sameAssociation(f))
	case netstate.Module:
		if n.modules[f.Name] {
			return f, nil
		}
	default:
		return nil, fmt.Errorf("%T cannot be read", f)
	}
	return nil, nil
}

func found[T netstate.Resource](all []T, is func(T) bool) (netstate.Resource, error) {
	if i := slices.IndexFunc(all, is); i >= 0 {
		return all[i], nil
	}
	return nil, nil
}

// Put makes a fact true, whatever is in its place.
func (n *Network) Put(f netstate.Resource) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch f := f.(type) {
	case netstate.Link:
		return n.putLink(f)
	case netstate.Address:
		return n.putAddress(f)
	case netstate.Route:
		return n.putRoute(f)
	case netstate.Rule:
		if slices.Contains(n.rules, f) {
			return syscall.EEXIST
		}
		n.rules = append(n.rules, f)
	case netstate.SourceNAT:
		n.nats = append(slices.DeleteFunc(n.nats, sameTable(f)), f)
	case netstate.FOUPort:
		switch {
		case !n.modules["fou"]:
			return syscall.ENOENT
		case slices.Contains(n.fous, f):
			return syscall.EADDRINUSE
		}
		n.fous = append(n.fous, f)
	case netstate.IPsecPolicy:
		n.policies = append(slices.DeleteFunc(n.policies, samePolicy(f)), f)
	case netstate.IPsecAssociation:
		if slices.ContainsFunc(n.secured, sameAssociation(f)) {
			return syscall.EEXIST
		}
		n.secured = append(n.secured, f)
	case netstate.Module:
		return n.putModule(f)
	default:
		return fmt.Errorf("%T cannot be written", f)
	}
	return nil
}

// putModule loads a module that the kernel loads by itself.
func (n *Network) putModule(f netstate.Module) error {
	if _, ok := netstate.DeviceOf(f.Name); ok {
		n.loadModule(f.Name)
	}
	if !n.modules[f.Name] {
		return fmt.Errorf("%w: run 'modprobe %s'", netstate.ErrNoModule, f.Name)
	}
	return nil
}

func sameTable(f netstate.SourceNAT) func(netstate.SourceNAT) bool {
	return func(t netstate.SourceNAT) bool { return t.Table == f.Table && t.IPv6 == f.IPv6 }
}

func samePolicy(f netstate.IPsecPolicy) func(netstate.IPsecPolicy) bool {
	return func(p netstate.IPsecPolicy) bool {
		return p.From == f.From && p.To == f.To && p.Protocol == f.Protocol && p.In == f.In
	}
}

func sameAssociation(f netstate.IPsecAssociation) func(netstate.IPsecAssociation) bool {
	return func(a netstate.IPsecAssociation) bool { return a.To == f.To && a.SPI == f.SPI }
}

// Policies lists the policies of IPsec.
func (n *Network) Policies() ([]netstate.IPsecPolicy, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.policies), nil
}

// Settled is true at once: no other host is on the links.
func (n *Network) Settled(netstate.Resource) (bool, error) { return true, nil }

// Identity is none.
func (n *Network) Identity() (string, error) { return "", nil }

// Remove removes what a fact tells of.
func (n *Network) Remove(f netstate.Resource) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch f := f.(type) {
	case netstate.Link:
		return n.removeLink(f.Name)
	case netstate.Address:
		return n.removeAddress(f)
	case netstate.Route:
		return cut(&n.routes, sameRoute(f), syscall.ESRCH)
	case netstate.Rule:
		return cut(&n.rules, func(r netstate.Rule) bool { return r == f }, syscall.ENOENT)
	case netstate.SourceNAT:
		return cut(&n.nats, sameTable(f), syscall.ENOENT)
	case netstate.FOUPort:
		return cut(&n.fous, func(p netstate.FOUPort) bool { return p == f }, syscall.ENOENT)
	case netstate.IPsecPolicy:
		return cut(&n.policies, samePolicy(f), syscall.ENOENT)
	case netstate.IPsecAssociation:
		return cut(&n.secured, sameAssociation(f), syscall.ESRCH)
	}
	return fmt.Errorf("%T cannot be removed", f)
}

// cut removes those that are meant, and has an answer when none are.
func cut[T any](all *[]T, is func(T) bool, none error) error {
	before := len(*all)
	*all = slices.DeleteFunc(*all, is)
	if len(*all) == before {
		return none
	}
	return nil
}
