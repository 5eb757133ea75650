package simipvs

// AH and ESP have no ports. IPVS takes their packets for those of the connection by which
// the two hosts exchange keys, and never schedules them.

const (
	protoESP = 50
	protoAH  = 51

	isakmpPort = 500 // of UDP, at both ends
)

// isIPsec reports whether a packet is one of AH or ESP that IPVS sees as such. Linux looks
// through AH of IPv6 for what it protects, as through the other extension headers.
func (p *Packet) isIPsec() bool {
	return p.Protocol == protoESP || p.Protocol == protoAH && p.Source.Addr().Is4()
}

// hasPorts reports whether a packet is of a protocol with ports.
func (p *Packet) hasPorts() bool {
	return p.Protocol == protoTCP || p.Protocol == protoUDP || p.Protocol == protoSCTP
}

// isBalanced reports whether IPVS looks for the packet's connection.
func (p *Packet) isBalanced() bool { return p.hasPorts() || p.isIPsec() }
