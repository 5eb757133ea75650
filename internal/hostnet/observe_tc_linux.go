package hostnet

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/mdlayher/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/golvs/lvs/internal/netstate"
)

// usualQueues drop packets only when they are full.
var usualQueues = []string{"noqueue", "noop", "mq", "pfifo_fast", "pfifo", "bfifo", "fq", "fq_codel", "codel", "sfq", "cake", "prio", "ingress", "clsact"}

// trafficControl reads what it does with packets at interfaces: its filters become
// chains and their rules, as far as these can say them.
func (o *observer) trafficControl() error {
	header := make([]byte, nl.SizeofTcMsg)
	messages, err := o.dump(unix.NETLINK_ROUTE, unix.RTM_GETQDISC, header)
	if err != nil {
		o.unread("firewall", "tc qdisc; tc filter show dev IFACE ingress", err)
		return nil
	}
	for _, m := range messages {
		if len(m.Data) < len(header) {
			continue
		}
		attr := nativeAttributes(m.Data[len(header):])
		index := binary.NativeEndian.Uint32(m.Data[4:])
		kind := text(attr[unix.TCA_KIND])
		o.noteQueue(o.names[int(int32(index))], kind, attr[unix.TCA_OPTIONS])
		handle, parent := binary.NativeEndian.Uint32(m.Data[8:]), binary.NativeEndian.Uint32(m.Data[12:])
		switch {
		case kind == "ingress", kind == "clsact":
			o.filters(index, "ingress", "ingress", clsact|0xfff2)
			if kind == "clsact" {
				o.filters(index, "egress", "egress", clsact|0xfff3)
			}
		case parent == math.MaxUint32 && handle != 0:
			o.filters(index, "egress", fmt.Sprintf("parent %x:", handle>>16), handle)
		}
	}
	return nil
}

// nativeAttributes returns those of a message by their types.
func nativeAttributes(data []byte) map[uint16][]byte {
	all := make(map[uint16][]byte)
	d, err := netlink.NewAttributeDecoder(data)
	if err != nil {
		return nil
	}
	for d.Next() {
		all[d.Type()] = d.Bytes()
	}
	return all
}

func (o *observer) noteQueue(name, kind string, options []byte) {
	for i := range o.found.Interfaces {
		found := &o.found.Interfaces[i]
		if found.Name != name {
			continue
		}
		found.Ingress = found.Ingress || kind == "ingress" || kind == "clsact"
		switch {
		case kind == "netem" && len(options) >= 12:
			loss := binary.NativeEndian.Uint32(options[8:])
			found.Loss = max(found.Loss, int(math.Ceil(float64(loss)/math.MaxUint32*100)))
			found.Queue = kind // it may delay packets, or corrupt them
		case !slices.Contains(usualQueues, kind):
			found.Queue = kind
		}
	}
}

const clsact = 0xffff0000 // the handle of the queues ingress and clsact

// filters reads those of one queue. They see packets of IP, and of ARP, which becomes
// chains of two families.
func (o *observer) filters(index uint32, hook, chain string, parent uint32) {
	name := o.names[int(int32(index))]
	header := make([]byte, nl.SizeofTcMsg)
	binary.NativeEndian.PutUint32(header[4:], index)
	binary.NativeEndian.PutUint32(header[12:], parent)
	messages, err := o.dump(unix.NETLINK_ROUTE, unix.RTM_GETTFILTER, header)
	if err != nil {
		o.unread("firewall", "tc filter show dev "+name+" "+chain, err)
		return
	}
	rules := make(map[string][]netstate.ChainRule)
	for _, m := range messages {
		if len(m.Data) < len(header) {
			continue
		}
		attr := nativeAttributes(m.Data[len(header):])
		options, ok := attr[unix.TCA_OPTIONS]
		if !ok {
			continue
		}
		info := binary.NativeEndian.Uint32(m.Data[16:])
		protocol := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, uint16(info)))
		for _, family := range []string{"tc", "arp"} {
			f := tcFilter{rule: netstate.ChainRule{Family: family, Table: name, Chain: chain}, kind: text(attr[unix.TCA_KIND])}
			if !f.protocol(protocol) {
				continue
			}
			f.name(info>>16, protocol, binary.NativeEndian.Uint32(m.Data[8:]))
			if _, numbered := attr[tcaChain]; numbered && binary.NativeEndian.Uint32(attr[tcaChain]) != 0 {
				f.rule.Partial = true // it is gone to by an action
			}
			rules[family] = append(rules[family], f.decode(nativeAttributes(options))...)
		}
	}
	for family, list := range rules {
		o.found.Chains = append(o.found.Chains, netstate.Chain{Family: family, Table: name, Name: chain, Hook: hook, Type: "filter", Priority: math.MinInt32, Device: name})
		o.found.ChainRules = append(o.found.ChainRules, list...)
	}
}

const tcaChain = 11 // TCA_CHAIN

// tcFilter decodes a filter.
type tcFilter struct {
	rule netstate.ChainRule
	kind string
}

// protocol limits the rule to packets of a protocol of the link, and reports whether
// the rule's family has any of them.
func (f *tcFilter) protocol(number uint16) bool {
	switch isARP := f.rule.Family == "arp"; number {
	case unix.ETH_P_ALL, 0:
		return true
	case unix.ETH_P_IP, unix.ETH_P_IPV6:
		limitFamily(&f.rule, number == unix.ETH_P_IPV6)
		return !isARP
	case unix.ETH_P_ARP:
		return isARP
	}
	return false
}

// name notes by what the program tc deletes the filter.
func (f *tcFilter) name(preference uint32, protocol uint16, handle uint32) {
	number := fmt.Sprintf("0x%x", handle)
	if f.kind == "u32" {
		number = fmt.Sprintf("%x:%x:%x", handle>>20, handle>>12&0xff, handle&0xfff)
	}
	word, ok := map[uint16]string{unix.ETH_P_ALL: "all", unix.ETH_P_IP: "ip", unix.ETH_P_IPV6: "ipv6", unix.ETH_P_ARP: "arp"}[protocol]
	if !ok {
		word = fmt.Sprintf("0x%04x", protocol)
	}
	f.rule.Handle = fmt.Sprintf("pref %d protocol %s handle %s %s", preference, word, number, f.kind)
}

func (f *tcFilter) decode(options map[uint16][]byte) []netstate.ChainRule {
	const u32Actions, u32Selector = 7, 5
	switch f.kind {
	case "matchall":
		return f.act(options[nl.TCA_MATCHALL_ACT])
	case "flower":
		f.flower(options)
		return f.act(options[nl.TCA_FLOWER_ACT])
	case "u32":
		if _, ok := options[u32Selector]; !ok {
			return nil // a table of hashes
		}
		f.selector(options[u32Selector])
		return f.act(options[u32Actions])
	}
	f.rule.Partial, f.rule.Verdict = true, "other"
	return []netstate.ChainRule{f.rule}
}

// flower reads the conditions of a filter by fields.
func (f *tcFilter) flower(options map[uint16][]byte) {
	for kind, value := range options {
		known := false
		mask := options[kind+1]
		switch kind {
		case nl.TCA_FLOWER_ACT, nl.TCA_FLOWER_CLASSID, nl.TCA_FLOWER_FLAGS, nl.TCA_FLOWER_KEY_ETH_TYPE, nl.TCA_FLOWER_IN_HW_COUNT,
			nl.TCA_FLOWER_KEY_IPV4_SRC_MASK, nl.TCA_FLOWER_KEY_IPV4_DST_MASK, nl.TCA_FLOWER_KEY_IPV6_SRC_MASK, nl.TCA_FLOWER_KEY_IPV6_DST_MASK:
			known = true
		case nl.TCA_FLOWER_KEY_TCP_SRC_MASK, nl.TCA_FLOWER_KEY_TCP_DST_MASK, nl.TCA_FLOWER_KEY_UDP_SRC_MASK, nl.TCA_FLOWER_KEY_UDP_DST_MASK:
			known = len(value) == 2 && binary.BigEndian.Uint16(value) == 0xffff
		case nl.TCA_FLOWER_KEY_IP_PROTO:
			known = len(value) == 1 && limitProtocol(&f.rule, value[0])
		case nl.TCA_FLOWER_KEY_IPV4_SRC, nl.TCA_FLOWER_KEY_IPV6_SRC:
			known = limitAddresses(&f.rule, loaded{what: "saddr", mask: mask, size: len(value)}, value, value)
		case nl.TCA_FLOWER_KEY_IPV4_DST, nl.TCA_FLOWER_KEY_IPV6_DST:
			known = limitAddresses(&f.rule, loaded{what: "daddr", mask: mask, size: len(value)}, value, value)
		case nl.TCA_FLOWER_KEY_TCP_SRC, nl.TCA_FLOWER_KEY_UDP_SRC:
			known = len(value) == 2 && limitPorts(&f.rule, "sport", binary.BigEndian.Uint16(value), binary.BigEndian.Uint16(value))
		case nl.TCA_FLOWER_KEY_TCP_DST, nl.TCA_FLOWER_KEY_UDP_DST:
			known = len(value) == 2 && limitPorts(&f.rule, "dport", binary.BigEndian.Uint16(value), binary.BigEndian.Uint16(value))
		}
		f.rule.Partial = f.rule.Partial || !known
	}
}

// selector reads the conditions of a filter by words of the header of IPv4.
func (f *tcFilter) selector(data []byte) {
	const header, key = 16, 16
	if len(data) < header || len(data) < header+int(data[2])*key {
		f.rule.Partial = true
		return
	}
	for i := range int(data[2]) {
		k := data[header+i*key:]
		mask, value := k[:4], k[4:8]
		offset, more := int32(binary.NativeEndian.Uint32(k[8:])), binary.NativeEndian.Uint32(k[12:])
		known := false
		switch {
		case binary.NativeEndian.Uint32(mask) == 0:
			known = true // it is for all packets
		case f.rule.Family == "arp", more != 0:
		case offset == 12 || offset == 16:
			what := map[int32]string{12: "saddr", 16: "daddr"}[offset]
			known = limitAddresses(&f.rule, loaded{what: what, mask: mask, size: 4}, value, value)
		case offset == 8 && binary.BigEndian.Uint32(mask) == 0x00ff0000:
			known = limitProtocol(&f.rule, value[1])
		case offset == 20 && binary.BigEndian.Uint32(mask) == 0xffff:
			port := binary.BigEndian.Uint16(value[2:])
			known = limitPorts(&f.rule, "dport", port, port)
		case offset == 20 && binary.BigEndian.Uint32(mask) == 0xffff0000:
			port := binary.BigEndian.Uint16(value)
			known = limitPorts(&f.rule, "sport", port, port)
		}
		f.rule.Partial = f.rule.Partial || !known
	}
}

// What an action says of the packet.
const (
	actUnspecified = -1
	actShot        = 2
	actPipe        = 3
	actStolen      = 4
)

// act reads the actions of a filter: rules, for each may do something.
func (f *tcFilter) act(actions []byte) (all []netstate.ChainRule) {
	f.rule.Verdict = "accept"
	list, err := netlink.NewAttributeDecoder(actions)
	if err != nil || len(actions) == 0 {
		return []netstate.ChainRule{f.rule}
	}
	for list.Next() {
		attr := nativeAttributes(list.Bytes())
		done, ended := f.action(text(attr[nl.TCA_ACT_KIND]), nativeAttributes(attr[nl.TCA_ACT_OPTIONS]))
		all = append(all, done...)
		if ended {
			break
		}
	}
	return append(all, f.rule)
}

// action reads one action, and reports whether it is the last.
func (f *tcFilter) action(kind string, options map[uint16][]byte) (done []netstate.ChainRule, ended bool) {
	const parms, skbeditMark, skbeditMask, gactProbability, mirrors = 2, 5, 8, 3, 2
	general := options[parms]
	if len(general) < 12 {
		f.rule.Partial, f.rule.Verdict = true, "other"
		return nil, true
	}
	switch kind {
	case "gact":
		_, random := options[gactProbability]
		f.rule.Partial = f.rule.Partial || random
	case "skbedit":
		if mark, ok := options[skbeditMark]; ok && len(mark) == 4 {
			marks := f.rule
			marks.Verdict, marks.SetMark = "mark", binary.NativeEndian.Uint32(mark)
			if _, masked := options[skbeditMask]; masked {
				marks.Partial = true
			}
			done = append(done, marks)
		}
	case "mirred":
		if len(general) < 24 || binary.NativeEndian.Uint32(general[20:])%mirrors != 0 { // redirects
			f.rule.Verdict = "other"
			return nil, true
		}
	default:
		f.rule.Verdict = "other"
		return nil, true
	}
	switch int32(binary.NativeEndian.Uint32(general[8:])) {
	case actPipe:
		return done, false
	case actShot, actStolen:
		f.rule.Verdict = "drop"
	case actUnspecified:
		f.rule.Verdict = ""
	case 0, 1:
	default:
		f.rule.Verdict = "other"
	}
	return done, true
}
