package lvs

import "fmt"

// Stats are the counters of a service or real server since it was added or its
// counters were last zeroed. The kernel publishes them, and the rates, about
// every two seconds, so they lag by that much, and traffic just before a zeroing
// can reappear after it. They do not advance while net.ipv4.vs.run_estimation
// is 0.
//
// Outgoing traffic is counted only if it passes through the director, so never
// with [DR] or tunnels.
type Stats struct {
	Conns      uint64 `json:"conns" yaml:"conns"`           // connections that were scheduled
	InPackets  uint64 `json:"inPackets" yaml:"inPackets"`   // from clients
	OutPackets uint64 `json:"outPackets" yaml:"outPackets"` // to clients
	InBytes    uint64 `json:"inBytes" yaml:"inBytes"`       // of IP packets, without a tunnel's outer header
	OutBytes   uint64 `json:"outBytes" yaml:"outBytes"`     // likewise

	Rates Rates `json:"rates" yaml:"rates"` // current rates
}

// Rates are averages over about eight seconds, a second. Fractions are rounded
// up if they are large enough, so single events may show as 0.
type Rates struct {
	Conns      uint64 `json:"conns" yaml:"conns"`           // connections that were scheduled
	InPackets  uint64 `json:"inPackets" yaml:"inPackets"`   // from clients
	OutPackets uint64 `json:"outPackets" yaml:"outPackets"` // to clients
	InBytes    uint64 `json:"inBytes" yaml:"inBytes"`       // bytes, not bits
	OutBytes   uint64 `json:"outBytes" yaml:"outBytes"`     // likewise
}

// String returns the counters and the rates in one line.
func (s Stats) String() string {
	return fmt.Sprintf("%s; %s",
		counters(s.Conns, s.InPackets, s.InBytes, s.OutPackets, s.OutBytes), s.Rates)
}

// String returns the rates in one line.
func (r Rates) String() string {
	return "per second " + counters(r.Conns, r.InPackets, r.InBytes, r.OutPackets, r.OutBytes)
}

func counters(conns, inPackets, inBytes, outPackets, outBytes uint64) string {
	return fmt.Sprintf("conns %d in %d packets %d bytes out %d packets %d bytes",
		conns, inPackets, inBytes, outPackets, outBytes)
}
