package hostnet

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/golvs/lvs/internal/netstate"
)

// Conditions of rules, as far as their fields say them.

// limit adds a condition to a rule.
func limit(rule *netstate.ChainRule, from loaded, low, high []byte, names map[int]string) bool {
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
	case "opened to":
		a, ok := netip.AddrFromSlice(low)
		if !ok || !exact || rule.OpenedTo != nil {
			return false
		}
		rule.OpenedTo = []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}
		return true
	case "sport", "dport":
		return len(low) == 2 && len(high) == 2 && limitPorts(rule, from.what, binary.BigEndian.Uint16(low), binary.BigEndian.Uint16(high))
	case "flags":
		return exact && limitFlags(rule, from.mask, low, false)
	case "daddr type":
		return exact && len(low) == 4 && limitType(rule, 1<<(binary.NativeEndian.Uint32(low)&31))
	}
	return false
}

func limitInterface(rule *netstate.ChainRule, what, name string) bool {
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

func limitProtocol(rule *netstate.ChainRule, protocol uint8) bool {
	if rule.Protocol != 0 && rule.Protocol != protocol {
		return false
	}
	rule.Protocol = protocol
	return true
}

// limitFamily makes a rule one for the packets of a family.
func limitFamily(rule *netstate.ChainRule, is6 bool) bool {
	if len(rule.From) == 0 {
		rule.From = []netip.Prefix{defaultOf(netip.IPv4Unspecified())}
		if is6 {
			rule.From = []netip.Prefix{defaultOf(netip.IPv6Unspecified())}
		}
	}
	return true
}

func limitMark(rule *netstate.ChainRule, mask, value []byte) bool {
	if rule.Mask != 0 || mask != nil && len(mask) != 4 {
		return false
	}
	rule.Mark, rule.Mask = binary.NativeEndian.Uint32(value), 0xffffffff
	if mask != nil {
		rule.Mask = binary.NativeEndian.Uint32(mask)
	}
	return true
}

func limitAddresses(rule *netstate.ChainRule, from loaded, low, high []byte) bool {
	to := &rule.From
	if from.what == "daddr" {
		to = &rule.To
	}
	if len(*to) == 1 && (*to)[0].Bits() == 0 { // the family, which the address has too
		*to = nil
	}
	if len(low) < from.size && len(low) == len(high) && from.mask == nil { // the beginning
		from.mask = append(bytes.Repeat([]byte{0xff}, len(low)), make([]byte, from.size-len(low))...)
		if !bytes.Equal(low, high) {
			return false
		}
		low = append(bytes.Clone(low), make([]byte, from.size-len(low))...)
		high = low
	}
	a, ok := netip.AddrFromSlice(low)
	b, ok2 := netip.AddrFromSlice(high)
	if !ok || !ok2 || len(*to) > 0 || len(low) != from.size {
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

func limitPorts(rule *netstate.ChainRule, what string, low, high uint16) bool {
	to := &rule.FromPorts
	if what == "dport" {
		to = &rule.ToPorts
	}
	if len(*to) > 1 {
		return false
	}
	if len(*to) == 1 { // one end of a range comes first
		low, high = max(low, (*to)[0][0]), min(high, (*to)[0][1])
	}
	*to = [][2]uint16{{low, high}}
	return low <= high
}

const (
	tcpSYN = 0x02
	tcpACK = 0x10
)

// limitFlags reads a condition on TCP's flags, by whether the first packet of a
// connection meets it, and the others do.
func limitFlags(rule *netstate.ChainRule, mask, value []byte, inverted bool) bool {
	if len(value) != 1 || mask != nil && len(mask) != 1 {
		return false
	}
	m := byte(0xff)
	if mask != nil {
		m = mask[0]
	}
	first, later := (tcpSYN&m == value[0]) != inverted, (tcpACK&m == value[0]) != inverted
	switch {
	case first && later:
	case first && rule.Segments != "later":
		rule.Segments = "first"
	case later && rule.Segments != "first":
		rule.Segments = "later"
	default:
		rule.States = netstate.StateNever
	}
	return true
}

// limitType reads a condition on the types that a packet's destination has, as bits
// by the numbers of types of routes.
func limitType(rule *netstate.ChainRule, types uint32) bool {
	local, remote := types&(1<<unix.RTN_LOCAL) != 0, types&(1<<unix.RTN_UNICAST) != 0
	switch {
	case local && remote:
	case local && rule.ToLocal != "remote":
		rule.ToLocal = "local"
	case remote && rule.ToLocal != "local":
		rule.ToLocal = "remote"
	default: // it is for many hosts
		rule.States = netstate.StateNever
	}
	return true
}

// exclude reads a condition that something is not a value.
func exclude(rule *netstate.ChainRule, from loaded, value []byte, names map[int]string) bool {
	switch from.what {
	case "state", "status":
		if len(from.mask) != 4 || len(bytes.Trim(value, "\x00")) != 0 {
			return false
		}
		bits := binary.NativeEndian.Uint32(from.mask)
		if from.what == "state" {
			rule.States = narrow(rule.States, uint8(bits))
		} else if bits == statusDNAT {
			rule.States = narrow(rule.States, netstate.StateDNAT)
		}
		return from.what == "state" || bits == statusDNAT
	case "flags":
		return limitFlags(rule, from.mask, value, true)
	case "daddr type":
		return len(value) == 4 && limitType(rule, ^(uint32(1)<<(binary.NativeEndian.Uint32(value)&31)))
	case "iif", "oif", "iifname", "oifname", "saddr", "daddr":
		return excludePlace(rule, from, value, names)
	}
	return false
}

const statusDNAT = 1 << 5 // IPS_DST_NAT

// excludePlace reads a condition that a packet is not of an interface or of
// addresses.
func excludePlace(rule *netstate.ChainRule, from loaded, value []byte, names map[int]string) bool {
	var one netstate.ChainRule
	if !limit(&one, from, value, value, names) {
		return false
	}
	switch {
	case one.In != "" && rule.NotIn == "":
		rule.NotIn = one.In
	case one.Out != "" && rule.NotOut == "":
		rule.NotOut = one.Out
	case len(one.From) > 0:
		rule.NotFrom = append(rule.NotFrom, one.From...)
	case len(one.To) > 0:
		rule.NotTo = append(rule.NotTo, one.To...)
	default:
		return false
	}
	return true
}

// narrow joins two conditions on the state of a connection.
func narrow(a, b uint8) uint8 {
	if a == 0 {
		return b
	}
	if a&b == 0 {
		return netstate.StateNever
	}
	return a & b
}
