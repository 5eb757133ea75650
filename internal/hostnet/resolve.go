package hostnet

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// Routing finds the routes of packets as the kernel does. It does not change, and
// any number of goroutines may use it.
type Routing struct {
	rules  []RuleEntry
	tables map[int]routeTable
}

// routeTable are the routes of a table, by prefix. Of one prefix the least metric
// comes first.
type routeTable struct {
	bits4, bits6 []int // lengths of prefixes, the longest first
	routes       map[netip.Prefix][]RouteEntry
}

// NewRouting returns the routing of a namespace.
func NewRouting(routes []RouteEntry, rules []RuleEntry) *Routing {
	r := &Routing{rules: slices.Clone(rules), tables: make(map[int]routeTable)}
	slices.SortStableFunc(r.rules, func(a, b RuleEntry) int { return cmp.Compare(a.Priority, b.Priority) })
	for _, e := range routes {
		t, ok := r.tables[e.Table]
		if !ok {
			t.routes = make(map[netip.Prefix][]RouteEntry)
		}
		bits := &t.bits4
		if e.To.Addr().Is6() {
			bits = &t.bits6
		}
		if !slices.Contains(*bits, e.To.Bits()) {
			*bits = append(*bits, e.To.Bits())
			slices.SortFunc(*bits, func(a, b int) int { return b - a })
		}
		t.routes[e.To] = append(t.routes[e.To], e)
		r.tables[e.Table] = t
	}
	for _, t := range r.tables {
		for _, same := range t.routes {
			slices.SortStableFunc(same, func(a, b RouteEntry) int { return cmp.Compare(a.Metric, b.Metric) })
		}
	}
	return r
}

// Question asks for the route of a packet.
type Question struct {
	To   netip.Addr
	From netip.Addr // the zero address leaves it to the kernel
	In   string     // the interface that it came in by; "" is a packet of the host itself
	Mark uint32

	// AnyMark says that the mark is not known.
	AnyMark bool
}

// Way is the answer.
type Way struct {
	RouteEntry
	Found bool // false: no route, and RouteEntry is the zero value

	// Unsure says that rules or routes have to do with it that are not known in
	// full: the answer is only likely.
	Unsure bool
}

// Onward reports whether packets go to another host.
func (w Way) Onward() bool { return w.Found && w.Type == "" }

// Local reports whether packets are delivered to the host.
func (w Way) Local() bool { return w.Found && w.Type == "local" }

// Resolve returns the route of a packet.
func (r *Routing) Resolve(q Question) (w Way) {
	least := 0
	for _, rule := range r.rules {
		if rule.Priority < least {
			continue // passed over by a goto
		}
		matches, sure := rule.matches(q)
		if !matches && sure {
			continue
		}
		w.Unsure = w.Unsure || !sure
		if !sure {
			continue
		}
		switch rule.Action {
		case "nop":
		case "goto":
			least = rule.Goto
		case "":
			if e, ok := r.tables[rule.Table].find(q.To, rule.Shortest); ok {
				w.RouteEntry, w.Found = e, true
				w.Unsure = w.Unsure || e.Partial
				return w
			}
		default:
			w.RouteEntry, w.Found = RouteEntry{To: netip.PrefixFrom(q.To, q.To.BitLen()).Masked(), Type: rule.Action}, true
			return w
		}
	}
	return w
}

// matches reports whether a rule is for a packet, and whether that is sure.
func (rule RuleEntry) matches(q Question) (matches, sure bool) {
	if rule.IPv6 != q.To.Is6() {
		return false, true
	}
	in := q.In
	if in == "" {
		in = "lo" // packets of the host itself
	}
	matches = covers(rule.From, q.From) && covers(rule.To, q.To) && (rule.In == "" || rule.In == in) && rule.Out == ""
	sure = true
	if matches && (rule.Mark != 0 || rule.Mask != 0) {
		if q.AnyMark {
			return false, false
		}
		matches = q.Mark&rule.Mask == rule.Mark
	}
	if matches && rule.Partial {
		return false, false
	}
	return matches != rule.Not, sure
}

// covers reports whether a network has an address in it; the zero prefix has all.
func covers(p netip.Prefix, a netip.Addr) bool {
	return !p.IsValid() || p.Bits() == 0 || a.IsValid() && p.Contains(a)
}

// find returns the route to an address, whose prefix has at least a length.
func (t routeTable) find(to netip.Addr, shortest int) (RouteEntry, bool) {
	bits := t.bits4
	if to.Is6() {
		bits = t.bits6
	}
	for _, n := range bits {
		if n < shortest {
			break
		}
		p, err := to.Prefix(n)
		if err != nil {
			continue
		}
		if same := t.routes[p]; len(same) > 0 {
			return same[0], same[0].Type != "throw"
		}
	}
	return RouteEntry{}, false
}

// MatchInterface reports whether the name of an interface fits a pattern of a
// firewall: "" is any, and a plus at the end stands for the rest.
func MatchInterface(pattern, name string) bool {
	if start, ok := strings.CutSuffix(pattern, "+"); ok {
		return strings.HasPrefix(name, start)
	}
	return pattern == "" || pattern == name
}
