package lvs

import "fmt"

// checkServerOrder compares a hashed service with that of another director, and reports
// whether the other one has it.
func (j *judge) checkServerOrder(director *hostView, e ServiceEntry, other *hostView) bool {
	its, ok := other.services[e.ID]
	if !ok || !e.isHashed() {
		return false
	}
	if ours, theirs := e.hashInput(), its.hashInput(); ours != theirs {
		j.add(other, FindingServerOrder.risk("%s is %s there, but %s on its peer", e.ID, theirs, ours).
			advise("add the servers in the same order, with the same weights and flags, on all directors"))
	}
	if e.ID.Protocol() == ProtocolTCP && director.sysctl(SysctlSloppyTCP) == "0" {
		j.add(director, FindingBackupStrict.risk("another director has %s too, and sloppy_tcp is 0", e.ID).
			fix(SysctlSloppyTCP.Requirement("1", "accept connections that began on the other director")))
	}
	return true
}

// checkSync looks whether the sync daemons of two directors of a service hear each other.
func (j *judge) checkSync(director *hostView, e ServiceEntry, other *hostView) {
	if _, has := other.services[e.ID]; !has {
		return
	}
	for _, sends := range director.Daemons {
		if sends.Role != SyncMaster {
			continue
		}
		for _, takes := range other.Daemons {
			if takes.Role == SyncBackup && !takes.hears(sends) {
				j.add(other, FindingSyncMismatch.risk("its sync daemon is %s, but that of its peer is %s", takes, sends).
					advise("give both the same syncid, group and port"))
			}
		}
	}
}

// hears reports whether a backup accepts what a master sends. A backup with the SyncID 0
// accepts all.
func (d SyncDaemon) hears(master SyncDaemon) bool {
	return (d.SyncID == 0 || d.SyncID == master.SyncID) && d.Group == master.Group && d.Port == master.Port
}

// isHashed reports whether a hash picks the server, so that directors should agree.
func (e ServiceEntry) isHashed() bool { return e.Scheduler == SH || e.Scheduler == MH }

// hashInput returns what decides where a hashed service sends a client, as a text to
// compare.
func (e ServiceEntry) hashInput() string {
	text := string(e.Scheduler)
	if e.SchedulerFlags != 0 {
		text += " (" + e.SchedulerFlags.String() + ")"
	}
	for _, s := range e.RealServers {
		text += fmt.Sprintf(" %s*%d", s.Addr, s.Weight)
	}
	return text
}

// checkDaemons looks for sync daemons that do not fit the table, or each other.
func (j *judge) checkDaemons() {
	master, backup := j.own.runs(SyncMaster), j.own.runs(SyncBackup)
	for _, e := range j.own.Services {
		for _, s := range e.RealServers {
			if (master || backup) && s.Addr.Addr().Is6() != e.ID.Is6() && !j.has(FindingSyncMixed) {
				j.add(j.own, FindingSyncMixed.risk("%s -> %s is of another family, and a sync daemon runs", e.ID, s.RealServer).advise("stop the daemon, or use servers of the service's family"))
			}
			if master && backup && s.Mode != NAT() && j.own.sysctl(SysctlBackupOnly) == "0" && !j.has(FindingBackupBalances) {
				j.add(j.own, FindingBackupBalances.risk("a master and a backup daemon run, and backup_only is 0").
					advise("run one of them: the backup, with backup_only=1, while the host stands by, and the master while it balances"))
			}
		}
	}
	if backup && j.own.sysctl(SysctlSloppyTCP) == "0" {
		j.add(j.own, FindingBackupStrict.risk("a backup daemon runs, and sloppy_tcp is 0").fix(SysctlSloppyTCP.Requirement("1", "accept connections that began on the other director")))
	}
}
