package hostnet

import (
	"errors"
	"math"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/golvs/lvs/internal/netstate"
)

// address reads and changes an address of an interface.
type address netstate.Address

var _ = serve(func(r netstate.Address) kind { return address(r) })

// entry is an address as the kernel reports it.
type entry struct {
	netstate.Address
	index       int  // of the interface
	isTentative bool // the kernel still asks whether another host has it
	isSecondary bool // it goes with another one of its network
	message     []byte
}

// entries lists the addresses of all interfaces. It leaves their names out.
func (n *Network) entries() ([]entry, error) {
	messages, err := retry(func() ([][]byte, error) {
		request := nl.NewNetlinkRequest(unix.RTM_GETADDR, unix.NLM_F_DUMP)
		request.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
		return request.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWADDR)
	})
	var all []entry
	for _, m := range messages {
		if e, ok := entryOf(m); ok {
			all = append(all, e)
		}
	}
	return all, err
}

// Flags of an address that its other fields express too, or that the kernel changes.
const plainFlags = unix.IFA_F_PERMANENT | unix.IFA_F_NODAD | unix.IFA_F_DEPRECATED | unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED | unix.IFA_F_OPTIMISTIC

const (
	ifaRoutePriority = 9
	ifaProtocol      = 11

	ifaProtocolKernel = 3 // the greatest that the kernel assigns
)

func entryOf(message []byte) (e entry, ok bool) {
	if len(message) < unix.SizeofIfAddrmsg {
		return e, false
	}
	header := nl.DeserializeIfAddrmsg(message)
	attrs, err := nl.ParseRouteAttr(message[unix.SizeofIfAddrmsg:])
	if err != nil || header.Family != unix.AF_INET && header.Family != unix.AF_INET6 {
		return e, false
	}
	e.index, e.message = int(header.Index), message
	flags := uint32(header.Flags)
	var local, peer netip.Addr
	for _, a := range attrs {
		switch value := a.Value; {
		case a.Attr.Type == unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(value)
		case a.Attr.Type == unix.IFA_ADDRESS:
			peer, _ = netip.AddrFromSlice(value)
		case a.Attr.Type == unix.IFA_BROADCAST:
			e.Broadcast = addrOf(value)
		case a.Attr.Type == unix.IFA_LABEL:
			e.Label = nl.BytesToString(value)
		case a.Attr.Type == unix.IFA_FLAGS && len(value) == 4:
			flags = nl.NativeEndian().Uint32(value)
		case a.Attr.Type == unix.IFA_CACHEINFO && len(value) >= 8:
			preferred, valid := nl.NativeEndian().Uint32(value), nl.NativeEndian().Uint32(value[4:])
			e.Other = e.Other || valid != math.MaxUint32 || preferred != math.MaxUint32 && preferred != 0
		case a.Attr.Type == ifaRoutePriority && len(value) == 4 && nl.NativeEndian().Uint32(value) == 0:
		case a.Attr.Type == ifaProtocol && len(value) == 1 && value[0] <= ifaProtocolKernel:
		default:
			e.Other = true
		}
	}
	if !local.IsValid() {
		local = peer
	}
	if header.Family == unix.AF_INET {
		e.isSecondary = flags&unix.IFA_F_SECONDARY != 0
		flags &^= unix.IFA_F_SECONDARY
	}
	e.Prefix = netip.PrefixFrom(local, int(header.Prefixlen))
	e.NoDAD, e.Deprecated, e.DADFailed = flags&unix.IFA_F_NODAD != 0, flags&unix.IFA_F_DEPRECATED != 0, flags&unix.IFA_F_DADFAILED != 0
	e.isTentative = flags&unix.IFA_F_TENTATIVE != 0
	scope, known := scopes[int(header.Scope)]
	e.Scope = scope
	e.Other = e.Other || peer != local || flags&^plainFlags != 0 || !known
	return e, e.Prefix.IsValid()
}

// of returns the address with the name of its interface.
func (e entry) of(name string) netstate.Address {
	e.Interface = name
	if e.Label == name {
		e.Label = ""
	}
	return e.Address
}

// Addresses lists the addresses of all interfaces.
func (n *Network) Addresses() ([]netstate.Address, error) {
	links, err := retry(n.routes.LinkList)
	if err != nil {
		return nil, err
	}
	names := make(map[int]string, len(links))
	for _, l := range links {
		names[l.Attrs().Index] = l.Attrs().Name
	}
	list, err := n.entries()
	var all []netstate.Address
	for _, e := range list {
		if name, ok := names[e.index]; ok { // it came after the links were listed, otherwise
			all = append(all, e.of(name))
		}
	}
	return all, err
}

// entry returns the address of an interface with a prefix, or nil for none. Of several,
// it is the one without Other.
func (n *Network) entry(f netstate.Address) (*entry, netlink.Link, error) {
	l, err := n.link(f.Interface)
	if err != nil {
		return nil, nil, err
	}
	var found *entry
	all, err := n.entries()
	for _, e := range all {
		if e.index == l.Attrs().Index && e.Prefix == f.Prefix && (found == nil || found.Other) {
			found = &e
		}
	}
	return found, l, err
}

func (f address) find(n *Network) (netstate.Resource, error) {
	e, _, err := n.entry(netstate.Address(f))
	if errors.Is(err, netstate.ErrNoInterface) {
		return nil, nil
	}
	if err != nil || e == nil {
		return nil, err
	}
	return e.of(f.Interface), nil
}

// Settled reports whether the kernel has finished what follows from putting a resource:
// an IPv6 address is not in use while the kernel asks whether another host has it. It
// does not ask while nothing can pass the interface, which may last.
func (n *Network) Settled(f netstate.Resource) (bool, error) {
	a, ok := f.(netstate.Address)
	if !ok || !a.Prefix.Addr().Is6() {
		return true, nil
	}
	e, l, err := n.entry(a)
	if err != nil || e == nil {
		return true, err
	}
	return !e.isTentative || e.DADFailed || l.Attrs().Flags&net.FlagRunning == 0, nil
}

// put adds an address. The kernel cannot change most properties of an address, so an
// existing one is removed first.
func (f address) put(n *Network) error {
	old, l, err := n.entry(netstate.Address(f))
	if err != nil {
		return err
	}
	add := func() error { return n.routes.AddrAdd(l, f.request()) }
	if old == nil {
		return add()
	}
	return n.keepingSecondaries(old, func() error {
		if err := n.routes.AddrDel(l, address(old.of(f.Interface)).request()); err != nil {
			return err
		}
		return add()
	})
}

func (f address) remove(n *Network) error {
	old, l, err := n.entry(netstate.Address(f))
	if err != nil {
		return err
	}
	remove := func() error { return n.routes.AddrDel(l, f.request()) }
	if old == nil {
		return remove()
	}
	return n.keepingSecondaries(old, remove)
}

// keepingSecondaries puts back the IPv4 addresses that the kernel removes with the
// first one of their network.
func (n *Network) keepingSecondaries(first *entry, change func() error) error {
	if first.isSecondary || first.Prefix.Addr().Is6() {
		return change()
	}
	before, err := n.entries()
	if err != nil {
		return err
	}
	if err := change(); err != nil {
		return err
	}
	after, err := n.entries()
	if err != nil {
		return err
	}
	for _, e := range before {
		goesWith := e.index == first.index && e.isSecondary && e.Prefix.Masked() == first.Prefix.Masked()
		isThere := slices.ContainsFunc(after, func(a entry) bool { return a.index == e.index && a.Prefix == e.Prefix && a.Other == e.Other })
		if !goesWith || isThere {
			continue
		}
		request := nl.NewNetlinkRequest(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK)
		request.AddRawData(e.message)
		if _, err := request.Execute(unix.NETLINK_ROUTE, 0); err != nil {
			return err
		}
	}
	return nil
}

// request returns what adds or removes the address.
func (f address) request() *netlink.Addr {
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

// scopes are the names of scopes, by their numbers.
var scopes = map[int]string{
	unix.RT_SCOPE_UNIVERSE: "global", unix.RT_SCOPE_SITE: "site", unix.RT_SCOPE_LINK: "link", unix.RT_SCOPE_HOST: "host",
}

func scopeNumber(name string) int {
	for number, n := range scopes {
		if n == name {
			return number
		}
	}
	return unix.RT_SCOPE_UNIVERSE
}
