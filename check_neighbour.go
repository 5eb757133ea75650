package lvs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// neighbourFault returns the finding about a neighbour that cannot be reached by an
// interface, and false if nothing is known against it.
func (j *judge) neighbourFault(p *hostView, iface string, hop netip.Addr, need string) (Finding, bool) {
	for _, n := range p.Neighbours {
		if n.Interface != iface || n.Addr != hop || n.Proxy {
			continue
		}
		forget := fmt.Sprintf("ip neigh del %s dev %s", hop, iface)
		if right, sure := j.knownMACs(p, hop); n.MAC != "" && sure && !slices.Contains(right, n.MAC) {
			f := FindingNeighbourWrong.broken("%s is at %s by the neighbour entry on %s, but has the address %s: %s", hop, n.MAC, iface, right[0], need).run(forget)
			if j.servesFor(j.hostAt(n.MAC), hop) {
				f.Severity = SeverityRisk
			}
			return f, true
		}
		if n.isGone() {
			if f, bad := p.findNoSolicit(iface, hop.Is6(), need); bad {
				return f, true
			}
			return FindingNeighbourSilent.broken("%s does not answer on %s: %s", hop, iface, need).
				advise("check that it is up, is on that network, has that address, and answers ARP or neighbour solicitations; replace a router that is gone by a route through another one"), true
		}
	}
	return Finding{}, false
}

// isGone reports whether the neighbour was asked for and did not answer.
func (n Neighbour) isGone() bool { return !n.Proxy && (n.State == "failed" || n.State == "incomplete") }

// cannotFind reports whether a host asked for an address and got no answer.
func (p *hostView) cannotFind(a netip.Addr) bool {
	return slices.ContainsFunc(p.Neighbours, func(n Neighbour) bool { return n.Addr == a && n.isGone() })
}

// knownMACs returns the hardware addresses that a neighbour can have: those of the host with
// the address, or those that other hosts have resolved.
func (j *judge) knownMACs(asks *hostView, hop netip.Addr) (all []string, sure bool) {
	if host := j.byAddr[hop]; host != nil {
		for _, i := range host.Interfaces {
			if i.MAC != "" && !i.Loopback {
				all = append(all, i.MAC)
			}
		}
		return all, len(all) > 0
	}
	for _, p := range j.hosts {
		for _, n := range p.Neighbours {
			if p != asks && n.Addr == hop && n.MAC != "" && (n.State == "reachable" || n.State == "delay") {
				all = append(all, n.MAC)
			}
		}
	}
	return all, len(all) > 0
}

// sysctlSolicit returns the key of how many multicast requests an interface sends for an
// address before it gives up.
func sysctlSolicit(iface string, is6 bool) SysctlKey {
	return SysctlKey(strings.Replace(string(InterfaceSysctl(iface, "mcast_solicit", is6)), ".conf.", ".neigh.", 1))
}

// findNoSolicit returns the finding about an interface that sends no requests for
// addresses, so that no neighbour is found; false if it sends them.
func (p *hostView) findNoSolicit(iface string, is6 bool, need string) (Finding, bool) {
	key := sysctlSolicit(iface, is6)
	if p.sysctl(key) != "0" {
		return Finding{}, false
	}
	return FindingNeighbourSilent.broken("no address is resolved on %s, for %s is 0: %s", iface, key, need).
		fix(Requirement{Want: Sysctl{key, "3"}, Why: "send requests for addresses of neighbours"}), true
}

// knowsMAC reports whether a host has a neighbour with a hardware address.
func knowsMAC(p *hostView, iface, mac string) bool {
	return mac != "" && slices.ContainsFunc(p.Neighbours, func(n Neighbour) bool { return n.Interface == iface && n.MAC == mac })
}
