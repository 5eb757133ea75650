package hostnet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/golvs/lvs/internal/netstate"
)

// firewall reads the rules of nftables, and of iptables where it does not work by
// nftables.
func (o *observer) firewall() error {
	if err := o.nftables(); err != nil {
		o.unread("firewall", "nft list ruleset", err)
	}
	o.legacy()
	return nil
}

const nft = uint16(unix.NFNL_SUBSYS_NFTABLES << 8)

// generic is the header of netfilter's messages: the family, 0 for all.
func generic(family byte) []byte { return []byte{family, 0, 0, 0} }

func (o *observer) nftables() error {
	chains, err := o.dump(unix.NETLINK_NETFILTER, nft|unix.NFT_MSG_GETCHAIN, generic(0))
	if errors.Is(err, unix.EINVAL) || lacksTables(err) {
		return nil // this kernel has no nftables, or has not loaded it
	}
	if err != nil {
		return err
	}
	if len(chains) == 0 {
		return nil
	}
	asleep, err := o.dormant()
	if err != nil {
		return err
	}
	for _, m := range chains {
		for _, c := range nftChain(m.Data) {
			if !asleep[setName{family: c.Family, table: c.Table}] {
				o.found.Chains = append(o.found.Chains, c)
			}
		}
	}
	rules, err := o.dump(unix.NETLINK_NETFILTER, nft|unix.NFT_MSG_GETRULE, generic(0))
	if err != nil {
		return err
	}
	sets := nftSets{network: o.Network, known: make(map[setName][]setElement)}
	for _, m := range rules {
		if len(o.found.ChainRules) >= mostChainRules {
			o.unread("firewall", "nft list ruleset", fmt.Sprintf("there are more than %d rules", mostChainRules))
			return nil
		}
		o.found.ChainRules = append(o.found.ChainRules, o.nftRule(m.Data, &sets)...)
	}
	return nil
}

// dormant returns the tables that are switched off.
func (o *observer) dormant() (map[setName]bool, error) {
	tables, err := o.dump(unix.NETLINK_NETFILTER, nft|unix.NFT_MSG_GETTABLE, generic(0))
	asleep := make(map[setName]bool)
	for _, m := range tables {
		if len(m.Data) < 4 {
			continue
		}
		name, flags := "", uint32(0)
		attributes(m.Data[4:], func(kind uint16, value []byte) {
			switch kind {
			case unix.NFTA_TABLE_NAME:
				name = text(value)
			case unix.NFTA_TABLE_FLAGS:
				flags = be32(value)
			}
		})
		asleep[setName{family: nftFamilies[m.Data[0]], table: name}] = flags&unix.NFT_TABLE_F_DORMANT != 0
	}
	return asleep, err
}

var nftFamilies = map[byte]string{
	unix.NFPROTO_IPV4: "ip", unix.NFPROTO_IPV6: "ip6", unix.NFPROTO_INET: "inet", unix.NFPROTO_ARP: "arp",
	unix.NFPROTO_BRIDGE: "bridge", unix.NFPROTO_NETDEV: "netdev",
}

// hookName returns what nft(8) calls a hook.
func hookName(family string, number uint32) string {
	names := []string{"prerouting", "input", "forward", "output", "postrouting", "ingress"}
	switch family {
	case "netdev":
		names = []string{"ingress", "egress"}
	case "arp":
		names = []string{"input", "output", "forward"}
	}
	if int(number) < len(names) {
		return names[number]
	}
	return "other"
}

// attributes decodes those of a message of netfilter, whose numbers are in the
// order of the network.
func attributes(data []byte, each func(kind uint16, value []byte)) bool {
	d, err := netlink.NewAttributeDecoder(data)
	if err != nil {
		return false
	}
	for d.Next() {
		each(d.Type(), d.Bytes())
	}
	return d.Err() == nil
}

func be32(value []byte) uint32 {
	if len(value) != 4 {
		return 0
	}
	return binary.BigEndian.Uint32(value)
}

// nftChain decodes a chain. One at the hooks of several interfaces becomes several.
func nftChain(data []byte) (all []netstate.Chain) {
	if len(data) < 4 {
		return nil
	}
	c := netstate.Chain{Family: nftFamilies[data[0]]}
	var devices []string
	ok := attributes(data[4:], func(kind uint16, value []byte) {
		switch kind {
		case unix.NFTA_CHAIN_TABLE:
			c.Table = text(value)
		case unix.NFTA_CHAIN_NAME:
			c.Name = text(value)
		case unix.NFTA_CHAIN_TYPE:
			c.Type = text(value)
		case unix.NFTA_CHAIN_POLICY:
			c.Drop = be32(value) == 0
		case unix.NFTA_CHAIN_HOOK:
			devices = readHook(&c, value)
		}
	})
	if !ok || c.Family == "" {
		return nil
	}
	for _, device := range devices {
		c.Device = device
		all = append(all, c)
	}
	if len(devices) == 0 {
		all = append(all, c)
	}
	return all
}

const hookDevices = 4 // NFTA_HOOK_DEVS

// readHook reads the hook of a chain into it, and returns the interfaces of the hook.
func readHook(c *netstate.Chain, data []byte) (devices []string) {
	attributes(data, func(kind uint16, value []byte) {
		switch kind {
		case unix.NFTA_HOOK_HOOKNUM:
			c.Hook = hookName(c.Family, be32(value))
		case unix.NFTA_HOOK_PRIORITY:
			c.Priority = int(int32(be32(value)))
		case unix.NFTA_HOOK_DEV:
			devices = []string{text(value)}
		case hookDevices:
			devices = nil
			attributes(value, func(_ uint16, name []byte) { devices = append(devices, text(name)) })
		}
	})
	return devices
}

// nftRule decodes a rule. It becomes several when it does several things, or
// looks its verdict up.
func (o *observer) nftRule(data []byte, sets *nftSets) []netstate.ChainRule {
	if len(data) < 4 {
		return nil
	}
	d := nftDecoder{names: o.names, sets: sets}
	d.rule.Family = nftFamilies[data[0]]
	var expressions []byte
	ok := attributes(data[4:], func(kind uint16, value []byte) {
		switch kind {
		case unix.NFTA_RULE_TABLE:
			d.rule.Table = text(value)
		case unix.NFTA_RULE_CHAIN:
			d.rule.Chain = text(value)
		case unix.NFTA_RULE_EXPRESSIONS:
			expressions = value
		}
	})
	ok = ok && attributes(expressions, func(_ uint16, value []byte) {
		var name string
		var body []byte
		attributes(value, func(kind uint16, value []byte) {
			switch kind {
			case unix.NFTA_EXPR_NAME:
				name = text(value)
			case unix.NFTA_EXPR_DATA:
				body = value
			}
		})
		d.expression(name, body)
	})
	if !ok {
		d.rule.Partial, d.rule.Verdict = true, "other"
	}
	if d.rule.Verdict != "" || len(d.done) == 0 {
		d.done = append(d.done, d.rule)
	}
	return d.done
}

// setName is the name of a set of nftables.
type setName struct{ family, table, name string }

// setElement is an element of a set: a value, or a range of them, and the verdict
// of a map.
type setElement struct {
	from, to        []byte
	verdict, target string
}

// nftSets reads sets when they are needed.
type nftSets struct {
	network *Network
	known   map[setName][]setElement
}

// mostSets and mostElements are how many are looked at.
const (
	mostSets     = 512
	mostElements = 10_000
)

// elements returns those of a set, and whether they are all.
func (s *nftSets) elements(name setName) ([]setElement, bool) {
	if all, ok := s.known[name]; ok || len(s.known) >= mostSets {
		return all, ok && all != nil
	}
	s.known[name] = s.read(name)
	return s.known[name], s.known[name] != nil
}

func (s *nftSets) read(name setName) []setElement {
	family := byte(0)
	for number, f := range nftFamilies {
		if f == name.family {
			family = number
		}
	}
	attrs := netlink.NewAttributeEncoder()
	attrs.String(unix.NFTA_SET_ELEM_LIST_TABLE, name.table)
	attrs.String(unix.NFTA_SET_ELEM_LIST_SET, name.name)
	body, err := attrs.Encode()
	if err != nil {
		return nil
	}
	messages, err := s.network.dump(unix.NETLINK_NETFILTER, nft|unix.NFT_MSG_GETSETELEM, append(generic(family), body...))
	if err != nil {
		return nil
	}
	all := []setElement{}
	var ends []string
	for _, m := range messages {
		if len(m.Data) < 4 {
			return nil
		}
		attributes(m.Data[4:], func(kind uint16, value []byte) {
			if kind != unix.NFTA_SET_ELEM_LIST_ELEMENTS {
				return
			}
			attributes(value, func(_ uint16, value []byte) {
				if e, end := nftElement(value); end {
					ends = append(ends, string(e.from))
				} else {
					all = append(all, e)
				}
			})
		})
	}
	if len(all) > mostElements {
		return nil
	}
	closeRanges(all, ends)
	return all
}

const elementEnd = 1 // NFT_SET_ELEM_INTERVAL_END

func nftElement(data []byte) (e setElement, end bool) {
	attributes(data, func(kind uint16, value []byte) {
		switch kind {
		case unix.NFTA_SET_ELEM_KEY:
			e.from = dataValue(value)
			if e.to == nil {
				e.to = e.from
			}
		case unix.NFTA_SET_ELEM_KEY + 9: // NFTA_SET_ELEM_KEY_END
			e.to = dataValue(value)
		case unix.NFTA_SET_ELEM_DATA:
			e.verdict, e.target = verdictOf(value)
		case unix.NFTA_SET_ELEM_FLAGS:
			end = be32(value)&elementEnd != 0
		}
	})
	return e, end
}

// closeRanges gives each element the end of its range, which is just below the
// least end above it.
func closeRanges(all []setElement, ends []string) {
	if len(ends) == 0 {
		return // a set without ranges
	}
	slices.Sort(ends)
	for i := range all {
		from := string(all[i].from)
		at, _ := slices.BinarySearch(ends, from+"\x00") // the first above it, for all are of one length
		to := bytes.Repeat([]byte{0xff}, len(from))
		if at < len(ends) {
			to = before([]byte(ends[at]))
		}
		all[i].to = to
	}
}

// before returns the value that is one less.
func before(value []byte) []byte {
	for i := len(value) - 1; i >= 0; i-- {
		if value[i]--; value[i] != 0xff {
			break
		}
	}
	return value
}

// dataValue returns the value of data of nftables.
func dataValue(data []byte) (v []byte) {
	attributes(data, func(kind uint16, value []byte) {
		if kind == unix.NFTA_DATA_VALUE {
			v = value
		}
	})
	return v
}

// verdictOf returns the verdict of data of nftables, "" of other data.
func verdictOf(data []byte) (verdict, target string) {
	attributes(data, func(kind uint16, value []byte) {
		if kind != unix.NFTA_DATA_VERDICT {
			return
		}
		attributes(value, func(kind uint16, value []byte) {
			switch kind {
			case unix.NFTA_VERDICT_CODE:
				verdict = verdictName(int32(be32(value)))
			case unix.NFTA_VERDICT_CHAIN:
				target = text(value)
			}
		})
	})
	return verdict, target
}

func verdictName(code int32) string {
	switch code {
	case unix.NFT_JUMP:
		return "jump"
	case unix.NFT_GOTO:
		return "goto"
	case unix.NFT_RETURN:
		return "return"
	case unix.NFT_CONTINUE:
		return ""
	case 0:
		return "drop"
	case 1:
		return "accept"
	}
	return "other"
}
