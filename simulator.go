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

// Simulator is an IPVS in this process. It replies to a [Client] as the kernel would,
// with the kernel's errors, and picks the real servers that the kernel would pick. It
// needs no root, no network and no Linux, and starts no goroutine. Any number of
// goroutines may use it and its clients and hosts.
//
// One suite of tests runs on simulators and on real kernels, and random histories are
// played to both and compared. What differs is listed here.
//
// Outside IPVS, only what decides on its packets is simulated:
//
//   - Without [SimOptions.Interfaces], each packet that is delivered reaches IPVS, and
//     what IPVS forwards reaches its server. With interfaces, addresses, links, routes
//     and forwarding are simulated: a packet reaches IPVS only if it is for the
//     director, and a server only if the director has a route to it. Firewalls, ARP,
//     rp_filter, redirects and the limit on the rate of ICMP errors are not simulated,
//     nor what programs of the director reply.
//   - TTL, MTU, fragments and IP options matter to [Simulator.DeliverIP] alone: a
//     [SimPacket] has none. Options pass unchanged. There are no ICMP errors about
//     fragments that never become a packet, nor about fragments of a server's answer that
//     have DF and are too long.
//   - A packet says only by its source where it comes from: with an address of the director
//     as source, from a program there. What other hosts send from such an address, which
//     Linux drops of IPv4 and accepts of IPv6, cannot be delivered.
//   - With conntrack=1, netfilter tracks the connections of an address family if the
//     host has a [SourceNAT] for it, or if a service of port 21 has a server of mode
//     [NAT]. Other rules that look at connections are not simulated, nor are
//     netfilter's switches, what it makes of ICMP errors, and the TCP sequence numbers by
//     which it considers packets invalid. In control connections that the FTP helper
//     follows it looks at acknowledgements, resets, and what comes before a side has
//     announced a window, but not at selective acknowledgements or the sizes of windows.
//     The verification tags of SCTP are taken to be right, and so are TCP checksums, as if
//     the network card had verified them: Linux 6.1 drops packets of IPv6 control
//     connections of FTP if netfilter had to.
//   - Sync daemons send and receive messages through the program that has the simulator:
//     see [Simulator.SyncMessages] and [Simulator.DeliverSync]. sync_sock_size has no
//     effect. A master with an IPv6 group starts even if disable_ipv6 is 1 or a route
//     prohibits the group; the kernel's does not.
//   - Only the part of the generic netlink controller that finds IPVS is implemented.
//
// Some things depend on the kernel's memory, which does not show:
//
//   - How much of it is free is up to [Simulator.SetFreePages]. Without it, memory is
//     never short.
//   - Linux joins IPv4 fragments of growing sizes, or does not; here all are joined. What
//     came for the director in IPv4 fragments with DF leaves in fragments with DF, or
//     without; here with DF.
//   - The order in which services are listed depends on addresses in the kernel's memory,
//     and so does which of the sync_ports a master chooses. Here the order depends on the
//     seed, and the port on numbers of the simulator's own.
//   - With expire_nodest_conn, removing a server ends about half of the templates whose
//     control connections of FTP have data connections. Here most stay.
//   - Of two entries alike, which exist where a server speaks first to a client of another
//     server, the newer one is found. In Linux 7.1 and later it may be the older one after
//     the table of connections has grown.
//   - [TWOS] draws at random, and drop_entry the part of the table that it looks at; here
//     they draw from the seed. TWOS exists since Linux 6.2.
//
// The kernel takes time, and its clocks are coarse:
//
//   - Connections expire when they are due. The kernel's timers may be late by up to an
//     eighth of the timeout, and a connection whose timer fires while one of its packets
//     is being processed gets 60 seconds more. Here packets take no time.
//   - A tick is 4 ms, as on Debian. The seconds in which the kernel looks at its memory, and
//     drop_entry at the table, are up to a 25th longer than here.
//   - A sync message leaves two seconds after its first connection, and the kernel's up to
//     three.
//   - Statistics lag by the two seconds of the kernel's estimator, but not by the
//     delays of its threads. See [SimOptions.ImmediateStats].
//   - Before Linux 7.1 a change waits for all namespaces, and since then the listing of a
//     growing table can be incomplete for a moment. While the kernel exchanges the
//     scheduler of a service, the service has none for a moment. None of this is simulated.
//
// A few cases that Linux gets wrong, or decides by chance, are simpler here:
//
//   - The kernel miscounts templates with a client's port, which no master sends:
//     [Simulator.DeliverSync] does not take them.
//   - Stopping a daemon right after starting it may fail, or never be replied to; here it
//     always works.
//   - A server may come back in another mode while connections of its old mode live. The
//     kernel may then lose packets of both; here none are lost.
//   - The caches of [LBLC] and [LBLCR] may keep a real server that was removed minutes ago
//     from being forgotten; here they do not.
//   - A packet for the director that is cut off in its header of TCP, UDP or SCTP is dropped.
//     Linux forwards it if it belongs to a connection of another mode than NAT. The first of
//     IPv6 fragments is put together with the others even if it does not have the whole
//     header of its protocol; Linux lets it through alone.
//   - Linux 6.1.176 schedules an IPv6 error twice that a program of the director sends to a
//     one-packet service there; here it is scheduled once.
type Simulator struct {
	kernel  *simipvs.Kernel
	network *simulatedNetwork
	log     *slog.Logger
	made    simulatedChanges
	ip      ipState
}

// SimOptions configures a [Simulator]. The zero value is a good default.
type SimOptions struct {
	// Kernel is the release of Linux to behave as, such as "6.1.176" or "7.2";
	// "" is [SimDefaultKernel]. Some replies and some picks depend on it: the load by
	// which [LC] and [WLC] pick changed in 7.2, 6.12.104 and 6.1.183. Tests that
	// depend on picks should set Kernel, for the default will move.
	Kernel string

	// Clock is the time that the simulator follows. Inside [testing/synctest],
	// [time.Now] makes it follow the fake time of the test. If Clock is nil, time
	// advances only by [Simulator.Advance]. Clock is called from any goroutine, and
	// must not use the simulator. If it panics in a call of a client or a host, where
	// no caller could recover, time stands still for that call, and the next
	// [Simulator.Deliver] panics.
	Clock func() time.Time

	// ImmediateStats makes statistics current. The kernel's are those that its
	// estimator saw up to 2 seconds ago.
	ImmediateStats bool

	// Seed determines all that Linux leaves to chance. The same seed gives the same
	// simulation.
	Seed uint64

	// Interfaces are the interfaces that the director has at first, besides lo. Some
	// decisions of the kernel depend on whether an address is the director's, and a
	// sync daemon needs an interface. Setups add and remove interfaces and addresses.
	// With any interface here, packets need a route: see [Simulator.Deliver].
	Interfaces []SimInterface

	// SHTableBits and MHTableIndex are the sizes of tables that are chosen when a
	// kernel is built: IP_VS_SH_TAB_BITS, 4 to 20, and IP_VS_MH_TAB_INDEX, 8 to 17.
	// 0 is Debian's choice, 8 and 12: 256 buckets for [SH] and 4,093 for [MH].
	SHTableBits, MHTableIndex int

	// FTPPorts are the ports whose connections the module ip_vs_ftp follows, if
	// [Simulator.LoadModule] loads it: its parameter ports. At most 8, each only once;
	// none is port 21.
	FTPPorts []uint16

	// Logger logs every call of the simulator's clients and hosts, as [WithLogger]
	// does for [Open]. With nil, nothing is logged.
	Logger *slog.Logger

	// Algorithms are custom schedulers, by the names that services use. They may
	// replace the kernel's.
	Algorithms map[Scheduler]SimAlgorithm

	// Engines are custom persistence engines, by the names that services use. They may
	// replace the kernel's, which is "sip".
	Engines map[string]SimEngine
}

// SimInterface is a network interface of the simulated director. It is up.
type SimInterface struct {
	Name      string         // at most 15 characters; each only once
	MTU       int            // in bytes, 68 to 65535; 0 is 1500
	Addresses []netip.Prefix // with the length of their network
}

// SimDefaultKernel is the release as which a simulator behaves by default, that of
// Debian 13. It moves with Debian: tests that depend on picks should set
// [SimOptions.Kernel].
const SimDefaultKernel = "6.12.117"

// NewSimulator returns a simulator with an empty table. The error matches
// [ErrInvalid], and [Error.Field] is the option that was refused.
func NewSimulator(o SimOptions) (*Simulator, error) {
	opts, err := o.kernel()
	if err != nil {
		return nil, err.about(OpNewSimulator, "")
	}
	s := newSimulator(simipvs.New(opts))
	s.log = orDiscard(o.Logger)
	s.ip.seed(o.Seed)
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
			return opts, invalid(size.name, "%d is out of range [%d, %d]", size.value, size.low, size.up)
		}
	}
	if err := validateFTPPorts(o.FTPPorts); err != nil {
		return opts, err
	}
	opts.FTPPorts = slices.Clone(o.FTPPorts)
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
	if opts.Engines, bad = kernelEngines(o.Engines); bad != nil {
		return opts, bad
	}
	for name, algorithm := range o.Algorithms {
		if err := name.validate(); err != nil {
			return opts, err
		}
		if algorithm == nil || name == "" || name == NoScheduler {
			return opts, invalid("Algorithms", "%q has no algorithm, or is not a name for one", string(name))
		}
		opts.Schedulers[string(name)] = func(service *simipvs.ServiceName) sched.Scheduler {
			return &customScheduler{algorithm: algorithm, service: SimService{id: serviceIDOf(service), seed: o.Seed}}
		}
	}
	return opts, nil
}

// validateFTPPorts refuses what ip_vs_ftp does not take, or takes for nothing.
func validateFTPPorts(ports []uint16) *Error {
	const most = 8
	if len(ports) > most {
		return invalid("FTPPorts", "%d ports are more than %d", len(ports), most)
	}
	for n, port := range ports {
		if port == 0 || slices.Contains(ports[:n], port) {
			return invalid("FTPPorts", "port %d is 0, or a duplicate", port)
		}
	}
	return nil
}

// validate refuses what Linux would not accept as an interface besides others.
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
		c.conn.InProcess()
		c.note = s.made.note
	}
	return c, err
}

func (s *Simulator) dial() (genl.Socket, error) { return s.kernel.Dial(true), nil }

// Host returns the network namespace that is simulated.
func (s *Simulator) Host() *Host { return newHost(s.Client(), s.guard()) }

// Advance advances the simulator's time: connections expire, statistics are updated,
// and removed servers are forgotten. The error matches [ErrInvalid] if d is negative,
// if the time would be more than 292 years after the start, and if the simulator has a
// [SimOptions.Clock], which advances on its own.
func (s *Simulator) Advance(d time.Duration) error {
	if err := s.kernel.Advance(d); err != nil {
		return (&Error{kind: ErrInvalid, cause: err}).about(OpAdvance, d.String())
	}
	return nil
}

// SetFreePages sets how much memory the simulated kernel has free, in pages of 4 KiB: what
// /proc/meminfo has as MemFree and Buffers, and not its caches. 0 or less, as at first,
// is plenty.
//
// While fewer pages are free than [SysctlAMemThresh] says, the mode 1 of
// [SysctlDropEntry], [SysctlDropPacket] and [SysctlSecureTCP] becomes 2, and the defence
// acts. When memory is free again, 2 becomes 1. Like the kernel, the simulator looks at
// the memory once a second, and when the mode of one of the three is changed. The mode 2
// of drop_packet drops one in amemthresh / (amemthresh - pages) packets that would open a
// connection: the less memory, the more.
func (s *Simulator) SetFreePages(pages int) { s.kernel.SetFreePages(pages) }

// Now returns the simulator's time. Without [SimOptions.Clock] it starts at the
// beginning of the year 2000.
func (s *Simulator) Now() time.Time { return s.kernel.Now() }
