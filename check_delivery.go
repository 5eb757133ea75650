package lvs

import "net/netip"

// delivered looks whether packets for the VIP come to the director, and to IPVS.
func (j *judge) delivered(director *party, e ServiceEntry) {
	vip := e.ID.VIP().Addr()
	if e.ID.FWMark() != 0 || vip.IsUnspecified() || !director.isOwn || director.delivers(vip) {
		return
	}
	f := finding("vip-missing", SeverityBroken, "%s of %s is no address of this host", vip, e.ID)
	if way := director.route(vip, netip.Addr{}); way.Onward() && way.Interface != "" {
		f = f.mend(Setting{vipAddress(vip, way.Interface, ""), "IPVS sees only packets that are delivered to this host"})
	}
	j.add(director, f)
}
