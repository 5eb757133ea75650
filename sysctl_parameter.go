package lvs

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Parameter describes a kernel parameter of a network namespace.
type Parameter struct {
	Key     SysctlKey // such as [SysctlConntrack]
	Default int       // in a new namespace; -1 if it depends on the machine
	Min     int       // smaller values are refused
	Max     int       // greater values are refused
	Since   string    // the first release of Linux that has it, such as "7.1"; "" if all that this package supports do

	// Text reports that the value is a list, such as the two numbers of
	// sync_threshold. Default, Min and Max mean nothing then.
	Text bool

	// Needs is the module, besides ip_vs, or the option of the kernel that provides
	// the parameter; "" if ip_vs does.
	Needs string

	About string // what it does, in a few words

	powerOfTwo bool
}

// most32 and least32 are the limits of parameters without a range of their own.
// mostSeconds is the longest time that a kernel can keep in ticks of 10 ms, the
// longest ticks that exist. One with ticks of 4 ms, such as Debian's, refuses more
// than 8,589,934 seconds.
const (
	most32      = math.MaxInt32
	least32     = math.MinInt32
	mostSeconds = math.MaxInt32 / 100
)

// parameterTable describes each Sysctl constant, and then parameters that each
// interface has, whose keys have a * for the interface.
var parameterTable = [...]Parameter{
	{Key: SysctlIPForward, Max: 1, About: "forward packets"},
	{Key: SysctlIPv6Forwarding, Max: 1, About: "forward IPv6 packets"},

	{Key: SysctlAMDropRate, Default: 10, Min: least32, Max: most32, About: "drop_packet=3 drops 1 in this many packets"},
	{Key: SysctlAMemThresh, Default: 1024, Min: least32, Max: most32, About: "the defences in mode 1 start below this many pages of free memory"},
	{Key: SysctlBackupOnly, Min: least32, Max: most32, About: "do not balance while a backup sync daemon runs"},
	{Key: SysctlCacheBypass, Min: least32, Max: most32, About: "if no server is available, forward packets to their original destination"},
	{Key: SysctlConnLFactor, Default: -1, Min: -8, Max: 8, Since: "7.1", About: "how full the connection table gets before it grows, as a power of two"},
	{Key: SysctlConnMax, Default: -1, Max: 1 << 30, Since: "7.2", About: "maximum number of connections, including templates"},
	{Key: SysctlConnReuseMode, Default: 1, Min: least32, Max: most32, About: "schedule again if a client reuses a port"},
	{Key: SysctlConntrack, Min: least32, Max: most32, About: "keep netfilter's entries of connections, as source NAT requires"},
	{Key: SysctlDebugLevel, Min: least32, Max: most32, Needs: "IP_VS_DEBUG", About: "how much is logged"},
	{Key: SysctlDropEntry, Max: 3, About: "drop half-open and idle connections: 0 never, 1 and 2 if memory is short, 3 always"},
	{Key: SysctlDropPacket, Max: 3, About: "drop packets of new connections: 0 never, 1 and 2 if memory is short, 3 always"},
	{Key: SysctlEstCPUList, Text: true, Since: "6.2", About: "CPUs of the threads that update statistics"},
	{Key: SysctlEstNice, Min: -20, Max: 19, Since: "6.2", About: "nice value of the threads that update statistics"},
	{Key: SysctlExpireNoDestConn, Min: least32, Max: most32, About: "end a connection to a removed server at its next packet"},
	{Key: SysctlExpireQuiescentTemplate, Min: least32, Max: most32, About: "drop persistence to servers of weight 0"},
	{Key: SysctlIgnoreTunneled, Min: least32, Max: most32, About: "do not schedule again what comes out of a tunnel"},
	{Key: SysctlLBLCExpiration, Default: 86400, Min: -mostSeconds, Max: mostSeconds, Needs: "ip_vs_lblc", About: "seconds after which lblc forgets a destination"},
	{Key: SysctlLBLCRExpiration, Default: 86400, Min: -mostSeconds, Max: mostSeconds, Needs: "ip_vs_lblcr", About: "seconds after which lblcr forgets a destination"},
	{Key: SysctlNATICMPSend, Min: least32, Max: most32, About: "reject packets from NAT servers that belong to no connection"},
	{Key: SysctlPMTUDisc, Default: 1, Min: least32, Max: most32, About: "report to clients of tunnels that their packets are too big"},
	{Key: SysctlRunEstimation, Default: 1, Min: least32, Max: most32, About: "update statistics"},
	{Key: SysctlScheduleICMP, Min: least32, Max: most32, About: "schedule ICMP errors that belong to no connection"},
	{Key: SysctlSecureTCP, Max: 3, About: "believe TCP clients less: 0 never, 1 and 2 if memory is short, 3 always"},
	{Key: SysctlSloppySCTP, Min: least32, Max: most32, About: "accept any SCTP packet as the start of a connection"},
	{Key: SysctlSloppyTCP, Min: least32, Max: most32, About: "accept any TCP packet but a reset as the start of a connection"},
	{Key: SysctlSNATReroute, Default: 1, Min: least32, Max: most32, About: "route replies from NAT servers again"},
	{Key: SysctlSvcLFactor, Default: -1, Min: -8, Max: 8, Since: "7.1", About: "how full the service table gets before it grows, as a power of two"},
	{Key: SysctlSyncPersistMode, Min: least32, Max: most32, About: "sync only the templates of persistent services"},
	{Key: SysctlSyncPorts, Default: 1, Min: 1, Max: most32, powerOfTwo: true, About: "threads of a sync daemon"},
	{Key: SysctlSyncQlenMax, Default: -1, Max: math.MaxInt, About: "maximum number of waiting sync messages"},
	{Key: SysctlSyncRefreshPeriod, Max: mostSeconds, About: "seconds after which a connection is synced again"},
	{Key: SysctlSyncRetries, Max: 3, About: "how often a sync message is repeated"},
	{Key: SysctlSyncSockSize, Min: least32, Max: most32, About: "buffer size of sync sockets in bytes, 0 for the system's"},
	{Key: SysctlSyncThreshold, Text: true, About: "packets before a connection is first synced, and between syncs"},
	{Key: SysctlSyncVersion, Default: 1, Max: 1, About: "version of the sync protocol"},

	{Key: "net.ipv4.conf.*.accept_redirects", Max: 1, About: "follow ICMP redirects"},
	{Key: "net.ipv4.conf.*.arp_announce", Max: 2, About: "source address of ARP requests: 0 any, 1 one of the subnet, 2 the interface's best"},
	{Key: "net.ipv4.conf.*.arp_ignore", Max: 8, About: "reply to ARP for: 0 any address of the host, 1 those of the interface that was asked"},
	{Key: "net.ipv4.conf.*.forwarding", Max: 1, About: "forward packets that arrive here"},
	{Key: "net.ipv4.conf.*.rp_filter", Max: 2, About: "drop packets whose source is unreachable: 0 never, 1 by this interface, 2 by any"},
	{Key: "net.ipv4.conf.*.send_redirects", Max: 1, Default: 1, About: "point senders to shorter ways"},
	{Key: "net.ipv6.conf.*.accept_ra", Max: 2, Default: 1, About: "accept routes from routers: 0 never, 1 unless forwarding, 2 always"},
	{Key: "net.ipv6.conf.*.forwarding", Max: 1, About: "forward IPv6 packets that arrive here"},
}

// Parameters returns the description of each Sysctl constant: all parameters of
// IPVS that Linux has had since 6.1, and those that turn routing on.
func Parameters() (all []Parameter) {
	for _, p := range parameterTable {
		if !strings.Contains(string(p.Key), "*") {
			all = append(all, p)
		}
	}
	return all
}

// Parameter returns the description of a parameter. It is known for the Sysctl
// constants, and for the parameters of interfaces that the modes set.
func (k SysctlKey) Parameter() (p Parameter, ok bool) {
	part := strings.Split(string(k), ".")
	if len(part) == 5 {
		part[3] = "*"
	}
	every := SysctlKey(strings.Join(part, "."))
	for _, p := range parameterTable {
		if p.Key == k || p.Key == every {
			p.Key = k
			return p, true
		}
	}
	return Parameter{}, false
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
		return invalid("Value", "%d is not a power of two", value)
	}
	return nil
}

// accepts says which values the parameter accepts.
func (p Parameter) accepts() string {
	switch {
	case p.Text:
		return "a list"
	case p.powerOfTwo:
		return "a power of two"
	case p.Max == math.MaxInt:
		return fmt.Sprintf("%d or more", p.Min)
	}
	return fmt.Sprintf("%d to %d", p.Min, p.Max)
}
