package hostnet

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/golvs/lvs/internal/netstate"
)

// nftDecoder follows the expressions of a rule, which load values into registers
// and compare them.
type nftDecoder struct {
	rule  netstate.ChainRule
	done  []netstate.ChainRule
	names map[int]string // of interfaces
	sets  *nftSets
	regs  map[uint32]loaded
}

// loaded is what is in a register.
type loaded struct {
	what  string // "iif", "oif", "iifname", "oifname", "l4proto", "nfproto", "mark", "saddr", "daddr", "sport", "dport", "flags", "state", "status", "opened to", "daddr type", "value", or "" of what is not known
	mask  []byte
	value []byte // of "value"
	size  int    // of an address, of which the beginning may be loaded alone
}

// register makes one number of the two that registers have.
func register(value []byte) uint32 {
	r := be32(value)
	if r >= 1 && r <= 4 {
		return 4 + 4*r
	}
	return r
}

// expression reads one expression of the rule.
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
	case "fib":
		d.fib(attr)
	case "dynset", "objref", "socket", "rt", "exthdr", "hash", "numgen", "osf", "xfrm", "tunnel", "inner", "byteorder":
		delete(d.regs, register(attr[unix.NFTA_FIB_DREG])) // they load what is not known
		d.rule.Partial = true
	default:
		d.rule.Partial = true // a limit, a quota, or what is newer than this
	}
}

// statement reads an expression that does something.
func (d *nftDecoder) statement(name string, attr map[uint16][]byte) {
	switch name {
	case "notrack", "reject":
		d.rule.Verdict = name
	case "masq":
		d.rule.Verdict = "masquerade"
	case "redir":
		d.rule.Verdict, d.rule.ToPort = "redirect", d.portIn(attr[unix.NFTA_REDIR_REG_PROTO_MIN])
	case "nat":
		d.rule.Verdict = "snat"
		if be32(attr[unix.NFTA_NAT_TYPE]) == unix.NFT_NAT_DNAT {
			d.rule.Verdict, d.rule.ToPort = "dnat", d.portIn(attr[unix.NFTA_NAT_REG_PROTO_MIN])
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

// portIn returns the port in the register that an attribute names.
func (d *nftDecoder) portIn(attr []byte) uint16 {
	if value := d.regs[register(attr)].value; len(value) >= 2 {
		return binary.BigEndian.Uint16(value)
	}
	return 0
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
	size := be32(attr[unix.NFTA_PAYLOAD_LEN])
	what := map[place]string{
		{networkHeader, 12, 4}: "saddr", {networkHeader, 16, 4}: "daddr", {networkHeader, 9, 1}: "l4proto",
		{networkHeader, 8, 16}: "saddr", {networkHeader, 24, 16}: "daddr", {networkHeader, 6, 1}: "l4proto",
		{transportHeader, 0, 2}: "sport", {transportHeader, 2, 2}: "dport", {transportHeader, 13, 1}: "flags",
		{networkHeader, 14, 4}: "arp sender", {networkHeader, 24, 4}: "arp target",
	}[place{be32(attr[unix.NFTA_PAYLOAD_BASE]), be32(attr[unix.NFTA_PAYLOAD_OFFSET]), size}]
	full := int(size)
	if place, length := addressAt(be32(attr[unix.NFTA_PAYLOAD_BASE]), be32(attr[unix.NFTA_PAYLOAD_OFFSET])); (what == "" || d.rule.Family != "arp" && what[:3] == "arp") && full < length {
		what, full = place, length
	}
	switch {
	case d.rule.Family == "arp" && what == "arp sender":
		what = "saddr"
	case d.rule.Family == "arp" && what == "arp target":
		what = "daddr"
	case d.rule.Family == "arp" || what == "arp sender" || what == "arp target":
		what = ""
	}
	d.regs[register(attr[unix.NFTA_PAYLOAD_DREG])] = loaded{what: what, size: full}
}

// addressAt returns the address that begins at a place of the network's header, and
// its length.
func addressAt(base, offset uint32) (what string, length int) {
	switch {
	case base != networkHeader:
	case offset == 12:
		return "saddr", 4
	case offset == 16:
		return "daddr", 4
	case offset == 8:
		return "saddr", 16
	case offset == 24:
		return "daddr", 16
	}
	return "", 0
}

func (d *nftDecoder) ct(attr map[uint16][]byte) {
	if _, sets := attr[unix.NFTA_CT_SREG]; sets {
		return // it changes the entry of the connection
	}
	l := loaded{}
	switch be32(attr[unix.NFTA_CT_KEY]) {
	case unix.NFT_CT_STATE:
		l.what = "state"
	case unix.NFT_CT_STATUS:
		l.what = "status"
	case unix.NFT_CT_DST, unix.NFT_CT_DST_IP, unix.NFT_CT_DST_IP6:
		if direction := attr[unix.NFTA_CT_DIRECTION]; len(direction) == 1 && direction[0] == 0 {
			l.what = "opened to"
		}
	}
	d.regs[register(attr[unix.NFTA_CT_DREG])] = l
}

// fib reads what kind of address a packet is for.
func (d *nftDecoder) fib(attr map[uint16][]byte) {
	l := loaded{}
	if be32(attr[unix.NFTA_FIB_RESULT]) == unix.NFT_FIB_RESULT_ADDRTYPE && be32(attr[unix.NFTA_FIB_FLAGS]) == unix.NFTA_FIB_F_DADDR {
		l.what = "daddr type"
	}
	d.regs[register(attr[unix.NFTA_FIB_DREG])] = l
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

// compare reads a comparison of a register with a value.
func (d *nftDecoder) compare(reg, op uint32, value []byte) {
	from := d.regs[reg]
	const greatest = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
	ok := false
	switch op {
	case unix.NFT_CMP_EQ:
		ok = d.within(reg, value, value)
	case unix.NFT_CMP_NEQ:
		ok = exclude(&d.rule, from, value, d.names)
	case unix.NFT_CMP_LTE:
		ok = isPort(from.what) && d.within(reg, make([]byte, len(value)), value)
	case unix.NFT_CMP_GTE:
		ok = isPort(from.what) && len(value) <= len(greatest) && d.within(reg, value, []byte(greatest[:len(value)]))
	}
	d.rule.Partial = d.rule.Partial || !ok
}

func isPort(what string) bool { return what == "sport" || what == "dport" }

// within reads the condition that a register is in a range, and reports whether
// the rule's fields say it.
func (d *nftDecoder) within(reg uint32, low, high []byte) bool {
	return limit(&d.rule, d.regs[reg], low, high, d.names)
}

// lookup reads a condition that a register is in a set. A map gives the verdict.
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

func (d *nftDecoder) inElement(rule *netstate.ChainRule, from loaded, e setElement) bool {
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
