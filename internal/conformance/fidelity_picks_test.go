package conformance

import (
	"cmp"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/release"
	"github.com/golvs/lvs/internal/simipvs"
)

// pickSchedulers are those whose picks are compared. Those of twos are random: see
// [fidelityTwos].
var pickSchedulers = []string{
	"rr", "wrr", "lc", "wlc", "sed", "nq", "fo", "ovf", "dh", "sh", "mh", "lblc", "lblcr",
}

// picker makes a history in which a scheduler picks. It plays the history to a
// simulator of its own, to know what a real server would answer.
type picker struct {
	*rand.Rand
	sim        *player
	h          history
	scheduler  string
	only       uint8 // the protocol of all services; 0: any
	ipsec      bool  // there are packets of IPsec
	actions    int   // that there are; 0: 200
	tracksSCTP bool  // netfilter tracks associations
	mood       mood
	services   []*pickService
	opened     []opened
	port       uint16 // of the last client
	picks      int
	nodest     bool // expire_nodest_conn is on
	settles    bool // after a packet that may end a connection as its client's new one
	conntrack  bool // is on
}

// mood is what a history is about. Some take their time, so there are few of
// them.
type mood int

const (
	anyMood        mood = iota
	moodReuse           // clients come back with the port of an old connection
	moodStatistics      // counters are compared
	moodExpiry          // connections expire
	moodDefence         // drop_packet and secure_tcp are on
)

func (p *picker) chooseMood() {
	switch n := p.IntN(200); {
	case n < 50:
		p.mood = moodReuse
	case n < 52:
		p.mood = moodStatistics
	case n < 56:
		p.mood = moodExpiry
	case n < 58:
		p.mood = moodDefence
	}
}

// pickService is a service, and the servers that it has or had.
type pickService struct {
	requirements attributes // all that is said of it
	ids          attributes
	six          bool
	mark         uint32
	protocol     uint8
	port         uint16 // 0: any
	vip          netip.Addr
	servers      []attributes
}

// opened is a packet from a client, and the verdict on it.
type opened struct {
	packet
	verdict simipvs.Verdict
}

// makePicks returns what makes histories for a scheduler.
func makePicks(scheduler string) func(testing.TB, release.Release, uint64) (history, int) {
	return func(t testing.TB, r release.Release, seed uint64) (history, int) {
		s := &scope{TB: t}
		defer s.end()
		p := newPicker(s, r, scheduler, seed)
		p.chooseMood()
		p.make()
		return p.h, p.picks
	}
}

// newPicker returns one that has not begun.
func newPicker(t testing.TB, r release.Release, scheduler string, seed uint64) *picker {
	return &picker{
		Rand: rand.New(rand.NewPCG(seed, 1)), scheduler: scheduler, port: 1023,
		sim: newPlayer(t, openSimulatorSide(t, r)),
	}
}

func (p *picker) make() {
	p.begin()
	for range 1 + p.IntN(3) {
		p.addService()
	}
	const surveyed, rested = 16, 100
	actions := cmp.Or(p.actions, 200)
	for i := range actions {
		p.act()
		if i%surveyed == surveyed-1 {
			p.do(survey{})
		}
		if i%rested == rested-1 {
			p.rest(i == actions-1)
		}
	}
}

// begin sets what the mood asks for.
func (p *picker) begin() {
	switch p.mood {
	case moodReuse:
		if p.conntrack = p.tracksSCTP || p.only == 0 && p.IntN(2) == 0; p.conntrack {
			p.do(requirement{"conntrack", 1})
		}
		if p.tracksSCTP || p.conntrack && p.IntN(3) > 0 {
			p.do(ftpByNAT[0])
			p.do(ftpByNAT[1])
		}
	case moodExpiry:
		top := attributes{{aTimeoutTCP, u32(8)}, {aTimeoutFin, u32(8)}, {aTimeoutUDP, u32(8)}}
		p.do(newCall(cSetConfig, top))
	case moodDefence:
		p.defend()
	}
}

// rest waits until nothing is about to happen.
func (p *picker) rest(last bool) {
	switch p.mood {
	case moodStatistics:
		// Here the estimator has seen everything, so it is known what zeroing
		// leaves. Connections that were reset are gone, each time but the last,
		// when they are far from it.
		if last {
			p.do(wait(5 * time.Second))
		} else {
			p.do(wait(12 * time.Second))
		}
		p.do(survey{true})
		switch p.IntN(3) {
		case 0:
			p.do(newCall(cZero, nil))
		case 1:
			p.do(serviceCall(cZero, one(p.Rand, p.services...).ids))
		case 2:
			p.remakeService(one(p.Rand, p.services...))
		}
		p.do(survey{true})
	case moodExpiry:
		p.do(wait(11 * time.Second)) // timers may be late by a second
		p.do(survey{})
		p.opened = nil
	}
}

// do adds a step, and plays it.
func (p *picker) do(s step) (v simipvs.Verdict) {
	p.h = append(p.h, s)
	switch s := s.(type) {
	case control:
		p.sim.call([]control{s})
	case packet:
		_, v = p.sim.side.(*simulatorSide).deliver(s)
		if v.Reason == simipvs.Scheduled {
			p.picks++
		}
		p.outlast(s, v)
	case requirement:
		p.sim.set(s)
	case thresholds:
		p.sim.setThresholds(s)
	case message:
		p.sim.side.(syncer).Hear(s)
	case wait:
		p.sim.Wait(time.Duration(s))
	}
	return v
}

// one returns one of some values.
func one[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

// act adds one action.
func (p *picker) act() {
	s := one(p.Rand, p.services...)
	switch n := p.IntN(100); {
	case p.mood == moodReuse && n < 20:
		p.open(s)
	case p.mood == moodDefence && n < 3:
		p.defend()
	case n < 60 && p.mood != moodReuse:
		for range 1 + p.IntN(4) {
			p.open(s)
		}
	case n < 80:
		p.follow()
	case n < 83:
		p.stray(s)
	case n < 88:
		p.addServer(s)
	case n < 91:
		p.removeServer(s)
	case n < 96:
		p.editServer(s)
	case n < 98:
		p.editService(s)
	case n < 99 && p.mood != moodStatistics: // see rest
		if p.IntN(2) == 0 {
			p.withoutServices()
		} else {
			p.remakeService(s)
		}
	default:
		p.set()
	}
}

// open lets a new client come.
func (p *picker) open(s *pickService) {
	to := netip.AddrPortFrom(s.vip, s.port)
	if s.port == 0 || s.mark != 0 || p.IntN(40) == 0 {
		to = netip.AddrPortFrom(s.vip, one(p.Rand, uint16(80), 443, 21, 20, 2000))
	}
	if s.mark != 0 && p.IntN(2) == 0 {
		to = netip.AddrPortFrom(p.virtual(s.six), to.Port())
	}
	pk := packet{protocol: s.protocol, from: p.client(s.six), to: to, mark: s.mark, data: p.IntN(50)}
	if s.mark != 0 && p.IntN(4) == 0 {
		pk.protocol = one(p.Rand, p.protocols()...)
	}
	switch pk.protocol {
	case protocolUDP:
		p.fromISAKMP(&pk)
	case protocolTCP:
		pk.tcp = flagSYN
	case protocolSCTP:
		pk.chunks = p.openingChunks()
	}
	p.opened = append(p.opened, opened{pk, p.do(pk)})
	p.accept(p.opened[len(p.opened)-1])
	if (p.mood == anyMood || p.mood == moodDefence) && pk.protocol != protocolUDP && p.IntN(3) == 0 {
		p.establish(p.opened[len(p.opened)-1])
	}
}

// accept answers a SYN where netfilter tracks connections. A client of NAT that
// acknowledges what no server sent has its packets dropped by netfilter.
func (p *picker) accept(o opened) {
	if p.conntrack && o.tcp == flagSYN && o.verdict.Action == simipvs.Forwarded && o.verdict.Method == masquerade {
		p.do(o.reply(flagSYN|flagACK, 0))
	}
}

// establish ends the handshake.
func (p *picker) establish(o opened) {
	if o.verdict.Action != simipvs.Forwarded {
		return
	}
	if o.protocol == protocolSCTP {
		p.associate(o)
		return
	}
	if o.verdict.Method == masquerade {
		p.do(o.reply(flagSYN|flagACK, 0))
	}
	o.tcp = flagACK
	p.do(o.packet)
}

// reply returns a packet from the server.
func (o opened) reply(tcp uint8, data int) packet {
	from := o.to
	if o.verdict.Method == masquerade && o.verdict.Server != nil {
		from = netip.AddrPortFrom(o.verdict.Server.Addr(), o.verdict.Port)
	}
	if o.protocol != protocolTCP {
		tcp = 0
	}
	return packet{protocol: o.protocol, tcp: tcp, from: from, to: o.from, data: data}
}

// follow sends another packet of a connection.
func (p *picker) follow() {
	recent := 50
	if p.mood == moodReuse {
		recent = 10 // come back soon, while they count for something
	}
	if len(p.opened) == 0 {
		return
	}
	at := len(p.opened) - 1 - p.IntN(min(recent, len(p.opened)))
	o := p.opened[at]
	if p.secure(o) {
		return
	}
	flags := one(p.Rand, uint8(flagACK), flagACK, flagACK, flagFIN|flagACK, flagFIN|flagACK, flagRST, flagSYN|flagACK, 0)
	switch {
	case p.mood == moodExpiry, p.mood == moodDefence: // others end while the history waits, or long after it
		flags = one(p.Rand, uint8(flagACK), flagFIN|flagACK)
	case p.mood == moodReuse && p.IntN(2) == 0:
		flags = flagSYN
	case flags&flagSYN != 0:
		flags = flagACK
	}
	if p.IntN(3) == 0 {
		if o.verdict.Action == simipvs.Forwarded {
			reply := o.reply(flags, p.IntN(50))
			reply.chunks = p.chunksOf(reply)
			p.reply(reply)
		}
		return
	}
	if o.tcp = flags; o.protocol != protocolTCP {
		o.tcp = 0
	}
	o.chunks = p.chunksOf(o.packet)
	o.data = p.IntN(50)
	o.verdict = p.do(o.packet)
	p.opened[at] = o
	p.accept(o)
	if o.verdict.Reason != simipvs.Connected && (p.mood == moodReuse || p.nodest || p.settles && o.begins()) {
		p.do(settle)
	}
}

// begins reports whether a packet is one by which clients begin a connection.
func (p packet) begins() bool {
	const chunkInit = "\x01"
	return p.tcp&flagSYN != 0 || strings.HasPrefix(p.chunks, chunkInit)
}

// reply sends a packet of a server's. Where netfilter tracks connections, one of no
// connection would begin an entry of its own there, in the way of the client's next.
// Only servers of NAT answered SYNs with SYN+ACK: after the answer of another, netfilter
// goes by sequence numbers, which are not simulated.
func (p *picker) reply(pk packet) {
	if p.conntrack {
		x, err := p.sim.side.(*simulatorSide).kernel.Explain(pk.raw(), simipvs.Suppose{})
		if err != nil || x.Verdict.Action != simipvs.Replied || x.Verdict.Method != masquerade {
			return
		}
	}
	p.do(pk)
}

// settle lets the kernel do what it does a moment later: to end a connection
// takes a tick.
const settle = wait(50 * time.Millisecond)

// stray sends a packet that opens nothing, or hardly.
func (p *picker) stray(s *pickService) {
	to := netip.AddrPortFrom(s.vip, one(p.Rand, uint16(80), 443, 53, 20, 21, 9999))
	from := p.client(s.six)
	if p.IntN(4) == 0 {
		from = netip.AddrPortFrom(from.Addr(), 20)
	}
	pk := packet{protocol: s.protocol, from: from, to: to, mark: one(p.Rand, 0, s.mark, 9)}
	if s.protocol == protocolTCP && p.mood != moodExpiry && p.mood != moodDefence {
		pk.tcp = one(p.Rand, uint8(0), flagACK, flagRST, flagSYN|flagRST, flagFIN, flagSYN|flagFIN)
	}
	pk.chunks = p.chunksOf(pk)
	p.do(pk)
}
