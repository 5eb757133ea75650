package netstate

import (
	"cmp"
	"net/netip"
	"reflect"
	"slices"
	"strings"
)

// Routing finds the routes of packets as the kernel does. It does not change, and
// any number of goroutines may use it.
type Routing struct {
	rules   []RuleEntry
	tables  map[int]routeTable
	without []RouteEntry // that do not count
	assumed []RuleEntry  // usual rules that are missing, and may count nevertheless
}

// routeTable are the routes of a table, by prefix. Of one prefix the least metric
// comes first.
type routeTable struct {
	bits4, bits6 []int // lengths of prefixes, the longest first
	routes       map[netip.Prefix][]RouteEntry
}

// NewRouting returns the routing of a namespace.
func NewRouting(routes []RouteEntry, rules []RuleEntry) *Routing {
	r := &Routing{tables: make(map[int]routeTable)}
	for _, ipv6 := range []bool{false, true} {
		r.assumed = append(r.assumed, assumedRules(rules, ipv6)...)
	}
	r.rules = append(slices.Clone(rules), r.assumed...)
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

// usualRules are those that every namespace begins with.
func usualRules(ipv6 bool) []RuleEntry {
	all := []RuleEntry{LocalRule(ipv6), MainRule(ipv6)}
	if !ipv6 {
		all = append(all, RuleEntry{Priority: mainPriority + 1, Table: MainTable - 1})
	}
	return all
}

// LocalRule is the usual rule that asks the table of the host's own addresses.
func LocalRule(ipv6 bool) RuleEntry { return RuleEntry{IPv6: ipv6, Table: MainTable + 1} }

// MainRule is the usual rule that asks the main table.
func MainRule(ipv6 bool) RuleEntry {
	return RuleEntry{Priority: mainPriority, IPv6: ipv6, Table: MainTable}
}

// assumedRules returns the usual rules of a family that are missing and may count
// nevertheless: kernels without any rule behave as usual, until one is added that is not
// usual. IPv4 of older kernels does so only until one is removed.
func assumedRules(rules []RuleEntry, ipv6 bool) (missing []RuleEntry) {
	usual := usualRules(ipv6)
	for _, rule := range rules {
		if rule.IPv6 == ipv6 && !slices.ContainsFunc(usual, rule.isSame) {
			return nil
		}
	}
	for _, u := range usual {
		if !slices.ContainsFunc(rules, u.isSame) {
			missing = append(missing, u)
		}
	}
	return missing
}

// isSame reports whether two rules are the same.
func (rule RuleEntry) isSame(other RuleEntry) bool { return reflect.DeepEqual(rule, other) }

// WithRules returns the routing as it would be with other rules.
func (r *Routing) WithRules(rules []RuleEntry) *Routing {
	other := NewRouting(nil, rules)
	other.tables, other.without = r.tables, r.without
	return other
}

// Without returns the routing as it would be without a route.
func (r *Routing) Without(e RouteEntry) *Routing {
	other := *r
	other.without = append(slices.Clone(r.without), e)
	return &other
}

// Question asks for the route of a packet. Without a protocol, ports and a user it is
// the kernel's own, which asks without them.
type Question struct {
	To   netip.Addr
	From netip.Addr // the zero address leaves it to the kernel
	In   string     // the interface that it came in by; "" is a packet of the host itself
	Mark uint32

	// AnyMark says that the mark is not known.
	AnyMark bool

	Protocol         uint8
	FromPort, ToPort uint16
	ToClient         bool   // ToPort is one that a client chose
	User             uint32 // whose socket sends it; 0 is root's or none

	// AnyFlow says that the protocol and the ports are not known, AnyUser that the
	// user is not, and InVRF that a VRF has to do with it.
	AnyFlow, AnyUser, InVRF bool
}

// Way is the answer.
type Way struct {
	RouteEntry
	Found bool // false: no route, and RouteEntry is the zero value

	// Unsure says that rules or routes have to do with it that are not known in
	// full: the answer is only likely.
	Unsure bool

	Question Question
	Rule     *RuleEntry   // that decided; nil if none is found
	Gotos    []*RuleEntry // that passed over others
	Throws   []RouteEntry // that ended the search in their table
	Hops     []RouteEntry // where there are several next hops, the routes by each
}

// Onward reports whether packets go to another host.
func (w Way) Onward() bool { return w.Found && w.Type == "" }

// Local reports whether packets are delivered to the host.
func (w Way) Local() bool { return w.Found && w.Type == "local" }

// Each returns the ways by each of the next hops.
func (w Way) Each() []Way {
	all := []Way{w}
	for i, hop := range w.Hops {
		if i > 0 {
			all = append(all, w)
		}
		all[i].RouteEntry = hop
	}
	return all
}

// Resolve returns the route of a packet.
func (r *Routing) Resolve(q Question) (w Way) {
	w.Question = q
	least := 0
	for i := range r.rules {
		rule := &r.rules[i]
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
			w.Gotos = append(w.Gotos, rule)
		case "":
			hops := r.find(rule.Table, q.To, rule.Shortest)
			if len(hops) > 0 && hops[0].Type == "throw" {
				w.Throws = append(w.Throws, hops[0])
				continue
			}
			if len(hops) > 0 {
				w.RouteEntry, w.Found, w.Rule = hops[0], true, rule
				if len(hops) > 1 {
					w.Hops = hops
				}
				w.Unsure = w.Unsure || w.Partial || len(r.assumed) > 0 && slices.ContainsFunc(r.assumed, rule.isSame)
				return w
			}
		default:
			w.RouteEntry, w.Found, w.Rule = RouteEntry{To: netip.PrefixFrom(q.To, q.To.BitLen()).Masked(), Type: rule.Action}, true, rule
			return w
		}
	}
	return w
}

// matches reports whether a rule is for a packet, and whether that is sure.
func (rule *RuleEntry) matches(q Question) (matches, sure bool) {
	if rule.IPv6 != q.To.Is6() {
		return false, true
	}
	in := q.In
	if in == "" {
		in = "lo" // packets of the host itself
	}
	const (
		no = iota
		maybe
		yes
	)
	answer := yes
	meets := func(known, ok bool) {
		switch {
		case !known:
			answer = min(answer, maybe)
		case !ok:
			answer = no
		}
	}
	meets(true, covers(rule.From, q.From) && covers(rule.To, q.To) && (rule.In == "" || rule.In == in) && rule.Out == "")
	if rule.Mark != 0 || rule.Mask != 0 {
		meets(!q.AnyMark, q.Mark&rule.Mask == rule.Mark)
	}
	if rule.Protocol != 0 {
		meets(!q.AnyFlow, q.Protocol == rule.Protocol)
	}
	if len(rule.FromPorts) > 0 {
		meets(!q.AnyFlow, isIn(rule.FromPorts, q.FromPort))
	}
	if len(rule.ToPorts) > 0 {
		known, ok := rule.toPort(q)
		meets(known, ok)
	}
	if len(rule.Users) > 0 {
		meets(!q.AnyUser, isIn(rule.Users, q.User))
	}
	if rule.VRF {
		meets(!q.InVRF, false)
	}
	meets(!rule.Partial, true)
	if answer == maybe {
		return false, false
	}
	return (answer == yes) != rule.Not, true
}

// Clients choose ports that are not among the first ones, mostly the later of these.
const (
	firstClientPort = 1024
	firstUsualPort  = 32768
	lastUsualPort   = 60999
)

// toPort reports whether a rule is for the port that a packet goes to, and whether
// that is known.
func (rule *RuleEntry) toPort(q Question) (known, ok bool) {
	if q.AnyFlow || !q.ToClient {
		return !q.AnyFlow, isIn(rule.ToPorts, q.ToPort)
	}
	known = true
	for _, r := range rule.ToPorts {
		if r[0] <= firstUsualPort && lastUsualPort <= r[1] {
			return true, true
		}
		known = known && r[1] < firstClientPort
	}
	return known, false
}

// isIn reports whether a number is in one of some ranges. No packet has the port 0.
func isIn[N uint16 | uint32](ranges [][2]N, n N) bool {
	return slices.ContainsFunc(ranges, func(r [2]N) bool { return r[0] <= n && n <= r[1] })
}

// covers reports whether a network has an address in it; the zero prefix has all.
func covers(p netip.Prefix, a netip.Addr) bool {
	return !p.IsValid() || p.Bits() == 0 || a.IsValid() && p.Contains(a)
}

// find returns the route of a table to an address, whose prefix has at least a
// length: one for each next hop; none if there is no such route.
func (r *Routing) find(table int, to netip.Addr, shortest int) []RouteEntry {
	t := r.tables[table]
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
		same := t.routes[p]
		if len(r.without) > 0 {
			same = slices.DeleteFunc(slices.Clone(same), func(e RouteEntry) bool { return slices.ContainsFunc(r.without, e.isSame) })
		}
		if len(same) > 0 {
			return same[:same[0].hops(same)]
		}
	}
	return nil
}

// isSame reports whether two entries are of one route, perhaps by another next hop.
func (e RouteEntry) isSame(other RouteEntry) bool {
	if e.Weight != 0 && other.Weight != 0 {
		other.Via, other.Interface, other.Weight, other.Partial = e.Via, e.Interface, e.Weight, e.Partial
	}
	return e == other
}

// hops returns how many of some entries, which begin with this one, are its next hops.
func (e RouteEntry) hops(all []RouteEntry) int {
	n := 1
	for e.Weight != 0 && n < len(all) && e.isSame(all[n]) {
		n++
	}
	return n
}

// MatchInterface reports whether the name of an interface fits a pattern of a
// firewall: "" is any, and a plus at the end stands for the rest.
func MatchInterface(pattern, name string) bool {
	if start, ok := strings.CutSuffix(pattern, "+"); ok {
		return strings.HasPrefix(name, start)
	}
	return pattern == "" || pattern == name
}
