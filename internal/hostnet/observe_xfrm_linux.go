package hostnet

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/mdlayher/netlink"
	rtnetlink "github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/golvs/lvs/internal/netstate"
)

// policyHooks are where policies of IPsec are asked for, by their direction.
var policyHooks = []string{rtnetlink.XFRM_DIR_IN: "in", rtnetlink.XFRM_DIR_OUT: "out", rtnetlink.XFRM_DIR_FWD: "fwd"}

// policyRules reads the policies of IPsec as chains of rules, one for each direction:
// the first policy that is for a packet says whether it passes.
func (o *observer) policyRules() error {
	list, err := o.policies()
	if err != nil {
		o.unread("firewall", "ip xfrm policy", err)
		return nil
	}
	slices.SortStableFunc(list, func(a, b policy) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Index, b.Index))
	})
	blocks := o.blocksByDefault()
	for direction, hook := range policyHooks {
		var rules []netstate.ChainRule
		for _, p := range list {
			if int(p.Dir) == direction && p.Ifid == 0 { // others are for interfaces of the kind xfrm
				rules = append(rules, policyRule(p, hook))
			}
		}
		if len(rules) > 0 || blocks[direction] {
			o.found.Chains = append(o.found.Chains, netstate.Chain{Family: "xfrm", Table: "policy", Name: hook, Hook: "xfrm-" + hook, Type: "filter", Drop: blocks[direction]})
			o.found.ChainRules = append(o.found.ChainRules, rules...)
		}
	}
	return nil
}

// policy is one of IPsec, with the networks that it is for, of which the package for
// netlink misreads those of IPv6 that end in zeros.
type policy struct {
	rtnetlink.XfrmPolicy
	from, to netip.Prefix
}

// policies lists the policies of IPsec, none where the kernel has no IPsec.
func (n *Network) policies() (all []policy, err error) {
	list, err := retry(func() ([]rtnetlink.XfrmPolicy, error) { return n.routes.XfrmPolicyList(rtnetlink.FAMILY_ALL) })
	if errors.Is(err, unix.EPROTONOSUPPORT) || len(list) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	raw, err := n.dump(unix.NETLINK_XFRM, nl.XFRM_MSG_GETPOLICY, nil)
	if err != nil {
		return nil, err
	}
	selectors := make(map[uint32][]byte)
	for _, m := range raw {
		if len(m.Data) >= nl.SizeofXfrmUserpolicyInfo {
			selectors[binary.NativeEndian.Uint32(m.Data[156:])] = m.Data
		}
	}
	for _, p := range list {
		if s, ok := selectors[uint32(p.Index)]; ok {
			all = append(all, policy{p, selected(s, s[16:], s[43]), selected(s, s, s[42])})
		}
	}
	return all, nil
}

// selected returns a network of a policy's selector.
func selected(selector, address []byte, bits byte) netip.Prefix {
	size := net.IPv4len
	if binary.NativeEndian.Uint16(selector[40:]) == unix.AF_INET6 {
		size = net.IPv6len
	}
	return prefixFrom(address[:size], int(bits))
}

func policyRule(p policy, hook string) netstate.ChainRule {
	r := netstate.ChainRule{
		Family: "xfrm", Table: "policy", Chain: hook, From: []netip.Prefix{p.from}, To: []netip.Prefix{p.to}, Protocol: uint8(p.Proto),
		Partial: p.Ifindex != 0, Verdict: "accept",
	}
	r.Handle = fmt.Sprintf("src %s dst %s", p.from, p.to)
	if p.Proto != 0 {
		r.Handle += fmt.Sprintf(" proto %d", uint8(p.Proto))
	}
	if p.SrcPort != 0 {
		r.FromPorts = [][2]uint16{{uint16(p.SrcPort), uint16(p.SrcPort)}}
		r.Handle += fmt.Sprintf(" sport %d", p.SrcPort)
	}
	if p.DstPort != 0 {
		r.ToPorts = [][2]uint16{{uint16(p.DstPort), uint16(p.DstPort)}}
		r.Handle += fmt.Sprintf(" dport %d", p.DstPort)
	}
	r.Handle += " dir " + hook
	if p.Mark != nil {
		r.Mark, r.Mask = p.Mark.Value, p.Mark.Mask
		r.Handle += fmt.Sprintf(" mark %d mask %d", r.Mark, r.Mask)
	}
	needs := slices.ContainsFunc(p.Tmpls, func(t rtnetlink.XfrmPolicyTmpl) bool { return t.Optional == 0 })
	switch {
	case p.Action == rtnetlink.XFRM_POLICY_BLOCK:
		r.Verdict = "drop"
	case needs && hook == "out":
		r.Verdict = "other" // they pass if there is a key
	case needs:
		r.Verdict = "encrypted"
	}
	return r
}

// blocksByDefault reports of each direction whether packets are dropped that no policy
// is for. Kernels before 5.15 do not have that.
func (n *Network) blocksByDefault() (blocks [3]bool) {
	const getDefault, block = 0x28, 1 // XFRM_MSG_GETDEFAULT, XFRM_USERPOLICY_BLOCK
	conn, err := netlink.Dial(unix.NETLINK_XFRM, nil)
	if err != nil {
		return blocks
	}
	defer conn.Close()
	all, err := conn.Execute(netlink.Message{Header: netlink.Header{Type: getDefault, Flags: netlink.Request}, Data: make([]byte, 4)})
	if err != nil || len(all) != 1 || len(all[0].Data) < 3 {
		return blocks
	}
	order := []rtnetlink.Dir{rtnetlink.XFRM_DIR_IN, rtnetlink.XFRM_DIR_FWD, rtnetlink.XFRM_DIR_OUT}
	for i, direction := range order {
		blocks[direction] = all[0].Data[i] == block
	}
	return blocks
}
