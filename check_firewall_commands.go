package lvs

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/golvs/lvs/internal/netstate"
)

// translation returns what surely gives packets for an address and port another
// destination, or nil, and whether something may.
func (w *hostFirewall) translation(protocol Protocol, at netip.AddrPort) (surely *firewallStop, may bool) {
	f := w.follow(firewallPacket{to: at, is6: at.Addr().Is6(), protocol: uint8(protocol), state: netstate.StateNew}, "prerouting")
	return f.sends, f.maySend != nil
}

// allowCommand returns the command that lets packets pass where others stop: before all
// other rules of the chain.
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

// ports returns the name of the packet's protocol, and its ports as far as they are known.
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

// iptablesMatch returns the options of iptables that match a packet.
func iptablesMatch(p firewallPacket) string {
	protocol, from, to := p.ports()
	return optionText("-p", protocol) + optionText("-s", p.from.Addr()) + optionText("-d", p.to.Addr()) + optionText("--sport", from) + optionText("--dport", to)
}

// nftMatch returns the expressions of nft that match a packet.
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

// isFilter reports whether the packet stops at a filter of traffic control that can be
// deleted by its handle.
func (s firewallStop) isFilter() bool {
	return s.chain.Device != "" && s.rule != nil && s.rule.Handle != ""
}

// passFilter returns the command of tc that lets packets pass. Filters are tried in the
// order of their preferences.
func (s firewallStop) passFilter(p firewallPacket) string {
	return "tc filter add dev " + s.chain.Device + " " + s.chain.Hook + " pref 1" + flowerMatch(p) + " action pass"
}

// deleteFilter returns the command that deletes a filter of traffic control. A filter
// before it would need a lower preference, which may not exist.
func (s firewallStop) deleteFilter() string {
	return "tc filter del dev " + s.chain.Device + " " + s.chain.Name + " " + s.rule.Handle
}

// flowerMatch returns the options of tc-flower that match a packet.
func flowerMatch(p firewallPacket) string {
	family := "ip"
	if p.is6 {
		family = "ipv6"
	}
	protocol, from, to := p.ports()
	return optionText("protocol", family) + " flower" + optionText("ip_proto", protocol) +
		optionText("src_ip", p.from.Addr()) + optionText("dst_ip", p.to.Addr()) + optionText("src_port", from) + optionText("dst_port", to)
}

// showFirewallCommands show the rules of nftables and iptables.
const showFirewallCommands = "nft list ruleset; iptables-save"

// showCommand returns the command that shows the chain.
func (s firewallStop) showCommand() string {
	switch s.chain.Family {
	case "xfrm":
		return "ip xfrm policy; ip xfrm policy getdefault"
	case "tc":
		return "tc filter show dev " + s.chain.Device + " " + s.chain.Hook
	}
	return showFirewallCommands
}

// withdrawPolicy returns the command that removes what drops packets: an IPsec policy, or
// the default policy.
func (s firewallStop) withdrawPolicy() string {
	if s.rule == nil {
		return "ip xfrm policy setdefault " + s.chain.Name + " accept"
	}
	return "ip xfrm policy delete " + s.rule.Handle
}

// allowARP returns the command that lets requests for an address, or the answers, pass
// where they stop; or all of them, if all stop there.
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
