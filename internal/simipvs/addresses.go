package simipvs

import (
	"net/netip"
	"slices"
)

// addresses are what the director's devices make of addresses: its own, and
// the broadcast addresses of its networks.
type addresses struct {
	local, broadcast map[netip.Addr]bool
}

// loopback is the device that every namespace has at first.
var loopback = Interface{
	Name: "lo", MTU: 65536,
	Addrs: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/8"), netip.MustParsePrefix("::1/128")},
}

func newAddresses(interfaces []Interface) addresses {
	a := addresses{make(map[netip.Addr]bool), make(map[netip.Addr]bool)}
	for _, i := range interfaces {
		for _, b := range i.Broadcasts {
			a.broadcast[b] = true
		}
		for _, p := range i.Addrs {
			a.local[p.Addr()] = true
			if p.Addr().Is4() && p.Bits() < 31 && !i.Down {
				a.broadcast[lastOf(p)] = true
			}
		}
	}
	return a
}

// lastOf returns the last address of an IPv4 network.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(b)
}

// isLocal reports whether an address is the director's. All of 127.0.0.0/8 is.
func (a *addresses) isLocal(addr netip.Addr) bool {
	return a.local[addr] || addr.Is4() && addr.IsLoopback() && !a.broadcast[addr]
}

// isLocal reports whether an address is the director's, or of a network that is.
func (k *Kernel) isLocal(addr netip.Addr) bool {
	return k.addresses.isLocal(addr) || slices.ContainsFunc(k.localRoutes, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// canServe reports whether an address can be a server's. Whether there is a way
// to it does not matter.
func (a *addresses) canServe(addr netip.Addr) bool {
	switch {
	case a.isLocal(addr):
		return true
	case addr.Is4():
		return !addr.IsUnspecified() && !addr.IsMulticast() && addr != limitedBroadcast && !a.broadcast[addr]
	}
	return !addr.IsUnspecified() && !addr.IsMulticast() && !addr.IsLinkLocalUnicast() && !addr.Is4In6()
}

var limitedBroadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// device returns a device by its name, nil if there is none.
func (k *Kernel) device(name string) *Interface {
	for i := range k.interfaces {
		if k.interfaces[i].Name == name {
			return &k.interfaces[i]
		}
	}
	return nil
}

// Interfaces returns the director's devices, lo included.
func (k *Kernel) Interfaces() []Interface {
	k.lock()
	defer k.mu.Unlock()
	return k.interfaces
}

// SetLocalRoutes tells the kernel of the networks whose addresses are all the director's.
func (k *Kernel) SetLocalRoutes(all []netip.Prefix) {
	k.lock()
	defer k.mu.Unlock()
	k.localRoutes = all
}

// SetInterfaces tells the kernel of the director's devices as they are now, lo
// included. What the table has of them already stays.
func (k *Kernel) SetInterfaces(all []Interface) {
	k.lock()
	defer k.mu.Unlock()
	k.interfaces, k.addresses = all, newAddresses(all)
}
