package hostnet

import (
	"errors"
	"math"
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Addresses lists the addresses of all interfaces.
func (n *Network) Addresses() ([]Address, error) {
	links, err := retry(n.routes.LinkList)
	if err != nil {
		return nil, err
	}
	names := make(map[int]string, len(links))
	for _, l := range links {
		names[l.Attrs().Index] = l.Attrs().Name
	}
	list, err := retry(func() ([]netlink.Addr, error) { return n.routes.AddrList(nil, netlink.FAMILY_ALL) })
	var all []Address
	for _, a := range list {
		if name, ok := names[a.LinkIndex]; ok { // it came after the links were listed, otherwise
			all = append(all, addressOf(name, a))
		}
	}
	return all, err
}

func (n *Network) addressesOf(l netlink.Link) ([]Address, error) {
	list, err := retry(func() ([]netlink.Addr, error) { return n.routes.AddrList(l, netlink.FAMILY_ALL) })
	all := make([]Address, len(list))
	for i, a := range list {
		all[i] = addressOf(l.Attrs().Name, a)
	}
	return all, err
}

func addressOf(name string, a netlink.Addr) Address {
	found := Address{
		Interface: name, Prefix: prefixOf(a.IPNet), Broadcast: addrOf(a.Broadcast), Scope: scopeName(a.Scope),
		NoDAD: a.Flags&unix.IFA_F_NODAD != 0, Deprecated: a.Flags&unix.IFA_F_DEPRECATED != 0,
	}
	if a.Label != name {
		found.Label = a.Label
	}
	return found
}

func (n *Network) findAddress(f Address) (*Address, error) {
	l, err := n.link(f.Interface)
	if errors.Is(err, ErrNoInterface) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all, err := n.addressesOf(l)
	for _, a := range all {
		if a.Prefix == f.Prefix {
			return &a, nil
		}
	}
	return nil, err
}

// putAddress adds an address. The kernel changes none of what an address has: one
// that is there makes way.
func (n *Network) putAddress(f Address) error {
	l, err := n.link(f.Interface)
	if err != nil {
		return err
	}
	if old, err := n.findAddress(f); err != nil {
		return err
	} else if old != nil {
		if err := n.removeAddress(*old); err != nil {
			return err
		}
	}
	return n.routes.AddrAdd(l, f.addr())
}

func (n *Network) removeAddress(f Address) error {
	l, err := n.link(f.Interface)
	if err != nil {
		return err
	}
	return n.routes.AddrDel(l, f.addr())
}

func (f Address) addr() *netlink.Addr {
	a := &netlink.Addr{IPNet: netOf(f.Prefix), Scope: scopeNumber(f.Scope), Broadcast: net.IPv4zero}
	if f.Broadcast.IsValid() {
		a.Broadcast = ipOf(f.Broadcast)
	}
	if f.Prefix.Addr().Is4() {
		a.Label = f.Interface
		if f.Label != "" {
			a.Label = f.Label
		}
	}
	if f.NoDAD {
		a.Flags = unix.IFA_F_NODAD
	}
	if f.Deprecated {
		a.ValidLft = forever
	}
	return a
}

// forever is how long an address is valid by its lifetimes. The other one, for which
// it is preferred, is 0 then.
var forever = int(min(int64(math.MaxUint32), int64(math.MaxInt)))

func scopeName(scope int) string {
	switch scope {
	case unix.RT_SCOPE_LINK:
		return "link"
	case unix.RT_SCOPE_HOST:
		return "host"
	}
	return "global"
}

func scopeNumber(name string) int {
	switch name {
	case "link":
		return unix.RT_SCOPE_LINK
	case "host":
		return unix.RT_SCOPE_HOST
	}
	return unix.RT_SCOPE_UNIVERSE
}
