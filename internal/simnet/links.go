package simnet

import (
	"fmt"
	"net/netip"
	"syscall"

	"github.com/golvs/lvs/internal/netstate"
)

func (n *Network) putLink(f netstate.Link) error {
	l := n.link(f.Name)
	if l == nil {
		if f.Kind == "" {
			return fmt.Errorf("%s: %w", f.Name, netstate.ErrNoInterface)
		}
		if f.MTU == 0 {
			f.MTU = usualMTU(f.Kind)
		}
		n.addLink(f)
		return nil
	}
	if f.MTU != 0 {
		l.MTU = f.MTU
		n.params.fit(*l)
	}
	if l.Up && !f.Up {
		n.goDown(l.Name)
	}
	l.Up = f.Up
	return nil
}

// goDown removes what a device loses when it is set down.
func (n *Network) goDown(name string) {
	n.routes.drop(func(r netstate.Route) bool { return r.Interface == name })
	n.addresses.drop(func(a netstate.Address) bool { return a.Interface == name && a.Prefix.Addr().Is6() })
}

func (n *Network) removeLink(name string) error {
	if n.link(name) == nil {
		return syscall.ENODEV
	}
	n.goDown(name)
	n.links.drop(func(l netstate.Link) bool { return l.Name == name })
	n.addresses.drop(func(a netstate.Address) bool { return a.Interface == name })
	n.params.removeInterface(name)
	return nil
}

func (n *Network) putAddress(f netstate.Address) error {
	if n.link(f.Interface) == nil {
		return fmt.Errorf("%s: %w", f.Interface, netstate.ErrNoInterface)
	}
	_ = n.removeAddress(f)
	n.addresses.put(f)
	n.params.settle(f.Interface, f.Prefix.Addr().Is4())
	return nil
}

// removeAddress also removes the routes that have it as their source.
func (n *Network) removeAddress(f netstate.Address) error {
	if !n.addresses.remove(f) {
		return syscall.EADDRNOTAVAIL
	}
	n.routes.drop(func(r netstate.Route) bool { return r.Source == f.Prefix.Addr() })
	return nil
}

// lastOf returns the last address of an IPv4 network.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(b)
}
