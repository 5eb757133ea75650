package hostnet

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// nftDecoder follows the expressions of a rule, which load values into registers
// and compare them.
type nftDecoder struct {
	rule  ChainRule
	done  []ChainRule
	names map[int]string // of interfaces
	sets  *nftSets
	regs  map[uint32]loaded
}

// loaded is what is in a register.
type loaded struct {
	what  string // "iif", "oif", "iifname", "oifname", "l4proto", "nfproto", "mark", "saddr", "daddr", "sport", "dport", "flags", "state", "value", or "" of what is not known
	mask  []byte
	value []byte // of "value"
}

// register makes one number of the two that registers have.
func register(value []byte) uint32 {
	r := be32(value)
	if r >= 1 && r <= 4 {
		return 4 + 4*r
	}
	return r
}

// expression takes one expression of the rule.
func (d *nftDecoder) expression(name string, body []byte) {
	if d.regs == nil {
		d.regs = make(map[uint32]loaded)
	}
	attr := make(map[uint16][]byte)
	attributes(body, func(kind uint16, value []byte) { attr[kind] = value })
	switch name {
	case "counter", "log", "last", "notrack", "masq", "redir", "nat", "reject", "immediate":
		d.statement(name, attr)
	case "meta":
		d.meta(attr)
	case "payload":
		d.payload(attr)
	case "ct":
		d.ct(attr)
	case "bitwise":
		d.bitwise(attr)
	case "cmp":
		d.compare(register(attr[unix.NFTA_CMP_SREG]), be32(attr[unix.NFTA_CMP_OP]), dataValue(attr[unix.NFTA_CMP_DATA]))
	case "range":
		if be32(attr[unix.NFTA_RANGE_OP]) != 0 ||
			!d.within(register(attr[unix.NFTA_RANGE_SREG]), dataValue(attr[unix.NFTA_RANGE_FROM_DATA]), dataValue(attr[unix.NFTA_RANGE_TO_DATA])) {
			d.rule.Partial = true
		}
	case "lookup":
		d.lookup(attr)
	case "match":
		xtMatch(&d.rule, text(attr[unix.NFTA_MATCH_NAME]), be32(attr[unix.NFTA_MATCH_REV]), attr[unix.NFTA_MATCH_INFO])
	case "target":
		xtTarget(&d.rule, text(attr[unix.NFTA_TARGET_NAME]), be32(attr[unix.NFTA_TARGET_REV]), attr[unix.NFTA_TARGET_INFO])
		d.flushMark()
	case "queue", "tproxy", "fwd", "synproxy":
		d.rule.Verdict = "other"
	case "dup", "flow_offload":
	case "dynset", "objref", "fib", "socket", "rt", "exthdr", "hash", "numgen", "osf", "xfrm", "tunnel", "inner", "byteorder":
		for _, key := range []uint16{unix.NFTA_FIB_DREG} { // they load what is not known
			delete(d.regs, register(attr[key]))
		}
		d.rule.Partial = true
	default:
		d.rule.Partial = true // a limit, a quota, or what is newer than this
	}
}

// statement takes an expression that does something.
func (d *nftDecoder) statement(name string, attr map[uint16][]byte) {
	switch name {
	case "notrack", "reject":
		d.rule.Verdict = name
	case "masq":
		d.rule.Verdict = "masquerade"
	case "redir":
		d.rule.Verdict = "redirect"
	case "nat":
		d.rule.Verdict = "snat"
		if be32(attr[unix.NFTA_NAT_TYPE]) == unix.NFT_NAT_DNAT {
			d.rule.Verdict = "dnat"
		}
		if a, ok := netip.AddrFromSlice(d.regs[register(attr[unix.NFTA_NAT_REG_ADDR_MIN])].value); ok {
			d.rule.Target = a.String()
		}
	case "immediate":
		if to := register(attr[unix.NFTA_IMMEDIATE_DREG]); to != 0 {
			d.regs[to] = loaded{what: "value", value: dataValue(attr[unix.NFTA_IMMEDIATE_DATA])}
			return
		}
		d.rule.Verdict, d.rule.Target = verdictOf(attr[unix.NFTA_IMMEDIATE_DATA])
	}
}

func (d *nftDecoder) meta(attr map[uint16][]byte) {
	key := be32(attr[unix.NFTA_META_KEY])
	if from, ok := attr[unix.NFTA_META_SREG]; ok {
		if key == unix.NFT_META_MARK {
			d.setMark(d.regs[register(from)])
		}
		return
	}
	what := map[uint32]string{
		unix.NFT_META_IIF: "iif", unix.NFT_META_OIF: "oif", unix.NFT_META_IIFNAME: "iifname", unix.NFT_META_OIFNAME: "oifname",
		unix.NFT_META_L4PROTO: "l4proto", unix.NFT_META_NFPROTO: "nfproto", unix.NFT_META_MARK: "mark", unix.NFT_META_PROTOCOL: "protocol",
	}[key]
	d.regs[register(attr[unix.NFTA_META_DREG])] = loaded{what: what}
}

// setMark ends a rule that marks packets; what follows goes on from there.
func (d *nftDecoder) setMark(from loaded) {
	d.rule.Verdict = "other"
	if from.what == "value" && len(from.value) == 4 {
		d.rule.Verdict, d.rule.SetMark = "mark", binary.NativeEndian.Uint32(from.value)
	}
	d.flushMark()
}

// flushMark makes a rule of its own of what marks packets.
func (d *nftDecoder) flushMark() {
	if d.rule.Verdict == "mark" {
		d.done = append(d.done, d.rule)
		d.rule.Verdict, d.rule.SetMark = "", 0
	}
}

// Bases of the kernel's payloads.
const (
	networkHeader   = 1
	transportHeader = 2
)

func (d *nftDecoder) payload(attr map[uint16][]byte) {
	if _, sets := attr[unix.NFTA_PAYLOAD_SREG]; sets {
		d.rule.Verdict = "other" // it changes the packet
		return
	}
	type place struct{ base, offset, size uint32 }
	what := map[place]string{
		{networkHeader, 12, 4}: "saddr", {networkHeader, 16, 4}: "daddr", {networkHeader, 9, 1}: "l4proto",
		{networkHeader, 8, 16}: "saddr", {networkHeader, 24, 16}: "daddr", {networkHeader, 6, 1}: "l4proto",
		{transportHeader, 0, 2}: "sport", {transportHeader, 2, 2}: "dport", {transportHeader, 13, 1}: "flags",
		{networkHeader, 14, 4}: "arp sender", {networkHeader, 24, 4}: "arp target",
	}[place{be32(attr[unix.NFTA_PAYLOAD_BASE]), be32(attr[unix.NFTA_PAYLOAD_OFFSET]), be32(attr[unix.NFTA_PAYLOAD_LEN])}]
	switch {
	case d.rule.Family == "arp" && what == "arp sender":
		what = "saddr"
	case d.rule.Family == "arp" && what == "arp target":
		what = "daddr"
	case d.rule.Family == "arp" || what == "arp sender" || what == "arp target":
		what = ""
	}
	d.regs[register(attr[unix.NFTA_PAYLOAD_DREG])] = loaded{what: what}
}

func (d *nftDecoder) ct(attr map[uint16][]byte) {
	if _, sets := attr[unix.NFTA_CT_SREG]; sets {
		return // it changes the entry of the connection
	}
	l := loaded{}
	if be32(attr[unix.NFTA_CT_KEY]) == unix.NFT_CT_STATE {
		l.what = "state"
	}
	d.regs[register(attr[unix.NFTA_CT_DREG])] = l
}

func (d *nftDecoder) bitwise(attr map[uint16][]byte) {
	from := d.regs[register(attr[unix.NFTA_BITWISE_SREG])]
	xor := dataValue(attr[unix.NFTA_BITWISE_XOR])
	if from.what == "" || from.mask != nil || from.what == "value" || len(bytes.Trim(xor, "\x00")) > 0 {
		from = loaded{}
	}
	from.mask = dataValue(attr[unix.NFTA_BITWISE_MASK])
	d.regs[register(attr[unix.NFTA_BITWISE_DREG])] = from
}

// compare takes a comparison of a register with a value.
func (d *nftDecoder) compare(reg, op uint32, value []byte) {
	from := d.regs[reg]
	const greatest = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
	ok := false
	switch op {
	case unix.NFT_CMP_EQ:
		ok = d.within(reg, value, value)
	case unix.NFT_CMP_NEQ:
		if from.what == "state" && len(from.mask) == 4 && len(bytes.Trim(value, "\x00")) == 0 {
			d.rule.States, ok = narrow(d.rule.States, uint8(binary.NativeEndian.Uint32(from.mask))), true
		}
	case unix.NFT_CMP_LTE:
		ok = isPort(from.what) && d.within(reg, make([]byte, len(value)), value)
	case unix.NFT_CMP_GTE:
		ok = isPort(from.what) && len(value) <= len(greatest) && d.within(reg, value, []byte(greatest[:len(value)]))
	}
	d.rule.Partial = d.rule.Partial || !ok
}

func isPort(what string) bool { return what == "sport" || what == "dport" }

// narrow joins two conditions on the state of a connection.
func narrow(a, b uint8) uint8 {
	if a == 0 {
		return b
	}
	return a & b
}

// within takes the condition that a register is in a range, and reports whether
// the rule's fields say it.
func (d *nftDecoder) within(reg uint32, low, high []byte) bool {
	return limit(&d.rule, d.regs[reg], low, high, d.names)
}

// limit adds a condition to a rule.
func limit(rule *ChainRule, from loaded, low, high []byte, names map[int]string) bool {
	exact := bytes.Equal(low, high)
	if from.mask != nil && from.what != "saddr" && from.what != "daddr" && from.what != "mark" && from.what != "flags" {
		return false
	}
	switch from.what {
	case "iif", "oif", "iifname", "oifname":
		name := text(low)
		if from.what == "iif" || from.what == "oif" {
			if len(low) != 4 {
				return false
			}
			name = names[int(binary.NativeEndian.Uint32(low))]
		} else if len(low) > 0 && !slices.Contains(low, 0) && len(low) < unix.IFNAMSIZ {
			name += "+" // the name only begins so
		}
		return exact && name != "" && limitInterface(rule, from.what, name)
	case "l4proto":
		return exact && len(low) == 1 && limitProtocol(rule, low[0])
	case "nfproto":
		return exact && len(low) == 1 && limitFamily(rule, low[0] == unix.NFPROTO_IPV6)
	case "protocol":
		return exact && len(low) == 2 && limitFamily(rule, binary.BigEndian.Uint16(low) == unix.ETH_P_IPV6)
	case "mark":
		return exact && len(low) == 4 && limitMark(rule, from.mask, low)
	case "saddr", "daddr":
		return limitAddresses(rule, from, low, high)
	case "sport", "dport":
		return len(low) == 2 && len(high) == 2 && limitPorts(rule, from.what, binary.BigEndian.Uint16(low), binary.BigEndian.Uint16(high))
	case "flags":
		return exact && limitFlags(rule, from.mask, low)
	}
	return false
}

func limitInterface(rule *ChainRule, what, name string) bool {
	to := &rule.In
	if what[0] == 'o' {
		to = &rule.Out
	}
	if *to != "" {
		return false
	}
	*to = name
	return true
}

func limitProtocol(rule *ChainRule, protocol uint8) bool {
	if rule.Protocol != 0 && rule.Protocol != protocol {
		return false
	}
	rule.Protocol = protocol
	return true
}

// limitFamily makes a rule one for the packets of a family.
func limitFamily(rule *ChainRule, is6 bool) bool {
	if len(rule.From) == 0 {
		rule.From = []netip.Prefix{defaultOf(netip.IPv4Unspecified())}
		if is6 {
			rule.From = []netip.Prefix{defaultOf(netip.IPv6Unspecified())}
		}
	}
	return true
}

func limitMark(rule *ChainRule, mask, value []byte) bool {
	if rule.Mask != 0 || mask != nil && len(mask) != 4 {
		return false
	}
	rule.Mark, rule.Mask = binary.NativeEndian.Uint32(value), 0xffffffff
	if mask != nil {
		rule.Mask = binary.NativeEndian.Uint32(mask)
	}
	return true
}

func limitAddresses(rule *ChainRule, from loaded, low, high []byte) bool {
	to := &rule.From
	if from.what == "daddr" {
		to = &rule.To
	}
	if len(*to) == 1 && (*to)[0].Bits() == 0 { // the family, which the address has too
		*to = nil
	}
	a, ok := netip.AddrFromSlice(low)
	b, ok2 := netip.AddrFromSlice(high)
	if !ok || !ok2 || len(*to) > 0 {
		return false
	}
	bits := a.BitLen()
	if from.mask != nil {
		if bits, ok = maskBits(from.mask); !ok || len(from.mask) != len(low) {
			return false
		}
	}
	if a == b {
		*to = []netip.Prefix{netip.PrefixFrom(a, bits).Masked()}
		return true
	}
	*to = prefixes(a, b)
	return *to != nil
}

// maskBits returns the length of a mask.
func maskBits(mask []byte) (bits int, ok bool) {
	for i, b := range mask {
		for bit := 7; bit >= 0; bit-- {
			if b>>bit&1 == 0 {
				return bits, b<<(7-bit) == 0 && len(bytes.Trim(mask[i+1:], "\x00")) == 0
			}
			bits++
		}
	}
	return bits, true
}

// prefixes returns the networks that together are a range of addresses, nil if
// they are many.
func prefixes(a, b netip.Addr) (all []netip.Prefix) {
	for a.IsValid() && a.Compare(b) <= 0 {
		best := netip.PrefixFrom(a, a.BitLen())
		for bits := a.BitLen() - 1; bits >= 0; bits-- {
			p := netip.PrefixFrom(a, bits)
			if p.Masked().Addr() != a || lastOf(p).Compare(b) > 0 {
				break
			}
			best = p
		}
		if all = append(all, best); len(all) > 64 {
			return nil
		}
		a = lastOf(best).Next()
	}
	return all
}

func lastOf(p netip.Prefix) netip.Addr {
	raw := p.Addr().AsSlice()
	for i := p.Bits(); i < len(raw)*8; i++ {
		raw[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(raw)
	return a
}

func limitPorts(rule *ChainRule, what string, low, high uint16) bool {
	to := &rule.FromPorts
	if what == "dport" {
		to = &rule.ToPorts
	}
	if len(*to) > 0 {
		return false
	}
	*to = [][2]uint16{{low, high}}
	return true
}

const tcpSYN = 0x02

// limitFlags takes a condition on TCP's flags that the first packet of a
// connection meets.
func limitFlags(rule *ChainRule, mask, value []byte) bool {
	if len(value) != 1 || mask != nil && len(mask) != 1 {
		return false
	}
	m := byte(0xff)
	if mask != nil {
		m = mask[0]
	}
	if tcpSYN&m != value[0] {
		return false
	}
	rule.States = narrow(rule.States, StateNew|StateUntracked)
	return true
}

// lookup takes a condition that a register is in a set. A map gives the verdict.
func (d *nftDecoder) lookup(attr map[uint16][]byte) {
	from := d.regs[register(attr[unix.NFTA_LOOKUP_SREG])]
	elements, all := d.sets.elements(setName{d.rule.Family, d.rule.Table, text(attr[unix.NFTA_LOOKUP_SET])})
	_, isMap := attr[unix.NFTA_LOOKUP_DREG]
	if !all || be32(attr[unix.NFTA_LOOKUP_FLAGS]) != 0 || from.what == "" || isMap && register(attr[unix.NFTA_LOOKUP_DREG]) != 0 {
		d.rule.Partial = true
		if isMap {
			d.rule.Verdict = "other"
		}
		return
	}
	if isMap {
		for _, e := range elements {
			rule := d.rule
			rule.Partial = !d.inElement(&rule, from, e) || rule.Partial
			rule.Verdict, rule.Target = e.verdict, e.target
			d.done = append(d.done, rule)
		}
		return
	}
	d.inSet(from, elements)
}

func (d *nftDecoder) inElement(rule *ChainRule, from loaded, e setElement) bool {
	if from.what == "state" && len(e.from) == 4 {
		rule.States = narrow(rule.States, uint8(binary.NativeEndian.Uint32(e.from)))
		return true
	}
	return limit(rule, from, e.from, e.to, d.names)
}

// inSet adds a condition that is met by any element.
func (d *nftDecoder) inSet(from loaded, elements []setElement) {
	joined := d.rule
	for i, e := range elements {
		one := d.rule
		if !d.inElement(&one, from, e) {
			d.rule.Partial = true
			return
		}
		if i == 0 {
			joined = one
			continue
		}
		switch from.what {
		case "saddr":
			joined.From = append(joined.From, one.From...)
		case "daddr":
			joined.To = append(joined.To, one.To...)
		case "sport":
			joined.FromPorts = append(joined.FromPorts, one.FromPorts...)
		case "dport":
			joined.ToPorts = append(joined.ToPorts, one.ToPorts...)
		case "state":
			joined.States |= one.States
		default:
			d.rule.Partial = true
			return
		}
	}
	if len(elements) == 0 {
		joined.Partial = true // it may be filled at any time
	}
	d.rule = joined
}
