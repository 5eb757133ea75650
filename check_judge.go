package lvs

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/golvs/lvs/internal/wire"
)

// judge finds what is wrong from the states of hosts alone. It reads nothing.
type judge struct {
	own    *hostView
	hosts  []*hostView // the own one first
	byAddr map[netip.Addr]*hostView

	setup Setup
	found []Resource // what the host holds of each requirement's resource; nil: nothing

	findings  []Finding
	known     map[string]bool // keys of the findings
	asks      map[askedFix]bool
	unchecked []Finding
	unclear   map[FindingCode]bool // codes of what could not be decided, even with peers
	absent    []string             // real servers on none of the hosts
	vips      map[netip.Addr]bool
	doubts    []string // what firewalls may do

	about  netip.AddrPort // the real server that is checked, if one is
	idle   bool           // it has no clients, and gets none
	faults serverFaults   // of the service's servers
	rolls  map[*hostView]serverRoll

	claimed map[addressSpot]addressClaim
}

// judgeHosts returns the report on a host, from its state and those of its peers.
func judgeHosts(own HostState, setup Setup, found []Resource, peers []HostState) Report {
	j := newJudge(setup, found)
	j.viewHosts(own, peers)
	j.checkSetup()
	j.checkDuplicates()
	for i, p := range j.hosts {
		for _, e := range p.Services {
			if i == 0 || len(j.own.Services) == 0 && j.own.serves(e) {
				j.checkService(p, e)
			}
		}
	}
	j.checkTable()
	j.listUnchecked(len(j.hosts) > 1)
	slices.SortStableFunc(j.findings, func(a, b Finding) int { return a.Severity.rank() - b.Severity.rank() })
	return Report{own.Name, j.findings, j.unchecked}
}

func newJudge(setup Setup, found []Resource) *judge {
	return &judge{
		setup: setup, found: found, findings: []Finding{},
		byAddr: make(map[netip.Addr]*hostView), vips: make(map[netip.Addr]bool), claimed: make(map[addressSpot]addressClaim),
		known: make(map[string]bool), asks: make(map[askedFix]bool), unclear: make(map[FindingCode]bool),
		rolls: make(map[*hostView]serverRoll),
	}
}

// viewHosts indexes the states. A peer that is the host itself is left out, so that all
// hosts can be given the same peers.
func (j *judge) viewHosts(own HostState, peers []HostState) {
	j.own = newHostView(own)
	j.own.isOwn = true
	j.hosts = []*hostView{j.own}
	for _, f := range peers {
		if !j.own.isSame(f) {
			j.hosts = append(j.hosts, newHostView(f))
		}
	}
	for _, p := range j.hosts {
		for _, e := range p.Services {
			for _, vip := range j.vipsOf(p, e) {
				j.vips[vip] = true
			}
		}
	}
	for _, s := range j.setup {
		if a, ok := s.Want.(Address); ok {
			j.vips[a.Prefix.Addr()] = true
		}
	}
	j.noteClaims()
	j.placeAddresses()
}

// placeAddresses notes which host an address leads to, preferably one that is in a network
// by it.
func (j *judge) placeAddresses() {
	for _, firmly := range []bool{true, false} {
		for _, p := range j.hosts {
			for a := range p.byAddr {
				if _, claimed := j.claimed[addressSpot{p, a}]; !claimed && j.byAddr[a] == nil && !a.IsLoopback() && !a.IsLinkLocalUnicast() && (p.isInNetwork(a) || !firmly) {
					j.byAddr[a] = p
				}
			}
		}
	}
}

// add adds a finding about a host, unless it is known already.
func (j *judge) add(about *hostView, f Finding) {
	f.Host = about.label()
	if j.about.IsValid() && f.Severity == SeverityBroken {
		if j.faults[j.about] = append(j.faults[j.about], f); j.idle {
			f.Severity = SeverityRisk
		}
	}
	key := string(f.Code) + "\x00" + f.Host + "\x00" + f.Detail
	if j.known[key] || j.repeats(f) {
		return
	}
	j.known[key] = true
	j.findings = append(j.findings, f)
}

// repeats reports whether earlier findings of the code have the same fix, and notes the
// requirements of this one.
func (j *judge) repeats(f Finding) bool {
	all := len(f.Fix) > 0 && len(f.Changes) == 0
	for _, s := range f.Fix {
		what := askedFix{string(f.Code), f.Host, s.subject()}
		all = all && j.asks[what]
		j.asks[what] = true
	}
	return all
}

// askedFix is what a finding requires of a host.
type askedFix struct{ code, host, subject string }

// subject names what a requirement is about: two with the same subject do the same.
func (r Requirement) subject() string {
	if a, ok := r.Want.(Address); ok {
		return a.Prefix.Addr().String()
	}
	return fmt.Sprintf("%T %v", r.Want, r.Want.key())
}

// has reports whether there is a finding of a code about the own host.
func (j *judge) has(code FindingCode) bool {
	return slices.ContainsFunc(j.findings, func(f Finding) bool { return f.Code == code && f.Host == "" })
}

// addUnchecked lists what was not checked, and how to look.
func (j *judge) addUnchecked(code FindingCode, format string, args ...any) {
	j.unchecked = append(j.unchecked, code.at(SeverityUnknown, "not checked").advise(format, args...))
}

// checkService follows the packets of a service to the director, on to the real servers,
// and back.
func (j *judge) checkService(director *hostView, e ServiceEntry) {
	j.checkDelivery(director, e)
	j.checkFirewall(director, e)
	j.faults = make(serverFaults)
	for _, s := range e.RealServers {
		j.about, j.idle = s.Addr, s.Weight == 0 && s.ActiveConns == 0 && !director.keepsClients(e, s)
		j.checkServer(director, e, s.RealServer)
	}
	j.about = netip.AddrPort{}
	j.checkDeadServers(director, e, j.faults)
	alone := true
	for _, other := range j.hosts {
		if other != director {
			j.checkARP(director, e, other)
			j.checkSync(director, e, other)
			alone = !j.checkServerOrder(director, e, other) && alone
		}
	}
	if alone && e.isHashed() {
		j.unclear[FindingServerOrder] = true
	}
}

// checkServer follows the packets of a service to one of its real servers, and back.
func (j *judge) checkServer(director *hostView, e ServiceEntry, s RealServer) {
	server, method := s.Addr.Addr(), s.Mode.method()
	switch {
	case method == wire.MethodLocalNode, method == wire.MethodBypass:
		return
	case server.IsLoopback(): // by NAT it is reported as a loopback server
		if s.Mode != NAT() {
			j.checkLocalNode(director, e, s)
		}
		return
	case director.has(server):
		if !j.checkServerAddr(director, e, s) {
			j.checkLocalNode(director, e, s)
		}
		return
	}
	host := j.byAddr[server]
	if j.checkMode(director, e, s, host) {
		return
	}
	j.checkForwarding(director, e, s)
	j.checkFirewallToServer(director, e, s, host)
	if host == nil {
		j.absent = append(j.absent, server.String())
		j.checkLostServer(director, e, s)
		return
	}
	j.checkServerHost(director, e, s, host)
}

// checkLocalNode checks a real server that is the director itself. By DR its program is
// reached at the VIP.
func (j *judge) checkLocalNode(director *hostView, e ServiceEntry, s RealServer) {
	if s.Mode == NAT() {
		j.checkProgram(director, director, e, s, s.Addr)
		return
	}
	for _, vip := range j.vipsOf(director, e) {
		j.checkProgram(director, director, e, s, netip.AddrPortFrom(vip, e.ID.AddrPort().Port()))
	}
}

// checkTable checks the own table alone, without the network.
func (j *judge) checkTable() {
	for _, e := range j.own.Services {
		if f, ok := e.findRefused(); ok {
			if len(e.RealServers) == 0 && f.Code == FindingNoServer {
				f = f.change(j.serversOfOthers(e)...)
			}
			j.add(j.own, f)
		}
		if f, ok := e.findCrowded(); ok {
			j.add(j.own, f)
		}
		j.checkPorts(e)
		j.checkLoopback(e)
		j.checkPersistenceMask(e)
		j.checkFlooded(e)
		j.checkWeights(e)
		j.checkTunnelMTU(e)
		j.checkClearText(e)
	}
	j.checkSysctls()
	j.checkDaemons()
	j.checkProbeMarks()
}

// unreadParts maps parts of a host that were not read to the check that needs them.
var unreadParts = map[string]FindingCode{
	"routes":     FindingRouteBlocked,
	"neighbours": FindingNeighbourSilent,
	"clients":    FindingReturnRoute,
	"policies":   FindingClearTextTunnel,
}

// listUnchecked lists what the states do not show.
func (j *judge) listUnchecked(peers bool) {
	if len(j.absent) > 0 {
		slices.Sort(j.absent)
		list := slices.Compact(j.absent)
		text := strings.Join(list[:min(len(list), 10)], ", ")
		if more := len(list) - 10; more > 0 {
			text += fmt.Sprintf(" and %d others", more)
		}
		j.addUnchecked(FindingRealServer, "pass Check what Host.State returns on %s", text)
	}
	j.listFirewallDoubts()
	for _, p := range j.hosts {
		for _, u := range p.Unread {
			if code, ok := unreadParts[u.What]; ok {
				j.addUnchecked(code, "the %s of %s were not read: %s; look at: %s", u.What, cmp.Or(p.Name, "this host"), u.Why, u.Command)
			}
		}
	}
	if j.unclear[FindingRouteBlocked] {
		j.addUnchecked(FindingRouteBlocked, "the way depends on rules or routes that Check does not understand: ip rule; ip route get SERVER; on a real server: ip route get CLIENT from VIP")
	}
	if j.unclear[FindingProgramMissing] {
		j.addUnchecked(FindingProgramMissing, "see whether the programs of the real servers listen: ss -lntu")
	}
	if j.unclear[FindingReturnRoute] {
		j.addUnchecked(FindingReturnRoute, "see whether answers of the real servers return through the director, or use FullNAT")
	}
	unless := func(code FindingCode, advice string) {
		if !peers || len(j.absent) > 0 || j.unclear[code] {
			j.addUnchecked(code, "%s", advice)
		}
	}
	// Peers do not clear these: a machine that is not among them can be at fault.
	j.addUnchecked(FindingARPOther, "from a client's network: arping -D -I IFACE VIP")
	j.addUnchecked(FindingRouters, "look at the routers between clients, this host and the real servers: ip route get VIP, sysctl net.ipv4.ip_forward, nft list ruleset")
	unless(FindingPathMTU, "from a client: ping -M do -s 1472 VIP; let ICMP 'fragmentation needed' and 'packet too big' through, or lower the MSS on the real servers")
	unless(FindingSameSubnet, "clients in the servers' own network need FullNAT")
	j.addUnchecked(FindingClientsHidden, "source NAT by other programs hides clients: nft list ruleset")
	unless(FindingServerOrder, "compare the tables of all directors: sh and mh depend on the order in which real servers were added")
	j.addUnchecked(FindingOtherWriter, "see whether keepalived, ldirectord or kube-proxy run: they write the table too")
	j.addUnchecked(FindingClientsBehindNAT, "clients that share an address share a real server")
}
