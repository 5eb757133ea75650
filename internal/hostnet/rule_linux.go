package hostnet

import (
	"reflect"

	"github.com/vishvananda/netlink"

	"github.com/golvs/lvs/internal/netstate"
)

// rule reads and changes a rule of policy routing.
type rule netstate.Rule

var _ = serve(func(r netstate.Rule) kind { return rule(r) })

// find finds the rule, or one that has further conditions: the kernel does not tell
// them apart when it removes one.
func (f rule) find(n *Network) (netstate.Resource, error) {
	all, err := n.listRules(f.IPv6)
	var first *netstate.Rule
	for _, r := range all {
		plain := r
		plain.Other = f.Other
		if rule(plain) == f && (first == nil || r.Other) {
			first = &r
		}
	}
	return found(first, err)
}

func (f rule) put(n *Network) error    { return n.routes.RuleAdd(f.request()) }
func (f rule) remove(n *Network) error { return n.routes.RuleDel(f.request()) }

func ruleOf(r netlink.Rule, ipv6 bool) netstate.Rule {
	plain := netlink.NewRule()
	plain.Priority, plain.Family, plain.Table, plain.Src, plain.Dst = r.Priority, r.Family, r.Table, r.Src, r.Dst
	plain.Mark, plain.Mask, plain.Protocol = r.Mark, r.Mask, r.Protocol
	isPlain := (r.Mask == nil || *r.Mask == ^uint32(0)) && reflect.DeepEqual(*plain, r)
	return netstate.Rule{Priority: r.Priority, From: prefixOf(r.Src), To: prefixOf(r.Dst), Mark: r.Mark, Table: r.Table, IPv6: ipv6, Other: !isPlain}
}

// request returns what adds or removes the rule.
func (f rule) request() *netlink.Rule {
	r := netlink.NewRule()
	r.Priority, r.Table, r.Mark, r.Src, r.Dst = f.Priority, f.Table, f.Mark, netOf(f.From), netOf(f.To)
	r.Family = netlink.FAMILY_V4
	if f.IPv6 {
		r.Family = netlink.FAMILY_V6
	}
	return r
}
