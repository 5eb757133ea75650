package hostnet

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/golvs/lvs/internal/netstate"
)

// xtables is how the kernel keeps the tables of one program.
type xtables struct {
	family  string
	names   string // the file of /proc/net that lists the tables in use
	save    string // the command that shows them
	domain  int
	level   int
	getInfo int // the numbers of its options
	hooks   int // how many there are
	entry   int // bytes of an entry, without matches and target
	offsets int // where the offsets of target and next entry are
	read    func(rule *netstate.ChainRule, entry []byte)
}

var xtPrograms = []xtables{
	{"ip", "ip_tables_names", "iptables-legacy-save", unix.AF_INET, unix.SOL_IP, 64, 5, 112, 88, readEntry4},
	{"ip6", "ip6_tables_names", "ip6tables-legacy-save", unix.AF_INET6, unix.SOL_IPV6, 64, 5, 168, 140, readEntry6},
	{"arp", "arp_tables_names", "arptables-legacy-save", unix.AF_INET, unix.SOL_IP, 96, 3, 192, 164, readEntryARP},
}

// legacy reads the tables of iptables, ip6tables and arptables that are in use.
// Others are not asked for, which would make them.
func (o *observer) legacy() {
	for _, x := range xtPrograms {
		names, err := o.readFile(x.names)
		if err != nil {
			o.unread("firewall", x.save, err)
			continue
		}
		for _, table := range strings.Fields(string(names)) {
			if err := o.readTable(x, table); err != nil {
				o.unread("firewall", x.save, fmt.Errorf("table %s: %w", table, err))
			}
		}
	}
}

const xtNameSize = 32

// readTable reads a table by the options of a raw socket.
func (o *observer) readTable(x xtables, table string) error {
	if bits.UintSize != 64 {
		return fmt.Errorf("is read on 64-bit machines only")
	}
	fd, err := unix.Socket(x.domain, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	const numbers = 4
	info := make([]byte, xtNameSize+numbers*(1+2*x.hooks+2))
	copy(info, table)
	if err := getOption(fd, x.level, x.getInfo, info); err != nil {
		return err
	}
	const header, most = 40, 256 << 20
	size := binary.NativeEndian.Uint32(info[len(info)-numbers:])
	if size > most {
		return fmt.Errorf("has %d bytes", size)
	}
	entries := make([]byte, header+int(size))
	copy(entries, table)
	binary.NativeEndian.PutUint32(entries[xtNameSize:], size)
	if err := getOption(fd, x.level, x.getInfo+1, entries); err != nil {
		return err
	}
	t := xtTable{xtables: x, table: table, info: info, entries: entries[header:]}
	if !t.decode() {
		return fmt.Errorf("is not as it should be")
	}
	o.found.Chains = append(o.found.Chains, t.chains...)
	o.found.ChainRules = append(o.found.ChainRules, t.rules...)
	return nil
}

func getOption(fd, level, option int, data []byte) error {
	size := uint32(len(data))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(option),
		uintptr(unsafe.Pointer(&data[0])), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return os.NewSyscallError("getsockopt", errno)
	}
	return nil
}

// xtTable decodes a table: entries one after the other, in chains that begin at a
// hook's offset, or after an entry that only names them.
type xtTable struct {
	xtables
	table   string
	info    []byte
	entries []byte
	chains  []netstate.Chain
	rules   []netstate.ChainRule
	starts  map[int]string // names of chains by the offset of their first rule
}

func (t *xtTable) number(i int) int {
	return int(int32(binary.NativeEndian.Uint32(t.info[xtNameSize+4*i:])))
}

func (t *xtTable) decode() bool {
	t.starts = make(map[int]string)
	policies := make(map[int]string) // by offset
	for hook := range t.hooks {
		if t.number(0)&(1<<hook) == 0 {
			continue
		}
		name := hookName(t.family, uint32(hook))
		t.starts[t.number(1+hook)] = strings.ToUpper(name)
		policies[t.number(1+t.hooks+hook)] = strings.ToUpper(name)
		t.chains = append(t.chains, netstate.Chain{
			Family: t.family, Table: t.table, Name: strings.ToUpper(name), Legacy: true, Hook: name, Type: t.kind(), Priority: t.priority(name),
		})
	}
	if !t.each(func(at int, e xtEntry) {
		if name, ok := e.heads(); ok {
			t.starts[at+len(e.data)] = name
			if name != "ERROR" { // the end of the table
				t.chains = append(t.chains, netstate.Chain{Family: t.family, Table: t.table, Name: name, Legacy: true})
			}
		}
	}) {
		return false
	}
	chain := ""
	return t.each(func(at int, e xtEntry) {
		if name, ok := t.starts[at]; ok {
			chain = name
		}
		if _, ok := e.heads(); ok {
			return
		}
		if name, ok := policies[at]; ok {
			t.policy(name, e.standard() == -1)
			return
		}
		t.rules = append(t.rules, t.rule(chain, e))
	})
}

func (t *xtTable) kind() string {
	if t.table == "nat" {
		return "nat"
	}
	return "filter"
}

func (t *xtTable) priority(hook string) int {
	switch t.table {
	case "raw":
		return -300
	case "mangle":
		return -150
	case "nat":
		if hook == "prerouting" || hook == "output" {
			return -100
		}
		return 100
	case "security":
		return 50
	}
	return 0
}

func (t *xtTable) policy(chain string, drop bool) {
	for i := range t.chains {
		if t.chains[i].Name == chain && t.chains[i].Hook != "" {
			t.chains[i].Drop = drop
		}
	}
}

// xtEntry is one entry: a rule, the policy of a chain, or the head of one.
type xtEntry struct {
	data   []byte
	target int // where the target is
}

// each calls fn with each entry and its offset.
func (t *xtTable) each(fn func(at int, e xtEntry)) bool {
	for at := 0; at < len(t.entries); {
		rest := t.entries[at:]
		if len(rest) < t.entry {
			return false
		}
		target := int(binary.NativeEndian.Uint16(rest[t.offsets:]))
		next := int(binary.NativeEndian.Uint16(rest[t.offsets+2:]))
		if next > len(rest) || target < t.entry || target+xtHeader > next {
			return false
		}
		fn(at, xtEntry{rest[:next], target})
		at += next
	}
	return true
}

const xtHeader = 32 // of a match or a target: its size, its name and revision

// heads returns the name of the chain that an entry is the head of.
func (e xtEntry) heads() (string, bool) {
	if e.name() != "ERROR" {
		return "", false
	}
	return text(e.data[e.target+xtHeader:]), true
}

func (e xtEntry) name() string { return text(e.data[e.target+2 : e.target+31]) }

// standard returns the verdict of a standard target, or the offset that it jumps
// to; 0 of another target.
func (e xtEntry) standard() int {
	if e.name() != "" || len(e.data) < e.target+xtHeader+4 {
		return 0
	}
	return int(int32(binary.NativeEndian.Uint32(e.data[e.target+xtHeader:])))
}

func (t *xtTable) rule(chain string, e xtEntry) netstate.ChainRule {
	rule := netstate.ChainRule{Family: t.family, Table: t.table, Chain: chain, Legacy: true}
	t.read(&rule, e.data)
	for at := t.entry; at+xtHeader <= e.target; {
		size := int(binary.NativeEndian.Uint16(e.data[at:]))
		if size < xtHeader || at+size > e.target {
			rule.Partial = true
			break
		}
		xtMatch(&rule, text(e.data[at+2:at+31]), uint32(e.data[at+31]), e.data[at+xtHeader:at+size])
		at += size
	}
	if e.name() != "" {
		xtTarget(&rule, e.name(), uint32(e.data[e.target+31]), e.data[e.target+xtHeader:])
		return rule
	}
	switch verdict := e.standard(); {
	case verdict == -1:
		rule.Verdict = "drop"
	case verdict == -2:
		rule.Verdict = "accept"
	case verdict == -5:
		rule.Verdict = "return"
	case verdict < 0:
		rule.Verdict = "other"
	case t.starts[verdict] != "":
		if rule.Verdict != "goto" {
			rule.Verdict = "jump"
		}
		rule.Target = t.starts[verdict]
	default: // to the next rule
		rule.Verdict = ""
	}
	return rule
}

// interfaceOf returns the pattern of an interface's name and mask.
func interfaceOf(name, mask []byte) string {
	used := len(bytes.TrimRight(mask, "\x00"))
	pattern := text(name)
	if used > 0 && used == len(pattern) { // with the zero at its end it is the whole name
		pattern += "+"
	}
	if used == 0 {
		return ""
	}
	return pattern
}

func maskedPrefix(addr, mask []byte) ([]netip.Prefix, bool) {
	size, ok := maskBits(mask)
	if !ok {
		return nil, false
	}
	if size == 0 {
		return nil, true
	}
	a, _ := netip.AddrFromSlice(addr)
	return []netip.Prefix{netip.PrefixFrom(a, size).Masked()}, true
}

// readAddresses reads what entries of both families begin with, whose addresses
// have n bytes. Afterwards come four names and masks of interfaces.
func readAddresses(rule *netstate.ChainRule, e []byte, n int) (rest []byte) {
	var ok, ok2 bool
	rule.From, ok = maskedPrefix(e[:n], e[2*n:3*n])
	rule.To, ok2 = maskedPrefix(e[n:2*n], e[3*n:4*n])
	rule.Partial = !ok || !ok2
	e = e[4*n:]
	rule.In = interfaceOf(e[:16], e[32:48])
	rule.Out = interfaceOf(e[16:32], e[48:64])
	return e[64:]
}

const xtGoto = 2

func readEntry4(rule *netstate.ChainRule, e []byte) {
	rest := readAddresses(rule, e, 4)
	rule.Protocol = uint8(binary.NativeEndian.Uint16(rest))
	rule.Partial = rule.Partial || rest[2]&1 != 0 // for fragments
	invertEntry(rule, rest[3])
	if rest[2]&xtGoto != 0 {
		rule.Verdict = "goto"
	}
}

func readEntry6(rule *netstate.ChainRule, e []byte) {
	rest := readAddresses(rule, e, 16)
	rule.Protocol = uint8(binary.NativeEndian.Uint16(rest))
	rule.Partial = rule.Partial || rest[3]&2 != 0 // a traffic class
	invertEntry(rule, rest[4])
	if rest[3]&4 != 0 {
		rule.Verdict = "goto"
	}
}

// invertEntry makes conditions of an entry their contrary.
func invertEntry(rule *netstate.ChainRule, flags byte) {
	const in, out, from, to, protocol = 1, 2, 8, 16, 64
	if flags&in != 0 {
		rule.In, rule.NotIn = "", rule.In
	}
	if flags&out != 0 {
		rule.Out, rule.NotOut = "", rule.Out
	}
	if flags&from != 0 {
		rule.From, rule.NotFrom = nil, rule.From
	}
	if flags&to != 0 {
		rule.To, rule.NotTo = nil, rule.To
	}
	if flags&protocol != 0 {
		rule.Protocol = 0
	}
	rule.Partial = rule.Partial || flags&^(in|out|from|to) != 0
}

// readEntryARP reads the addresses that are asked for and asked by. Other
// conditions make it partial.
func readEntryARP(rule *netstate.ChainRule, e []byte) {
	var ok, ok2 bool
	rule.From, ok = maskedPrefix(e[:4], e[8:12])
	rule.To, ok2 = maskedPrefix(e[4:8], e[12:16])
	rule.In, rule.Out = interfaceOf(e[94:110], e[126:142]), interfaceOf(e[110:126], e[142:158])
	conditions := append(append(append([]byte{e[17]}, e[34:50]...), e[66:82]...), e[84:86]...) // masks of lengths, hardware addresses, the operation
	conditions = append(conditions, e[160:162]...)                                             // inversions
	rule.Partial = !ok || !ok2 || len(bytes.Trim(conditions, "\x00")) > 0
	if inverted := binary.NativeEndian.Uint16(e[160:162]); inverted != 0 {
		rule.From, rule.To, rule.In, rule.Out = nil, nil, "", ""
	}
}
