package lvs

import (
	"cmp"

	"github.com/golvs/lvs/internal/netstate"
)

// follow sends a packet through the chains of hooks, and returns what happens to it.
func (w *hostFirewall) follow(p firewallPacket, hooks ...string) (f firewallFate) {
	for _, hook := range hooks {
		for _, c := range w.chains {
			if c.Hook != hook || !c.sees(p) || w.skipsPolicy(c, p) {
				continue
			}
			at := w.walkChain(c, &p)
			f = firewallFate{
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

// sees reports whether a chain sees a packet. Chains of the type nat see only the first
// packet of a tracked connection.
func (c FirewallChain) sees(p firewallPacket) bool {
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

// firewallExits are the ways in which a packet can leave a chain, as bits.
type firewallExits uint8

const (
	exitContinue firewallExits = 1 << iota // to the next rule; at the end, back to the calling chain
	exitAccept                             // accepted by the base chain
	exitDrop
	exitSent    // with another destination
	exitSourced // with another source
	exitReturn  // back to the calling chain, at once
)

// firewallWalker follows a packet through one base chain.
type firewallWalker struct {
	*hostFirewall
	packet *firewallPacket
	base   FirewallChain
	steps  int
	drop   *firewallStop // the first rule that drops it
	send   *firewallStop

	untrack *firewallStop
}

const (
	mostChainDepth    = 16
	mostFirewallSteps = 200_000
)

// walkChain sends a packet through one base chain, which may mark it.
func (w *hostFirewall) walkChain(c FirewallChain, p *firewallPacket) (f firewallFate) {
	walk := firewallWalker{hostFirewall: w, packet: p, base: c}
	all := walk.walk(c.Name, 0)
	if all&exitContinue != 0 && c.Drop {
		all = all&^exitContinue | exitDrop
		walk.note(&walk.drop, nil)
	}
	passes := all&(exitContinue|exitAccept|exitSourced) != 0
	switch {
	case all&exitDrop != 0 && !passes:
		f.drops = walk.drop
	case all&exitSent != 0 && !passes:
		f.sends = walk.send
	}
	f.may, f.maySend, f.untracks = walk.drop, walk.send, walk.untrack
	f.sources, f.maySource = all == exitSourced, all&exitSourced != 0
	return f
}

// note keeps the first rule that does something; nil stands for the chain's policy.
func (w *firewallWalker) note(at **firewallStop, r *FirewallRule) {
	if *at == nil {
		*at = &firewallStop{w.base, r}
	}
}

// walk returns all ways in which the packet can leave a chain.
func (w *firewallWalker) walk(chain string, depth int) (all firewallExits) {
	rules := w.rules[firewallChainKey{w.base.Family, w.base.Table, chain, w.base.Legacy}]
	for i := range rules {
		if w.steps++; w.steps > mostFirewallSteps || depth > mostChainDepth {
			w.note(&w.drop, &rules[i])
			return all | exitAccept | exitDrop
		}
		answer := rules[i].matches(*w.packet)
		if answer == firewallNoMatch {
			continue
		}
		next := w.apply(&rules[i], answer == firewallMatch, depth)
		all |= next &^ exitContinue
		if answer == firewallMatch && next&exitContinue == 0 {
			return all.afterReturn()
		}
	}
	return (all | exitContinue).afterReturn()
}

// afterReturn turns a return into going on in the calling chain.
func (e firewallExits) afterReturn() firewallExits {
	if e&exitReturn != 0 {
		e = e&^exitReturn | exitContinue
	}
	return e
}

// apply returns what a matching rule does with the packet.
func (w *firewallWalker) apply(r *FirewallRule, sure bool, depth int) firewallExits {
	switch r.Verdict {
	case "":
	case "mark":
		w.packet.blurred = w.packet.blurred || !sure
		w.packet.mark = r.SetMark
	case "notrack":
		w.packet.state |= netstate.StateUntracked
		if sure {
			w.packet.state = netstate.StateUntracked
			w.note(&w.untrack, r)
		}
	case "accept":
		return exitAccept
	case "return":
		return exitReturn
	case "drop", "reject":
		w.note(&w.drop, r)
		return exitDrop
	case "encrypted":
		w.note(&w.drop, r)
		if w.packet.plain {
			return exitDrop
		}
		return exitAccept | exitDrop
	case "jump":
		return w.walk(r.Target, depth+1)
	case "goto":
		all := w.walk(r.Target, depth+1)
		if all&exitContinue != 0 {
			all = all&^exitContinue | exitReturn
		}
		return all
	case "redirect", "dnat":
		w.note(&w.send, r)
		return exitSent
	case "snat", "masquerade":
		return exitSourced
	default: // a verdict that Check does not know may do anything
		w.packet.blurred = true
		w.note(&w.drop, r)
		return exitAccept | exitDrop
	}
	return exitContinue
}
