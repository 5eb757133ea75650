package lvs

import (
	"net/netip"

	"github.com/golvs/lvs/internal/wire"
)

// checkTunnelMTU looks for tunnels that do not fit full-size packets, and whose director
// does not tell clients so.
func (j *judge) checkTunnelMTU(e ServiceEntry) {
	for _, s := range e.RealServers {
		if !s.Mode.IsTunnel() || j.own.sysctl(SysctlPMTUDisc) != "0" {
			continue
		}
		if mtu := j.own.mtuOf(j.own.route(s.Addr.Addr(), netip.Addr{})); mtu != 0 && mtu < ordinaryMTU+tunnelOverhead(s.RealServer) {
			j.add(j.own, FindingMTU.risk("%s -> %s: packets of 1500 bytes and the tunnel's %d exceed the MTU %d, and pmtu_disc is 0",
				e.ID, s.RealServer, tunnelOverhead(s.RealServer), mtu).fix(SysctlPMTUDisc.Requirement("1", "report to clients that their packets are too big")))
		}
	}
}

// ordinaryMTU is the size of the largest packets that clients usually send.
const ordinaryMTU = 1500

// checkPathMTU looks whether packets that clients may send fit into a tunnel. Routers
// between the hosts are not seen.
func (j *judge) checkPathMTU(director *hostView, e ServiceEntry, s RealServer, host *hostView) {
	way := director.route(s.Addr.Addr(), netip.Addr{})
	if !way.Onward() || way.Via.IsValid() {
		j.unclear[FindingPathMTU] = true
	}
	path := director.mtuOf(way)
	for _, at := range host.addrsEqual(s.Addr.Addr()) {
		if mtu := host.mtu(at.Interface); mtu != 0 && (path == 0 || mtu < path) {
			path = mtu
		}
	}
	size, vip := ordinaryMTU, e.ID.AddrPort().Addr()
	headers := 40
	if e.ID.Is6() {
		headers = 60
	}
	if e.ID.FWMark() == 0 {
		if back := host.route(defaultRoute(vip).Addr(), vip); back.AdvMSS != 0 {
			size = min(size, back.AdvMSS+headers)
		}
	}
	if over := tunnelOverhead(s); path != 0 && size+over > path {
		j.add(host, FindingPathMTU.risk("%s -> %s: clients may send packets of %d bytes, but only %d fit into the tunnel", e.ID, s, size, path-over).
			advise("set MSS of the real server's setup to %d, or let ICMP 'fragmentation needed' and 'packet too big' pass to the director", path-over-headers))
	}
}

// tunnelOverhead returns what a tunnel adds to a packet, in bytes.
func tunnelOverhead(s RealServer) int {
	size := 20
	if s.Addr.Addr().Is6() {
		size = 40
	}
	switch s.Mode.tunnel {
	case wire.TunnelGUE:
		size += 12
	case wire.TunnelGRE:
		size += 4
		if s.Mode.TunnelFlags()&TunnelChecksum != 0 {
			size += 4
		}
	}
	return size
}
