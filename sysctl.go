package lvs

import "strings"

// SysctlKey is the name of a kernel parameter as sysctl(8) spells it, such as
// "net.ipv4.vs.conntrack". As for sysctl(8), a dot in the name of an interface is
// written as a slash: "net.ipv4.conf.eth0/100.rp_filter". [InterfaceSysctl] makes
// the keys that each interface has.
//
// [Host.Sysctl] and [Host.SysctlInt] read a parameter, [Host.SetSysctl] and
// [Host.EnsureSysctl] write it, and [SysctlKey.Requirement] makes it part of a
// [Setup]. All of them accept any key, not only the constants below, which
// [SysctlKey.Parameter] describes.
type SysctlKey string

// Parameters that turn routing on.
const (
	SysctlIPForward      SysctlKey = "net.ipv4.ip_forward"          // forward packets; default 0; 0 to 1
	SysctlIPv6Forwarding SysctlKey = "net.ipv6.conf.all.forwarding" // forward IPv6 packets; default 0; 0 to 1
)

// Parameters of IPVS. Each network namespace has its own values. Where a comment
// names no range, any number of 32 bits is accepted, and any but 0 means on if the
// parameter is a switch.
const (
	SysctlAMDropRate              SysctlKey = "net.ipv4.vs.am_droprate"               // drop_packet=3 drops 1 in this many packets; default 10
	SysctlAMemThresh              SysctlKey = "net.ipv4.vs.amemthresh"                // the defences in mode 1 start below this many pages of free memory; default 1024
	SysctlBackupOnly              SysctlKey = "net.ipv4.vs.backup_only"               // do not balance while a backup sync daemon runs; default 0
	SysctlCacheBypass             SysctlKey = "net.ipv4.vs.cache_bypass"              // if no server is available, forward packets to their original destination; default 0
	SysctlConnLFactor             SysctlKey = "net.ipv4.vs.conn_lfactor"              // how full the connection table gets before it grows, as a power of two; -8 to 8; since Linux 7.1
	SysctlConnMax                 SysctlKey = "net.ipv4.vs.conn_max"                  // maximum number of connections, including templates; 0 to 1073741824; since Linux 7.2
	SysctlConnReuseMode           SysctlKey = "net.ipv4.vs.conn_reuse_mode"           // schedule again if a client reuses a port; default 1
	SysctlConntrack               SysctlKey = "net.ipv4.vs.conntrack"                 // keep netfilter's entries of connections, as source NAT requires; default 0
	SysctlDebugLevel              SysctlKey = "net.ipv4.vs.debug_level"               // how much is logged; default 0; needs IP_VS_DEBUG
	SysctlDropEntry               SysctlKey = "net.ipv4.vs.drop_entry"                // drop half-open and idle connections: 0 never, 1 and 2 if memory is short, 3 always; default 0; 0 to 3
	SysctlDropPacket              SysctlKey = "net.ipv4.vs.drop_packet"               // drop packets of new connections: 0 never, 1 and 2 if memory is short, 3 always; default 0; 0 to 3
	SysctlEstCPUList              SysctlKey = "net.ipv4.vs.est_cpulist"               // CPUs of the threads that update statistics; a list; since Linux 6.2
	SysctlEstNice                 SysctlKey = "net.ipv4.vs.est_nice"                  // nice value of the threads that update statistics; default 0; -20 to 19; since Linux 6.2
	SysctlExpireNoDestConn        SysctlKey = "net.ipv4.vs.expire_nodest_conn"        // end a connection to a removed server at its next packet; default 0
	SysctlExpireQuiescentTemplate SysctlKey = "net.ipv4.vs.expire_quiescent_template" // drop persistence to servers of weight 0; default 0
	SysctlIgnoreTunneled          SysctlKey = "net.ipv4.vs.ignore_tunneled"           // do not schedule again what comes out of a tunnel; default 0
	SysctlLBLCExpiration          SysctlKey = "net.ipv4.vs.lblc_expiration"           // seconds after which lblc forgets a destination; default 86400; -21474836 to 21474836; needs ip_vs_lblc
	SysctlLBLCRExpiration         SysctlKey = "net.ipv4.vs.lblcr_expiration"          // seconds after which lblcr forgets a destination; default 86400; -21474836 to 21474836; needs ip_vs_lblcr
	SysctlNATICMPSend             SysctlKey = "net.ipv4.vs.nat_icmp_send"             // reject packets from NAT servers that belong to no connection; default 0
	SysctlPMTUDisc                SysctlKey = "net.ipv4.vs.pmtu_disc"                 // report to clients of tunnels that their packets are too big; default 1
	SysctlRunEstimation           SysctlKey = "net.ipv4.vs.run_estimation"            // update statistics; default 1
	SysctlScheduleICMP            SysctlKey = "net.ipv4.vs.schedule_icmp"             // schedule ICMP errors that belong to no connection; default 0
	SysctlSecureTCP               SysctlKey = "net.ipv4.vs.secure_tcp"                // believe TCP clients less: 0 never, 1 and 2 if memory is short, 3 always; default 0; 0 to 3
	SysctlSloppySCTP              SysctlKey = "net.ipv4.vs.sloppy_sctp"               // accept any SCTP packet as the start of a connection; default 0
	SysctlSloppyTCP               SysctlKey = "net.ipv4.vs.sloppy_tcp"                // accept any TCP packet but a reset as the start of a connection; default 0
	SysctlSNATReroute             SysctlKey = "net.ipv4.vs.snat_reroute"              // route replies from NAT servers again; default 1
	SysctlSvcLFactor              SysctlKey = "net.ipv4.vs.svc_lfactor"               // how full the service table gets before it grows, as a power of two; -8 to 8; since Linux 7.1
	SysctlSyncPersistMode         SysctlKey = "net.ipv4.vs.sync_persist_mode"         // sync only the templates of persistent services; default 0
	SysctlSyncPorts               SysctlKey = "net.ipv4.vs.sync_ports"                // threads of a sync daemon; default 1; a power of two
	SysctlSyncQlenMax             SysctlKey = "net.ipv4.vs.sync_qlen_max"             // maximum number of waiting sync messages; 0 or more
	SysctlSyncRefreshPeriod       SysctlKey = "net.ipv4.vs.sync_refresh_period"       // seconds after which a connection is synced again; default 0; 0 to 21474836
	SysctlSyncRetries             SysctlKey = "net.ipv4.vs.sync_retries"              // how often a sync message is repeated; default 0; 0 to 3
	SysctlSyncSockSize            SysctlKey = "net.ipv4.vs.sync_sock_size"            // buffer size of sync sockets in bytes, 0 for the system's; default 0
	SysctlSyncThreshold           SysctlKey = "net.ipv4.vs.sync_threshold"            // packets before a connection is first synced, and between syncs; a list
	SysctlSyncVersion             SysctlKey = "net.ipv4.vs.sync_version"              // version of the sync protocol; default 1; 0 to 1
)

// InterfaceSysctl returns the key of a parameter that each interface has, such as
// rp_filter, for the interface iface, "all" or "default". IPv4 and IPv6 have separate
// parameters, some with the same name.
func InterfaceSysctl(iface, name string, ipv6 bool) SysctlKey {
	family := "net.ipv4.conf."
	if ipv6 {
		family = "net.ipv6.conf."
	}
	return SysctlKey(family + strings.ReplaceAll(iface, ".", "/") + "." + name)
}

// Requirement returns the requirement that the parameter has a value, for a [Setup].
func (k SysctlKey) Requirement(value, why string) Requirement {
	return Requirement{Want: Sysctl{k, value}, Why: why}
}

// path returns the file of the parameter. As for sysctl(8), a slash after the first
// dot stands for a dot in a name. A key that would lead out of /proc/sys is refused.
func (k SysctlKey) path() (string, *Error) {
	path := "/proc/sys"
	for part := range strings.SplitSeq(string(k), ".") {
		name := strings.ReplaceAll(part, "/", ".")
		isFirst := path == "/proc/sys"
		if name == "" || name[0] == '.' || isFirst && name != part || strings.ContainsAny(name, "\x00\n") {
			return "", invalid("key", "%q is not the name of a kernel parameter, such as net.ipv4.ip_forward", string(k))
		}
		path += "/" + name
	}
	return path, nil
}

// sysctlKeyOf returns the key of a file, the reverse of [SysctlKey.path].
func sysctlKeyOf(path string) SysctlKey {
	return SysctlKey(strings.NewReplacer(".", "/", "/", ".").Replace(strings.TrimPrefix(path, "/proc/sys/")))
}
