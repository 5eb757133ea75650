package hostnet

import (
	"slices"

	"github.com/vishvananda/netlink"
)

func (n *Network) findRule(f Rule) (*Rule, error) {
	all, err := n.listRules(f.IPv6)
	if slices.Contains(all, f) {
		return &f, nil
	}
	return nil, err
}

func ruleOf(r netlink.Rule, ipv6 bool) Rule {
	return Rule{Priority: r.Priority, From: prefixOf(r.Src), To: prefixOf(r.Dst), Mark: r.Mark, Table: r.Table, IPv6: ipv6}
}

func (f Rule) rule() *netlink.Rule {
	r := netlink.NewRule()
	r.Priority, r.Table, r.Mark, r.Src, r.Dst = f.Priority, f.Table, f.Mark, netOf(f.From), netOf(f.To)
	r.Family = netlink.FAMILY_V4
	if f.IPv6 {
		r.Family = netlink.FAMILY_V6
	}
	return r
}
