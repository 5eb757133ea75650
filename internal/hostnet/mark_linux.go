package hostnet

import (
	"encoding/binary"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"github.com/golvs/lvs/internal/netstate"
)

// packetMark reads and changes a table that marks packets.
type packetMark netstate.PacketMark

var _ = serve(func(r netstate.PacketMark) kind { return packetMark(r) })

func (m packetMark) find(network *Network) (netstate.Resource, error) {
	exists, differs, err := m.table().find(network)
	if err != nil || !exists {
		return nil, err
	}
	m.Other = differs
	return netstate.PacketMark(m), nil
}

func (m packetMark) put(*Network) error    { return m.table().put() }
func (m packetMark) remove(*Network) error { return m.table().remove() }

func (m packetMark) table() ownTable {
	return ownTable{
		name: m.Table, family: tableFamily(m.To.Addr().Is6()), rule: m.rule(),
		chain: nftables.Chain{Name: "prerouting", Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityMangle},
	}
}

// rule returns the expressions that nft(8) makes of the rule.
func (m packetMark) rule() []expr.Any {
	all := toNetwork(m.To)
	if m.Protocol != 0 {
		all = append(all, &expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, isEqual([]byte{m.Protocol}))
	}
	if m.First != 0 {
		all = append(all, &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}, m.ports())
	}
	return append(all,
		&expr.Immediate{Register: 1, Data: binary.NativeEndian.AppendUint32(nil, m.Mark)},
		&expr.Meta{Key: expr.MetaKeyMARK, SourceRegister: true, Register: 1})
}

// ports compares register 1 with the ports.
func (m packetMark) ports() expr.Any {
	first, last := binary.BigEndian.AppendUint16(nil, m.First), binary.BigEndian.AppendUint16(nil, m.Last)
	if m.First == m.Last {
		return isEqual(first)
	}
	return &expr.Range{Op: expr.CmpOpEq, Register: 1, FromData: first, ToData: last}
}
