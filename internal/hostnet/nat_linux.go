package hostnet

import (
	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/golvs/lvs/internal/netstate"
)

// sourceNAT reads and changes a table of source NAT.
type sourceNAT netstate.SourceNAT

var _ = serve(func(r netstate.SourceNAT) kind { return sourceNAT(r) })

func (n sourceNAT) find(network *Network) (netstate.Resource, error) {
	exists, differs, err := n.table().find(network)
	if err != nil || !exists {
		return nil, err
	}
	n.Other = differs
	return netstate.SourceNAT(n), nil
}

func (n sourceNAT) put(*Network) error    { return n.table().put() }
func (n sourceNAT) remove(*Network) error { return n.table().remove() }

func (n sourceNAT) table() ownTable {
	return ownTable{
		name: n.Table, family: tableFamily(n.IPv6), rule: n.rule(),
		chain: nftables.Chain{Name: "postrouting", Type: nftables.ChainTypeNAT, Hooknum: nftables.ChainHookPostrouting, Priority: nftables.ChainPriorityNATSource},
	}
}

// rule returns the expressions that nft(8) makes of the rule.
func (n sourceNAT) rule() (all []expr.Any) {
	if n.Out != "" {
		name := make([]byte, unix.IFNAMSIZ)
		copy(name, n.Out)
		all = append(all, &expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 1}, isEqual(name))
	}
	all = append(all, fromNetwork(n.From)...)
	all = append(all, toNetwork(n.To)...)
	if n.VIP.IsValid() {
		all = append(all, &expr.Ct{Key: expr.CtKeyDST, Register: 1}, isEqual(n.VIP.AsSlice()))
	}
	if !n.Source.IsValid() {
		return append(all, &expr.Masq{})
	}
	family := uint32(unix.NFPROTO_IPV4)
	if n.IPv6 {
		family = unix.NFPROTO_IPV6
	}
	return append(all,
		&expr.Immediate{Register: 1, Data: n.Source.AsSlice()},
		&expr.NAT{Type: expr.NATTypeSourceNAT, Family: family, RegAddrMin: 1})
}
