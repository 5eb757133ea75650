package simnet

import (
	"context"
	"net/netip"

	"github.com/golvs/lvs/internal/netstate"
)

// Observe returns the state of the namespace, as that of Linux is observed. It has no
// neighbours, no listeners, and no firewall but its own tables.
func (n *Network) Observe(context.Context) (o netstate.Observed, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	o.Resources = n.resources()
	for _, l := range n.links {
		o.Interfaces = append(o.Interfaces, netstate.Interface{
			Name: l.Name, Kind: l.Kind, Up: l.Up, Carrier: l.Up, NoARP: l.Kind != "device", Loopback: l.Name == "lo",
		})
	}
	o.Routes = n.routeEntries()
	o.Rules = ruleEntries(ofType[netstate.Rule](n.others))
	for _, r := range n.others {
		if table, ok := r.(netstate.Table); ok {
			chain, rule := table.Chain()
			o.Chains, o.ChainRules = append(o.Chains, chain), append(o.ChainRules, rule)
		}
	}
	return o, nil
}

// resources lists links, addresses, routes, rules, receive ports and policies of IPsec,
// with the routes that come with addresses.
func (n *Network) resources() (all []netstate.Resource) {
	all = appendAll(all, n.links)
	all = appendAll(all, n.addresses)
	for _, a := range n.addresses {
		if n.link(a.Interface).Up && a.Interface != "lo" && !a.Prefix.IsSingleIP() {
			all = append(all, connectedBy(a))
		}
	}
	all = appendAll(all, n.routes)
	all = appendAll(all, ofType[netstate.Rule](n.others))
	all = appendAll(all, ofType[netstate.FOUPort](n.others))
	return appendAll(all, ofType[netstate.IPsecPolicy](n.others))
}

const localTable = 255

// routeEntries returns the routes of all tables, with those that come with addresses.
// An IPv4 address is local even while its interface is down.
func (n *Network) routeEntries() (all []netstate.RouteEntry) {
	for _, a := range n.addresses {
		addr, up := a.Prefix.Addr(), n.link(a.Interface).Up
		if addr.Is6() && !up {
			continue
		}
		local := netstate.RouteEntry{
			To: netip.PrefixFrom(addr, addr.BitLen()), Table: localTable, Type: "local", Interface: a.Interface, Source: addr, ByKernel: true,
		}
		all = append(all, local)
		if a.Interface == "lo" && addr.Is4() {
			local.To = a.Prefix.Masked()
			all = append(all, local)
		}
		if up && a.Interface != "lo" && !a.Prefix.IsSingleIP() {
			r := connectedBy(a)
			all = append(all, netstate.RouteEntry{To: r.To, Table: r.Table, Interface: r.Interface, Source: r.Source, ByKernel: true})
		}
	}
	for _, r := range n.routes {
		e := netstate.RouteEntry{
			To: r.To, Table: r.Table, Metric: r.Metric, Via: r.Via, Interface: r.Interface, Source: r.Source, MTU: r.MTU, AdvMSS: r.AdvMSS,
			Partial: r.Other,
		}
		if r.Local {
			e.Type = "local"
		}
		all = append(all, e)
	}
	return all
}

// ruleEntries returns rules, with those that every namespace has.
func ruleEntries(rules []netstate.Rule) (all []netstate.RuleEntry) {
	const local, main, last = 0, 32766, 32767
	for _, ipv6 := range []bool{false, true} {
		all = append(all,
			netstate.RuleEntry{Priority: local, IPv6: ipv6, Table: localTable},
			netstate.RuleEntry{Priority: main, IPv6: ipv6, Table: netstate.MainTable})
		if !ipv6 {
			all = append(all, netstate.RuleEntry{Priority: last, Table: netstate.MainTable - 1})
		}
	}
	for _, r := range rules {
		e := netstate.RuleEntry{Priority: r.Priority, IPv6: r.IPv6, From: r.From, To: r.To, Mark: r.Mark, Table: r.Table}
		if r.Mark != 0 {
			e.Mask = 0xffffffff
		}
		all = append(all, e)
	}
	return all
}
