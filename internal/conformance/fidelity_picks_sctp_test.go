package conformance

import (
	"cmp"
	"slices"
	"testing"

	"github.com/golvs/lvs/internal/release"
	"github.com/golvs/lvs/internal/simipvs"
)

// Associations live alike, whatever chunks their packets have.
func TestFidelitySCTP(t *testing.T) {
	const few, players = 2000, 6
	make := func(t testing.TB, r release.Release, seed uint64) (history, int) {
		s := &scope{TB: t}
		defer s.end()
		p := newPicker(s, r, pickSchedulers[seed%uint64(len(pickSchedulers))], seed)
		p.only = protocolSCTP
		if seed%4 == 0 {
			p.mood = moodReuse
		}
		p.make()
		return p.h, p.h.packets()
	}
	fidelity{"sctp", make, cmp.Or(*fidelityPackets, few), players}.run(t, openFidelity(t))
}

// Clients of SCTP use a port again while netfilter tracks associations. They and servers
// send what opens, ends and keeps those, one chunk a packet.
func TestFidelitySCTPTracked(t *testing.T) {
	const few, players = 800, 6
	make := func(t testing.TB, r release.Release, seed uint64) (history, int) {
		s := &scope{TB: t}
		defer s.end()
		p := newPicker(s, r, pickSchedulers[seed%uint64(len(pickSchedulers))], seed)
		p.only, p.mood, p.tracksSCTP = protocolSCTP, moodReuse, true
		p.make()
		return p.h, p.h.packets()
	}
	fidelity{"tracked", make, cmp.Or(*fidelityPackets, few), players}.run(t, openFidelity(t))
}

// packets returns how many packets a history has.
func (h history) packets() (n int) {
	for _, s := range h {
		if _, ok := s.(packet); ok {
			n++
		}
	}
	return n
}

// protocols are those that a history has, by how often.
func (p *picker) protocols() []uint8 {
	if p.only != 0 {
		return []uint8{p.only}
	}
	// Netfilter's own states of SCTP are not simulated, and some of IPVS's last for seconds.
	if p.conntrack || p.mood == moodDefence {
		return []uint8{protocolTCP, protocolTCP, protocolUDP}
	}
	return []uint8{protocolTCP, protocolTCP, protocolUDP, protocolSCTP}
}

// openingChunks are mostly those that open an association.
func (p *picker) openingChunks() string {
	if p.IntN(10) == 0 && !p.tracksSCTP {
		return one(p.Rand, chunkKinds()...)
	}
	return chunkInit
}

// chunksOf returns chunks for a packet; none if it is not of SCTP.
func (p *picker) chunksOf(pk packet) string {
	switch {
	case pk.protocol != protocolSCTP:
		return ""
	case p.tracksSCTP && p.IntN(6) == 0:
		return one(p.Rand, chunkInit+chunkAbort, chunkInit+chunkData, chunkData+chunkInit, chunkCookieEcho+chunkData, chunkData+chunkCookieAck,
			chunkShutdownComplete+chunkData, chunkData+chunkShutdownComplete, chunkInitAck+chunkAbort, chunkData+chunkAbort)
	case p.tracksSCTP:
		return one(p.Rand, chunkInit, chunkInit, chunkAbort, chunkInitAck, chunkCookieEcho, chunkCookieAck, chunkShutdown,
			chunkShutdownAck, chunkShutdownComplete, chunkData)
	case p.mood == moodReuse && p.IntN(2) == 0:
		return one(p.Rand, chunkInit, chunkAbort)
	}
	return one(p.Rand, chunkKinds()...)
}

// associate plays the rest of the handshake.
func (p *picker) associate(o opened) {
	for _, s := range []chunkStep{{true, chunkInitAck}, {false, p.cookie()}, {true, chunkCookieAck}} {
		pk := o.packet
		if s.server {
			pk = o.reply(0, 0)
		}
		if pk.chunks = s.chunks; !s.server || o.verdict.Method == masquerade {
			p.do(pk)
		}
	}
}

// cookie is COOKIE ECHO, with data where nothing looks at it.
func (p *picker) cookie() string {
	if p.tracksSCTP {
		return chunkCookieEcho
	}
	return chunkCookieEcho + chunkData
}

// outlast sends another packet of an association that would expire in seconds, where
// histories take their time.
func (p *picker) outlast(pk packet, v simipvs.Verdict) {
	brief := slices.Contains([]string{"INIT1", "REJECTED"}, v.State)
	if pk.protocol != protocolSCTP || !brief || v.Action != simipvs.Forwarded || p.mood != moodReuse && !p.nodest {
		return
	}
	pk.chunks = chunkInit
	p.h = append(p.h, pk)
	p.sim.side.(*simulatorSide).deliver(pk)
}
