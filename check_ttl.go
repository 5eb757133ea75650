package lvs

import (
	"fmt"
	"net/netip"
	"strconv"

	"github.com/golvs/lvs/internal/netstate"
)

// defaultTTL is the parameter of how many routers IPv4 packets of the host may pass.
const defaultTTL = "net.ipv4.ip_default_ttl"

// enoughTTL is what passes as many routers as there are on any way in the Internet.
const enoughTTL = 30

// lasts returns the finding about packets of a host that do not live long enough for a
// way on which some routers are known; false if they do.
func (p *party) lasts(w netstate.Way, to netip.Addr, routers int, need string) (Finding, bool) {
	ttl, key := w.HopLimit, SysctlKey("")
	if ttl == 0 {
		key = defaultTTL
		if to.Is6() {
			key = InterfaceSysctl(w.Interface, "hop_limit", true)
		}
		value, err := strconv.Atoi(p.sysctl(key))
		if err != nil {
			return Finding{}, false // it is not known
		}
		ttl = value
	}
	if routers == 0 || ttl >= enoughTTL {
		return Finding{}, false
	}
	f := FindingTTL.risk("packets of the host pass %d routers, and %d or more are on the way: %s", max(ttl-1, 0), routers, need)
	if ttl <= routers {
		f.Severity = SeverityBroken
	}
	if key == "" {
		return f.run(changeRoute(w.RouteEntry)), true
	}
	return f.fix(Requirement{Want: Sysctl{key, "64"}, Why: "let packets pass as many routers as is usual"}), true
}

// changeRoute is the command that gives a route no limit of hops.
func changeRoute(r netstate.RouteEntry) string {
	to := r.To.String()
	if r.To.Bits() == 0 {
		to = "default"
	}
	return "ip" + familyFlag(r.To.Addr().Is6()) + " route change " + to + optionText("via", r.Via) + optionText("dev", r.Interface) + optionText("src", r.Source) +
		optionText("metric", r.Metric) + tableFlag(r.Table) + optionText("mtu", r.MTU) + optionText("advmss", r.AdvMSS)
}

// routersBefore returns how many routers are known on a way.
func routersBefore(w netstate.Way) int {
	if w.Via.IsValid() {
		return 1
	}
	return 0
}

// lastsByDirector looks whether the answers of a NAT server live long enough to come
// to a client, and to the others that are known: the director passes them on, as
// routers do.
func (j *judge) lastsByDirector(director *party, e ServiceEntry, s RealServer, host *party, client netip.Addr) bool {
	server := s.Addr.Addr()
	routers := 0
	for _, c := range append(j.clientsOf(director, server), client) {
		routers = max(routers, routersBefore(director.route(c, netip.Addr{})))
	}
	f, short := host.lasts(host.route(client, server), client, 1+routers, fmt.Sprintf("answers of %s by the director", s.Addr))
	if short {
		j.add(host, f)
	}
	return short && f.Severity == SeverityBroken
}
