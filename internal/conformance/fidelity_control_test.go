package conformance

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/release"
)

// controller makes a history of requests, many of which are wrong.
type controller struct {
	*rand.Rand
	h     history
	calls int
}

// makeCalls makes a history of requests.
func makeCalls(_ testing.TB, _ release.Release, seed uint64) (history, int) {
	c := &controller{Rand: rand.New(rand.NewPCG(seed, 2))}
	const actions, surveyed = 300, 25
	daemons := c.IntN(10) == 0
	c.h = append(c.h, requirement{"conn_reuse_mode", 0}) // or else there would be waiting
	for i := range actions {
		switch n := c.IntN(40); {
		case daemons && n == 0:
			c.daemon()
		case n <= 2:
			c.revive()
		default:
			c.call()
		}
		if i%surveyed == surveyed-1 {
			c.h = append(c.h, survey{})
		}
	}
	return c.h, c.calls
}

func (c *controller) add(calls ...control) {
	for _, call := range calls {
		if !showsTicks(call.body) {
			c.h = append(c.h, call)
			c.calls++
		}
	}
}

// controlKeys are few, so that requests meet. The last ones are odd.
var controlKeys = []attributes{
	keyOf("tcp 10.1.254.1:80"), keyOf("tcp 10.1.254.1:0"), keyOf("udp 10.1.254.1:53"), keyOf("sctp 10.1.254.2:9"),
	keyOf("tcp [fd00:1::fe:1]:80"), keyOf("udp [fd00:1::fe:1]:0"), keyOf("mark4 1"), keyOf("mark6 1"), keyOf("mark4 4294967295"),
	{{sAF, u16(inet4)}, {sFWMark, u32(0)}},
	{{sAF, u16(inet4)}, {sProtocol, u16(99)}, {sAddr, []byte{10, 1, 254, 3}}, {sPort, be16(1)}},
	{{sAF, u16(inet4)}, {sProtocol, u16(6)}, {sAddr, []byte{0, 0, 0, 0}}, {sPort, be16(0)}},
}

var controlServers = []string{
	"10.2.0.10:80", "10.2.0.11:80", "10.2.0.10:0", "10.2.0.10:81", "10.1.0.1:80", "127.0.0.1:80",
	"0.0.0.0:80", "255.255.255.255:80", "10.2.255.255:80", "10.2.0.0:80", "224.0.0.1:80", "240.0.0.1:80", "192.0.2.1:80",
	"[fd00:1::5:1]:80", "[fd00:1::5:2]:0", "[fd00:1::1]:80", "[::1]:80", "[::]:80", "[fe80::1]:80", "[ff02::1]:80", "[2001:db8::1]:80",
}

// numbers that are at an end of something.
var edges = []uint32{0, 1, 2, 3, 7, 8, 127, 128, 129, 255, 256, 65535, 65536, math.MaxInt32, math.MaxInt32 + 1, math.MaxUint32}

// A tick of the kernel under test may be longer or shorter than the simulator's
// 4 ms. These are the limits for ticks of 1 ms and 10 ms: of a persistence
// timeout that does not overflow, and of the timeouts that are refused.
const (
	longestPersistence = math.MaxUint32 / 1000
	longestTaken       = math.MaxInt32 / 1000
	shortestRefused    = math.MaxInt32/100 + 1
)

func (c *controller) key() attributes { return one(c.Rand, controlKeys...) }

func (c *controller) service() attributes {
	s := c.key()
	netmask := one(c.Rand, []byte{255, 255, 255, 255}, []byte{255, 255, 0, 0}, u32(0), u32(0x12345678))
	if binary.NativeEndian.Uint16(s.get(sAF)) == inet6 {
		netmask = u32(one(c.Rand, uint32(128), 128, 128, 64, 1, 0, 129, math.MaxUint32))
	}
	flags := flagBytes(one(c.Rand, edges...))
	switch c.IntN(6) {
	case 0:
		flags = flagged(c.Uint32(), c.Uint32())
	case 1:
		flags = u32(c.Uint32()) // without a mask
	case 2:
		flags = nil
	}
	s = append(slices.Clip(s),
		attribute{sScheduler, text(c.scheduler())}, attribute{sFlags, flags},
		attribute{sTimeout, u32(one(c.Rand, uint32(0), 1, 300, 86400, longestPersistence))}, attribute{sNetmask, netmask})
	switch c.IntN(20) {
	case 0:
		s = s.plus(sEngine, text("sip"))
	case 1:
		s = s.plus(sEngine, text(""))
	}
	return s
}

func (c *controller) scheduler() string {
	if c.IntN(100) == 0 {
		return one(c.Rand, "", "nothing", "RR", "rr2", "fifteenletters1")
	}
	return one(c.Rand, append(slices.Clip(pickSchedulers), "none")...)
}

// dest returns a whole server for a service.
func (c *controller) dest(s attributes) attributes {
	d := destKeyOf(one(c.Rand, controlServers...))
	if c.IntN(3) > 0 { // mostly one that fits
		d = destKeyOf(one(c.Rand, controlServers[:4]...))
		if binary.NativeEndian.Uint16(s.get(sAF)) == inet6 {
			d = destKeyOf(one(c.Rand, controlServers[13:15]...))
		}
	}
	d = append(d,
		attribute{dMethod, u32(one(c.Rand, uint32(direct), masquerade, tunnel, c.Uint32N(8), c.Uint32()))},
		attribute{dWeight, u32(one(c.Rand, uint32(1), 2, 100, one(c.Rand, edges...)))},
		attribute{dUpper, u32(one(c.Rand, uint32(0), 10, 100, one(c.Rand, edges...)))},
		attribute{dLower, u32(one(c.Rand, uint32(0), 0, 0, 10, one(c.Rand, edges...)))})
	return c.someOf(d,
		attribute{dAF, u16(one(c.Rand, uint16(inet4), inet6, 0, 3))}, attribute{dAF, u16(afOfBytes(d.get(dAddr)))},
		attribute{dTunType, u8(one(c.Rand, uint8(0), 1, 2, 9))}, attribute{dTunPort, be16(one(c.Rand, uint16(0), 6080))},
		attribute{dTunFlags, u16(one(c.Rand, uint16(0), 1, 2, 0xffff))}, attribute{dActive, u32(7)}, attribute{dStats, nil})
}

func afOfBytes(addr []byte) uint16 {
	if len(addr) == 4 {
		return inet4
	}
	return inet6
}

// someOf adds some of the other attributes.
func (c *controller) someOf(a attributes, others ...attribute) attributes {
	for _, o := range others {
		if c.IntN(4) == 0 {
			a = a.plus(o.number, o.value)
		}
	}
	return a
}

// call makes one request of any kind.
func (c *controller) call() {
	s := c.key()
	var made control
	switch n := c.IntN(100); {
	case n < 20:
		made = serviceCall(cNewService, c.spoilt(c.service()))
	case n < 28:
		made = serviceCall(cSetService, c.spoilt(c.service()))
	case n < 32:
		made = serviceCall(cDelService, c.spoilt(s))
	case n < 36:
		made = serviceCall(cGetService, c.spoilt(s))
	case n < 61:
		made = serviceCall(cNewDest, c.rarelySpoilt(s), c.spoilt(c.dest(s)))
	case n < 73:
		made = serviceCall(cSetDest, c.rarelySpoilt(s), c.spoilt(c.dest(s)))
	case n < 83:
		made = serviceCall(cDelDest, c.rarelySpoilt(s), c.spoilt(c.dest(s)))
	case n < 85:
		made = serviceCall(cGetDest, c.spoilt(s))
		made.flags = nlDump
	case n < 86:
		made = control{command: cGetService, flags: nlDump, body: c.bytes(c.IntN(20))}
	case n < 91:
		made = newCall(cSetConfig, c.timeouts())
	case n < 93:
		made = control{command: one(c.Rand, uint8(cGetConfig), cGetInfo), body: c.bytes(c.IntN(10))}
	case n < 95:
		made = serviceCall(cZero, c.spoilt(s))
	case n < 96:
		made = control{command: one(c.Rand, uint8(cZero), cFlush)}
	case n < 97:
		made = control{command: uint8(c.IntN(25)), flags: one(c.Rand, uint16(0), nlDump, nlRoot)}
		if made.command == cNewDaemon || made.command == cDelDaemon { // it has a body elsewhere
			made.flags = nlDump
		}
	default:
		made = c.mangled(serviceCall(one(c.Rand, uint8(cNewService), cSetService, cNewDest, cSetDest, cDelDest), c.service(), c.dest(s)))
	}
	c.add(made)
}

func (c *controller) bytes(n int) (b []byte) {
	for range n {
		b = append(b, byte(c.IntN(256)))
	}
	return b
}

// spoilt returns attributes with a mistake, sometimes.
func (c *controller) spoilt(a attributes) attributes {
	if c.IntN(5) > 0 {
		return a
	}
	at := c.IntN(len(a))
	number, value := a[at].number, a[at].value
	switch c.IntN(7) {
	case 0:
		return a.without(number)
	case 1: // too short
		return a.set(number, value[:c.IntN(len(value)+1)])
	case 2: // too long
		return a.set(number, append(slices.Clip(value), c.bytes(1+c.IntN(20))...))
	case 3: // the last one counts
		return append(attributes{{number, c.bytes(len(value))}}, a...)
	case 4:
		return a.plus(uint16(c.IntN(30)), c.bytes(c.IntN(9)))
	case 5:
		return a.set(number, nil)
	}
	c.Shuffle(len(a), func(i, j int) {})
	return slices.Concat(a[at:], a[:at])
}

func (c *controller) rarelySpoilt(a attributes) attributes {
	if c.IntN(4) > 0 {
		return a
	}
	return c.spoilt(a)
}

// mangled returns a call in whose body some bytes were changed.
func (c *controller) mangled(made control) control {
	body := slices.Clone(made.body)
	for range 1 + c.IntN(3) {
		body[c.IntN(len(body))] = one(c.Rand, 0, 1, 2, 4, 8, 0x40, 0x80, 0xff, byte(c.IntN(256)))
	}
	if c.IntN(4) == 0 {
		body = body[:c.IntN(len(body)+1)]
	}
	made.body = body
	return made
}

// showsTicks reports whether a request has a persistence timeout that overflows.
func showsTicks(body []byte) bool {
	top, _ := splitAttributes(body)
	for _, t := range top {
		nested, _ := splitAttributes(t.value)
		for _, n := range nested {
			const mask = 0x3fff
			if n.number&mask == sTimeout && len(n.value) >= 4 && binary.NativeEndian.Uint32(n.value) > longestPersistence {
				return true
			}
		}
	}
	return false
}

func (c *controller) timeouts() (top attributes) {
	for _, number := range []uint16{aTimeoutTCP, aTimeoutFin, aTimeoutUDP} {
		if c.IntN(2) == 0 {
			seconds := one(c.Rand, 0, 1, 900, longestTaken, shortestRefused, math.MaxInt32, math.MaxUint32, c.Uint32N(longestTaken))
			top = append(top, attribute{number, u32(seconds)})
		}
	}
	if len(top) > 0 && c.IntN(8) == 0 {
		at := c.IntN(len(top))
		top = top.set(top[at].number, c.bytes(c.IntN(4)))
	}
	return top
}

// daemon starts or stops a daemon. One that is stopped before it has run is
// stopped without an answer.
func (c *controller) daemon() {
	d := daemonOf(one(c.Rand, uint32(1), 2, 0, 3))
	if c.IntN(3) == 0 {
		c.add(newCall(cDelDaemon, attributes{{aDaemon, c.spoilt(d.only(attributes{{yState, u32(1)}})).encode()}}))
		return
	}
	d = c.someOf(d, attribute{yMaxLen, u16(one(c.Rand, uint16(0), 1, 500, 1024, 1472, 9000, 65535))},
		attribute{yGroup, []byte{224, 0, 0, one(c.Rand, byte(81), 9)}}, attribute{yGroup, []byte{10, 0, 0, 1}},
		attribute{yPort, u16(one(c.Rand, uint16(0), 8848, 9000))}, attribute{yTTL, u8(one(c.Rand, uint8(0), 1, 64))},
		attribute{ySyncID, u32(one(c.Rand, edges...))}, attribute{yDevice, text(one(c.Rand, groundDevice, "lo", "eth7"))})
	c.add(newCall(cNewDaemon, attributes{{aDaemon, c.spoilt(d).encode()}}))
	c.h = append(c.h, wait(30*time.Millisecond))
}

// revive changes a service that has connections: servers that were removed come
// back with theirs.
func (c *controller) revive() {
	key, client, servers := keyOf("tcp 10.1.254.9:80"), at("10.1.16.1:1"), controlServers[:3]
	if c.IntN(3) == 0 {
		key, client, servers = keyOf("tcp [fd00:1::fe:9]:80"), at("[fd00:1::c:1]:1"), controlServers[13:15]
	}
	vip := at("10.1.254.9:80")
	if client.Addr().Is6() {
		vip = at("[fd00:1::fe:9]:80")
	}
	for range 1 + c.IntN(6) {
		requirements := serviceOf("tcp "+vip.String()).set(sScheduler, text(c.scheduler())).set(sFlags, flagBytes(c.Uint32N(2))).
			set(sTimeout, u32(60))
		d := destOf(one(c.Rand, servers...)).set(dMethod, u32(one(c.Rand, uint32(direct), masquerade, tunnel))).
			set(dWeight, u32(c.Uint32N(4))).set(dUpper, u32(one(c.Rand, 0, 2+c.Uint32N(3)))).set(dLower, u32(c.Uint32N(3)))
		switch c.IntN(9) {
		case 0:
			c.add(serviceCall(cDelService, key))
		case 1, 2:
			c.add(serviceCall(cNewService, requirements))
		case 3, 4:
			c.add(serviceCall(cNewDest, key, d))
		case 5:
			c.add(serviceCall(cSetDest, key, d))
		case 6:
			c.add(serviceCall(cDelDest, key, d))
		default:
			from := netip.AddrPortFrom(client.Addr(), uint16(1024+c.IntN(1000)))
			c.h = append(c.h, packet{protocol: protocolTCP, tcp: one(c.Rand, uint8(flagSYN), flagSYN, flagFIN|flagACK), from: from, to: vip})
		}
	}
}
