package conformance

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/golvs/lvs/internal/release"
)

// wiredFTPSites are like ftpSites, but their addresses fit the director with two wires.
var wiredFTPSites = []ftpSite{
	{service: "tcp 10.1.254.1:21", vip: "10.1.254.1:21", server: "10.2.0.10:21", dest: "10.2.0.10:21"},
	{service: "tcp 10.1.254.2:21", vip: "10.1.254.2:21", server: "10.2.0.10:2100", dest: "10.2.0.10:2100"},
	{service: "tcp 10.1.254.1:2121", vip: "10.1.254.1:2121", server: "10.3.0.2:2121", dest: "10.3.0.2:2121"},
	{service: "tcp [fd00:1::fe:1]:21", vip: "[fd00:1::fe:1]:21", server: "[fd00:2::10]:21", dest: "[fd00:2::10]:21"},
	{service: "mark4 7", vip: "10.1.253.9:21", server: "10.2.0.13:21", dest: "10.2.0.13:0", mark: 7},
	{service: "tcp 10.1.253.3:0", vip: "10.1.253.3:21", server: "10.2.0.12:21", dest: "10.2.0.12:0"},
}

// makeFTPFrames makes a history of sessions of FTP by wires.
func makeFTPFrames(t testing.TB, r release.Release, seed uint64) (history, int) {
	s := &scope{TB: t}
	defer s.end()
	sim := openWiredSimulator(s, r)
	sim.kernel.LoadFTP()
	w := &wiredTalk{framer{sim: newPlayer(s, sim)}, make(talkers), rand.New(rand.NewPCG(seed, 23))}
	talk, actions := newFTPTalk(rand.New(rand.NewPCG(seed, 22)), wiredFTPSites), 120
	if !long() {
		actions = 60 // it waits between some
	}
	talk.make(r, actions)
	for _, s := range talk.h {
		w.do(s)
	}
	return w.h, w.frames
}

// wiredTalk is what clients and servers say to each other by wires.
type wiredTalk struct {
	framer
	talkers talkers
	losses  *rand.Rand
}

// do adds a step, and lets the other end hear what leaves because of a segment.
func (w *wiredTalk) do(s step) {
	said, ok := s.(segment)
	if !ok {
		w.framer.do(s)
		return
	}
	if isOwn(said.from.Addr()) {
		return // a client named an address of the director
	}
	n := w.talkers.number(said)
	const lost = 15 // one of so many, before it comes to the director
	if w.losses.IntN(lost) == 0 {
		return
	}
	p := &ipPacket{from: n.from, to: n.to, ttl: usualTTL, payload: n.data, mark: n.mark}
	p.load = tcpLoad{flags: n.tcp, seq: n.seq, ack: n.ack, window: 65000}
	for _, sent := range w.framer.do(frame{wireFrom(n.from.Addr()), p}).Sent {
		if l, ok := leftOf(sent.Packet); ok {
			w.talkers.hear(n, l)
		}
	}
}

// wireFrom returns by which wire a packet of a host comes.
func wireFrom(a netip.Addr) string {
	networks := slices.Concat(wireAddresses[toServers], slices.Collect(maps.Keys(serverRouters)))
	if slices.ContainsFunc(networks, func(n string) bool { return netip.MustParsePrefix(n).Contains(a) }) {
		return fromServer
	}
	return fromClient
}

// openWiredFTP opens a duel with the helper.
func openWiredFTP(t testing.TB) *duel {
	d := openWiredDuel(t)
	for _, p := range []*player{d.real, d.sim} {
		if s, ok := p.side.(*simulatorSide); ok {
			s.kernel.LoadFTP()
		}
	}
	return d
}

// Sessions of FTP by wires leave the director with the kernel's bytes. One history is
// played at a time, as by TestFidelityFrames.
func TestFidelityFramesFTP(t *testing.T) {
	const few, players = 50, 1
	loadFTP(t, 21, 2121)
	fidelity{"wiredftp", makeFTPFrames, cmp.Or(*fidelityFrames, few), players}.run(t, openWiredFTP)
}
