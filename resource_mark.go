package lvs

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/golvs/lvs/internal/netstate"
)

// PacketMark gives packets that arrive for a VIP the firewall mark of a service: see
// [FWMark]. It is one rule, alone in its own nftables table, at the hook prerouting.
// Tables of other programs are not changed.
//
// Packets that the host itself sends are not marked. The packets must still be delivered
// to the host, which needs the VIP as an [Address], or a local [Route]. For several ranges
// of ports use several PacketMarks with the same Mark.
//
// A simulated host does not mark the packets of [Simulator.Deliver]: set
// [SimPacket].FWMark.
type PacketMark struct {
	// Table is the table's name; "" derives one from the other fields.
	Table string `json:"table,omitempty"`

	To       netip.Prefix `json:"to"`                 // only packets to this network, such as a VIP with /32
	Protocol Protocol     `json:"protocol,omitempty"` // only packets of this protocol; 0 is any
	Ports    PortRange    `json:"ports,omitzero"`     // only packets to these ports, which need a Protocol; the zero range is any
	Mark     uint32       `json:"mark"`               // that packets get; not 0
}

// PortRange is a range of ports. Last 0 stands for First alone, and the zero value for
// all ports.
type PortRange struct {
	First uint16 `json:"first"`          // the lowest port
	Last  uint16 `json:"last,omitempty"` // the highest port
}

// String returns the range as "80", "8000-8099" or "any".
func (r PortRange) String() string {
	switch {
	case r == PortRange{}:
		return "any"
	case r.Last == 0 || r.Last == r.First:
		return strconv.Itoa(int(r.First))
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// String returns the command of nft(8) that makes the table.
func (m PacketMark) String() string {
	m = m.named()
	family := nftFamily(m.To.Addr().Is6())
	rule := ""
	if m.To.Bits() > 0 {
		rule = optionText(family+" daddr", m.To)
	}
	switch {
	case m.Ports != PortRange{}:
		rule += fmt.Sprintf(" %s dport %s", m.Protocol, m.Ports)
	case m.Protocol != 0:
		rule += fmt.Sprintf(" meta l4proto %s", m.Protocol)
	}
	return fmt.Sprintf("nft 'table %s %s { chain prerouting { type filter hook prerouting priority -150;%s meta mark set %d; }; }'", family, m.Table, rule, m.Mark)
}

// named gives the table a name that says what it is for, and writes a range of one port
// in one way.
func (m PacketMark) named() PacketMark {
	if m.Ports.Last == m.Ports.First {
		m.Ports.Last = 0
	}
	if m.Table == "" {
		m.Table = tableName(fmt.Sprintf("lvs_mark_%d", m.Mark) + tablePart("to", m.To) + tablePart("proto", m.Protocol) + tablePart("port", m.Ports))
	}
	return m
}

// Equal reports whether both are the same.
func (m PacketMark) Equal(other PacketMark) bool { return m == other }

func (m PacketMark) key() string { return tableKey(m.To.Addr().Is6(), m.named().Table) }

func (m PacketMark) validate() *Error {
	if bad := cmp.Or(validateNetwork("To", m.To, netip.Addr{}), validateTable(m.Table)); bad != nil {
		return bad
	}
	switch {
	case m.To.Addr().Is4In6():
		return invalid("To", "%s is an IPv4-mapped IPv6 network", m.To)
	case m.Mark == 0:
		return invalid("Mark", "needs a firewall mark, which is not 0")
	case m.Protocol != 0 && m.Protocol != ProtocolTCP && m.Protocol != ProtocolUDP && m.Protocol != ProtocolSCTP:
		return invalid("Protocol", "%s is not TCP, UDP or SCTP", m.Protocol)
	case m.Ports != PortRange{} && m.Protocol == 0:
		return invalid("Ports", "ports need a Protocol")
	case m.Ports != PortRange{} && (m.Ports.First == 0 || m.Ports.Last != 0 && m.Ports.Last < m.Ports.First):
		return invalid("Ports", "%d-%d is not a range of ports", m.Ports.First, m.Ports.Last)
	}
	return nil
}

func (m PacketMark) complete(found Resource) (Resource, *Error) {
	m = m.named()
	if _, ok := found.(PacketMark); found != nil && !ok {
		return nil, foreignTable(m.Table)
	}
	return m, nil
}

func (m PacketMark) matches(now Resource) bool { return now == m }

func (m PacketMark) toNetwork() netstate.Resource {
	m = m.named()
	return netstate.PacketMark{
		Table: m.Table, To: m.To, Protocol: uint8(m.Protocol), First: m.Ports.First, Last: max(m.Ports.First, m.Ports.Last), Mark: m.Mark,
	}
}

func packetMarkFrom(n netstate.PacketMark) Resource {
	m := PacketMark{Table: n.Table, To: n.To, Protocol: Protocol(n.Protocol), Ports: PortRange{n.First, n.Last}, Mark: n.Mark}
	return seenResource(m.named(), n.Other)
}
