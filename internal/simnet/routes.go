package simnet

import (
	"net/netip"
	"syscall"

	"github.com/golvs/lvs/internal/netstate"
)

// putRoute refuses a next hop that is not on a link, as the kernel does.
func (n *Network) putRoute(f netstate.Route) error {
	if f.Interface == "" {
		hop, ok := n.connected(f.Via, "")
		if !ok {
			return syscall.ENETUNREACH
		}
		f.Interface = hop.Interface
	}
	l := n.link(f.Interface)
	switch {
	case l == nil:
		return netstate.ErrNoInterface
	case !l.Up:
		return syscall.ENETDOWN
	}
	if _, ok := n.connected(f.Via, f.Interface); f.Via.IsValid() && !ok && !f.OnLink && !f.Via.IsLinkLocalUnicast() {
		return syscall.ENETUNREACH
	}
	n.routes.put(f)
	return nil
}

// connected returns the route to an address that is on a link.
func (n *Network) connected(to netip.Addr, iface string) (best netstate.Route, ok bool) {
	for _, a := range n.addresses {
		l := n.link(a.Interface)
		if l.Up && (iface == "" || iface == l.Name) && a.Prefix.Masked().Contains(to) && (!ok || a.Prefix.Bits() > best.To.Bits()) {
			best, ok = connectedBy(a), true
		}
	}
	for _, r := range n.routes {
		if !r.Via.IsValid() && r.Table == netstate.MainTable && (iface == "" || iface == r.Interface) && r.To.Contains(to) && (!ok || r.To.Bits() > best.To.Bits()) {
			best, ok = r, true
		}
	}
	return best, ok
}

// connectedBy returns the route that comes with an address.
func connectedBy(a netstate.Address) netstate.Route {
	return netstate.Route{To: a.Prefix.Masked(), Table: netstate.MainTable, Interface: a.Interface, Source: a.Prefix.Addr(), Scope: "link"}
}

// Lookup returns the route of a packet.
func (n *Network) Lookup(to, from netip.Addr) (netstate.Route, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range n.addresses {
		if a.Prefix.Addr() == to {
			return netstate.Route{To: netip.PrefixFrom(to, to.BitLen()), Table: 255, Interface: "lo", Source: to, Local: true, Scope: "host"}, nil
		}
	}
	var routes []netstate.Route
	for _, a := range n.addresses {
		if n.link(a.Interface).Up {
			routes = append(routes, connectedBy(a))
		}
	}
	best, ok := netstate.Lookup(append(routes, n.routes...), ofType[netstate.Rule](n.others), to, from)
	if !ok {
		return best, syscall.ENETUNREACH
	}
	return best, nil
}
