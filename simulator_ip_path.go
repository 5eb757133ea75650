package lvs

import (
	"net/netip"
	"time"
)

// pathMTU is what an ICMP error said about the way to a server.
type pathMTU struct {
	mtu     int
	expires time.Time
}

const (
	pathMTUTime  = 10 * time.Minute // net.ipv4.route.mtu_expires
	leastPathMTU = 552              // net.ipv4.route.min_pmtu
)

// keptRoute is the route that the last packet to a real server took.
type keptRoute struct {
	ways *simulatedWays
	path *pathMTU // nil: no error had said anything
}

// toward returns the next hop on the way to a server. What Linux learns of it later does not
// concern routes that it looked up for mode DR.
func (d *ipDelivery) toward(server netip.Addr) ipHop {
	hop := d.route(server, 0)
	path := d.sim.ip.paths[server]
	if d.way != nil {
		kept := d.keptRoute()
		if kept == nil || kept.ways != d.ways || kept.path != path && d.Verdict.Mode != DR() {
			kept = &keptRoute{d.ways, path}
			d.way.Kept = kept
		}
		path = kept.path
	}
	hop.mtu = path.limit(hop.mtu, d.sim.Now())
	return hop
}

// keptRoute returns the route of the packet's server; nil if Linux has looked up none.
func (d *ipDelivery) keptRoute() *keptRoute {
	if d.way == nil {
		return nil
	}
	kept, _ := d.way.Kept.(*keptRoute)
	return kept
}

// limit returns the MTU of a way whose interface has the MTU mtu.
func (p *pathMTU) limit(mtu int, now time.Time) int {
	if p == nil || !now.Before(p.expires) {
		return mtu
	}
	return min(p.mtu, mtu)
}

// learnMTU notes the MTU that an error about a tunnel to a server has, and returns the one
// that the client gets: that of the route that the last packet to the server took, or else
// that of the error.
func (d *ipDelivery) learnMTU(server netip.Addr, mtu, headers int) int {
	paths, now := d.sim.ip.paths, d.sim.Now()
	plain := d.route(server, 0).mtu
	path := paths[server]
	if old := path.limit(plain, now); mtu <= old {
		if path == nil {
			path = new(pathMTU)
			paths[server] = path
		}
		*path = pathMTU{min(max(mtu, leastPathMTU), old), now.Add(pathMTUTime)}
	}
	told := mtu
	switch kept := d.keptRoute(); {
	case d.ways == nil:
		told = path.limit(plain, now)
	case kept != nil:
		told = kept.path.limit(plain, now)
	}
	if !d.sim.kernel.Release().ChecksICMP() {
		headers = 20
	}
	if told > 68+headers {
		told -= headers
	}
	return told
}
