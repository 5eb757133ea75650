package lvs

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/golvs/lvs/internal/wire"
)

// server looks at the host of a real server.
func (j *judge) server(director *party, e ServiceEntry, s RealServer, host *party) {
	if s.Mode == NAT {
		j.returns(director, e, s, host)
		return
	}
	device := "lo"
	if s.Mode.isTunnel() {
		device = j.tunnel(e, s, host)
		j.room(director, e, s, host)
	}
	if e.ID.FWMark() != 0 {
		return
	}
	vip := e.ID.VIP().Addr()
	mend := Setting{vipAddress(vip, device, ""), "take packets for the VIP"}
	all := host.having(vip)
	if len(all) == 0 {
		j.add(host, finding("vip-missing", SeverityBroken, "the real server %s has no address %s", s.Addr, vip).mend(mend))
	}
	for _, own := range all {
		if !own.Prefix.IsSingleIP() {
			j.add(host, finding("vip-mask", SeverityBroken, "%s is on %s", own.Prefix, own.Interface).mend(mend).
				run(fmt.Sprintf("ip addr del %s dev %s", own.Prefix, own.Interface)))
		}
	}
}

// tunnel looks for what takes packets out of the tunnel to a real server, and
// returns its device.
func (j *judge) tunnel(e ServiceEntry, s RealServer, host *party) string {
	inner := netip.IPv4Unspecified()
	if e.ID.Is6() {
		inner = netip.IPv6Unspecified()
	}
	want := TunnelRealServer{VIP: inner, Mode: s.Mode, Local: s.Addr.Addr()}.device()
	var device Link
	for _, l := range host.links {
		if l.takes(want) && (device.Name == "" || l.Local == want.Local) {
			device = l
		}
	}
	port := FOUPort{Port: s.Mode.tunnelPort(), IPv6: s.Addr.Addr().Is6()}
	if s.Mode.tunnelType() == wire.TunnelGUE && !slices.Contains(factsOf[FOUPort](host.HostFacts), port) {
		j.add(host, finding("fou-missing", SeverityBroken, "the real server %s by %s has no such port", s.Addr, s.Mode).mend(Setting{port, "the port that the director sends to"}))
	}
	if device.Name == "" {
		j.add(host, finding("tunnel-down", SeverityBroken, "the real server %s by %s has no device up that takes its packets", s.Addr, s.Mode).
			mend(Setting{want, "the tunnel's device takes packets only when it is up"}))
		return want.Name
	}
	if !e.ID.Is6() && host.parameter(device.Name, "rp_filter") == "1" {
		j.add(host, finding("rp-filter", SeverityBroken, "%s filters strictly", device.Name).
			mend(Setting{Sysctl{InterfaceSysctl(device.Name, "rp_filter", false), "2"}, "clients are not reached by the tunnel"}))
	}
	return device.Name
}

// takes reports whether a device takes the packets that another one would.
func (l Link) takes(want Link) bool {
	return l.Up && l.Kind == want.Kind && l.Checksum == want.Checksum && (l.AnyProtocol || !want.AnyProtocol) &&
		(!l.Local.IsValid() || l.Local == want.Local)
}
