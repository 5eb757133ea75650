package netstate

import (
	"net/netip"
	"slices"
)

// mainPriority is the priority of the rule for the main table.
const mainPriority = 32766

// Lookup returns the route of a packet: that of the first rule that matches the packet
// and whose table has a route. Of several it is the one with the longest prefix, then
// the lowest metric, then the first. Rules about marks are ignored.
func Lookup(routes []Route, rules []Rule, to, from netip.Addr) (Route, bool) {
	rules = append(slices.Clone(rules), Rule{Priority: mainPriority, Table: MainTable, IPv6: to.Is6()})
	slices.SortStableFunc(rules, func(a, b Rule) int { return a.Priority - b.Priority })
	for _, r := range rules {
		if r.IPv6 != to.Is6() || r.Mark != 0 || !holds(r.From, from) || !holds(r.To, to) {
			continue
		}
		if best, ok := lookupIn(r.Table, routes, to); ok {
			return best, true
		}
	}
	return Route{}, false
}

// holds reports whether an address is in a network; the zero prefix contains all.
func holds(p netip.Prefix, a netip.Addr) bool { return !p.IsValid() || p.Contains(a) }

func lookupIn(table int, routes []Route, to netip.Addr) (best Route, ok bool) {
	for _, r := range routes {
		if r.Table != table || !r.To.Contains(to) {
			continue
		}
		if !ok || r.To.Bits() > best.To.Bits() || r.To.Bits() == best.To.Bits() && r.Metric < best.Metric {
			best, ok = r, true
		}
	}
	return best, ok
}
