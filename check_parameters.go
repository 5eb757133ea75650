package lvs

import (
	"strconv"
	"strings"
)

// parameters looks at those of IPVS that do not fit the table.
func (j *judge) parameters() {
	if len(j.own.Services) == 0 {
		return
	}
	value := j.own.sysctl
	if value(SysctlConntrack) == "" {
		j.add(j.own, FindingSysctlHidden.risk("there is no %s", SysctlConntrack).
			advise("Linux before 6.12 hides it in a user namespace: set it from outside"))
		return
	}
	switch value(SysctlConnReuseMode) {
	case "0":
		j.add(j.own, FindingReuseStuck.risk("%s is 0", SysctlConnReuseMode).fix(SysctlConnReuseMode.Requirement("1", "schedule new connections")))
	case "1":
		if value(SysctlConntrack) != "0" && isBefore(j.own.Release, 5, 9) {
			j.add(j.own, FindingReuseStall.risk("Linux %s with conn_reuse_mode=1 and conntrack=1", j.own.Release).advise("use a newer kernel"))
		}
	}
	j.removals(value(SysctlExpireNoDestConn))
	j.quiesced(value(SysctlExpireQuiescentTemplate))
	j.connections()
	j.otherWriter()
	j.listeners()
}

// isBefore compares a release such as "6.1.0-56-amd64".
func isBefore(release string, major, minor int) bool {
	part := strings.SplitN(release, ".", 3)
	a, err := strconv.Atoi(part[0])
	if err != nil || len(part) < 2 {
		return false
	}
	b, _ := strconv.Atoi(part[1])
	return a < major || a == major && b < minor
}

// removals looks at what happens to connections whose server is removed.
func (j *judge) removals(expires string) {
	for _, e := range j.own.Services {
		switch udp := e.ID.Protocol() == ProtocolUDP && e.ID.FWMark() == 0; {
		case udp && !e.OnePacket && expires == "0":
			j.add(j.own, FindingUDPStuck.risk("%s with expire_nodest_conn=0", e.ID).fix(SysctlExpireNoDestConn.Requirement("1", "end flows of removed servers")))
			return
		case !udp && expires != "0":
			j.add(j.own, FindingDrainBreaks.risk("%s with expire_nodest_conn=%s", e.ID, expires).advise("drain servers by weight 0 before they are removed"))
			return
		}
	}
}

func (j *judge) quiesced(expires string) {
	for _, e := range j.own.Services {
		for _, s := range e.Servers {
			if e.Persistence.Timeout != 0 && s.Weight == 0 && expires == "0" {
				j.add(j.own, FindingPersistenceSticks.risk("%s -> %s with expire_quiescent_template=0", e.ID, s.RealServer).
					fix(SysctlExpireQuiescentTemplate.Requirement("1", "release persistent clients from drained servers")))
				return
			}
		}
	}
}

// longChain is how many connections a bucket has when the table is too small.
const longChain = 8

func (j *judge) connections() {
	total := 0
	for _, e := range j.own.Services {
		for _, s := range e.Servers {
			total += int(s.ActiveConns) + int(s.InactiveConns)
		}
	}
	if size := j.own.ConnTableSize; size > 0 && total > longChain*size {
		j.add(j.own, FindingTableSmall.risk("%d connections in %d buckets", total, size).
			advise("load ip_vs with conn_tab_bits=20, or use Linux 7.1 or newer"))
	}
	j.cannotSee(FindingIdleTimeout, "the timeouts are %s; keep-alives must come more often", j.own.Timeouts)
}

func (j *judge) otherWriter() {
	if _, ok := j.own.interfaces["kube-ipvs0"]; ok {
		j.add(j.own, FindingOtherWriter.risk("there is an interface kube-ipvs0").
			advise("use another network namespace, or the option --ipvs-exclude-cidrs of kube-proxy"))
	}
}

// listeners looks for programs that listen at a service's own port: they are
// reached when the service is gone. Others are listed as unseen.
func (j *judge) listeners() {
	type port struct {
		protocol Protocol
		number   uint16
	}
	services := make(map[port]ServiceID)
	for _, e := range j.own.Services {
		if e.ID.FWMark() == 0 && !j.own.serves(e) {
			services[port{e.ID.Protocol(), e.ID.AddrPort().Port()}] = e.ID
		}
	}
	if why, _ := j.own.unread("listeners"); why != "" {
		j.unclear[FindingProgramMissing] = true
	}
	for _, l := range j.own.Listeners {
		id, ok := services[port{l.Protocol, l.Addr.Port()}]
		if ok && l.Addr.Addr().IsUnspecified() && (l.Addr.Addr().Is6() || !id.Is6()) && !j.has(FindingWildcardListener) {
			j.add(j.own, FindingWildcardListener.risk("a program of this host listens on *:%d (%s), which %s balances", l.Addr.Port(), l.Protocol, id).
				advise("let it listen on an address of its own: it answers clients when the service is gone"))
		}
	}
	j.cannotSee(FindingWildcardListener, "ss -lntu lists what listens on *: all of it is reached by the VIP, unless a firewall keeps it")
}

// daemons looks at the sync daemons.
func (j *judge) daemons() {
	master, backup := j.own.runs(SyncMaster), j.own.runs(SyncBackup)
	for _, e := range j.own.Services {
		for _, s := range e.Servers {
			if (master || backup) && s.Addr.Addr().Is6() != e.ID.Is6() && !j.has(FindingSyncMixed) {
				j.add(j.own, FindingSyncMixed.risk("%s -> %s beside a sync daemon", e.ID, s.RealServer).advise("stop the daemon, or use servers of the service's family"))
			}
			if master && backup && s.Mode != NAT && j.own.sysctl(SysctlBackupOnly) == "0" && !j.has(FindingBackupBalances) {
				j.add(j.own, FindingBackupBalances.risk("master and backup daemons run, and backup_only is 0").
					advise("run one of them: the backup while the host stands by, with backup_only=1, and the master while it balances"))
			}
		}
	}
	if backup && j.own.sysctl(SysctlSloppyTCP) == "0" {
		j.add(j.own, FindingBackupStrict.risk("a backup daemon runs, and sloppy_tcp is 0").fix(SysctlSloppyTCP.Requirement("1", "take connections over from their middle")))
	}
}
