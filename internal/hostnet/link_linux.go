package hostnet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/golvs/lvs/internal/netstate"
)

// link reads and changes a network interface.
type link netstate.Link

var _ = serve(func(r netstate.Link) kind { return link(r) })

func (want link) find(n *Network) (netstate.Resource, error) { return found(n.findLink(want.Name)) }

func (want link) remove(n *Network) error {
	l, err := n.link(want.Name)
	if err != nil {
		return err
	}
	return n.routes.LinkDel(l)
}

// Links lists the interfaces.
func (n *Network) Links() ([]netstate.Link, error) {
	links, err := retry(n.routes.LinkList)
	all := make([]netstate.Link, len(links))
	for i, l := range links {
		all[i] = linkOf(l)
	}
	return all, err
}

func (n *Network) findLink(name string) (*netstate.Link, error) {
	l, err := n.link(name)
	if errors.Is(err, netstate.ErrNoInterface) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found := linkOf(l)
	return &found, nil
}

func (n *Network) link(name string) (netlink.Link, error) {
	l, err := n.routes.LinkByName(name)
	var missing netlink.LinkNotFoundError
	if errors.As(err, &missing) || err == nil && l.Attrs().Name != name { // the kernel knows other names of it
		return nil, fmt.Errorf("%s: %w", name, netstate.ErrNoInterface)
	}
	return l, err
}

func linkOf(l netlink.Link) netstate.Link {
	a := l.Attrs()
	found := netstate.Link{Name: a.Name, Kind: l.Type(), Up: a.Flags&net.FlagUp != 0, MTU: a.MTU}
	switch t := l.(type) {
	case *netlink.Iptun:
		found.Local, found.Remote = addrOf(t.Local), addrOf(t.Remote)
	case *netlink.Sittun:
		found.Local, found.Remote = addrOf(t.Local), addrOf(t.Remote)
	case *netlink.Ip6tnl:
		found.Local, found.Remote, found.AnyProtocol = addrOf(t.Local), addrOf(t.Remote), t.Proto == 0
	case *netlink.Gretun:
		found.Local, found.Remote, found.Checksum = addrOf(t.Local), addrOf(t.Remote), t.IFlags&nl.GRE_CSUM != 0
		found.Kind = "gre"
		if len(t.Local) == net.IPv6len {
			found.Kind = "ip6gre"
		}
	}
	return found
}

// takesOut returns which packets a tunnel decapsulates, besides those to its addresses: of
// one protocol, 0 is any, and only those with a key, or with sequence numbers.
func takesOut(l netlink.Link) (inner uint8, keyed, ordered bool) {
	const sequence = 0x1000
	switch t := l.(type) {
	case *netlink.Iptun:
		inner = t.Proto
	case *netlink.Sittun:
		inner = t.Proto
	case *netlink.Ip6tnl:
		inner = t.Proto
	case *netlink.Gretun:
		keyed, ordered = t.IFlags&nl.GRE_KEY != 0, t.IFlags&sequence != 0
	}
	return inner, keyed, ordered
}

// put makes an interface, or sets the state and MTU of an existing one. A new one is
// made in one request.
func (want link) put(n *Network) error {
	l, err := n.link(want.Name)
	if errors.Is(err, netstate.ErrNoInterface) && want.Kind != "" {
		l, err := want.request()
		if err != nil {
			return err
		}
		return n.routes.LinkAdd(l)
	}
	if err != nil {
		return err
	}
	if want.MTU != 0 && l.Attrs().MTU != want.MTU {
		if err := n.routes.LinkSetMTU(l, want.MTU); err != nil {
			return fmt.Errorf("MTU %d: %w", want.MTU, err)
		}
	}
	switch isUp := l.Attrs().Flags&net.FlagUp != 0; {
	case want.Up && !isUp:
		return n.routes.LinkSetUp(l)
	case !want.Up && isUp:
		return n.routes.LinkSetDown(l)
	}
	return nil
}

// request returns what makes a new interface.
func (want link) request() (netlink.Link, error) {
	a := netlink.NewLinkAttrs()
	a.Name, a.MTU = want.Name, want.MTU
	if want.Up {
		a.Flags = net.FlagUp
	}
	local, remote := ipOf(want.Local), ipOf(want.Remote)
	switch want.Kind {
	case "dummy":
		return &netlink.Dummy{LinkAttrs: a}, nil
	case "ipip":
		return &netlink.Iptun{LinkAttrs: a, Local: local, Remote: remote, PMtuDisc: 1}, nil
	case "sit":
		return &netlink.Sittun{LinkAttrs: a, Local: local, Remote: remote, PMtuDisc: 1}, nil
	case "ip6tnl":
		t := &netlink.Ip6tnl{LinkAttrs: a, Local: local, Remote: remote, Ttl: 64, Flags: ignoreEncapLimit, Proto: unix.IPPROTO_IPV6}
		if want.AnyProtocol {
			t.Proto = 0
		}
		return t, nil
	case "gre", "ip6gre":
		if local == nil {
			local = make(net.IP, net.IPv4len)
			if want.Kind == "ip6gre" {
				local = make(net.IP, net.IPv6len)
			}
		}
		t := &netlink.Gretun{LinkAttrs: a, Local: local, Remote: remote, PMtuDisc: 1}
		if want.Kind == "ip6gre" {
			t.Ttl = 64
		}
		if want.Checksum {
			t.IFlags, t.OFlags = nl.GRE_CSUM, nl.GRE_CSUM
		}
		return t, nil
	}
	return nil, fmt.Errorf("an interface of the kind %q cannot be made", want.Kind)
}

const ignoreEncapLimit = 0x1 // IP6_TNL_F_IGN_ENCAP_LIMIT

// nameOf returns the name of an interface, "" of none.
func (n *Network) nameOf(index int) string {
	if index == 0 {
		return ""
	}
	l, err := n.routes.LinkByIndex(index)
	if err != nil {
		return ""
	}
	return l.Attrs().Name
}

func ipOf(a netip.Addr) net.IP { return net.IP(a.AsSlice()) }

func addrOf(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	a = a.Unmap()
	if !a.IsValid() || a.IsUnspecified() {
		return netip.Addr{}
	}
	return a
}

func netOf(p netip.Prefix) *net.IPNet {
	if !p.IsValid() {
		return nil
	}
	return &net.IPNet{IP: ipOf(p.Addr()), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func prefixOf(n *net.IPNet) netip.Prefix {
	if n == nil {
		return netip.Prefix{}
	}
	a, _ := netip.AddrFromSlice(n.IP)
	bits, size := n.Mask.Size()
	if size == 32 {
		a = a.Unmap()
	}
	return netip.PrefixFrom(a, bits)
}
