package hostnet

import "github.com/vishvananda/netlink"

func (n *Network) findRule(f Rule) (*Rule, error) {
	family := netlink.FAMILY_V4
	if f.IPv6 {
		family = netlink.FAMILY_V6
	}
	all, err := retry(func() ([]netlink.Rule, error) { return n.routes.RuleList(family) })
	for _, r := range all {
		if ruleOf(r, f.IPv6) == f {
			return &f, nil
		}
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
