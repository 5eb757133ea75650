package lvs

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/golvs/lvs/internal/netstate"
)

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
		if !slices.Contains([]string{"ingress", "prerouting", "input"}, c.Hook) || c.Family == "ip" && id.Is6() || c.Family == "ip6" && !id.Is6() {
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

// translation returns what gives packets for an address and port another destination,
// nil if that is not sure, and whether something may.
func (w *firewall) translation(protocol Protocol, at netip.AddrPort) (surely *stop, may bool) {
	f := w.follow(parcel{to: at, is6: at.Addr().Is6(), protocol: uint8(protocol), state: netstate.StateNew}, "prerouting")
	return f.sends, f.maySend != nil
}

// allow is the command that lets packets pass at a stop: before all other rules of
// the chain.
func (s stop) allow(p parcel) string {
	switch {
	case s.isFilter():
		return s.deleteFilter()
	case s.chain.Family == "tc":
		return s.passFilter(p)
	case s.chain.Family == "xfrm":
		return s.withdraw()
	case s.chain.Legacy:
		program := "iptables-legacy"
		if p.is6 {
			program = "ip6tables-legacy"
		}
		return program + " -t " + s.chain.Table + " -I " + s.chain.Name + matchLegacy(p) + " -j ACCEPT"
	}
	return "nft insert rule " + s.chain.Family + " " + s.chain.Table + " " + s.chain.Name + matchNFT(p) + " accept"
}

// ports returns the name of the packet's protocol, and what is known of its ports.
func (p parcel) ports() (protocol string, from, to uint16) {
	if p.protocol == 0 {
		return "", 0, 0 // any
	}
	protocol = Protocol(p.protocol).String()
	if strings.HasPrefix(protocol, otherProtocol) {
		return strconv.Itoa(int(p.protocol)), 0, 0
	}
	return protocol, p.from.Port(), p.to.Port()
}

// matchLegacy are the conditions of iptables for a packet.
func matchLegacy(p parcel) string {
	protocol, from, to := p.ports()
	return optionText("-p", protocol) + optionText("-s", p.from.Addr()) + optionText("-d", p.to.Addr()) + optionText("--sport", from) + optionText("--dport", to)
}

// matchNFT are the conditions of nft for a packet.
func matchNFT(p parcel) (text string) {
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
func (s stop) isFilter() bool { return s.chain.Device != "" && s.rule != nil && s.rule.Handle != "" }

// passFilter is the command of tc, whose filters come in the order of their
// numbers.
func (s stop) passFilter(p parcel) string {
	return "tc filter add dev " + s.chain.Device + " " + s.chain.Hook + " pref 1" + matchFlower(p) + " action pass"
}

// deleteFilter is the command that takes away a filter of traffic control. One before
// it would need a preference of its own.
func (s stop) deleteFilter() string {
	return "tc filter del dev " + s.chain.Device + " " + s.chain.Name + " " + s.rule.Handle
}

// matchFlower are the conditions of tc for a packet.
func matchFlower(p parcel) string {
	family := "ip"
	if p.is6 {
		family = "ipv6"
	}
	protocol, from, to := p.ports()
	return optionText("protocol", family) + " flower" + optionText("ip_proto", protocol) +
		optionText("src_ip", p.from.Addr()) + optionText("dst_ip", p.to.Addr()) + optionText("src_port", from) + optionText("dst_port", to)
}

// mark is the command that gives packets a mark where a rule gives them another.
func (r FirewallRule) mark(mark uint32) string {
	p := parcel{protocol: r.Protocol, is6: r.Family == "ip6"}
	var port uint16
	if len(r.ToPorts) == 1 && r.ToPorts[0][0] == r.ToPorts[0][1] {
		port = r.ToPorts[0][0]
	}
	for _, to := range r.To {
		if to.IsSingleIP() {
			p.to, p.is6 = netip.AddrPortFrom(to.Addr(), port), to.Addr().Is6()
		}
	}
	return markAt(r.chainKey(), p, mark)
}

func (r FirewallRule) chainKey() chainKey { return chainKey{r.Family, r.Table, r.Chain, r.Legacy} }

// markAt is the command that gives packets a mark in a chain.
func markAt(c chainKey, p parcel, mark uint32) string {
	switch {
	case c.family == "tc":
		return fmt.Sprintf("tc filter add dev %s %s pref 1%s action skbedit mark %d", c.table, c.chain, matchFlower(p), mark)
	case c.legacy && p.is6:
		return fmt.Sprintf("ip6tables-legacy -t %s -A %s%s -j MARK --set-mark %d", c.table, c.chain, matchLegacy(p), mark)
	case c.legacy:
		return fmt.Sprintf("iptables-legacy -t %s -A %s%s -j MARK --set-mark %d", c.table, c.chain, matchLegacy(p), mark)
	}
	return fmt.Sprintf("nft add rule %s %s %s%s meta mark set %d", c.family, c.table, c.chain, matchNFT(p), mark)
}
