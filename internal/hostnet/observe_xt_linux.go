package hostnet

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/golvs/lvs/internal/netstate"
)

// Matches and targets of iptables, which both of its kinds have.

// xtMatch adds the condition of a match to a rule.
func xtMatch(rule *netstate.ChainRule, name string, revision uint32, info []byte) {
	known := false
	switch name {
	case "comment":
		known = true
	case "tcp":
		const invertFlags = 4
		known = len(info) >= 12 && info[8] == 0 && info[11]&^invertFlags == 0 && limitProtocol(rule, unix.IPPROTO_TCP) && xtPorts(rule, info) &&
			(info[9] == 0 || limitFlags(rule, info[9:10], info[10:11], info[11] != 0))
	case "udp":
		known = len(info) >= 9 && info[8] == 0 && limitProtocol(rule, unix.IPPROTO_UDP) && xtPorts(rule, info)
	case "state":
		if len(info) >= 4 {
			rule.States, known = narrow(rule.States, uint8(binary.NativeEndian.Uint32(info))), true
		}
	case "conntrack":
		known = xtConntrack(rule, revision, info)
	case "multiport":
		known = revision == 1 && xtMultiport(rule, info)
	case "addrtype":
		known = revision == 1 && xtAddressType(rule, info)
	case "mark":
		known = revision == 1 && len(info) >= 9 && info[8] == 0 && limitMark(rule, info[4:8], info[:4])
	}
	rule.Partial = rule.Partial || !known
}

func xtPorts(rule *netstate.ChainRule, info []byte) bool {
	ports := [4]uint16{}
	for i := range ports {
		ports[i] = binary.NativeEndian.Uint16(info[2*i:])
	}
	ok := true
	if ports[0] != 0 || ports[1] != 0xffff {
		ok = limitPorts(rule, "sport", ports[0], ports[1])
	}
	if ports[2] != 0 || ports[3] != 0xffff {
		ok = limitPorts(rule, "dport", ports[2], ports[3]) && ok
	}
	return ok
}

// xtConntrack reads a condition on the state alone.
func xtConntrack(rule *netstate.ChainRule, revision uint32, info []byte) bool {
	const base, onState, alias = 8*16 + 4 + 4 + 5*2, 1, 1 << 13 // XT_CONNTRACK_STATE, and as -m state
	if revision < 1 || revision > 3 || len(info) < base+6 {
		return false
	}
	match, invert := binary.NativeEndian.Uint16(info[base:]), binary.NativeEndian.Uint16(info[base+2:])
	states := info[base+4]
	if revision > 1 {
		const snat, untracked = 1 << 6, 1 << 8 // the other bits are those of a state
		wide := binary.NativeEndian.Uint16(info[base+4:])
		states = uint8(wide &^ snat)
		if wide&untracked != 0 {
			states |= netstate.StateUntracked
		}
	}
	if match&^alias != onState {
		return false
	}
	if invert&onState != 0 {
		states = ^states
	}
	rule.States = narrow(rule.States, states)
	return true
}

// xtAddressType reads a condition on the type of the destination alone.
func xtAddressType(rule *netstate.ChainRule, info []byte) bool {
	const invert = 2
	if len(info) < 8 || binary.NativeEndian.Uint16(info) != 0 {
		return false
	}
	types, flags := uint32(binary.NativeEndian.Uint16(info[2:])), binary.NativeEndian.Uint32(info[4:])
	if flags == invert {
		types = ^types
	}
	return flags&^invert == 0 && limitType(rule, types)
}

func xtMultiport(rule *netstate.ChainRule, info []byte) bool {
	const most = 15
	if len(info) < 2+2*most+most+1 || info[1] > most || info[2+2*most+most] != 0 {
		return false
	}
	var ports [][2]uint16
	for i := 0; i < int(info[1]); i++ {
		port := binary.NativeEndian.Uint16(info[2+2*i:])
		ports = append(ports, [2]uint16{port, port})
		if isRange := info[2+2*most+i] != 0; isRange && i+1 < int(info[1]) {
			i++
			ports[len(ports)-1][1] = binary.NativeEndian.Uint16(info[2+2*i:])
		}
	}
	switch {
	case info[0] == 0 && len(rule.FromPorts) == 0:
		rule.FromPorts = ports
	case info[0] == 1 && len(rule.ToPorts) == 0:
		rule.ToPorts = ports
	default:
		return false
	}
	return true
}

// harmless are targets after which a packet goes on as it is.
var harmless = []string{
	"LOG", "NFLOG", "ULOG", "TRACE", "TCPMSS", "CHECKSUM", "CLASSIFY", "DSCP", "TOS", "TTL", "HL", "AUDIT", "SECMARK", "CONNSECMARK",
	"RATEEST", "IDLETIMER", "SET", "LED", "TEE", "ECN", "HMARK", "TCPOPTSTRIP",
}

// xtTarget sets what a rule does.
func xtTarget(rule *netstate.ChainRule, name string, revision uint32, info []byte) {
	switch name {
	case "REJECT", "MASQUERADE", "REDIRECT", "NOTRACK", "DROP", "ACCEPT":
		rule.Verdict = map[string]string{
			"REJECT": "reject", "MASQUERADE": "masquerade", "REDIRECT": "redirect", "NOTRACK": "notrack", "DROP": "drop", "ACCEPT": "accept",
		}[name]
		if name == "REDIRECT" {
			rule.ToPort = xtPort(rule.Family, revision, info)
		}
	case "DNAT", "SNAT":
		rule.Verdict = map[string]string{"DNAT": "dnat", "SNAT": "snat"}[name]
		rule.Target = xtAddress(rule.Family, revision, info)
		if name == "DNAT" {
			rule.ToPort = xtPort(rule.Family, revision, info)
		}
	case "MARK":
		rule.Verdict = "other"
		if revision == 2 && len(info) >= 8 && binary.NativeEndian.Uint32(info[4:]) != 0 {
			rule.Verdict, rule.SetMark = "mark", binary.NativeEndian.Uint32(info)
		}
	case "CT":
		if len(info) >= 2 && binary.NativeEndian.Uint16(info)&1 != 0 {
			rule.Verdict = "notrack"
		}
	default:
		if !slices.Contains(harmless, name) {
			rule.Verdict = "other"
		}
	}
}

// xtPort returns the port that DNAT or REDIRECT gives, 0 if it gives none.
func xtPort(family string, revision uint32, info []byte) uint16 {
	const specified = 2
	flags, at := 0, 36
	if family == "ip" && revision == 0 {
		flags, at = 4, 16
	}
	if len(info) < at+2 || binary.NativeEndian.Uint32(info[flags:])&specified == 0 {
		return 0
	}
	return binary.BigEndian.Uint16(info[at:])
}

// xtAddress returns the address that DNAT or SNAT gives, "" if it is not known.
func xtAddress(family string, revision uint32, info []byte) string {
	var raw []byte
	switch {
	case family == "ip" && revision == 0 && len(info) >= 12:
		raw = info[8:12]
	case family == "ip" && len(info) >= 8:
		raw = info[4:8]
	case family == "ip6" && len(info) >= 20:
		raw = info[4:20]
	}
	a, ok := netip.AddrFromSlice(raw)
	if !ok {
		return ""
	}
	return a.String()
}
