package lvs

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"

	"github.com/golvs/lvs/internal/netstate"
)

// blocked describes a way that leads nowhere. It is "" of a way that leads to a host.
func (p *party) blocked(w netstate.Way) string {
	to := w.Question.To
	switch {
	case !w.Found && len(w.Gotos) > 0:
		return fmt.Sprintf("no route to %s: the rule of priority %d passes over others", to, w.Gotos[0].Priority)
	case !w.Found:
		return "no route to " + to.String()
	case blocks(w.Type) && (w.Rule.Action != "" || isUnusual(w.Table)):
		return fmt.Sprintf("the rule of priority %d makes %s of the type %s", w.Rule.Priority, to, w.Type)
	case blocks(w.Type):
		return fmt.Sprintf("the route %s is of the type %s", w.To, w.Type)
	case w.Onward() && p.isVoid(w.Interface):
		return fmt.Sprintf("the route %s to %s leads to %s, and no host is behind that", w.To, to, w.Interface)
	case w.Local() && !p.has(to):
		return fmt.Sprintf("the route %s keeps packets for %s on the host", w.To, to)
	}
	return ""
}

func blocks(kind string) bool {
	return kind == "blackhole" || kind == "unreachable" || kind == "prohibit" || kind == "throw"
}

// isUnusual reports whether a table is one that only rules of an administrator ask.
func isUnusual(table int) bool { return table < netstate.MainTable-1 || table > localTable }

// isVoid reports whether what goes out by an interface goes nowhere.
func (p *party) isVoid(iface string) bool {
	i := p.interfaces[iface]
	return (i.Loopback || i.Kind == "dummy") && !i.XDP && !i.Ingress
}

// mostUnblocked is how many routes and rules are taken away, to find a way.
const mostUnblocked = 8

// unblock returns the commands that take away what blocks a way, down to one that
// leads to its end, and whether there is one.
func (p *party) unblock(w netstate.Way) (commands []string, leads bool) {
	routing, rules := p.routing, p.rules
	for range mostUnblocked {
		if p.blocked(w) == "" {
			return commands, true
		}
		switch {
		case !w.Found && len(w.Throws) > 0:
			commands = append(commands, p.removal(w.Throws[0]))
			routing = routing.Without(w.Throws[0])
		case !w.Found:
			command, ok := p.ruled(routing, rules, w)
			if ok {
				commands = append(commands, command)
			}
			return commands, ok
		case w.Rule.Action != "" || isUnusual(w.Table) && blocks(w.Type):
			commands = append(commands, p.deleteRule(*w.Rule))
			rules = rulesWithout(rules, *w.Rule)
			routing = routing.WithRules(rules)
		default:
			commands = append(commands, p.removal(w.RouteEntry))
			routing = routing.Without(w.RouteEntry)
		}
		w = routing.Resolve(w.Question)
	}
	return commands, false
}

// ruled returns the command that takes away a rule which passes over others, or adds a
// usual one that is missing, where that leads to the end of a way.
func (p *party) ruled(routing *netstate.Routing, rules []netstate.RuleEntry, w netstate.Way) (command string, ok bool) {
	leads := func(rules []netstate.RuleEntry) bool {
		return p.blocked(routing.WithRules(rules).Resolve(w.Question)) == ""
	}
	for _, rule := range w.Gotos {
		if leads(rulesWithout(rules, *rule)) {
			return p.deleteRule(*rule), true
		}
	}
	is6 := w.Question.To.Is6()
	for table, rule := range map[string]netstate.RuleEntry{"local": netstate.LocalRule(is6), "main": netstate.MainRule(is6)} {
		if leads(append(slices.Clone(rules), rule)) {
			return addRule(rule, table), true
		}
	}
	return "", false
}

// addRule is the command that adds a rule which asks a table.
func addRule(rule netstate.RuleEntry, table string) string {
	return fmt.Sprintf("ip%s rule add priority %d lookup %s", familyFlag(rule.IPv6), rule.Priority, table)
}

func rulesWithout(all []netstate.RuleEntry, rule netstate.RuleEntry) []netstate.RuleEntry {
	return slices.DeleteFunc(slices.Clone(all), func(r netstate.RuleEntry) bool { return reflect.DeepEqual(r, rule) })
}

// deleteRule is the command that takes a rule of routing away.
func (p *party) deleteRule(rule netstate.RuleEntry) string {
	command := fmt.Sprintf("ip%s rule del priority %d", familyFlag(rule.IPv6), rule.Priority)
	isOther := func(r netstate.RuleEntry) bool {
		return r.IPv6 == rule.IPv6 && r.Priority == rule.Priority && !reflect.DeepEqual(r, rule)
	}
	if !slices.ContainsFunc(p.rules, isOther) {
		return command
	}
	if rule.Not {
		command += " not"
	}
	if rule.From.IsValid() {
		command += " from " + rule.From.String()
	}
	if rule.To.IsValid() {
		command += " to " + rule.To.String()
	}
	command += optionText("iif", rule.In) + optionText("oif", rule.Out)
	if rule.Action != "" {
		return command + " " + rule.Action
	}
	return command + optionText("lookup", rule.Table)
}

// removal is the command that takes a route away, with the address that it came with
// if it came with one.
func (p *party) removal(r netstate.RouteEntry) string {
	is6 := r.To.Addr().Is6()
	for _, a := range p.addresses {
		if r.ByKernel && a.Interface == r.Interface && a.Prefix.Masked() == r.To {
			return fmt.Sprintf("ip%s addr del %s dev %s", familyFlag(is6), a.Prefix, a.Interface)
		}
	}
	switch {
	case r.Type == "local":
		return "ip" + familyFlag(is6) + " route del local " + r.To.String() + optionText("dev", r.Interface) + tableFlag(r.Table)
	case blocks(r.Type): // that of a next hop object has another type for the kernel
		return "ip" + familyFlag(is6) + " route del " + r.To.String() + optionText("metric", r.Metric) + tableFlag(r.Table)
	}
	return deleteRoute(r)
}

// without are the commands that take an address from the host.
func (p *party) without(a netip.Addr) (commands []string) {
	for _, own := range p.having(a) {
		commands = append(commands, fmt.Sprintf("ip%s addr del %s dev %s", familyFlag(a.Is6()), own.Prefix, own.Interface))
	}
	return commands
}

func tableFlag(table int) string {
	if table == netstate.MainTable {
		return ""
	}
	return optionText("table", table)
}

// deleteRoute is the command that takes a route away.
func deleteRoute(r netstate.RouteEntry) string {
	if r.Weight != 0 {
		r.Via, r.Interface = netip.Addr{}, "" // all of its next hops
	}
	return "ip" + familyFlag(r.To.Addr().Is6()) + " route del " + destination(r) + optionText("via", r.Via) + optionText("dev", r.Interface) + optionText("metric", r.Metric) + tableFlag(r.Table)
}

// replaceRoute is the command that gives a route other next hops.
func replaceRoute(r netstate.RouteEntry, hops ...netstate.RouteEntry) string {
	command := "ip" + familyFlag(r.To.Addr().Is6()) + " route replace " + destination(r) + optionText("metric", r.Metric) + tableFlag(r.Table)
	for _, h := range hops {
		if len(hops) > 1 {
			command += " nexthop"
		}
		command += optionText("via", h.Via) + optionText("dev", h.Interface)
		if len(hops) > 1 {
			command += optionText("weight", h.Weight)
		}
	}
	return command
}

// destination is how commands write that of a route.
func destination(r netstate.RouteEntry) string {
	if r.To.Bits() == 0 {
		return "default"
	}
	return r.To.String()
}

// linkFault returns the finding about an interface that packets need and that does
// not pass them, and false if it does.
func (p *party) linkFault(name, need string) (Finding, bool) {
	i, known := p.interfaces[name]
	master := p.interfaces[i.Master]
	up := func(name string) Requirement { return Requirement{Want: Link{Name: name, Up: true}, Why: need} }
	switch {
	case !known:
	case !i.Up:
		f := FindingLinkDown.broken("%s is down: %s", name, need).fix(up(name))
		if below := p.interfaces[i.Below]; i.Below != "" && !below.Up {
			f = f.fix(up(i.Below), up(name))
		}
		return f, true
	case i.Below != "" && !p.interfaces[i.Below].Up:
		return FindingLinkDown.broken("%s is carried by %s, which is down: %s", name, i.Below, need).fix(up(i.Below)), true
	case p.taker(name) != "":
		return FindingLinkTaken.broken("%s on top of %s takes its packets: %s", p.taker(name), name, need).
			run("ip link del dev " + p.taker(name)), true
	case isPorted(master.Kind), master.Kind == "vrf" && !p.routesIn(name):
		return FindingLinkTaken.broken("%s belongs to %s, which takes its packets: %s", name, i.Master, need).
			run("ip link set dev " + name + " nomaster"), true
	case isPorted(i.Kind) && !i.Carrier:
		return p.portFault(name, need)
	case !i.Carrier:
		return FindingLinkDown.broken("%s has no carrier: %s", name, need).advise("look at the cable, or at the other end"), true
	}
	return Finding{}, false
}

// linkFault is as that of the host. The way to the rest of the world went with an
// interface that is down, and does not come back with it.
func (j *judge) linkFault(p *party, name, need string) (Finding, bool) {
	f, bad := p.linkFault(name, need)
	if len(f.Fix) == 0 && f.Code != FindingLinkTaken {
		return f, bad
	}
	for _, a := range p.around {
		if a.Interface == name && a.Prefix.Addr().Is4() {
			f = f.fix(append(f.Fix, j.wayOut(p, a.Prefix)...)...)
			break
		}
	}
	return f, bad
}

// routesIn reports whether an administrator gave the VRF of an interface routes by it:
// it is meant to be there.
func (p *party) routesIn(iface string) bool {
	return slices.ContainsFunc(p.Routes, func(r RouteEntry) bool {
		return r.Interface == iface && isUnusual(r.Table) && r.Type == "" && !r.ByKernel
	})
}

// isPorted reports whether interfaces of a kind have other ones as their ports.
func isPorted(kind string) bool { return kind == "bridge" || kind == "bond" || kind == "team" }

// taker returns the interface on top of another one that takes all packets of it; ""
// if there is none.
func (p *party) taker(name string) string {
	for _, i := range p.Interfaces {
		if i.Takes && i.Below == name {
			return i.Name
		}
	}
	return ""
}

// portFault returns the finding about a bridge, or the like, without a port that
// passes packets.
func (p *party) portFault(name, need string) (Finding, bool) {
	f := FindingLinkDown.broken("no port of the %s %s passes packets: %s", p.interfaces[name].Kind, name, need)
	ports := false
	for _, i := range p.Interfaces {
		if i.Master == name && !i.Up {
			return f.fix(Requirement{Want: Link{Name: i.Name, Up: true}, Why: need}), true
		}
		ports = ports || i.Master == name
	}
	if port := p.idle(); port != "" && !ports {
		f.Detail += fmt.Sprintf(", and %s has no use", port)
		commands := []string{fmt.Sprintf("ip link set dev %s master %s", port, name)}
		if p.interfaces[name].Kind != "bridge" {
			commands = []string{"ip link set dev " + port + " down", commands[0]} // else it is not taken
		}
		return f.run(commands...).fix(Requirement{Want: Link{Name: port, Up: true}, Why: need}), true
	}
	return f.advise("look at its ports: ip link show master %s", name), true
}

// idle returns the one network interface that is neither a port nor has an address of
// its own, or another interface on top of it; "" if there is not exactly one.
func (p *party) idle() (name string) {
	used := make(map[string]bool)
	for _, a := range p.addresses {
		used[a.Interface] = used[a.Interface] || !a.Prefix.Addr().IsLinkLocalUnicast()
	}
	for _, i := range p.Interfaces {
		used[i.Below] = true
	}
	for _, i := range p.Interfaces {
		if used[i.Name] || i.Master != "" || i.Below != "" || p.isBlind(i.Name) || isPorted(i.Kind) || i.Up && !i.Carrier {
			continue
		}
		if name != "" {
			return ""
		}
		name = i.Name
	}
	return name
}

// neighbourFault returns the finding about a neighbour that cannot be reached by
// an interface, and false if nothing is known against it.
func (j *judge) neighbourFault(p *party, iface string, hop netip.Addr, need string) (Finding, bool) {
	for _, n := range p.Neighbours {
		if n.Interface != iface || n.Addr != hop || n.Proxy {
			continue
		}
		forget := fmt.Sprintf("ip neigh del %s dev %s", hop, iface)
		if right, sure := j.macOf(p, hop); n.MAC != "" && sure && !slices.Contains(right, n.MAC) {
			f := FindingNeighbourWrong.broken("%s is at %s by the entry of %s, and has %s: %s", hop, n.MAC, iface, right[0], need).run(forget)
			if j.servesFor(j.hostAt(n.MAC), hop) {
				f.Severity = SeverityRisk
			}
			return f, true
		}
		if n.isGone() {
			if f, bad := p.asksNot(iface, hop.Is6(), need); bad {
				return f, true
			}
			return FindingNeighbourSilent.broken("%s does not answer on %s: %s", hop, iface, need).
				advise("look whether it is up, on that network, still has that address, and answers ARP or neighbour solicitations; a router that is gone takes a route by another"), true
		}
	}
	return Finding{}, false
}

// isGone reports whether a neighbour was asked for its address and did not answer.
func (n Neighbour) isGone() bool { return !n.Proxy && (n.State == "failed" || n.State == "incomplete") }

// misses reports whether a host asked for an address and got no answer.
func (p *party) misses(a netip.Addr) bool {
	return slices.ContainsFunc(p.Neighbours, func(n Neighbour) bool { return n.Addr == a && n.isGone() })
}

// macOf returns the hardware addresses that a neighbour can have: those of the host
// that has the address, or what other hosts know of it.
func (j *judge) macOf(asks *party, hop netip.Addr) (all []string, sure bool) {
	if host := j.byAddr[hop]; host != nil {
		for _, i := range host.Interfaces {
			if i.MAC != "" && !i.Loopback {
				all = append(all, i.MAC)
			}
		}
		return all, len(all) > 0
	}
	for _, p := range j.hosts {
		for _, n := range p.Neighbours {
			if p != asks && n.Addr == hop && n.MAC != "" && (n.State == "reachable" || n.State == "delay") {
				all = append(all, n.MAC)
			}
		}
	}
	return all, len(all) > 0
}
