package hostnet

import (
	"reflect"

	"github.com/vishvananda/netlink"
)

// findRule finds a rule, or one of the same fields that has others too: the kernel
// does not tell them apart when it is to remove one.
func (n *Network) findRule(f Rule) (*Rule, error) {
	all, err := n.listRules(f.IPv6)
	var found *Rule
	for _, r := range all {
		plain := r
		plain.Other = f.Other
		if plain == f && (found == nil || r.Other) {
			found = &r
		}
	}
	return found, err
}

func ruleOf(r netlink.Rule, ipv6 bool) Rule {
	plain := netlink.NewRule()
	plain.Priority, plain.Family, plain.Table, plain.Src, plain.Dst = r.Priority, r.Family, r.Table, r.Src, r.Dst
	plain.Mark, plain.Mask, plain.Protocol = r.Mark, r.Mask, r.Protocol
	isPlain := (r.Mask == nil || *r.Mask == ^uint32(0)) && reflect.DeepEqual(*plain, r)
	return Rule{Priority: r.Priority, From: prefixOf(r.Src), To: prefixOf(r.Dst), Mark: r.Mark, Table: r.Table, IPv6: ipv6, Other: !isPlain}
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
