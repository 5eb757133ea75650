package lvs

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"

	"github.com/golvs/lvs/internal/netstate"
)

// hostFirewall is the firewall of a host, in a form that packets can be followed through.
type hostFirewall struct {
	chains []FirewallChain // at hooks, in the order in which packets pass them
	rules  map[firewallChainKey][]FirewallRule
	marks  bool // rules may mark packets

	skipsPolicy func(FirewallChain, firewallPacket) bool // reports whether a packet bypasses a chain of IPsec policies
}

type firewallChainKey struct {
	family, table, chain string
	legacy               bool
}

func newHostFirewall(f HostState) *hostFirewall {
	w := &hostFirewall{rules: make(map[firewallChainKey][]FirewallRule)}
	for _, c := range f.Chains {
		if c.Hook != "" {
			w.chains = append(w.chains, c)
		}
	}
	slices.SortStableFunc(w.chains, func(a, b FirewallChain) int { return cmp.Compare(a.Priority, b.Priority) })
	for _, r := range f.FirewallRules {
		key := firewallChainKey{r.Family, r.Table, r.Chain, r.Legacy}
		w.rules[key] = append(w.rules[key], r)
		w.marks = w.marks || r.Verdict == "mark" || r.Verdict == "other"
	}
	return w
}

// firewallPacket is a packet as a firewall sees it. Zero fields are not known.
type firewallPacket struct {
	in, out  string
	from, to netip.AddrPort
	is6      bool
	remote   bool // its destination is not an address of the host
	protocol uint8
	back     bool       // it is an answer: it goes to a client
	later    bool       // it does not open a connection
	state    uint8      // of connection tracking; several bits mean one of them
	mark     uint32     // valid unless blurred
	blurred  bool       // the mark is not known
	openedTo netip.Addr // destination of its connection's first packet; the zero address is not known
	plain    bool       // it surely did not arrive by IPsec
}

// firewallFate is what happens to a packet at hooks.
type firewallFate struct {
	drops     *firewallStop // what surely drops it
	may       *firewallStop // what may drop it
	sends     *firewallStop // what surely gives it another destination
	maySend   *firewallStop
	sources   bool // it surely gets another source
	maySource bool
	untracks  *firewallStop // what surely keeps it from connection tracking
}

// firewallStop is where a packet ends: at a rule, or at the policy of a chain.
type firewallStop struct {
	chain FirewallChain // the base chain at the hook
	rule  *FirewallRule // nil: the chain's policy
}

func (s firewallStop) String() string {
	where := fmt.Sprintf("%s %s (%s)", s.chain.Table, s.chain.Name, s.chain.Family)
	if s.rule == nil {
		return "the policy of " + where
	}
	if s.rule.Chain != s.chain.Name {
		where += ", chain " + s.rule.Chain
	}
	return "the rule" + s.rule.conditions() + " in " + where
}

// conditions returns the known conditions of a rule, and its verdict.
func (r FirewallRule) conditions() string {
	text := optionText("in", r.In) + optionText("not in", r.NotIn) + optionText("out", r.Out) + optionText("not out", r.NotOut)
	for _, list := range []struct {
		what     string
		networks []netip.Prefix
	}{{"from", r.From}, {"not from", r.NotFrom}, {"to", r.To}, {"not to", r.NotTo}} {
		for _, p := range list.networks {
			text += optionText(list.what, p)
		}
	}
	text += optionText("to", r.ToLocal) + optionText("protocol", r.Protocol) + optionText("segments", r.Segments) + optionText("states", r.States)
	for _, p := range r.ToPorts {
		text += fmt.Sprintf(" port %d-%d", p[0], p[1])
	}
	if r.Partial {
		text += " and other conditions"
	}
	return text + ": " + cmp.Or(r.Verdict, "continue")
}

// Results of matching a packet against a rule, in rising order.
const (
	firewallNoMatch = iota
	firewallMayMatch
	firewallMatch
)

func (r FirewallRule) matches(p firewallPacket) int {
	answer := firewallMatch
	if r.Partial {
		answer = firewallMayMatch
	}
	for _, one := range []int{
		firewallMatchesName(r.In, p.in), firewallMatchesName(r.Out, p.out), firewallMatch - firewallMatchesNotName(r.NotIn, p.in), firewallMatch - firewallMatchesNotName(r.NotOut, p.out),
		firewallMatchesAddr(r.From, p.from.Addr(), p.is6), firewallMatchesAddr(r.To, p.to.Addr(), p.is6),
		firewallMatch - firewallMatchesAnyAddr(r.NotFrom, p.from.Addr(), p.is6), firewallMatch - firewallMatchesAnyAddr(r.NotTo, p.to.Addr(), p.is6),
		firewallMatchesPort(r.FromPorts, p.from.Port()), firewallMatchesPort(r.ToPorts, p.to.Port()), r.matchesState(p), r.matchesMark(p), r.matchesOpenedTo(p),
	} {
		answer = min(answer, one)
	}
	switch {
	case r.Protocol != 0 && r.Protocol != p.protocol, r.ToLocal == "local" && p.remote, r.ToLocal == "remote" && !p.remote,
		r.Segments == "first" && p.later, r.Segments == "later" && !p.later:
		return firewallNoMatch
	}
	return answer
}

func (r FirewallRule) matchesState(p firewallPacket) int {
	switch {
	case r.States == 0 || p.state&^r.States == 0:
		return firewallMatch
	case r.States&p.state != 0:
		return firewallMayMatch
	}
	return firewallNoMatch
}

func (r FirewallRule) matchesOpenedTo(p firewallPacket) int {
	if len(r.OpenedTo) > 0 && !p.openedTo.IsValid() {
		return firewallMayMatch
	}
	return firewallMatchesAddr(r.OpenedTo, p.openedTo, p.is6)
}

func (r FirewallRule) matchesMark(p firewallPacket) int {
	switch {
	case r.Mask == 0 || !p.blurred && p.mark&r.Mask == r.Mark:
		return firewallMatch
	case p.blurred:
		return firewallMayMatch
	}
	return firewallNoMatch
}

func firewallMatchesName(pattern, name string) int {
	switch {
	case pattern == "" || name != "" && netstate.MatchInterface(pattern, name):
		return firewallMatch
	case name == "":
		return firewallMayMatch
	}
	return firewallNoMatch
}

// firewallMatchesNotName is firewallMatchesName for a negated pattern; "" excludes nothing.
func firewallMatchesNotName(pattern, name string) int {
	if pattern == "" {
		return firewallNoMatch
	}
	return firewallMatchesName(pattern, name)
}

func firewallMatchesAddr(networks []netip.Prefix, a netip.Addr, is6 bool) int {
	if len(networks) == 0 {
		return firewallMatch
	}
	return firewallMatchesAnyAddr(networks, a, is6)
}

// firewallMatchesAnyAddr is firewallMatchesAddr for a list of which none matches nothing.
func firewallMatchesAnyAddr(networks []netip.Prefix, a netip.Addr, is6 bool) int {
	answer := firewallNoMatch
	for _, p := range networks {
		switch {
		case p.Addr().Is6() != is6:
		case p.Bits() == 0 || a.IsValid() && p.Contains(a):
			return firewallMatch
		case !a.IsValid():
			answer = firewallMayMatch
		}
	}
	return answer
}

func firewallMatchesPort(ranges [][2]uint16, port uint16) int {
	has := func(least, most uint16) bool {
		return slices.ContainsFunc(ranges, func(r [2]uint16) bool { return r[0] <= least && most <= r[1] })
	}
	const unprivileged = 1024
	switch {
	case len(ranges) == 0 || port != 0 && has(port, port) || port == 0 && has(unprivileged, math.MaxUint16):
		return firewallMatch
	case port == 0:
		return firewallMayMatch
	}
	return firewallNoMatch
}
