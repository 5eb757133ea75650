package lvs

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/golvs/lvs/internal/genl"
	"github.com/golvs/lvs/internal/release"
	"github.com/golvs/lvs/internal/simipvs"
	"github.com/golvs/lvs/internal/simipvs/sched"
)

// Simulator is an IPVS in this process: it answers a [Client] as the kernel
// would, errors included, and picks the real servers that the kernel would pick.
// It needs no root, no network and no Linux, and starts no goroutine. Any number
// of goroutines may use it.
//
// It is proved against real kernels, by one suite of tests that runs on both and
// by random histories that are played to both. Where it differs on purpose:
//
//   - A packet that is delivered is one that has reached IPVS, and what IPVS forwards
//     gets to its server, unless [SimOptions.Interfaces] are given. Then
//     addresses, links, routes and forwarding are simulated: a packet that is not for
//     the director does not reach IPVS, and one that the director has no way for
//     gets no further. Firewall, ARP, MTU, TTL and rp_filter are not simulated, and
//     neither is what a host does with a packet that IPVS refuses or passes on.
//   - SCTP, ICMP, AH and ESP packets, fragments, the sip persistence engine, the
//     FTP helper, schedule_icmp and drop_entry=3 are answered with
//     [errors.ErrUnsupported]. Memory is never short, so the automatic modes of
//     drop_entry, drop_packet and secure_tcp never begin.
//   - Sync daemons start, stop and are listed; they send and receive nothing. One
//     that is stopped as soon as it was started stops; the kernel may fail to, and
//     not even answer. A master with an IPv6 group starts where disable_ipv6 is 1 or
//     a route prohibits the group; the kernel's does not.
//   - With conntrack=1, netfilter tracks the connections of a family if the host
//     has a [SourceNAT] for it, or if a service of port 21 has a server of [NAT].
//     Other rules that look at connections are not simulated, and neither are
//     netfilter's switches and the sequence numbers of TCP, by which it calls packets
//     invalid.
//   - Of netlink's controller there is what it takes to find IPVS.
//   - Connections expire when they are due. The kernel's timers may be late, by
//     up to an eighth of the timeout, and a connection whose timer fires while a
//     packet of it is under way gets 60 seconds more. Here packets take no time.
//   - secure_tcp and drop_packet are obeyed at once. The kernel looks at them about
//     once a second.
//   - Statistics lag by the two seconds of the kernel's estimator, but not by the
//     delays of its threads. See [SimOptions.ImmediateStats].
//   - Since Linux 7.1 a table that grows can be listed incompletely for a moment,
//     and before that a change waits for all namespaces. Here, neither.
//   - Services are listed in an order that the seed decides; the kernel's hangs
//     on addresses in its memory.
//   - A tick is 4 ms, as on Debian. [TWOS] draws at random, by the seed, and is
//     there since Linux 6.2.
//   - The cache of [LBLC] and [LBLCR] does not keep a real server from being
//     forgotten that was removed minutes ago.
type Simulator struct {
	kernel  *simipvs.Kernel
	network *simulatedNetwork
	log     *slog.Logger
	made    simulatedChanges
}

// SimOptions choose a simulated kernel. The zero value is a good choice.
type SimOptions struct {
	// Kernel is the release of Linux to behave as, such as "6.1.176" or "7.2";
	// "" is [SimDefaultKernel]. Answers to some requests depend on it, and
	// so does the load by which [LC] and [WLC] pick: it changed in 7.2, 6.12.104
	// and 6.1.183.
	Kernel string

	// Clock is the time that the simulator follows; [time.Now] inside
	// [testing/synctest] makes it share the fake time of the test. Without, time
	// stands still but for [Simulator.Advance]. It may be called by any goroutine,
	// and may not use the simulator. If it panics in a call of a client or a host,
	// where no caller could recover, time stands still for that call, and whoever
	// delivers the next packet has the panic.
	Clock func() time.Time

	// ImmediateStats makes statistics tell what has happened so far. The kernel
	// tells what its estimator saw at its last pass, up to 2 seconds ago.
	ImmediateStats bool

	// Seed decides all that Linux leaves to chance. The same seed gives the same
	// simulation.
	Seed uint64

	// Interfaces are the director's at first, besides lo. Addresses of the
	// director count where the kernel asks whether an address is its own, and a
	// sync daemon needs an interface. Setups add and remove both. With any
	// interface here, packets need a way: see [Simulator.Deliver].
	Interfaces []SimInterface

	// SHTableBits and MHTableIndex are two choices of who builds a kernel, which
	// are the sizes of tables: IP_VS_SH_TAB_BITS, 4 to 20, and
	// IP_VS_MH_TAB_INDEX, 8 to 17. 0 is Debian's: 8 and 12, which are 256 buckets
	// for [SH] and 4,093 for [MH].
	SHTableBits, MHTableIndex int

	// Logger logs every call of the simulator's clients and hosts, as [WithLogger]
	// does for [Open]. With nil, nothing is logged.
	Logger *slog.Logger

	// Algorithms are schedulers of one's own, by the names that services give.
	Algorithms map[Scheduler]SimAlgorithm
}

// SimInterface is a network interface of the simulated director, which is
// up.
type SimInterface struct {
	Name      string         // at most 15 characters; each only once
	MTU       int            // in bytes, 68 to 65535; 0 is 1500
	Addresses []netip.Prefix // with the length of their network
}

// SimDefaultKernel is the release that a simulator behaves as when it is
// not told: that of Debian 13.
const SimDefaultKernel = "6.12.117"

// NewSimulator returns a simulator with an empty table. The error is of the
// kind [ErrInvalid].
func NewSimulator(o SimOptions) (*Simulator, error) {
	opts, err := o.kernel()
	if err != nil {
		return nil, err.about(OpNewSimulator, "")
	}
	s := newSimulator(simipvs.New(opts))
	s.log = orDiscard(o.Logger)
	return s, nil
}

func (o SimOptions) kernel() (opts simipvs.Options, bad *Error) {
	if o.Kernel == "" {
		o.Kernel = SimDefaultKernel
	}
	running, err := release.Parse(o.Kernel)
	if err != nil {
		return opts, invalid("Kernel", "%v", err)
	}
	opts = simipvs.Options{
		Release: running, Clock: o.Clock, ImmediateStats: o.ImmediateStats, Seed: o.Seed,
		Schedulers: make(map[string]func(*simipvs.ServiceName) sched.Scheduler),
	}
	for _, size := range []struct {
		name           string
		value, low, up int
	}{{"SHTableBits", o.SHTableBits, 4, 20}, {"MHTableIndex", o.MHTableIndex, 8, 17}} {
		if size.value != 0 && (size.value < size.low || size.value > size.up) {
			return opts, invalid(size.name, "%d is not within %d and %d", size.value, size.low, size.up)
		}
	}
	opts.SHBits, opts.MHIndex = o.SHTableBits, o.MHTableIndex
	for n, i := range o.Interfaces {
		if err := i.validate(o.Interfaces[:n]); err != nil {
			return opts, err
		}
		if i.MTU == 0 {
			i.MTU = 1500
		}
		opts.Interfaces = append(opts.Interfaces, simipvs.Interface{Name: i.Name, MTU: i.MTU, Addrs: slices.Clone(i.Addresses)})
	}
	for name, algorithm := range o.Algorithms {
		if err := name.validate(); err != nil {
			return opts, err
		}
		if algorithm == nil || name == "" || name == NoScheduler {
			return opts, invalid("Algorithms", "%q has no algorithm or no name of its own", string(name))
		}
		opts.Schedulers[string(name)] = func(service *simipvs.ServiceName) sched.Scheduler {
			return &customScheduler{algorithm: algorithm, service: SimService{id: serviceIDOf(service), seed: o.Seed}}
		}
	}
	return opts, nil
}

// validate refuses what Linux would not have as an interface, beside others.
func (i SimInterface) validate(others []SimInterface) *Error {
	const least, most = 68, 65535 // of an MTU
	switch {
	case i.Name == "lo" || i.Name == "all" || i.Name == "default" || validateInterface("Name", i.Name) != nil:
		return invalid("Interfaces", "%q is not a valid interface name, or is lo", i.Name)
	case slices.ContainsFunc(others, func(o SimInterface) bool { return o.Name == i.Name }):
		return invalid("Interfaces", "duplicate interface %s", i.Name)
	case i.MTU != 0 && (i.MTU < least || i.MTU > most):
		return invalid("Interfaces", "the MTU of %s, %d, is out of range [%d, %d]", i.Name, i.MTU, least, most)
	}
	for n, p := range i.Addresses {
		switch a := p.Addr(); {
		case !p.IsValid() || validateAddr("Interfaces", a) != nil:
			return invalid("Interfaces", "%s of %s is not an address with a prefix length", p, i.Name)
		case slices.ContainsFunc(i.Addresses[:n], func(q netip.Prefix) bool { return q == p }):
			return invalid("Interfaces", "duplicate address %s of %s", p, i.Name)
		}
	}
	return nil
}

// Client returns a client of the simulated kernel. It has the type of what [Open]
// returns, and all of its code.
func (s *Simulator) Client() *Client {
	c, err := s.clientThat(context.Background(), s.log)
	if err != nil {
		panic(fmt.Sprintf("lvs: the simulator refuses its own client: %v", err)) // unreachable
	}
	return c
}

// clientThat returns a client that logs, and whose changes are noted.
func (s *Simulator) clientThat(ctx context.Context, log *slog.Logger) (*Client, error) {
	c, err := newClient(ctx, s.dial, log)
	if err == nil {
		c.note = s.made.note
	}
	return c, err
}

func (s *Simulator) dial() (genl.Socket, error) { return s.kernel.Dial(true), nil }

// Host returns the network namespace that is simulated.
func (s *Simulator) Host() *Host { return newHost(s.Client(), s.guard()) }

// Advance lets time pass: connections expire, statistics are taken, the trash
// is emptied. It is an error of the kind [ErrInvalid] to go back, to go further
// than 292 years from the beginning, and when [SimOptions.Clock] is the clock.
func (s *Simulator) Advance(d time.Duration) error {
	if err := s.kernel.Advance(d); err != nil {
		return (&Error{kind: ErrInvalid, cause: err}).about(OpAdvance, d.String())
	}
	return nil
}

// Now returns the simulator's time. Without a clock of one's own it starts with
// the year 2000.
func (s *Simulator) Now() time.Time { return s.kernel.Now() }
