package lvs

import "github.com/golvs/lvs/internal/simipvs"

// The protocols of ICMP. IPVS has no services of them, but looks at their errors.
const (
	ProtocolICMP   Protocol = 1
	ProtocolICMPv6 Protocol = 58
)

func (p *SimPacket) isICMP() bool { return p.Protocol == ProtocolICMP || p.Protocol == ProtocolICMPv6 }

func (p *SimPacket) validateAbout() *Error {
	if p.About.About != nil {
		return invalid("About", "no ICMP error is about another one")
	}
	bad := p.About.validate()
	if bad != nil {
		bad.Field = "About." + bad.Field
	}
	return bad
}

// icmp is an ICMP packet as the simulated kernel has it.
func (p *SimPacket) icmp() *simipvs.ICMP {
	m := &simipvs.ICMP{Type: p.ICMPType, Code: p.ICMPCode}
	if a := p.About; a != nil {
		source, destination := unmap(a.Source), unmap(a.Destination)
		m.About = &simipvs.Packet{Protocol: uint8(a.Protocol), Source: &source, Destination: &destination, Length: a.least()}
	}
	return m
}
