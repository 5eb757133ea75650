package lab

import (
	"fmt"
	"net/netip"
	"strings"
)

// Topology draws the lab: its networks, beginning with the clients', and the hosts on
// each with their addresses.
func (l *Lab) Topology() string {
	p := l.plan
	nets := []network{inner}
	switch {
	case p.router != nil:
		nets = []network{outer, inner, far}
	case p.options.Mode != "dr":
		nets = []network{outer, inner}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s, service %s\n", p.options.title(), p.options.Scheduler, p.service.ID)
	for _, n := range nets {
		members := p.members(n)
		fmt.Fprintf(&b, "\n  %s  %s\n", n.name, p.shown(n.prefix))
		for i, m := range members {
			mark := "├"
			if i == len(members)-1 {
				mark = "└"
			}
			fmt.Fprintf(&b, "  %s── %-9s %s\n", mark, m.name, m.text)
		}
	}
	return b.String()
}

func (o Options) title() string {
	name := map[string]string{
		"dr": "direct routing", "nat": "NAT", "fullnat": "full NAT", "ipip": "tunnel by IPIP", "gue": "tunnel by GUE", "gre": "tunnel by GRE",
	}[o.Mode]
	if o.Encrypt {
		name += ", encrypted,"
	}
	return name + map[string]string{"4": " in IPv4", "6": " in IPv6", "mixed": " of IPv4 in IPv6"}[o.Family]
}

// shown returns the text of a value in the families that the lab uses.
func (p plan) shown(of func(is6 bool) netip.Prefix) string {
	switch p.options.Family {
	case "4":
		return of(false).String()
	case "6":
		return of(true).String()
	}
	return of(false).String() + ", " + of(true).String()
}

type member struct{ name, text string }

// members returns the machines on a network.
func (p plan) members(n network) (all []member) {
	for _, m := range p.machines() {
		for i, port := range m.ports {
			if port.net != n {
				continue
			}
			text := fmt.Sprintf("eth%d  %s", i, p.roleOf(m)+p.numbers(port))
			if m.name == p.dir.name && n.prefix(p.service.ID.AddrPort().Addr().Is6()).Contains(p.service.ID.AddrPort().Addr()) {
				text += "  VIP " + p.service.ID.AddrPort().Addr().String()
			}
			all = append(all, member{m.name, text})
		}
	}
	return all
}

// roleOf returns the word for a machine's addresses, with a blank after it.
func (p plan) roleOf(m machine) string {
	switch {
	case m.name == p.dir.name:
		return "DIP "
	case m.name == p.client.name, m.name == p.shared.name, p.router != nil && m.name == p.router.name:
		return ""
	}
	return "RIP "
}

func (p plan) numbers(port port) string {
	text := p.shown(func(is6 bool) netip.Prefix {
		a := port.net.addr(is6, port.hosts[0])
		return netip.PrefixFrom(a, a.BitLen())
	})
	text = strings.NewReplacer("/32", "", "/128", "").Replace(text)
	if len(port.hosts) > 1 {
		text += fmt.Sprintf(" and %d more", len(port.hosts)-1)
	}
	return text
}
