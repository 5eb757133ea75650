package simnet

import (
	"context"
	"net/netip"

	"github.com/golvs/lvs/internal/netstate"
)

// Observe returns what the namespace has, as the one of Linux does. It has no
// neighbours, no listeners, and no firewall but its source NAT.
func (n *Network) Observe(context.Context) (o netstate.Observed, err error) {
	if o.Resources, err = n.List(); err != nil {
		return o, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	o.Resources = appendResources(o.Resources, n.policies)
	for _, l := range n.links {
		o.Interfaces = append(o.Interfaces, netstate.Interface{
			Name: l.Name, Kind: l.Kind, Up: l.Up, Carrier: l.Up, NoARP: l.Kind != "device", Loopback: l.Name == "lo",
		})
	}
	o.Routes = n.routeEntries()
	o.Rules = ruleEntries(n.rules)
	for _, nat := range n.nats {
		chain, rule := sourceNAT(nat)
		o.Chains, o.ChainRules = append(o.Chains, chain), append(o.ChainRules, rule)
	}
	return o, nil
}

const localTable = 255

// routeEntries are the routes of the main and other tables, and those that come
// with addresses. An IPv4 address is local while its interface is down.
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

// ruleEntries are the rules, with those that every namespace has.
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

// sourceNAT is a table of source NAT as a firewall's.
func sourceNAT(nat netstate.SourceNAT) (netstate.Chain, netstate.ChainRule) {
	const postrouting, priority = "postrouting", 100
	family := "ip"
	if nat.IPv6 {
		family = "ip6"
	}
	rule := netstate.ChainRule{Family: family, Table: nat.Table, Chain: postrouting, Out: nat.Out, Verdict: "masquerade", Partial: nat.Other}
	if nat.From.IsValid() {
		rule.From = []netip.Prefix{nat.From}
	}
	if nat.To.IsValid() {
		rule.To = []netip.Prefix{nat.To}
	}
	if nat.Source.IsValid() {
		rule.Verdict, rule.Target = "snat", nat.Source.String()
	}
	return netstate.Chain{Family: family, Table: nat.Table, Name: postrouting, Hook: postrouting, Type: "nat", Priority: priority}, rule
}
