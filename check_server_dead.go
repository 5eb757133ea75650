package lvs

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// serverFaults are the findings by which packets are lost, by the address of the real
// server that they keep from serving.
type serverFaults map[netip.AddrPort][]Finding

// isFixed reports whether one of the findings about a server has a fix.
func (f serverFaults) isFixed(s netip.AddrPort) bool {
	return slices.ContainsFunc(f[s], Finding.hasFix)
}

// checkDeadServers looks for real servers that cannot serve their clients, where no program
// can fix that. With weight 0, which health checkers would set, their clients go to others.
func (j *judge) checkDeadServers(director *hostView, e ServiceEntry, all serverFaults) {
	if len(all) == 0 {
		return
	}
	after := e
	after.RealServers = slices.Clone(e.RealServers)
	left := false
	var dead []RealServer
	for i, s := range e.RealServers {
		switch {
		case len(all[s.Addr]) == 0:
			left = left || s.Weight > 0
		case !all.isFixed(s.Addr) && (s.Weight > 0 || director.keepsClients(e, s)):
			dead = append(dead, s.RealServer)
			after.RealServers[i].Weight = 0
		}
	}
	// dh gives all clients of a VIP to one server, and no scheduler gives them to any.
	if !left || e.Scheduler == DH || e.Scheduler == NoScheduler || after.shareRefused(true) > 0 {
		return
	}
	for _, s := range dead {
		j.add(director, j.retiredServer(director, e, s, all[s.Addr]))
	}
}

// keepsClients reports whether persistence still sends clients to a server of weight 0.
func (p *hostView) keepsClients(e ServiceEntry, s RealServerStatus) bool {
	return e.Persistence.Timeout != 0 && s.PersistentConns > 0 && p.sysctl(SysctlExpireQuiescentTemplate) == "0"
}

// retiredServer returns the finding about a service that gives clients to a real server
// which cannot serve them.
func (j *judge) retiredServer(director *hostView, e ServiceEntry, s RealServer, why []Finding) Finding {
	severity := SeverityRisk
	vips := j.vipsOf(director, e)
	if len(vips) == 0 || slices.ContainsFunc(vips, func(vip netip.Addr) bool { return !j.standsBy(director, e.ID, vip) }) {
		severity = SeverityBroken
	}
	f := FindingServerDead.at(severity, "%s gives clients to %s, which cannot serve them: see %s on %s",
		e.ID, s.Addr, why[0].Code, cmp.Or(why[0].Host, "this host"))
	if e.Persistence.Timeout != 0 && director.sysctl(SysctlExpireQuiescentTemplate) == "0" {
		f = f.fix(SysctlExpireQuiescentTemplate.Requirement("1", "release persistent clients from servers of weight 0"))
	}
	advice := "repair the server"
	if s.Weight > 0 {
		advice += fmt.Sprintf(", then set its weight to %d again", s.Weight)
		s.Weight = 0
		f = f.change(UpdateRealServer(e.ID, s))
	}
	return f.advise("%s; its existing connections stay with it", advice)
}
