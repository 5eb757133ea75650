package lvs

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/golvs/lvs/internal/netstate"
)

// translation returns what gives packets for an address and port another destination,
// nil if that is not sure, and whether something may.
func (w *hostFirewall) translation(protocol Protocol, at netip.AddrPort) (surely *firewallStop, may bool) {
	f := w.follow(firewallPacket{to: at, is6: at.Addr().Is6(), protocol: uint8(protocol), state: netstate.StateNew}, "prerouting")
	return f.sends, f.maySend != nil
}

// allowCommand is the command that lets packets pass at a stop: before all other rules of
// the chain.
func (s firewallStop) allowCommand(p firewallPacket) string {
	switch {
	case s.isFilter():
		return s.deleteFilter()
	case s.chain.Family == "tc":
		return s.passFilter(p)
	case s.chain.Family == "xfrm":
		return s.withdrawPolicy()
	case s.chain.Legacy:
		program := "iptables-legacy"
		if p.is6 {
			program = "ip6tables-legacy"
		}
		return program + " -t " + s.chain.Table + " -I " + s.chain.Name + iptablesMatch(p) + " -j ACCEPT"
	}
	return "nft insert rule " + s.chain.Family + " " + s.chain.Table + " " + s.chain.Name + nftMatch(p) + " accept"
}

// ports returns the name of the packet's protocol, and what is known of its ports.
func (p firewallPacket) ports() (protocol string, from, to uint16) {
	if p.protocol == 0 {
		return "", 0, 0 // any
	}
	protocol = Protocol(p.protocol).String()
	if strings.HasPrefix(protocol, otherProtocol) {
		return strconv.Itoa(int(p.protocol)), 0, 0
	}
	return protocol, p.from.Port(), p.to.Port()
}

// iptablesMatch are the conditions of iptables for a packet.
func iptablesMatch(p firewallPacket) string {
	protocol, from, to := p.ports()
	return optionText("-p", protocol) + optionText("-s", p.from.Addr()) + optionText("-d", p.to.Addr()) + optionText("--sport", from) + optionText("--dport", to)
}

// nftMatch are the conditions of nft for a packet.
func nftMatch(p firewallPacket) (text string) {
	family := "ip"
	if p.is6 {
		family = "ip6"
	}
	protocol, from, to := p.ports()
	text = optionText(family+" saddr", p.from.Addr()) + optionText(family+" daddr", p.to.Addr())
	if from == 0 && to == 0 {
		return text + optionText("meta l4proto", protocol)
	}
	return text + optionText(protocol+" sport", from) + optionText(protocol+" dport", to)
}

// isFilter reports whether a filter of traffic control is known by what deletes it.
func (s firewallStop) isFilter() bool {
	return s.chain.Device != "" && s.rule != nil && s.rule.Handle != ""
}

// passFilter is the command of tc, whose filters come in the order of their
// numbers.
func (s firewallStop) passFilter(p firewallPacket) string {
	return "tc filter add dev " + s.chain.Device + " " + s.chain.Hook + " pref 1" + flowerMatch(p) + " action pass"
}

// deleteFilter is the command that takes away a filter of traffic control. One before
// it would need a preference of its own.
func (s firewallStop) deleteFilter() string {
	return "tc filter del dev " + s.chain.Device + " " + s.chain.Name + " " + s.rule.Handle
}

// flowerMatch are the conditions of tc for a packet.
func flowerMatch(p firewallPacket) string {
	family := "ip"
	if p.is6 {
		family = "ipv6"
	}
	protocol, from, to := p.ports()
	return optionText("protocol", family) + " flower" + optionText("ip_proto", protocol) +
		optionText("src_ip", p.from.Addr()) + optionText("dst_ip", p.to.Addr()) + optionText("src_port", from) + optionText("dst_port", to)
}

// showsFirewall are the commands that show rules of nftables and iptables.
const showFirewallCommands = "nft list ruleset; iptables-save"

// showCommand is the command that shows the chain.
func (s firewallStop) showCommand() string {
	switch s.chain.Family {
	case "xfrm":
		return "ip xfrm policy; ip xfrm policy getdefault"
	case "tc":
		return "tc filter show dev " + s.chain.Device + " " + s.chain.Hook
	}
	return showFirewallCommands
}

// withdrawPolicy is the command that takes away what drops packets: a policy, or the default.
func (s firewallStop) withdrawPolicy() string {
	if s.rule == nil {
		return "ip xfrm policy setdefault " + s.chain.Name + " accept"
	}
	return "ip xfrm policy delete " + s.rule.Handle
}

// allowARP is the command that lets questions for an address, or the answers, pass at a
// stop; all of them, if it drops all.
func (s firewallStop) allowARP(a netip.Addr) string {
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
