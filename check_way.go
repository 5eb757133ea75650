package lvs

import "net/netip"

// reached looks at the ways to the servers: NAT needs forwarding, and a tunnel
// room.
func (j *judge) reached(e ServiceEntry) {
	nat := false
	for _, s := range e.Servers {
		nat = nat || s.Mode == NAT
		if !s.Mode.isTunnel() || j.own.sysctl(VSPMTUDisc.Key) != "0" {
			continue
		}
		if mtu := j.own.mtuOf(j.own.route(s.Addr.Addr(), netip.Addr{})); mtu != 0 && mtu < ordinaryMTU+overhead(s.RealServer) {
			j.add(j.own, finding("mtu", SeverityRisk, "%s -> %s: 1500 bytes and %d of the tunnel do not fit into the MTU %d, and pmtu_disc=0 tells no client",
				e.ID, s.RealServer, overhead(s.RealServer), mtu).mend(VSPMTUDisc.Setting(1, "tell clients that their packets are too big")))
		}
	}
	forward := forwarding(e.ID.Is6(), "answers of the real servers are forwarded to the clients")
	key := forward.Want.(Sysctl).Key
	if nat && j.own.sysctl(key) == "0" {
		j.add(j.own, finding("forwarding-off", SeverityBroken, "%s has NAT servers, and %s is 0", e.ID, key).mend(forward))
	}
}

// ordinaryMTU is what clients send at most.
const ordinaryMTU = 1500

// room looks whether packets that clients may send fit into a tunnel. A router
// between the hosts is not seen.
func (j *judge) room(director *party, e ServiceEntry, s RealServer, host *party) {
	way := director.route(s.Addr.Addr(), netip.Addr{})
	if !way.Onward() || way.Via.IsValid() {
		j.unclear["path-mtu"] = true
	}
	path := director.mtuOf(way)
	for _, at := range host.having(s.Addr.Addr()) {
		if mtu := host.mtu(at.Interface); mtu != 0 && (path == 0 || mtu < path) {
			path = mtu
		}
	}
	size, vip := ordinaryMTU, e.ID.VIP().Addr()
	headers := 40
	if e.ID.Is6() {
		headers = 60
	}
	if e.ID.FWMark() == 0 {
		if back := host.route(defaultRoute(vip).Addr(), vip); back.AdvMSS != 0 {
			size = min(size, back.AdvMSS+headers)
		}
	}
	if over := overhead(s); path != 0 && size+over > path {
		j.add(host, finding("path-mtu", SeverityRisk, "%s -> %s: clients may send %d bytes, and %d fit into the tunnel", e.ID, s, size, path-over).
			advise("set MSS of the real server's setup to %d, or let ICMP 'fragmentation needed' and 'packet too big' through to the director", path-over-headers))
	}
}
