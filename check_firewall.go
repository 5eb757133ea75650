package lvs

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/golvs/lvs/internal/hostnet"
)

// firewall is that of a host, in a form to follow packets through.
type firewall struct {
	chains []FirewallChain // at hooks, in the order in which packets come to them
	rules  map[chainKey][]FirewallRule
	marks  bool // rules may mark packets
}

type chainKey struct {
	family, table, chain string
	legacy               bool
}

func newFirewall(f HostFacts) *firewall {
	w := &firewall{rules: make(map[chainKey][]FirewallRule)}
	for _, c := range f.Chains {
		if c.Hook != "" {
			w.chains = append(w.chains, c)
		}
	}
	slices.SortStableFunc(w.chains, func(a, b FirewallChain) int { return cmp.Compare(a.Priority, b.Priority) })
	for _, r := range f.FirewallRules {
		key := chainKey{r.Family, r.Table, r.Chain, r.Legacy}
		w.rules[key] = append(w.rules[key], r)
		w.marks = w.marks || r.Verdict == "mark" || r.Verdict == "other"
	}
	return w
}

// parcel is a packet as a firewall sees it. What is not set is not known.
type parcel struct {
	in, out  string
	from, to netip.AddrPort
	is6      bool
	protocol uint8
	state    uint8 // of connection tracking
}

// fate is what becomes of a packet at a hook.
type fate struct {
	drops     *stop // what surely drops it
	may       *stop // what may drop it
	sends     *stop // what surely gives it another destination
	maySend   *stop
	sources   bool // it surely gets another source
	maySource bool
}

// stop is where a packet ends: a rule, or the policy of a chain.
type stop struct {
	chain FirewallChain // that the hook has
	rule  *FirewallRule // nil is the chain's policy
}

func (s stop) String() string {
	where := fmt.Sprintf("%s %s of %s", s.chain.Table, s.chain.Name, s.chain.Family)
	if s.rule == nil {
		return "the policy of " + where
	}
	if s.rule.Chain != s.chain.Name {
		where += " (" + s.rule.Chain + ")"
	}
	return "the rule" + s.rule.conditions() + " in " + where
}

// conditions shows those of a rule that are known.
func (r FirewallRule) conditions() string {
	text := with("in", r.In) + with("out", r.Out)
	for _, p := range r.From {
		text += with("from", p)
	}
	for _, p := range r.To {
		text += with("to", p)
	}
	text += with("protocol", r.Protocol)
	for _, p := range r.ToPorts {
		text += fmt.Sprintf(" port %d-%d", p[0], p[1])
	}
	if r.Partial {
		text += " and more conditions"
	}
	return text + ": " + cmp.Or(r.Verdict, "goes on")
}

// Answers to whether a rule is for a packet.
const (
	isNot = iota
	mayBe
	isFor
)

func (w *firewall) matches(r FirewallRule, p parcel) int {
	answer := isFor
	if r.Partial {
		answer = mayBe
	}
	for _, one := range []int{
		matchesName(r.In, p.in), matchesName(r.Out, p.out),
		matchesAddr(r.From, p.from.Addr(), p.is6), matchesAddr(r.To, p.to.Addr(), p.is6),
		matchesPort(r.FromPorts, p.from.Port()), matchesPort(r.ToPorts, p.to.Port()),
	} {
		answer = min(answer, one)
	}
	switch {
	case r.Protocol != 0 && r.Protocol != p.protocol, r.States != 0 && r.States&p.state == 0:
		return isNot
	case r.Mask != 0 && w.marks:
		answer = min(answer, mayBe)
	case r.Mask != 0 && r.Mark != 0:
		return isNot
	}
	return answer
}

func matchesName(pattern, name string) int {
	switch {
	case pattern == "" || name != "" && hostnet.MatchInterface(pattern, name):
		return isFor
	case name == "":
		return mayBe
	}
	return isNot
}

func matchesAddr(networks []netip.Prefix, a netip.Addr, is6 bool) int {
	answer := isNot
	for _, p := range networks {
		switch {
		case p.Addr().Is6() != is6:
		case p.Bits() == 0 || a.IsValid() && p.Contains(a):
			return isFor
		case !a.IsValid():
			answer = mayBe
		}
	}
	if len(networks) == 0 {
		return isFor
	}
	return answer
}

func matchesPort(ranges [][2]uint16, port uint16) int {
	switch {
	case len(ranges) == 0 || port != 0 && slices.ContainsFunc(ranges, func(r [2]uint16) bool { return r[0] <= port && port <= r[1] }):
		return isFor
	case port == 0:
		return mayBe
	}
	return isNot
}

// follow sends a packet through the chains of hooks.
func (w *firewall) follow(p parcel, hooks ...string) (f fate) {
	for _, hook := range hooks {
		for _, c := range w.chains {
			if c.Hook != hook || !c.sees(p) {
				continue
			}
			walk := walker{firewall: w, parcel: p, base: c, fate: &f}
			if walk.through(c.Name, 0) == goesOn && c.Drop {
				walk.ends(nil, isFor)
			}
			if f.drops != nil || f.sends != nil {
				return f
			}
		}
	}
	return f
}

// sees reports whether a chain has to do with packets of a kind.
func (c FirewallChain) sees(p parcel) bool {
	switch c.Family {
	case "ip":
		return !p.is6
	case "ip6":
		return p.is6
	case "inet":
		return true
	case "netdev":
		return c.Device == "" || c.Device == p.in
	}
	return false
}

// walker goes through one base chain.
type walker struct {
	*firewall
	parcel
	base  FirewallChain
	fate  *fate
	loose bool // a rule may have let the packet pass before
	steps int
}

// How a chain ends.
const (
	goesOn   = iota // back to the chain that it was called from
	accepted        // no more rules of the base chain
	stopped
)

const (
	mostDepth = 16
	mostSteps = 200_000
)

func (w *walker) through(chain string, depth int) int {
	rules := w.rules[chainKey{w.base.Family, w.base.Table, chain, w.base.Legacy}]
	for i := range rules {
		if w.steps++; w.steps > mostSteps || depth > mostDepth {
			w.fate.may = &stop{w.base, nil}
			return accepted
		}
		answer := w.matches(rules[i], w.parcel)
		if answer == isNot {
			continue
		}
		if end, ended := w.takes(&rules[i], answer, depth); ended {
			return end
		}
	}
	return goesOn
}

// takes follows a rule that is, or may be, for the packet, and reports whether the
// chain has ended.
func (w *walker) takes(r *FirewallRule, answer, depth int) (end int, ended bool) {
	sure := answer == isFor
	switch r.Verdict {
	case "", "mark", "notrack":
		return goesOn, false
	case "accept":
		end = accepted
	case "return":
		end = goesOn
	case "drop", "reject":
		w.ends(r, answer)
		return stopped, sure
	case "jump", "goto":
		if !sure {
			w.loose = true
		}
		below := w.through(r.Target, depth+1)
		if !sure {
			return goesOn, false
		}
		return below, below != goesOn || r.Verdict == "goto"
	case "redirect", "dnat":
		if sure && !w.loose {
			w.fate.sends = &stop{w.base, r}
		} else {
			w.fate.maySend = &stop{w.base, r}
		}
		end = accepted
	case "snat", "masquerade":
		w.fate.sources, w.fate.maySource = w.fate.sources || sure && !w.loose, true
		end = accepted
	default:
		w.fate.may = &stop{w.base, r}
		end = accepted
	}
	if !sure {
		w.loose = true
	}
	return end, sure
}

// ends notes a rule, or the policy, that drops the packet.
func (w *walker) ends(r *FirewallRule, answer int) {
	s := &stop{w.base, r}
	if answer == isFor && !w.loose {
		w.fate.drops = s
	} else if w.fate.may == nil {
		w.fate.may = s
	}
}

// marked returns the addresses whose packets rules give the mark of a service.
func (w *firewall) marked(id ServiceID) (all []netip.Addr) {
	for _, r := range w.marking(id) {
		for _, p := range r.To {
			if p.IsSingleIP() && p.Addr().Is6() == id.Is6() && !slices.Contains(all, p.Addr()) {
				all = append(all, p.Addr())
			}
		}
	}
	return all
}

// marking returns the rules that give packets the mark of a service.
func (w *firewall) marking(id ServiceID) (all []FirewallRule) {
	for _, c := range w.chains {
		if c.Hook != "prerouting" && c.Hook != "input" || c.Family == "ip" && id.Is6() || c.Family == "ip6" && !id.Is6() {
			continue
		}
		for key, rules := range w.rules {
			if key.family != c.Family || key.table != c.Table || key.legacy != c.Legacy {
				continue
			}
			for _, r := range rules {
				if r.Verdict == "mark" && r.SetMark == id.FWMark() {
					all = append(all, r)
				}
			}
		}
	}
	return all
}

// mayTranslate reports whether what comes for an address and port may get another
// destination.
func (w *firewall) mayTranslate(protocol Protocol, at netip.AddrPort) bool {
	f := w.follow(parcel{to: at, is6: at.Addr().Is6(), protocol: uint8(protocol), state: hostnet.StateNew}, "prerouting")
	return f.sends != nil || f.maySend != nil
}

// hushes reports whether rules for ARP drop questions for an address, and whether
// that is sure.
func (w *firewall) hushes(a netip.Addr, iface string) (quiet, sure bool) {
	for _, c := range w.chains {
		if c.Family != "arp" || c.Hook != "input" {
			continue
		}
		f := fate{}
		walk := walker{firewall: w, parcel: parcel{in: iface, to: netip.AddrPortFrom(a, 0)}, base: c, fate: &f}
		if walk.through(c.Name, 0) == goesOn && c.Drop {
			walk.ends(nil, isFor)
		}
		if f.drops != nil {
			return true, true
		}
		quiet = quiet || f.may != nil
	}
	return quiet, false
}

// allow is the command that lets packets pass at a stop: before all other rules of
// the chain.
func (s stop) allow(p parcel) string {
	protocol := Protocol(p.protocol).String()
	hasPort := p.to.Port() != 0 && !strings.HasPrefix(protocol, otherProtocol)
	if s.chain.Legacy {
		program := "iptables-legacy"
		if p.is6 {
			program = "ip6tables-legacy"
		}
		text := program + " -t " + s.chain.Table + " -I " + s.chain.Name + fmt.Sprintf(" -p %d", p.protocol)
		if p.from.Addr().IsValid() {
			text += " -s " + p.from.Addr().String()
		}
		if p.to.Addr().IsValid() {
			text += " -d " + p.to.Addr().String()
		}
		if hasPort {
			text += fmt.Sprintf(" --dport %d", p.to.Port())
		}
		return text + " -j ACCEPT"
	}
	family := "ip"
	if p.is6 {
		family = "ip6"
	}
	text := "nft insert rule " + s.chain.Family + " " + s.chain.Table + " " + s.chain.Name
	if p.from.Addr().IsValid() {
		text += " " + family + " saddr " + p.from.Addr().String()
	}
	if p.to.Addr().IsValid() {
		text += " " + family + " daddr " + p.to.Addr().String()
	}
	if hasPort {
		text += fmt.Sprintf(" %s dport %d", protocol, p.to.Port())
	} else {
		text += fmt.Sprintf(" meta l4proto %d", p.protocol)
	}
	return text + " accept"
}
