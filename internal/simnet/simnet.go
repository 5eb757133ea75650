// Package simnet simulates the network of a network namespace of Linux in memory:
// links, addresses, routes and all other resources, their parameters, and what the
// kernel changes automatically along with one of them. No packet passes.
package simnet

import (
	"errors"
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
	links     set[netstate.Link]
	addresses set[netstate.Address]
	routes    set[netstate.Route]
	others    set[netstate.Resource] // that nothing else depends on
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

// Dump lists everything, one resource a line, sorted. Equal namespaces have equal dumps.
func (n *Network) Dump() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	resources := appendAll(nil, n.links)
	resources = appendAll(resources, n.addresses)
	resources = appendAll(resources, n.routes)
	resources = append(resources, n.others...)
	for name := range n.modules {
		resources = append(resources, netstate.Module{Name: name})
	}
	all := n.params.dump()
	for _, r := range resources {
		all = append(all, fmt.Sprintf("%T %+v", r, r))
	}
	slices.Sort(all)
	return all
}

// Find returns what is in the place of a resource, nil for nothing.
func (n *Network) Find(r netstate.Resource) (netstate.Resource, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch r := r.(type) {
	case netstate.Link:
		return n.links.find(r), nil
	case netstate.Address:
		return n.addresses.find(r), nil
	case netstate.Route:
		return n.routes.find(r), nil
	case netstate.Module:
		if !n.modules[r.Name] {
			return nil, nil
		}
		return r, nil
	}
	return n.others.find(r), nil
}

// Put makes a resource, whatever is in its place.
func (n *Network) Put(r netstate.Resource) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch r := r.(type) {
	case netstate.Link:
		return n.putLink(r)
	case netstate.Address:
		return n.putAddress(r)
	case netstate.Route:
		return n.putRoute(r)
	case netstate.Module:
		return n.putModule(r)
	case netstate.FOUPort:
		switch {
		case !n.modules["fou"]:
			return syscall.ENOENT
		case n.others.find(r) != nil:
			return syscall.EADDRINUSE
		}
	case netstate.Rule, netstate.IPsecAssociation:
		if n.others.find(r) != nil {
			return syscall.EEXIST
		}
	}
	n.others.put(r)
	return nil
}

// putModule loads a module that the kernel loads automatically.
func (n *Network) putModule(f netstate.Module) error {
	if _, ok := netstate.DeviceOf(f.Name); ok {
		n.loadModule(f.Name)
	}
	if !n.modules[f.Name] {
		return fmt.Errorf("%w: run 'modprobe %s'", netstate.ErrNoModule, f.Name)
	}
	return nil
}

// Remove removes what is in the place of a resource.
func (n *Network) Remove(r netstate.Resource) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch r := r.(type) {
	case netstate.Link:
		return n.removeLink(r.Name)
	case netstate.Address:
		return n.removeAddress(r)
	case netstate.Route:
		if !n.routes.remove(r) {
			return syscall.ESRCH
		}
		return nil
	case netstate.Module:
		return errors.ErrUnsupported // hostnet, too, leaves modules loaded
	}
	if !n.others.remove(r) {
		return syscall.ENOENT
	}
	return nil
}

// Settled reports true: no other host is on the links.
func (n *Network) Settled(netstate.Resource) (bool, error) { return true, nil }

// Identity returns nothing.
func (n *Network) Identity() (string, error) { return "", nil }
