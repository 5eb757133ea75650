package lvs

// Stats are the counters of a service or of a real server since it was made or
// last zeroed. The kernel publishes them, like the rates, about every two
// seconds, so they lag by that much, and traffic just before a zeroing can
// reappear after it. They stand still while net.ipv4.vs.run_estimation is 0.
//
// What goes out is counted where it passes the director: not at all with [DR]
// and tunnels.
type Stats struct {
	Conns      uint64 `json:"conns" yaml:"conns"`           // connections that were scheduled
	InPackets  uint64 `json:"inPackets" yaml:"inPackets"`   // from clients
	OutPackets uint64 `json:"outPackets" yaml:"outPackets"` // to clients
	InBytes    uint64 `json:"inBytes" yaml:"inBytes"`       // of IP packets, before a tunnel's header
	OutBytes   uint64 `json:"outBytes" yaml:"outBytes"`     // likewise

	Rates Rates `json:"rates" yaml:"rates"` // at present
}

// Rates are per second, averaged over some eight seconds, rounded up from a
// fraction that is large enough: single events may show as 0.
type Rates struct {
	Conns      uint64 `json:"conns" yaml:"conns"`           // connections that were scheduled
	InPackets  uint64 `json:"inPackets" yaml:"inPackets"`   // from clients
	OutPackets uint64 `json:"outPackets" yaml:"outPackets"` // to clients
	InBytes    uint64 `json:"inBytes" yaml:"inBytes"`       // bytes, not bits, a second
	OutBytes   uint64 `json:"outBytes" yaml:"outBytes"`     // likewise
}
