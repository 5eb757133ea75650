package hostnet

import (
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/golvs/lvs/internal/netstate"
)

// route reads and changes a route.
type route netstate.Route

var _ = serve(func(r netstate.Route) kind { return route(r) })

func (f route) find(n *Network) (netstate.Resource, error) {
	all, err := retry(func() ([]netlink.Route, error) {
		return n.routes.RouteListFiltered(familyOf(f.To.Addr()), &netlink.Route{Table: f.Table}, netlink.RT_FILTER_TABLE)
	})
	if err != nil {
		if notThere(err) { // there is no such table yet
			return nil, nil
		}
		return nil, err
	}
	for _, r := range all {
		if found := routeOf(r, f.To.Addr(), n.nameOf(r.LinkIndex)); found.To == f.To && found.Metric == f.Metric && r.Tos == 0 {
			ends, err := n.routeEnds(netstate.Route(f))
			found.Other = found.Other || ends
			return found, err
		}
	}
	return nil, nil
}

// routeEnds reports whether an IPv6 route is one of a router's advertisement, which has
// a lifetime or a preference.
func (n *Network) routeEnds(f netstate.Route) (bool, error) {
	if f.To.Addr().Is4() {
		return false, nil
	}
	messages, err := retry(func() ([][]byte, error) {
		request := nl.NewNetlinkRequest(unix.RTM_GETROUTE, unix.NLM_F_DUMP)
		request.AddData(&nl.RtMsg{RtMsg: unix.RtMsg{Family: unix.AF_INET6}})
		return request.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWROUTE)
	})
	for _, m := range messages {
		if len(m) < unix.SizeofRtMsg {
			continue
		}
		header := nl.DeserializeRtMsg(m)
		attrs, aerr := nl.ParseRouteAttr(m[unix.SizeofRtMsg:])
		if aerr != nil || header.Flags&unix.RTM_F_CLONED != 0 {
			continue
		}
		to, table, metric, ends := netip.PrefixFrom(netip.IPv6Unspecified(), int(header.Dst_len)), int(header.Table), 0, false
		for _, a := range attrs {
			switch value := a.Value; {
			case a.Attr.Type == unix.RTA_DST && len(value) == 16:
				to = netip.PrefixFrom(netip.AddrFrom16([16]byte(value)), int(header.Dst_len))
			case a.Attr.Type == unix.RTA_TABLE && len(value) == 4:
				table = int(nl.NativeEndian().Uint32(value))
			case a.Attr.Type == unix.RTA_PRIORITY && len(value) == 4:
				metric = int(nl.NativeEndian().Uint32(value))
			case a.Attr.Type == unix.RTA_CACHEINFO && len(value) >= cacheExpires+4:
				ends = ends || nl.NativeEndian().Uint32(value[cacheExpires:]) != 0
			case a.Attr.Type == unix.RTA_PREF && len(value) == 1:
				ends = ends || value[0] != 0
			}
		}
		if ends && to == f.To && table == f.Table && metric == f.Metric {
			return true, nil
		}
	}
	return false, err
}

// cacheExpires is the offset of the lifetime in the kernel's information on a route.
const cacheExpires = 8

// routeOf reads a route of the family of an address, by an interface.
func routeOf(r netlink.Route, family netip.Addr, iface string) netstate.Route {
	found := netstate.Route{
		To: prefixOf(r.Dst), Table: r.Table, Metric: r.Priority, Via: addrOf(r.Gw), Interface: iface,
		Source: addrOf(r.Src), MTU: r.MTU, AdvMSS: r.AdvMSS, OnLink: r.Flags&int(netlink.FLAG_ONLINK) != 0,
		Local: r.Type == unix.RTN_LOCAL, Protocol: int(r.Protocol),
		Other: len(r.MultiPath) > 0 || r.Encap != nil || r.Via != nil || r.Type != unix.RTN_UNICAST && r.Type != unix.RTN_LOCAL ||
			r.MTULock || r.Window != 0 || r.InitCwnd != 0 || r.InitRwnd != 0 || r.Hoplimit != 0 || r.Congctl != "" ||
			r.QuickACK != 0 || r.Rtt != 0 || r.RtoMin != 0 || r.Realm != 0,
	}
	if r.Dst == nil {
		found.To = defaultOf(family)
	}
	if family.Is4() {
		known := false
		found.Scope, known = scopes[int(r.Scope)]
		found.Other = found.Other || !known
	}
	return found
}

// put adds a route, or replaces the one of its table, destination and
// metric. That is one step in the kernel.
func (f route) put(n *Network) error {
	r, err := f.request(n)
	if err != nil {
		return err
	}
	return n.routes.RouteReplace(r)
}

func (f route) remove(n *Network) error {
	r, err := f.request(n)
	if err != nil {
		return err
	}
	return n.routes.RouteDel(r)
}

// request returns what adds or removes the route.
func (f route) request(n *Network) (*netlink.Route, error) {
	r := &netlink.Route{
		Dst: netOf(f.To), Table: f.Table, Priority: f.Metric, Gw: ipOf(f.Via), Src: ipOf(f.Source),
		MTU: f.MTU, AdvMSS: f.AdvMSS, Family: familyOf(f.To.Addr()), Protocol: netlink.RouteProtocol(f.Protocol),
		Type: unix.RTN_UNICAST, Scope: netlink.Scope(scopeNumber(f.Scope)),
	}
	if f.Local {
		r.Type = unix.RTN_LOCAL
	}
	if f.OnLink {
		r.Flags = int(netlink.FLAG_ONLINK)
	}
	if f.Interface != "" {
		l, err := n.link(f.Interface)
		if err != nil {
			return nil, err
		}
		r.LinkIndex = l.Attrs().Index
	}
	return r, nil
}

// Lookup returns the route that a packet to an address takes. The zero address
// as its source leaves that to the kernel.
func (n *Network) Lookup(to, from netip.Addr) (netstate.Route, error) {
	routes, err := n.routes.RouteGetWithOptions(ipOf(to), &netlink.RouteGetOptions{SrcAddr: ipOf(from)})
	if err != nil || len(routes) == 0 {
		return netstate.Route{}, err
	}
	return routeOf(routes[0], to, n.nameOf(routes[0].LinkIndex)), nil
}

func familyOf(a netip.Addr) int {
	if a.Is4() {
		return netlink.FAMILY_V4
	}
	return netlink.FAMILY_V6
}

func defaultOf(a netip.Addr) netip.Prefix {
	if a.Is4() {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
}
