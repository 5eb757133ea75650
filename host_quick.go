package lvs

import (
	"context"
	"errors"
	"net/netip"
)

// QuickTable is a table as the kernel lists it in one small file: much cheaper to read
// than a [Snapshot], and less. It has no counters, thresholds, tunnels and flags of
// schedulers.
type QuickTable struct {
	ConnTableSize int            // slots of the kernel's connection table
	Services      []QuickService // in the kernel's order
}

// QuickService is a service of a [QuickTable].
type QuickService struct {
	ID        ServiceID // of a firewall mark, the family is not in the file
	Scheduler Scheduler // its name

	// Persistent reports whether the service is persistent. The file has its timeout
	// in ticks of the kernel, whose length it does not tell, so it is not here.
	Persistent bool

	RealServers []QuickServer // in the order in which they were added
}

// QuickServer is a real server of a [QuickTable].
type QuickServer struct {
	Addr     netip.AddrPort // the port is 0 if that of the packet stays
	Method   ForwardMethod  // how packets reach it
	Weight   int            // 0: it gets no new connections
	Active   int            // connections
	Inactive int            // connections
}

// ForwardMethod is how packets reach a real server, as far as a [QuickTable] tells: of
// tunnels it does not tell the kind.
type ForwardMethod string

// The methods of a [QuickTable].
const (
	MethodNAT    ForwardMethod = "NAT"
	MethodDR     ForwardMethod = "DR"
	MethodTunnel ForwardMethod = "tunnel"
	MethodLocal  ForwardMethod = "local" // the director itself
)

// QuickTable returns the table from one read of /proc/net/ip_vs.
func (h *Host) QuickTable(ctx context.Context) (QuickTable, error) {
	return QuickTable{}, errors.ErrUnsupported
}
