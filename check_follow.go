package lvs

import (
	"cmp"

	"github.com/golvs/lvs/internal/netstate"
)

// follow sends a packet through the chains of hooks.
func (w *firewall) follow(p parcel, hooks ...string) (f fate) {
	for _, hook := range hooks {
		for _, c := range w.chains {
			if c.Hook != hook || !c.sees(p) || w.spares(c, p) {
				continue
			}
			at := w.pass(c, &p)
			f = fate{
				drops: at.drops, may: cmp.Or(f.may, at.may), sends: at.sends, maySend: cmp.Or(f.maySend, at.maySend),
				sources: f.sources || at.sources, maySource: f.maySource || at.maySource, untracks: cmp.Or(f.untracks, at.untracks),
			}
			if f.drops != nil || f.sends != nil {
				return f
			}
		}
	}
	return f
}

// sees reports whether a chain has to do with packets of a kind. What gives
// connections other addresses sees the first packet of those that are tracked.
func (c FirewallChain) sees(p parcel) bool {
	if c.Type == "nat" && p.state&netstate.StateNew == 0 {
		return false
	}
	switch c.Family {
	case "ip":
		return !p.is6
	case "ip6":
		return p.is6
	case "inet", "xfrm":
		return true
	case "netdev", "tc":
		return c.Device == "" || c.Hook == "ingress" && c.Device == p.in || c.Hook == "egress" && c.Device == p.out
	}
	return false
}

// ends are the ways in which a packet can leave a chain, as bits.
type ends uint8

const (
	goesOn   ends = 1 << iota // to the next rule; at the end, back to the chain before
	accepted                  // the base chain has no more to say
	dropped
	sent    // with another destination
	sourced // with another source
	returns // back to the chain before, at once
)

// walker goes through one base chain.
type walker struct {
	*firewall
	packet *parcel
	base   FirewallChain
	steps  int
	drop   *stop // the first that drops it
	send   *stop

	untrack *stop
}

const (
	mostDepth = 16
	mostSteps = 200_000
)

// pass sends a packet through one base chain, which may mark it.
func (w *firewall) pass(c FirewallChain, p *parcel) (f fate) {
	walk := walker{firewall: w, packet: p, base: c}
	all := walk.through(c.Name, 0)
	if all&goesOn != 0 && c.Drop {
		all = all&^goesOn | dropped
		walk.notes(&walk.drop, nil)
	}
	passes := all&(goesOn|accepted|sourced) != 0
	switch {
	case all&dropped != 0 && !passes:
		f.drops = walk.drop
	case all&sent != 0 && !passes:
		f.sends = walk.send
	}
	f.may, f.maySend, f.untracks = walk.drop, walk.send, walk.untrack
	f.sources, f.maySource = all == sourced, all&sourced != 0
	return f
}

// notes keeps the first rule that does something; nil is the policy.
func (w *walker) notes(at **stop, r *FirewallRule) {
	if *at == nil {
		*at = &stop{w.base, r}
	}
}

// through returns all ways in which the packet can leave a chain.
func (w *walker) through(chain string, depth int) (all ends) {
	rules := w.rules[chainKey{w.base.Family, w.base.Table, chain, w.base.Legacy}]
	for i := range rules {
		if w.steps++; w.steps > mostSteps || depth > mostDepth {
			w.notes(&w.drop, &rules[i])
			return all | accepted | dropped
		}
		answer := rules[i].matches(*w.packet)
		if answer == isNot {
			continue
		}
		next := w.takes(&rules[i], answer == isFor, depth)
		all |= next &^ goesOn
		if answer == isFor && next&goesOn == 0 {
			return all.back()
		}
	}
	return (all | goesOn).back()
}

// back makes those that return at once ones that go on in the chain before.
func (e ends) back() ends {
	if e&returns != 0 {
		e = e&^returns | goesOn
	}
	return e
}

// takes returns what a rule does with the packet if it is for it.
func (w *walker) takes(r *FirewallRule, sure bool, depth int) ends {
	switch r.Verdict {
	case "":
	case "mark":
		w.packet.blurred = w.packet.blurred || !sure
		w.packet.mark = r.SetMark
	case "notrack":
		w.packet.state |= netstate.StateUntracked
		if sure {
			w.packet.state = netstate.StateUntracked
			w.notes(&w.untrack, r)
		}
	case "accept":
		return accepted
	case "return":
		return returns
	case "drop", "reject":
		w.notes(&w.drop, r)
		return dropped
	case "encrypted":
		w.notes(&w.drop, r)
		if w.packet.plain {
			return dropped
		}
		return accepted | dropped
	case "jump":
		return w.through(r.Target, depth+1)
	case "goto":
		all := w.through(r.Target, depth+1)
		if all&goesOn != 0 {
			all = all&^goesOn | returns
		}
		return all
	case "redirect", "dnat":
		w.notes(&w.send, r)
		return sent
	case "snat", "masquerade":
		return sourced
	default: // it may do anything
		w.packet.blurred = true
		w.notes(&w.drop, r)
		return accepted | dropped
	}
	return goesOn
}
