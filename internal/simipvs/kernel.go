// Package simipvs is Linux's IPVS in process: its tables, its connections, its
// timers and its answers, by its own reading of the kernel's rules and not by
// the client's encoder, so that a mistake in one is not hidden by the other.
//
// A [Kernel] is one network namespace of one release of Linux. It has no goroutine:
// whatever is due happens at the next call, in the order in which it was due.
//
// What happens to a packet is decided in decide.go, without effects, and done in
// commit.go.
package simipvs

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golvs/lvs/internal/release"
	"github.com/golvs/lvs/internal/simipvs/sched"
)

// Options say which kernel it is and where it stands.
type Options struct {
	Release        release.Release
	Clock          func() time.Time                              // nil: the clock stands still but for Advance
	ImmediateStats bool                                          // statistics do not wait for the estimator
	Seed           uint64                                        // of everything that Linux draws at random
	Interfaces     []Interface                                   // besides lo
	Schedulers     map[string]func(*ServiceName) sched.Scheduler // by name, besides the kernel's own
	FTPPorts       []uint16                                      // of ip_vs_ftp; none is port 21
	Engines        map[string]Engine                             // by name, besides the kernel's own
	SHBits         int                                           // see sched.Options
	MHIndex        int
}

// Interface is a network device.
type Interface struct {
	Name  string
	MTU   int
	Down  bool
	Addrs []netip.Prefix

	// Broadcasts are broadcast addresses besides the last ones of the networks.
	Broadcasts []netip.Addr
}

// tick is a moment, or a span, in ticks.
type tick int64

// span is a length of time in ticks. It is narrower than tick because each connection
// has one, and wraps as the kernel's does.
type span uint32

const second = sched.HZ

// Kernel is an IPVS. Any number of goroutines may use it.
type Kernel struct {
	opts Options
	rand *rand.PCG

	clockPanic atomic.Pointer[any] // of the caller's clock, until a caller has it

	mu      sync.Mutex
	started time.Time // the moment of tick 0
	virtual time.Duration
	now     tick // everything before and at it has happened

	services serviceTable
	dests    []*dest // by number; nil where free
	free     []uint32
	trash    trash
	conns    connTable
	engines  engines
	timers   wheel
	timeouts timeouts // as SET_CONFIG sets them, in ticks
	sysctl   *sysctls
	daemons  daemons
	sync     syncTable
	defences defences
	stats    stats // of the namespace
	mixed    int   // servers whose family is not their service's
	totals   bool  // how connections are counted; see release.Release.CountsTotals

	senders    map[netip.AddrPort][]*dest // servers of NAT by address, the newest first; nil: to be found again
	ranks      uint64                     // of the newest of them
	natServers map[[16]byte]int           // servers with connections in conns.byReply, by address
	flow       sched.Flow                 // that is being scheduled
	opening    conn                       // that is being opened
	faults     []Fault
	conntrack  conntrack
	elsewhere  Elsewhere

	reassembles6 bool // see Reassembles6

	ftp     ftpHelper
	awaited int                        // connections that wait for their client
	foreign map[connID]*netip.AddrPort // where data come from, if not from a real server

	interfaces []Interface
	addresses  addresses

	localRoutes []netip.Prefix // networks whose addresses are all the director's
	sockets     uint32         // that were opened
}

// serviceKey is what tells services apart, and what a packet is looked up by.
// An IPv4 address is mapped into IPv6.
type serviceKey struct {
	family   uint32 // inet4 or inet6; so large that the key has no holes, and hashes fast
	protocol uint16
	port     uint16
	mark     uint32 // not zero: protocol, port and addr are zero
	addr     [16]byte
}

const (
	inet4 = 2
	inet6 = 10
)

const (
	protoIP   = 0 // of a template that belongs to a mark
	protoTCP  = 6
	protoUDP  = 17
	protoSCTP = 132
)

// service is a virtual service.
type service struct {
	key       serviceKey
	name      *ServiceName // key.name(), made once
	scheduler string       // "none" without one
	engine    string       // persistence engine, "" without one
	flags     uint32
	timeout   span // of persistence
	netmask   uint32
	group     *sched.Group
	dests     map[netip.AddrPort]*dest
	stats     stats
	tracks    bool     // FTP by NAT, for which netfilter must track connections
	next      *service // in the table
}

// Bits of a service's flags.
const (
	flagPersistent = 0x1
	flagHashed     = 0x2
	flagOnePacket  = 0x4
	flagSched1     = 0x8
	flagSched2     = 0x10
)

// dest is a real server: in a service, in the trash, or only held by
// connections.
type dest struct {
	sched.Server              // its ID is the index in Kernel.dests
	svc          *service     // nil once it was removed
	former       *service     // in the trash: where it was
	key          serviceKey   // its service's, by which it is found in the trash
	name         *ServiceName // its service's
	method       uint32       // forwarding method, as it was given
	upper, lower uint32       // thresholds, as they were given
	tunType      uint8
	tunPort      uint16
	tunFlags     uint16
	persistent   int32  // templates
	refs         int    // connections and templates that point here
	replies      int    // connections of it that are in the table of replies
	thrown       uint64 // in the trash: which one it was
	idleSince    tick   // in the trash without refs; 0: not seen so yet
	stats        stats
	way          *Way   // nil: its route is not kept
	ranked       uint64 // among those whose packets may be replies; a newer one has more; 0: not among them

	// unbound is the server of a connection that another director told of, and that no
	// service has. It is only where packets go.
	unbound bool
}

// removed reports whether a server is in no service any more.
func (d *dest) removed() bool { return !d.Available && !d.unbound }

// Forwarding methods.
const (
	methodMasq      = 0
	methodLocalNode = 1
	methodTunnel    = 2
	methodDirect    = 3
	methodBypass    = 4
)

// New returns a kernel with an empty table.
func New(opts Options) *Kernel {
	k := &Kernel{
		opts:       opts,
		rand:       rand.NewPCG(opts.Seed, opts.Seed),
		started:    bootTime,
		dests:      []*dest{nil}, // number 0 is unused
		totals:     opts.Release.CountsTotals(),
		natServers: make(map[[16]byte]int),
		foreign:    make(map[connID]*netip.AddrPort),
		timeouts:   usualTimeouts,
		trash:      trash{servers: make(map[trashKey]*dest)},
		interfaces: append([]Interface{loopback}, opts.Interfaces...),
	}
	k.addresses = newAddresses(k.interfaces)
	if opts.Clock != nil {
		k.started = opts.Clock()
	}
	k.services = newServiceTable(opts.Release, k.rand.Uint64())
	k.conns = newConnTable(k.rand.Uint64())
	k.engines = newEngines()
	k.timers.conns = &k.conns
	k.defences.due = lookInterval
	k.conntrack.entries, k.conntrack.replies = make(map[ends]track), make(map[ends]ends)
	k.sysctl = newSysctls(opts.Release)
	k.stats = k.newStats()
	return k
}

// Release returns the release that the kernel behaves as.
func (k *Kernel) Release() release.Release { return k.opts.Release }

// bootTime is when a kernel starts whose clock is not the caller's.
var bootTime = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
