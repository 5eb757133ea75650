package lvs

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Parameter describes a kernel parameter of a network namespace: one of IPVS's
// own (net.ipv4.vs), or one that the modes need. Its methods read and write it.
type Parameter struct {
	Key     string // as sysctl(8) has it
	Default int    // in a new namespace; -1 when the machine decides
	Min     int    // a smaller value is refused
	Max     int    // a greater value is refused
	Since   string // the first release of Linux that has it, as "7.1"; "" is any that this package runs on

	// Text says that it is no number, and has no default here: the list of
	// processors of est_cpulist, the two numbers of sync_threshold.
	Text bool

	// Needs is the module, besides ip_vs, with which it comes and goes.
	Needs string

	About string // what it does, in a few words

	powerOfTwo bool
}

// Parameters of routing that the modes need.
const (
	SysctlIPForward      = "net.ipv4.ip_forward"
	SysctlIPv6Forwarding = "net.ipv6.conf.all.forwarding"
)

// mostSeconds is the most that a kernel keeps in ticks of 10 ms, the longest there
// are. One with ticks of 4 ms, as Debian's, refuses more than 8,589,934 seconds.
const mostSeconds = math.MaxInt32 / 100

// Parameters of IPVS. Each namespace has its own.
var (
	SysctlAMDropRate              = vs("am_droprate", 10, "1/rate of the packets that drop_packet=3 drops")
	SysctlAMemThresh              = vs("amemthresh", 1024, "pages of free memory below which the automatic defences begin")
	SysctlBackupOnly              = vs("backup_only", 0, "while a backup sync daemon runs, do not balance")
	SysctlCacheBypass             = vs("cache_bypass", 0, "without a server, send packets on to where they were going")
	SysctlConnLFactor             = vs("conn_lfactor", -1, "how full the connection table gets before it grows, as a power of two").within(-8, 8).since("7.1")
	SysctlConnMax                 = vs("conn_max", -1, "greatest number of connections, templates included").within(0, 1<<30).since("7.2")
	SysctlConnReuseMode           = vs("conn_reuse_mode", 1, "schedule anew when a client uses a port again")
	SysctlConntrack               = vs("conntrack", 0, "keep netfilter's entries for connections; needed for source NAT")
	SysctlDebugLevel              = vs("debug_level", 0, "how much is logged; of kernels built with IP_VS_DEBUG").needs("IP_VS_DEBUG")
	SysctlDropEntry               = vs("drop_entry", 0, "drop half-open connections: 0 never, 1 and 2 when memory is short, 3 always").within(0, 3)
	SysctlDropPacket              = vs("drop_packet", 0, "drop packets of new connections: 0 never, 1 and 2 when memory is short, 3 always").within(0, 3)
	SysctlEstCPUList              = vs("est_cpulist", -1, "processors that take the statistics").since("6.2").text()
	SysctlEstNice                 = vs("est_nice", 0, "niceness of the threads that take the statistics").within(-20, 19).since("6.2")
	SysctlExpireNoDestConn        = vs("expire_nodest_conn", 0, "end a connection whose server was removed when its next packet comes")
	SysctlExpireQuiescentTemplate = vs("expire_quiescent_template", 0, "release persistent clients from a server of weight 0")
	SysctlIgnoreTunneled          = vs("ignore_tunneled", 0, "do not schedule again what comes out of a tunnel")
	SysctlLBLCExpiration          = vs("lblc_expiration", 86400, "seconds after which lblc forgets a destination").within(-mostSeconds, mostSeconds).needs("ip_vs_lblc")
	SysctlLBLCRExpiration         = vs("lblcr_expiration", 86400, "seconds after which lblcr forgets a destination").within(-mostSeconds, mostSeconds).needs("ip_vs_lblcr")
	SysctlNATICMPSend             = vs("nat_icmp_send", 0, "refuse packets of NAT servers that belong to no connection")
	SysctlPMTUDisc                = vs("pmtu_disc", 1, "tell clients of tunnels that their packets are too big")
	SysctlRunEstimation           = vs("run_estimation", 1, "take statistics")
	SysctlScheduleICMP            = vs("schedule_icmp", 0, "schedule ICMP errors that belong to no connection")
	SysctlSecureTCP               = vs("secure_tcp", 0, "shorter TCP timeouts: 0 never, 1 and 2 when memory is short, 3 always").within(0, 3)
	SysctlSloppySCTP              = vs("sloppy_sctp", 0, "begin SCTP connections with any packet")
	SysctlSloppyTCP               = vs("sloppy_tcp", 0, "begin TCP connections with any packet")
	SysctlSNATReroute             = vs("snat_reroute", 1, "route the answers of NAT servers anew")
	SysctlSvcLFactor              = vs("svc_lfactor", -1, "how full the service table gets before it grows, as a power of two").within(-8, 8).since("7.1")
	SysctlSyncPersistMode         = vs("sync_persist_mode", 0, "of persistent services, sync templates only")
	SysctlSyncPorts               = vs("sync_ports", 1, "threads of a sync daemon: a power of two").within(1, math.MaxInt32).power()
	SysctlSyncQlenMax             = vs("sync_qlen_max", -1, "sync messages that may wait").within(0, math.MaxInt)
	SysctlSyncRefreshPeriod       = vs("sync_refresh_period", 0, "seconds after which a connection is synced again").within(0, mostSeconds)
	SysctlSyncRetries             = vs("sync_retries", 0, "how often a sync message is repeated").within(0, 3)
	SysctlSyncSockSize            = vs("sync_sock_size", 0, "bytes of the buffers of sync sockets; 0 is the system's")
	SysctlSyncThreshold           = vs("sync_threshold", -1, "packets until a connection is synced, and between two times").text()
	SysctlSyncVersion             = vs("sync_version", 1, "version of the sync protocol").within(0, 1)
)

// parameters are those of IPVS, in the order in which they stand above.
var parameters []Parameter

func init() {
	parameters = []Parameter{
		SysctlAMDropRate, SysctlAMemThresh, SysctlBackupOnly, SysctlCacheBypass, SysctlConnLFactor, SysctlConnMax, SysctlConnReuseMode, SysctlConntrack,
		SysctlDebugLevel, SysctlDropEntry, SysctlDropPacket, SysctlEstCPUList, SysctlEstNice, SysctlExpireNoDestConn, SysctlExpireQuiescentTemplate,
		SysctlIgnoreTunneled, SysctlLBLCExpiration, SysctlLBLCRExpiration, SysctlNATICMPSend, SysctlPMTUDisc, SysctlRunEstimation, SysctlScheduleICMP,
		SysctlSecureTCP, SysctlSloppySCTP, SysctlSloppyTCP, SysctlSNATReroute, SysctlSvcLFactor, SysctlSyncPersistMode, SysctlSyncPorts, SysctlSyncQlenMax,
		SysctlSyncRefreshPeriod, SysctlSyncRetries, SysctlSyncSockSize, SysctlSyncThreshold, SysctlSyncVersion,
		{Key: SysctlIPForward, Max: 1, About: "forward packets"},
		{Key: SysctlIPv6Forwarding, Max: 1, About: "forward IPv6 packets"},
	}
}

// Parameters returns all parameters of IPVS that Linux has had since 6.1, and
// those that turn routing on.
func Parameters() []Parameter { return slices.Clone(parameters) }

// interfaceParameters are those that each interface has.
var interfaceParameters = map[string]Parameter{
	"net.ipv4.conf.*.accept_redirects": {Max: 1, About: "follow ICMP redirects"},
	"net.ipv4.conf.*.arp_announce":     {Max: 2, About: "ask by ARP with: 0 any address, 1 one of the subnet, 2 the best of the interface"},
	"net.ipv4.conf.*.arp_ignore":       {Max: 8, About: "answer ARP for: 0 any address of the host, 1 those of the interface that was asked"},
	"net.ipv4.conf.*.forwarding":       {Max: 1, About: "forward packets that come in here"},
	"net.ipv4.conf.*.rp_filter":        {Max: 2, About: "drop packets whose source is not reached: 0 never, 1 by this interface, 2 at all"},
	"net.ipv4.conf.*.send_redirects":   {Max: 1, Default: 1, About: "tell senders of shorter ways"},
	"net.ipv6.conf.*.accept_ra":        {Max: 2, Default: 1, About: "take routes from routers: 0 never, 1 unless forwarding, 2 always"},
	"net.ipv6.conf.*.forwarding":       {Max: 1, About: "forward IPv6 packets that come in here"},
}

// LookupParameter returns what is known of a parameter: of IPVS's, and of those
// that the modes set.
func LookupParameter(key string) (Parameter, bool) {
	if i := slices.IndexFunc(parameters, func(p Parameter) bool { return p.Key == key }); i >= 0 {
		return parameters[i], true
	}
	part := strings.Split(key, ".")
	if len(part) != 5 {
		return Parameter{}, false
	}
	part[3] = "*"
	p, ok := interfaceParameters[strings.Join(part, ".")]
	p.Key = key
	return p, ok
}

func vs(name string, value int, about string) Parameter {
	return Parameter{Key: "net.ipv4.vs." + name, Default: value, Min: math.MinInt32, Max: math.MaxInt32, About: about}
}

func (p Parameter) within(low, high int) Parameter { p.Min, p.Max = low, high; return p }
func (p Parameter) since(release string) Parameter { p.Since = release; return p }
func (p Parameter) needs(what string) Parameter    { p.Needs = what; return p }
func (p Parameter) text() Parameter                { p.Text = true; return p }
func (p Parameter) power() Parameter               { p.powerOfTwo = true; return p }

// Read returns the value on a host. The error is that of [Host.Sysctl];
// [ErrInvalid] when the parameter is not a number.
func (p Parameter) Read(ctx context.Context, h *Host) (int, error) {
	text, err := h.Sysctl(ctx, p.Key)
	if err != nil {
		return 0, err
	}
	value, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		return 0, invalid("Key", "%q does not fit an int: read it with Host.Sysctl", text).about("read", p.Key)
	}
	return value, nil
}

// Write sets the value on a host. What the parameter cannot have is of the kind
// [ErrInvalid], and the kernel does not see it; other errors are those of
// [Host.SetSysctl].
func (p Parameter) Write(ctx context.Context, h *Host, value int) error {
	text := strconv.Itoa(value)
	if err := p.check(text); err != nil {
		return err.about("write", p.Key+" = "+text)
	}
	return h.SetSysctl(ctx, p.Key, text)
}

// Requirement returns the parameter's value as a part of a [Setup].
func (p Parameter) Requirement(value int, why string) Requirement {
	return Requirement{Want: Sysctl{p.Key, strconv.Itoa(value)}, Why: why}
}

// check refuses a value that the kernel would refuse, or misread.
func (p Parameter) check(text string) *Error {
	if p.Text {
		return nil
	}
	value, err := strconv.Atoi(text)
	switch {
	case errors.Is(err, strconv.ErrSyntax):
		return invalid("Value", "%q is not a number", text)
	case err != nil || value < p.Min || value > p.Max:
		return invalid("Value", "%s is out of range [%d, %d]", text, p.Min, p.Max)
	case p.powerOfTwo && value&(value-1) != 0:
		return invalid("Value", "%d is no power of two", value)
	}
	return nil
}

// checkSysctl refuses the value of a parameter that is known.
func checkSysctl(key, value string) *Error {
	p, ok := LookupParameter(key)
	if !ok {
		return nil
	}
	return p.check(value)
}
