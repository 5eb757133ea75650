package lvs

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/golvs/lvs/internal/hostnet"
)

// blocked describes a way that leads nowhere, and returns the commands that take
// away what blocks it. It is "" of a way that leads to a host.
func (p *party) blocked(w hostnet.Way, to, from netip.Addr) (what string, commands []string) {
	switch {
	case w.Onward(), w.Local(), w.Found && !blocks(w.Type):
		return "", nil
	case !w.Found:
		what = "there is no route to " + to.String()
	default:
		what = fmt.Sprintf("the route %s is of the type %s", w.To, w.Type)
	}
	if rule, ok := p.ruleOf(w, to, from); ok && w.Found {
		return fmt.Sprintf("the rule of priority %d makes %s of the type %s", rule.Priority, to, w.Type),
			[]string{fmt.Sprintf("ip%s rule del priority %d", familyFlag(to.Is6()), rule.Priority)}
	}
	return what, p.unblock(to)
}

func blocks(kind string) bool {
	return kind == "blackhole" || kind == "unreachable" || kind == "prohibit" || kind == "throw"
}

// unblock returns the commands that take away the routes that block an address, down
// to the first that leads to it.
func (p *party) unblock(to netip.Addr) (commands []string) {
	var routes []RouteEntry
	for i := range p.Routes {
		if r := &p.Routes[i]; r.Table == hostnet.MainTable && r.To.Contains(to) {
			routes = append(routes, *r)
		}
	}
	slices.SortStableFunc(routes, func(a, b RouteEntry) int { return b.To.Bits() - a.To.Bits() })
	for _, r := range routes {
		if !blocks(r.Type) {
			break
		}
		commands = append(commands, "ip"+familyFlag(to.Is6())+" route del "+r.Type+" "+r.To.String()+with("metric", r.Metric))
	}
	return commands
}

func tableFlag(table int) string {
	if table == hostnet.MainTable {
		return ""
	}
	return with(" table", table)[1:]
}

// ruleOf returns the rule that leads to a way that is blocked: one that blocks, or
// one that asks a table other than the usual ones.
func (p *party) ruleOf(w hostnet.Way, to, from netip.Addr) (RuleEntry, bool) {
	i := slices.IndexFunc(p.Rules, func(r RuleEntry) bool {
		if r.IPv6 != to.Is6() || r.To.IsValid() && !r.To.Contains(to) || r.From.IsValid() && !r.From.Contains(from) {
			return false
		}
		if w.Table == 0 {
			return r.Action == w.Type
		}
		return r.Action == "" && r.Table == w.Table && w.Table != hostnet.MainTable && w.Table != localTable && w.Table != hostnet.MainTable-1
	})
	if i < 0 {
		return RuleEntry{}, false
	}
	return p.Rules[i], true
}

// deleteRoute is the command that takes a route away.
func deleteRoute(r hostnet.RouteEntry) string {
	to := r.To.String()
	if r.To.Bits() == 0 {
		to = "default"
	}
	return "ip" + familyFlag(r.To.Addr().Is6()) + " route del " + to + with("via", r.Via) + with("dev", r.Interface) + tableFlag(r.Table)
}

// linkFault returns the finding about an interface that packets need and that does
// not pass them, and false if it does.
func (p *party) linkFault(name, need string) (Finding, bool) {
	i, known := p.interfaces[name]
	master := p.interfaces[i.Master]
	up := func(name string) Setting { return Setting{Link{Name: name, Up: true}, need} }
	switch {
	case !known:
	case !i.Up:
		f := finding("link-down", SeverityBroken, "%s is down: %s", name, need).mend(up(name))
		if below := p.interfaces[i.Below]; i.Below != "" && !below.Up {
			f = f.mend(up(i.Below), up(name))
		}
		return f, true
	case i.Below != "" && !p.interfaces[i.Below].Up:
		return finding("link-down", SeverityBroken, "%s is carried by %s, which is down: %s", name, i.Below, need).mend(up(i.Below)), true
	case isPorted(master.Kind):
		return finding("link-taken", SeverityBroken, "%s belongs to %s, which takes its packets: %s", name, i.Master, need).
			run("ip link set dev " + name + " nomaster"), true
	case isPorted(i.Kind) && !i.Carrier:
		return p.portFault(name, need)
	case !i.Carrier:
		return finding("link-down", SeverityBroken, "%s has no carrier: %s", name, need).advise("look at the cable, or at the other end"), true
	}
	return Finding{}, false
}

// linkFault is as that of the host. The way to the rest of the world went with an
// interface that is down, and does not come back with it.
func (j *judge) linkFault(p *party, name, need string) (Finding, bool) {
	f, bad := p.linkFault(name, need)
	if len(f.Mend) == 0 {
		return f, bad
	}
	for _, a := range p.around {
		if a.Interface == name && a.Prefix.Addr().Is4() {
			f = f.mend(append(f.Mend, j.wayOut(p, a.Prefix)...)...)
			break
		}
	}
	return f, bad
}

// isPorted reports whether interfaces of a kind have other ones as their ports.
func isPorted(kind string) bool { return kind == "bridge" || kind == "bond" || kind == "team" }

// portFault returns the finding about a bridge, or the like, without a port that
// passes packets.
func (p *party) portFault(name, need string) (Finding, bool) {
	f := finding("link-down", SeverityBroken, "no port of the %s %s passes packets: %s", p.interfaces[name].Kind, name, need)
	ports := false
	for _, i := range p.Interfaces {
		if i.Master == name && !i.Up {
			return f.mend(Setting{Link{Name: i.Name, Up: true}, need}), true
		}
		ports = ports || i.Master == name
	}
	if port := p.idle(); port != "" && !ports {
		f.Evidence += fmt.Sprintf(", and %s has no use", port)
		commands := []string{fmt.Sprintf("ip link set dev %s master %s", port, name)}
		if p.interfaces[name].Kind != "bridge" {
			commands = []string{"ip link set dev " + port + " down", commands[0]} // else it is not taken
		}
		return f.run(commands...).mend(Setting{Link{Name: port, Up: true}, need}), true
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
			return finding("neighbour-wrong", SeverityBroken, "%s is at %s by the entry of %s, and has %s: %s", hop, n.MAC, iface, right[0], need).run(forget), true
		}
		if n.isGone() {
			return finding("neighbour-silent", SeverityBroken, "%s does not answer on %s: %s", hop, iface, need).
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
