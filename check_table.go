package lvs

import (
	"slices"

	"github.com/golvs/lvs/internal/wire"
)

func (j *judge) checkPorts(e ServiceEntry) {
	for _, s := range e.RealServers {
		if s.Mode != NAT() && s.Mode.method() != wire.MethodLocalNode && e.ID.FWMark() == 0 && s.Addr.Port() != e.ID.AddrPort().Port() {
			j.add(j.own, FindingPortIgnored.broken("%s -> %s: packets arrive at port %d", e.ID, s.RealServer, e.ID.AddrPort().Port()).
				advise("give the server the service's port, or use NAT"))
		}
	}
}

// checkLoopback looks for loopback addresses that packets from or to other hosts cannot
// have. A DR server at a loopback address is the director itself.
func (j *judge) checkLoopback(e ServiceEntry) {
	local := e.ID.FWMark() == 0 && e.ID.AddrPort().Addr().IsLoopback()
	for _, s := range e.RealServers {
		switch here := s.Addr.Addr().IsLoopback(); {
		case here && !local && s.Mode == NAT():
			j.add(j.own, FindingLoopback.broken("%s -> %s: packets of other hosts are dropped", e.ID, s.RealServer).
				change(e.removeUnusable(s.RealServer)...).
				advise("let the program listen on an address of this host other than loopback, and use that for the server"))
		case !here && local:
			j.add(j.own, FindingLoopback.broken("%s -> %s: only this host reaches the VIP, and its packets do not leave the host", e.ID, s.RealServer).
				advise("give the service a VIP that other hosts can reach"))
			return
		}
	}
}

func (j *judge) checkPersistenceMask(e ServiceEntry) {
	if e.Persistence.Timeout == 0 || e.Persistence.Mask.IsZero() {
		return
	}
	usual := 24
	if e.ID.Is6() {
		usual = 64
	}
	if bits, ok := e.Persistence.Mask.Bits(); ok && bits < usual {
		j.add(j.own, FindingCoarsePersistence.risk("the persistence of %s counts each /%d as one client", e.ID, bits).advise("use a longer mask"))
	}
}

// crowdedServer is how many connections a server has when another one without any is about
// to be flooded.
const crowdedServer = 100

func (j *judge) checkFlooded(e ServiceEntry) {
	switch e.Scheduler {
	case LC, WLC, "", SED, NQ:
	default:
		return
	}
	most := 0
	for _, s := range e.RealServers {
		most = max(most, s.ActiveConns)
	}
	for _, s := range e.RealServers {
		if s.Weight > 0 && s.ActiveConns+s.InactiveConns == 0 && most >= crowdedServer {
			j.add(j.own, FindingFlooded.risk("%s -> %s has no connection, but another server has %d", e.ID, s.RealServer, most).
				advise("raise its weight in steps"))
		}
	}
}

// checkWeights looks for real servers of weight 0 that have never had a connection,
// beside others that have a weight. The counters of one that is drained show
// connections, unless they were zeroed; a service without any weight is reported as a
// whole.
func (j *judge) checkWeights(e ServiceEntry) {
	hasWeight := func(s RealServerStatus) bool { return s.Weight > 0 }
	zeroed := e.Stats.Conns == 0 && slices.ContainsFunc(e.RealServers, func(s RealServerStatus) bool { return s.conns() > 0 })
	if zeroed || !slices.ContainsFunc(e.RealServers, hasWeight) {
		return
	}
	for _, s := range e.RealServers {
		if s.Weight == 0 && !s.hadShare() {
			j.add(j.own, FindingWeightZero.risk("%s -> %s has never had a connection", e.ID, s.RealServer).
				advise("give the server a weight, unless it is on standby"))
		}
	}
}

// longChain is the mean number of connections in a bucket when the table is too small.
const longChain = 8

func (j *judge) checkConnections() {
	total := 0
	for _, e := range j.own.Services {
		for _, s := range e.RealServers {
			total += int(s.ActiveConns) + int(s.InactiveConns)
		}
	}
	if size := j.own.ConnTableSize; size > 0 && total > longChain*size {
		j.add(j.own, FindingTableSmall.risk("%d connections in %d buckets", total, size).
			advise("load ip_vs with conn_tab_bits=20, or use Linux 7.1 or newer"))
	}
	j.addUnchecked(FindingIdleTimeout, "the timeouts are %s: clients and servers should send keep-alives more often", j.own.Timeouts)
}

func (j *judge) checkOtherWriter() {
	if _, ok := j.own.interfaces["kube-ipvs0"]; ok {
		j.add(j.own, FindingOtherWriter.risk("the interface kube-ipvs0 of kube-proxy exists").
			advise("use another network namespace, or kube-proxy's option --ipvs-exclude-cidrs"))
	}
}
