package hostnet

import (
	"net/netip"

	"github.com/mdlayher/netlink"
	rtnetlink "github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/golvs/lvs/internal/netstate"
)

// List lists links, addresses, routes, rules and receive ports. The routes of the
// local table, which come with the host's own addresses, are left out.
func (n *Network) List() (all []netstate.Resource, err error) {
	for _, list := range []func() ([]netstate.Resource, error){
		func() ([]netstate.Resource, error) { return state(n.Links()) },
		func() ([]netstate.Resource, error) { return state(n.Addresses()) },
		func() ([]netstate.Resource, error) { return state(n.listRoutes(netip.IPv4Unspecified())) },
		func() ([]netstate.Resource, error) { return state(n.listRoutes(netip.IPv6Unspecified())) },
		func() ([]netstate.Resource, error) { return state(n.listRules(false)) },
		func() ([]netstate.Resource, error) { return state(n.listRules(true)) },
		func() ([]netstate.Resource, error) { return state(n.listFOU()) },
	} {
		some, err := list()
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

func state[T netstate.Resource](list []T, err error) ([]netstate.Resource, error) {
	all := make([]netstate.Resource, len(list))
	for i, f := range list {
		all[i] = f
	}
	return all, err
}

// listRoutes lists the routes of the family of an address.
func (n *Network) listRoutes(family netip.Addr) ([]netstate.Route, error) {
	list, err := retry(func() ([]rtnetlink.Route, error) {
		return n.routes.RouteListFiltered(familyOf(family), &rtnetlink.Route{Table: unix.RT_TABLE_UNSPEC}, rtnetlink.RT_FILTER_TABLE)
	})
	if err != nil {
		return nil, err
	}
	names := make(map[int]string)
	var all []netstate.Route
	for _, r := range list {
		if r.Table == unix.RT_TABLE_LOCAL {
			continue
		}
		if _, ok := names[r.LinkIndex]; !ok {
			names[r.LinkIndex] = n.nameOf(r.LinkIndex)
		}
		all = append(all, routeOf(r, family, names[r.LinkIndex]))
	}
	return all, nil
}

func (n *Network) listRules(ipv6 bool) ([]netstate.Rule, error) {
	family := rtnetlink.FAMILY_V4
	if ipv6 {
		family = rtnetlink.FAMILY_V6
	}
	list, err := retry(func() ([]rtnetlink.Rule, error) { return n.routes.RuleList(family) })
	all := make([]netstate.Rule, len(list))
	for i, r := range list {
		all[i] = ruleOf(r, ipv6)
	}
	return all, err
}

// listFOU lists the ports.
func (n *Network) listFOU() (all []netstate.FOUPort, err error) {
	if !n.hasFOU() {
		return nil, nil
	}
	messages, err := n.fou(fouGet, netlink.Dump, func(*netlink.AttributeEncoder) {})
	for _, m := range messages {
		if port, ok := fouPortOf(m); ok {
			all = append(all, port)
		}
	}
	return all, err
}
