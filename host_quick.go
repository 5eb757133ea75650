package lvs

import (
	"context"
	"fmt"
	"net/netip"
	"sync/atomic"
)

// QuickTable is the table as the kernel lists it in /proc/net/ip_vs: much cheaper to
// read than a [Snapshot], and less. The file has no counters, thresholds, persistence
// engines and scheduler flags, and of tunnels it has neither kind nor port.
type QuickTable struct {
	// ConnTableSize is the number of slots of the kernel's connection table. Since Linux
	// 7.1 the table belongs to the namespace and grows, and the number is 0 before the
	// first service.
	ConnTableSize int

	// Services are ordered by [ServiceID.Compare], as those of a [Snapshot].
	Services []QuickService
}

// QuickService is a service of a [QuickTable].
type QuickService struct {
	// ID is the service. The file has no address family for firewall marks: see
	// FamilyUnknown.
	ID ServiceID

	// FamilyUnknown reports that the ID is of a firewall mark whose family is a guess.
	// Only a tunnel can lead to a real server of the other family, so a real server with
	// another method shows the family. Without one, most masks of persistence do: a mask
	// that looks like one of IPv6 makes it the guess. Without either, the ID has the
	// family of the first real server, or else IPv4. If two services have the same mark
	// and neither family is known, the IDs of the two may be exchanged.
	FamilyUnknown bool

	// Scheduler is the name of the scheduler, [NoScheduler] if the service has none.
	Scheduler Scheduler

	// OnePacket reports whether each datagram is scheduled on its own. It is always
	// unknown for an IPv6 service with an address.
	OnePacket QuickSwitch

	// Persistent reports whether a client stays with its real server.
	Persistent bool

	// PersistenceTicks is the timeout of persistence in ticks of the kernel, whose length
	// the file does not have. A second has CONFIG_HZ ticks: 250 on Debian. It is 0 if the
	// service is not persistent.
	PersistenceTicks uint32

	// PersistenceMask is the part of a client's address that counts. It is zero if it is
	// the whole address, and if the service is not persistent. If FamilyUnknown, it is as
	// much of a guess as the family.
	PersistenceMask Mask

	// RealServers are in the order in which they were added.
	RealServers []QuickServer
}

// QuickServer is a real server of a [QuickTable].
type QuickServer struct {
	Addr     netip.AddrPort // port 0 means the port that the client used
	Method   ForwardMethod  // how packets reach it
	Weight   int            // 0: it gets no new connections
	Active   int            // active connections
	Inactive int            // inactive connections
}

// QuickSwitch is the state of a switch in a [QuickTable].
type QuickSwitch string

// The states of a [QuickSwitch].
const (
	QuickUnknown QuickSwitch = "" // the file does not have it
	QuickOff     QuickSwitch = "off"
	QuickOn      QuickSwitch = "on"
)

// ForwardMethod is what a [QuickTable] has of a [Mode]. A method that is not among the
// constants has the kernel's word for it.
type ForwardMethod string

// The methods of a [QuickTable].
const (
	MethodNAT    ForwardMethod = "nat"    // also [ModeBypass], and numbers that have no name
	MethodDR     ForwardMethod = "dr"     // direct routing
	MethodTunnel ForwardMethod = "tunnel" // of any kind
	MethodLocal  ForwardMethod = "local"  // [ModeLocalNode]
)

const quickFile = "/proc/net/ip_vs"

// quickRoom is a text of the file that was parsed. The next reading uses its room: it is
// large, and where memory is slow to come, growing costs as much as reading.
var quickRoom atomic.Pointer[[]byte]

// QuickTable reads the table from /proc/net/ip_vs, which needs no privilege.
//
// It is not a consistent picture. The kernel lists a service with its real servers at
// one time, but as many services as fit into 4 KB, about 40, at another time than the
// next ones. If services are added or removed between two such pieces, others can be
// left out or repeated. QuickTable notices what is repeated and reads again, for up to
// about a second. It does not notice what is left out: read twice if that matters, or
// use [Client.Snapshot].
//
// Before Linux 7.1, the kernel also leaves services out while other network namespaces
// have services. QuickTable notices that and reads the services one by one, which takes
// many times as long.
//
// Words that the kernel adds at the end of a row are ignored. The error matches
// [ErrUnavailable] if the kernel has no IPVS, [ErrUnstable] if services were repeated
// in every reading, and [errors.ErrUnsupported] if a row cannot be understood;
// [Error.Line] and [Error.Column] are its place in the file.
func (h *Host) QuickTable(ctx context.Context) (QuickTable, error) {
	for round := range listRounds {
		text, err := h.readIPVSFile(ctx, quickFile)
		if err != nil {
			return QuickTable{}, err
		}
		table, isTorn, err := parseQuickTable(text)
		quickRoom.Store(&text)
		if err != nil || !isTorn {
			return table, err
		}
		if err := pause(ctx, firstPause<<round); err != nil {
			return QuickTable{}, fileError(OpReadHost, quickFile, err)
		}
	}
	return QuickTable{}, (&Error{
		kind: ErrUnstable, hint: "try again when fewer changes are made",
		detail: fmt.Sprintf("services were repeated in each of %d readings", listRounds),
	}).about(OpReadHost, quickFile)
}
