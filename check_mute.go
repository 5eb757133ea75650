package lvs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/golvs/lvs/internal/netstate"
)

// mute returns the finding about an interface that does not answer those who ask
// for an address of the host.
func (p *party) mute(name string, a netip.Addr) (Finding, bool) {
	i := p.interfaces[name]
	if i.NoARP && !p.isBlind(name) {
		return FindingARPSilent.broken("%s neither asks nor answers for addresses: it has the flag NOARP", name).
			run("ip link set dev " + name + " arp on"), true
	}
	if by, command, hushed := p.firewall.hushes(a, name); hushed {
		return FindingARPSilent.broken("those who ask for %s on %s get no answer: %s", a, name, by).run(command), true
	}
	if a.Is6() {
		return Finding{}, false
	}
	ignore := p.parameter(name, "arp_ignore")
	here := slices.ContainsFunc(p.having(a), func(own Address) bool { return own.Interface == name })
	if answersARP(ignore, p.having(a), here) {
		return Finding{}, false
	}
	var fix Setup
	for _, where := range []string{"all", name} {
		if key := InterfaceSysctl(where, "arp_ignore", false); p.sysctl(key) != "0" {
			fix = append(fix, Requirement{Want: Sysctl{key, "0"}, Why: "answer those who ask for the address"})
		}
	}
	return FindingARPSilent.broken("those who ask for %s on %s get no answer: arp_ignore is %s", a, name, ignore).fix(fix...), true
}

// questions is the parameter of how often an interface asks all hosts of a network for
// an address before it gives up.
func questions(iface string, is6 bool) SysctlKey {
	return SysctlKey(strings.Replace(string(InterfaceSysctl(iface, "mcast_solicit", is6)), ".conf.", ".neigh.", 1))
}

// asksNot returns the finding about an interface that asks for no address, so that no
// neighbour is found; false if it asks.
func (p *party) asksNot(iface string, is6 bool, need string) (Finding, bool) {
	key := questions(iface, is6)
	if p.sysctl(key) != "0" {
		return Finding{}, false
	}
	return FindingNeighbourSilent.broken("no neighbour is asked for on %s: %s is 0: %s", iface, key, need).
		fix(Requirement{Want: Sysctl{key, "3"}, Why: "ask for the addresses of neighbours"}), true
}

// hushes reports whether rules surely drop questions for an address on an interface,
// or the answers, and returns what does and the command that lets them pass.
func (w *firewall) hushes(a netip.Addr, iface string) (by *stop, command string, surely bool) {
	if a.Is6() {
		return w.hushes6(a, iface)
	}
	question := parcel{in: iface, to: netip.AddrPortFrom(a, 0)}
	answer := parcel{out: iface, from: netip.AddrPortFrom(a, 0)}
	for _, c := range w.chains {
		p := question
		switch {
		case c.Family != "arp" || c.Device != "" && c.Device != iface:
			continue
		case c.Hook == "output" || c.Hook == "egress":
			p = answer
		case c.Hook != "input" && c.Hook != "ingress":
			continue
		}
		if f := w.pass(c, &p); f.drops != nil {
			return f.drops, f.drops.answerARP(a), true
		}
	}
	return nil, "", false
}

// hushes6 is hushes for the questions of IPv6, which are packets of ICMPv6 to a group of
// hosts. Connection tracking leaves them alone.
func (w *firewall) hushes6(a netip.Addr, iface string) (by *stop, command string, surely bool) {
	group := netip.MustParseAddr("ff02::1:ff00:0").As16()
	raw := a.As16()
	copy(group[13:], raw[13:])
	const icmpv6 = 58
	p := parcel{in: iface, to: netip.AddrPortFrom(netip.AddrFrom16(group), 0), is6: true, protocol: icmpv6, state: netstate.StateUntracked}
	f := w.follow(p, "ingress", "prerouting", "input")
	if f.drops == nil {
		p.in, p.out, p.from, p.to, p.remote = "", iface, netip.AddrPortFrom(a, 0), netip.AddrPort{}, true
		f = w.follow(p, "output", "postrouting", "egress")
	}
	if f.drops == nil {
		return nil, "", false
	}
	return f.drops, f.drops.allow(parcel{is6: true, protocol: icmpv6}), true
}

// answerARP is the command that lets questions for an address, or the answers, pass at a
// stop; all of them, if it drops all.
func (s stop) answerARP(a netip.Addr) string {
	if s.isFilter() {
		return s.deleteFilter()
	}
	all, option, field := s.rule == nil || len(s.rule.To) == 0, "-d", "daddr"
	if s.chain.Hook == "output" {
		all, option, field = s.rule == nil || len(s.rule.From) == 0, "-s", "saddr"
	}
	switch {
	case s.chain.Legacy && all:
		return "arptables-legacy -I " + s.chain.Name + " -j ACCEPT"
	case s.chain.Legacy:
		return fmt.Sprintf("arptables-legacy -I %s %s %s -j ACCEPT", s.chain.Name, option, a)
	case all:
		return fmt.Sprintf("nft insert rule arp %s %s accept", s.chain.Table, s.chain.Name)
	}
	return fmt.Sprintf("nft insert rule arp %s %s arp %s ip %s accept", s.chain.Table, s.chain.Name, field, a)
}
