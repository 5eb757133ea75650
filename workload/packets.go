package workload

import "github.com/golvs/lvs"

// signal is what a packet of a connection says, in each protocol that has connections.
type signal struct {
	tcp  lvs.SimTCPFlags
	sctp lvs.SimSCTPChunks
}

var (
	opens     = signal{lvs.SimSYN, lvs.SimSCTPInit}
	accepts   = signal{lvs.SimSYN | lvs.SimACK, lvs.SimSCTPInitAck}
	confirms  = signal{lvs.SimACK, lvs.SimSCTPCookieEcho}
	confirmed = signal{0, lvs.SimSCTPCookieAck}
	carries   = signal{lvs.SimACK, lvs.SimSCTPData}
	resets    = signal{lvs.SimRST, lvs.SimSCTPAbort}
	closes    = signal{lvs.SimFIN | lvs.SimACK, lvs.SimSCTPShutdown}
	answers   = signal{lvs.SimFIN | lvs.SimACK, lvs.SimSCTPShutdownAck}
	ends      = signal{lvs.SimACK, lvs.SimSCTPShutdownComplete}
)

// put makes a packet say it.
func (s signal) put(p *lvs.SimPacket) {
	switch p.Protocol {
	case lvs.ProtocolTCP:
		p.TCP = s.tcp
	case lvs.ProtocolSCTP:
		p.SCTP = s.sctp
	}
}

// call makes a datagram a message of SIP if the persistence engine of its service looks for
// calls. Each port of a client makes a call of its own.
func call(p *lvs.SimPacket, engine string) {
	if engine == "sip" && p.Protocol == lvs.ProtocolUDP {
		p.Data = "INVITE sip:service SIP/2.0\r\nCall-ID: " + p.Source.String() + "\r\n\r\n"
	}
}

// protocolOf returns the protocol of a service's packets.
func protocolOf(service lvs.ServiceID) lvs.Protocol {
	if service.FWMark() != 0 {
		return lvs.ProtocolTCP
	}
	return service.Protocol()
}

// hasConnections reports whether a protocol has connections, which are opened and closed.
func hasConnections(p lvs.Protocol) bool { return p == lvs.ProtocolTCP || p == lvs.ProtocolSCTP }
