package lvs

import (
	"net/netip"
	"slices"

	"github.com/golvs/lvs/internal/release"
)

// checkSysctls looks for sysctls of IPVS that do not fit the table.
func (j *judge) checkSysctls() {
	if len(j.own.Services) == 0 {
		return
	}
	value := j.own.sysctl
	if value(SysctlConntrack) == "" {
		j.add(j.own, FindingSysctlHidden.risk("%s does not exist", SysctlConntrack).
			advise("before Linux 6.12 it is hidden in user namespaces: use the initial one"))
		return
	}
	switch value(SysctlConnReuseMode) {
	case "0":
		j.add(j.own, FindingReuseStuck.risk("%s is 0", SysctlConnReuseMode).fix(SysctlConnReuseMode.Requirement("1", "schedule new connections")))
	case "1":
		if value(SysctlConntrack) != "0" && isBefore(j.own.Release, 5, 9) {
			j.add(j.own, FindingReuseStall.risk("the kernel is Linux %s, with conn_reuse_mode=1 and conntrack=1", j.own.Release).advise("use a newer kernel"))
		}
	}
	j.checkRemovals(value(SysctlExpireNoDestConn))
	j.checkQuiesced(value(SysctlExpireQuiescentTemplate))
	j.checkConnections()
	j.checkOtherWriter()
	j.checkWildcardListeners()
}

// isBefore reports whether a release such as "6.1.0-56-amd64" is before major.minor.
func isBefore(text string, major, minor int) bool {
	r, err := release.Parse(text)
	return err == nil && !r.AtLeast(major, minor)
}

// checkRemovals looks at what happens to connections whose server is removed.
func (j *judge) checkRemovals(expires string) {
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

func (j *judge) checkQuiesced(expires string) {
	for _, e := range j.own.Services {
		for _, s := range e.RealServers {
			if e.Persistence.Timeout != 0 && s.Weight == 0 && expires == "0" {
				j.add(j.own, FindingPersistenceSticks.risk("%s -> %s with expire_quiescent_template=0", e.ID, s.RealServer).
					fix(SysctlExpireQuiescentTemplate.Requirement("1", "release persistent clients from drained servers")))
				return
			}
		}
	}
}

// checkDropSysctls looks for sysctls that make IPVS drop packets of new connections.
func (j *judge) checkDropSysctls(director *hostView, e ServiceEntry) {
	keep := SysctlDropPacket.Requirement("0", "drop no packets of new connections")
	switch director.sysctl(SysctlDropPacket) {
	case "2": // what 1 becomes when memory is short
		j.add(director, FindingDropsPackets.broken("%s is 2: less memory is free than %s", SysctlDropPacket, SysctlAMemThresh).fix(keep))
	case "3":
		j.add(director, FindingDropsPackets.broken("%s is 3", SysctlDropPacket).fix(keep))
	}
	if director.sysctl(SysctlDropEntry) == "3" {
		j.add(director, FindingDropsPackets.risk("%s is 3", SysctlDropEntry).fix(SysctlDropEntry.Requirement("0", "keep half-open connections")))
	}
	if director.sysctl(SysctlBackupOnly) != "0" && director.runs(SyncBackup) && !slices.ContainsFunc(j.vipsOf(director, e), func(vip netip.Addr) bool { return !director.delivers(vip) }) {
		j.add(director, FindingBackupOnly.broken("%s is %s and a backup daemon runs, but packets for %s arrive here", SysctlBackupOnly, director.sysctl(SysctlBackupOnly), e.ID).
			fix(SysctlBackupOnly.Requirement("0", "balance while a backup daemon runs")).advise("or stop the daemon, if this host is the active one"))
	}
}
