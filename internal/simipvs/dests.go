package simipvs

import (
	"iter"
	"math"
	"net/netip"
)

// Attributes of a server.
const (
	destAddr = iota + 1
	destPort
	destMethod
	destWeight
	destUpper
	destLower
	destActive
	destInactive
	destPersistent
	destStats
	destFamily
	destStats64
	destTunType
	destTunPort
	destTunFlags
)

var destRules = []rule{
	destAddr: {atMost, 16}, destPort: {atLeast, 2}, destMethod: {atLeast, 4}, destWeight: {atLeast, 4},
	destUpper: {atLeast, 4}, destLower: {atLeast, 4},
	destActive: {atLeast, 4}, destInactive: {atLeast, 4}, destPersistent: {atLeast, 4}, destStats: {kind: nested},
	destFamily: {atLeast, 2}, destStats64: {},
	destTunType: {atLeast, 1}, destTunPort: {atLeast, 2}, destTunFlags: {atLeast, 2},
}

const (
	methodMask = 7
	tunnelIPIP = 0
	tunnelGUE  = 1
	tunnelGRE  = 2
)

// destSettings is a server as a request says it: where it is and, if it is
// whole, all that is set of it.
type destSettings struct {
	addr                 netip.AddrPort
	method, upper, lower uint32
	weight               int32
	tunType              uint8
	tunPort, tunFlags    uint16
}

// readDest returns the service and the server that a request is about.
func (k *Kernel) readDest(r *request, whole bool) (s *service, c destSettings, e errno) {
	var a attributes
	if s, e = k.findService(&a, r.top[topService]); e != 0 {
		return nil, c, e
	}
	if r.top[topDest] == nil {
		return nil, c, einval
	}
	if _, e := a.parse(r.top[topDest], destRules); e != 0 || !a.has(destAddr, destPort) {
		return nil, c, einval
	}
	if whole {
		if !a.has(destMethod, destWeight, destUpper, destLower) {
			return nil, c, einval
		}
		c = destSettings{
			method: a.u32(destMethod) & methodMask, weight: int32(a.u32(destWeight)),
			upper: a.u32(destUpper), lower: a.u32(destLower),
			tunType: a.u8(destTunType), tunPort: a.port(destTunPort), tunFlags: a.u16(destTunFlags),
		}
	}
	family := a.u16(destFamily)
	if family == 0 {
		family = uint16(s.key.family)
	}
	if family != inet4 && family != inet6 {
		return nil, c, eafnosupport
	}
	c.addr = netip.AddrPortFrom(address(uint32(family), a.addr(destAddr)), a.port(destPort))
	if whole {
		e = k.checkDest(s, uint32(family), &c)
	}
	return s, c, e
}

// checkDest refuses what a server cannot be set to.
func (k *Kernel) checkDest(s *service, family uint32, c *destSettings) errno {
	switch {
	case family != s.key.family && (c.method != methodTunnel || k.daemons.run()):
		return einval
	case c.weight < 0, c.lower > c.upper:
		return erange
	case k.totals && c.upper > math.MaxInt32:
		return einval
	case c.tunType == tunnelGUE && c.tunPort == 0:
		return einval
	}
	return 0
}

// addDest puts a server at the head of the service's list.
func (k *Kernel) addDest(r *request) errno {
	s, c, e := k.readDest(r, true)
	if e != 0 {
		return e
	}
	if s.dests[c.addr] != nil {
		return eexist
	}
	d := k.revive(s, c.addr)
	if d == nil {
		if a := c.addr.Addr(); !k.isLocal(a) && !k.addresses.canServe(a) {
			return einval
		}
		d = k.newDest(c.addr)
	}
	d.svc, d.key, d.name = s, s.key, s.name
	d.LastWeight = c.weight
	k.setTo(d, &c)
	s.dests[c.addr] = d
	if d.mixed() {
		k.mixed++
	}
	s.group.Add(&d.Server)
	return 0
}

// setDest replaces all that is set of a server where it stands.
func (k *Kernel) setDest(r *request) errno {
	s, c, e := k.readDest(r, true)
	if e != 0 {
		return e
	}
	d := s.dests[c.addr]
	if d == nil {
		return enoent
	}
	if c.weight != 0 {
		d.LastWeight = c.weight
	}
	k.setTo(d, &c)
	s.group.Edited(&d.Server)
	return 0
}

func (k *Kernel) setTo(d *dest, c *destSettings) {
	if c.method != d.method || c.tunType != d.tunType || c.tunPort != d.tunPort {
		k.unrank(d)
	}
	upper, lower := d.upper, d.lower
	d.Weight, d.method, d.upper, d.lower = c.weight, c.method, c.upper, c.lower
	d.tunType, d.tunPort, d.tunFlags = c.tunType, c.tunPort, c.tunFlags
	d.way = &Way{Server: d.Addr}
	if s := d.svc; c.method == methodMasq && s.key.port == ftpPort && !s.tracks {
		s.tracks = true
		k.services.tracking[s.key.family]++
	}
	k.rank(d)
	k.thresholdsChanged(d, upper, lower)
}

func (k *Kernel) delDest(r *request) errno {
	s, c, e := k.readDest(r, false)
	if e != 0 {
		return e
	}
	d := s.dests[c.addr]
	if d == nil {
		return enoent
	}
	k.removeDest(d)
	k.serversGone()
	return 0
}

// removeDest puts a server into the trash.
func (k *Kernel) removeDest(d *dest) {
	s := d.svc
	if d.mixed() {
		k.mixed--
	}
	delete(s.dests, d.Addr)
	k.unrank(d)
	s.group.Remove(&d.Server)
	k.discard(d)
}

// newDest returns a server with a number of its own.
func (k *Kernel) newDest(addr netip.AddrPort) *dest {
	d := &dest{stats: k.newStats()}
	d.Addr = addr
	if n := len(k.free); n > 0 {
		d.ID = k.free[n-1]
		k.free = k.free[:n-1]
		k.dests[d.ID] = d
		return d
	}
	d.ID = uint32(len(k.dests))
	k.dests = append(k.dests, d)
	return d
}

// freeDest gives the number of a server back.
func (k *Kernel) freeDest(d *dest) {
	k.dests[d.ID] = nil
	k.free = append(k.free, d.ID)
}

func (d *dest) family() uint32 {
	if d.Addr.Addr().Is4() {
		return inet4
	}
	return inet6
}

// mixed reports whether a server is of another family than its service.
func (d *dest) mixed() bool { return d.family() != d.svc.key.family }

// dumpDests lists the servers of a service. One that is not there, or is not
// named as it should be, is listed as one without servers.
func (k *Kernel) dumpDests(body []byte) iter.Seq[object] {
	return func(yield func(object) bool) {
		var a attributes
		if _, e := a.parse(body, topRules); e != 0 {
			return
		}
		s, e := k.findService(&a, a[topService])
		if e != 0 {
			return
		}
		for server := range s.group.All() {
			if !yield(k.dests[server.ID]) {
				return
			}
		}
	}
}

func (d *dest) appendReply(b []byte, k *Kernel) []byte {
	b, nest := beginNest(beginGeneric(b, cmdNewDest), topDest)
	addr := addressBytes(d.Addr.Addr())
	b = appendBytes(b, destAddr, addr[:])
	b = appendPort(b, destPort, d.Addr.Port())
	b = appendU32(b, destMethod, d.method)
	b = appendU32(b, destWeight, uint32(d.Weight))
	b = appendU8(b, destTunType, d.tunType)
	b = appendPort(b, destTunPort, d.tunPort)
	b = appendU16(b, destTunFlags, d.tunFlags)
	b = appendU32(b, destUpper, d.upper)
	b = appendU32(b, destLower, d.lower)
	b = appendU32(b, destActive, uint32(d.Active))
	b = appendU32(b, destInactive, uint32(d.Inactive))
	b = appendU32(b, destPersistent, uint32(d.persistent))
	b = appendU16(b, destFamily, uint16(d.family()))
	return endNest(k.appendStats(b, destStats, destStats64, &d.stats), nest)
}
