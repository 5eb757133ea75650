package simipvs

import (
	"encoding/binary"
	"iter"
	"net/netip"
	"slices"

	"github.com/golvs/lvs/internal/simipvs/sched"
)

// Attributes of a service.
const (
	svcFamily = iota + 1
	svcProtocol
	svcAddr
	svcPort
	svcMark
	svcScheduler
	svcFlags
	svcTimeout
	svcNetmask
	svcStats
	svcEngine
	svcStats64
)

var serviceRules = []rule{
	svcFamily: {atLeast, 2}, svcProtocol: {atLeast, 2}, svcAddr: {atMost, 16}, svcPort: {atLeast, 2}, svcMark: {atLeast, 4},
	svcScheduler: {text, 15}, svcFlags: {atMost, 8}, svcTimeout: {atLeast, 4}, svcNetmask: {atLeast, 4},
	svcStats: {kind: nested}, svcEngine: {text, 16}, svcStats64: {},
}

const (
	noScheduler = "none"
	sipEngine   = "sip"
)

// readKey reads which service a request is about. Within it every broken rule
// is EINVAL.
func readKey(a *attributes, nest []byte) (key serviceKey, e errno) {
	if nest == nil {
		return key, einval
	}
	if _, e := a.parse(nest, serviceRules); e != 0 {
		return key, einval
	}
	if !a.has(svcFamily) || !a.has(svcMark) && !a.has(svcProtocol, svcAddr, svcPort) {
		return key, einval
	}
	family := a.u16(svcFamily)
	if family != inet4 && family != inet6 {
		return key, eafnosupport
	}
	key.family = uint32(family)
	if a.has(svcMark) {
		if key.mark = a.u32(svcMark); key.mark == 0 {
			key.protocol, key.addr = protoTCP, address(key.family, [16]byte{}).As16()
		}
		return key, 0
	}
	key.protocol, key.port = a.u16(svcProtocol), a.port(svcPort)
	key.addr = address(key.family, a.addr(svcAddr)).As16()
	return key, 0
}

// address is an address of a family, whose bytes come first.
func address(family uint32, b [16]byte) netip.Addr {
	if family == inet4 {
		return netip.AddrFrom4([4]byte(b[:4]))
	}
	return netip.AddrFrom16(b)
}

// addressBytes puts the bytes of an address first, and zeros behind them.
func addressBytes(a netip.Addr) (b [16]byte) {
	if !a.Is4() {
		return a.As16()
	}
	v4 := a.As4()
	copy(b[:], v4[:])
	return b
}

// settings are what is set of a service.
type settings struct {
	scheduler, engine       []byte
	flags, timeout, netmask uint32
}

// readSettings reads a whole service; old is nil when it is new.
func readSettings(a *attributes, key serviceKey, old *service) (c settings, e errno) {
	if !a.has(svcScheduler, svcFlags, svcTimeout, svcNetmask) {
		return c, einval
	}
	var flags [8]byte // flags and mask
	copy(flags[:], a[svcFlags])
	mask := host.Uint32(flags[4:])
	c = settings{
		scheduler: a.text(svcScheduler), engine: a.text(svcEngine),
		flags: host.Uint32(flags[:]) & mask, timeout: a.u32(svcTimeout), netmask: a.u32(svcNetmask),
	}
	if old != nil {
		c.flags |= old.flags &^ mask
	}
	if key.family == inet4 {
		c.netmask = binary.BigEndian.Uint32(a[svcNetmask])
	}
	return c, 0
}

// findService returns the service that a request names.
func (k *Kernel) findService(a *attributes, nest []byte) (*service, errno) {
	key, e := readKey(a, nest)
	if e != 0 {
		return nil, e
	}
	if s := k.lookup(key); s != nil {
		return s, 0
	}
	return nil, esrch
}

func (k *Kernel) newService(r *request) errno {
	var a attributes
	key, e := readKey(&a, r.top[topService])
	if e != 0 {
		return e
	}
	c, e := readSettings(&a, key, nil)
	switch {
	case e != 0:
		return e
	case k.lookup(key) != nil:
		return eexist
	}
	by, e := k.check(key, &c)
	if e != 0 {
		return e
	}
	s := &service{
		key: key, name: key.name(), group: sched.NewGroup(k.totals), dests: make(map[netip.AddrPort]*dest),
		scheduler: string(c.scheduler), stats: k.newStats(),
	}
	s.set(&c)
	if err := s.group.Schedule(by); err != nil {
		return einval
	}
	k.services.add(s)
	k.reassembles6 = k.reassembles6 || key.family == inet6
	return 0
}

func (k *Kernel) setService(r *request) errno {
	var a attributes
	key, e := readKey(&a, r.top[topService])
	if e != 0 {
		return e
	}
	s := k.lookup(key)
	c, e := readSettings(&a, key, s)
	switch {
	case e != 0:
		return e
	case s == nil:
		return esrch
	}
	by, e := k.check(key, &c)
	if e != 0 {
		return e
	}
	s.group.Flags = c.flags | flagHashed // a new scheduler may look at them
	if e := k.reschedule(s, string(c.scheduler), by); e != 0 {
		s.group.Flags = s.flags
		return e
	}
	k.services.count(s, -1)
	s.set(&c)
	k.services.count(s, 1)
	return 0
}

// check refuses what a service cannot be set to. It returns the scheduler.
func (k *Kernel) check(key serviceKey, c *settings) (by sched.Scheduler, e errno) {
	if by, e = k.newScheduler(string(c.scheduler), key); e != 0 {
		return nil, e
	}
	if !k.hasEngine(string(c.engine)) {
		return nil, enoent
	}
	if key.family == inet6 && (c.netmask < 1 || c.netmask > 128) {
		return nil, einval
	}
	return by, 0
}

// cacheLimit is the number of entries that the caches of lblc and lblcr have at
// most in newer releases.
const cacheLimit = 24576

// newScheduler returns the scheduler of that name for a service.
func (k *Kernel) newScheduler(name string, key serviceKey) (sched.Scheduler, errno) {
	if name == noScheduler {
		return nil, 0
	}
	if own, ok := k.opts.Schedulers[name]; ok {
		return own(key.name()), 0
	}
	if name == "twos" && !k.opts.Release.HasTwos() {
		return nil, enoent // Debian does not build it for 6.1
	}
	o := sched.Options{
		Rand: k.rand, Now: int64(k.now), IPv4: key.family == inet4,
		SHBits: k.opts.SHBits, MHIndex: k.opts.MHIndex,
		LBLCExpiration:  func() int64 { return int64(k.sysctl.lblcExpiration) * sched.HZ },
		LBLCRExpiration: func() int64 { return int64(k.sysctl.lblcrExpiration) * sched.HZ },
	}
	if k.opts.Release.LimitsCaches() {
		o.CacheLimit = cacheLimit
	}
	by, ok := sched.New(name, o)
	if !ok {
		return nil, enoent
	}
	return by, 0
}

// reschedule gives a service another scheduler. The one that it has keeps what
// it knows, unless another one was tried and failed: then it starts afresh.
func (k *Kernel) reschedule(s *service, name string, by sched.Scheduler) errno {
	if name == s.scheduler {
		return 0
	}
	if err := s.group.Schedule(by); err != nil {
		if old, e := k.newScheduler(s.scheduler, s.key); e == 0 {
			_ = s.group.Schedule(old) // it served these servers before
		}
		return einval
	}
	s.scheduler = name
	return 0
}

// set takes over all but the scheduler. The timeout overflows as the kernel's
// does.
func (s *service) set(c *settings) {
	s.engine, s.netmask = string(c.engine), c.netmask
	s.flags = c.flags | flagHashed
	s.group.Flags = s.flags
	s.timeout = span(c.timeout * sched.HZ)
}

func (k *Kernel) delService(r *request) errno {
	var a attributes
	s, e := k.findService(&a, r.top[topService])
	if e != 0 {
		return e
	}
	if k.removeService(s) > 0 {
		k.serversGone()
	}
	return 0
}

func (k *Kernel) flush(*request) errno {
	servers := 0
	for _, s := range slices.Collect(k.services.all()) {
		servers += k.removeService(s)
	}
	if servers > 0 {
		k.serversGone()
	}
	return 0
}

// removeService takes the scheduler away first: it need not follow the servers
// as they go. It returns how many there were.
func (k *Kernel) removeService(s *service) (servers int) {
	servers = s.group.Len()
	k.services.remove(s)
	_ = s.group.Schedule(nil) // nothing is attached, so nothing fails
	for server := range s.group.All() {
		k.removeDest(k.dests[server.ID])
	}
	return servers
}

func (k *Kernel) getService(r *request) errno {
	var a attributes
	s, e := k.findService(&a, r.top[topService])
	if e != 0 {
		return e
	}
	r.reply = s.appendReply(nil, k)
	return 0
}

func (k *Kernel) dumpServices([]byte) iter.Seq[object] { return objects(k.services.all()) }

// zeroCounters zeroes one service and its servers, or all there is.
func (k *Kernel) zeroCounters(r *request) errno {
	if r.top[topService] == nil {
		for s := range k.services.all() {
			k.zeroService(s)
		}
		k.zero(&k.stats)
		return 0
	}
	var a attributes
	s, e := k.findService(&a, r.top[topService])
	if e != 0 {
		return e
	}
	k.zeroService(s)
	return 0
}

func (k *Kernel) zeroService(s *service) {
	for server := range s.group.All() {
		k.zero(&k.dests[server.ID].stats)
	}
	k.zero(&s.stats)
}

func (s *service) appendReply(b []byte, k *Kernel) []byte {
	b, nest := beginNest(beginGeneric(b, cmdNewService), topService)
	b = appendU16(b, svcFamily, uint16(s.key.family))
	if s.key.mark != 0 {
		b = appendU32(b, svcMark, s.key.mark)
	} else {
		b = appendU16(b, svcProtocol, s.key.protocol)
		addr := addressBytes(addrOf(s.key.family, &s.key.addr))
		b = appendBytes(b, svcAddr, addr[:])
		b = appendPort(b, svcPort, s.key.port)
	}
	b = appendText(b, svcScheduler, s.scheduler)
	if s.engine != "" {
		b = appendText(b, svcEngine, s.engine)
	}
	b = appendAttr(b, svcFlags, 8)
	b = host.AppendUint32(b, s.flags)
	b = host.AppendUint32(b, ^uint32(0))
	b = appendU32(b, svcTimeout, uint32(s.timeout/second))
	if s.key.family == inet4 {
		b = binary.BigEndian.AppendUint32(appendAttr(b, svcNetmask, 4), s.netmask)
	} else {
		b = appendU32(b, svcNetmask, s.netmask)
	}
	return endNest(k.appendStats(b, svcStats, svcStats64, &s.stats), nest)
}
