package conformance

import (
	"cmp"
	"math/rand/v2"
	"testing"

	"github.com/golvs/lvs/internal/release"
)

// What the master daemon sends of random traffic is what the simulated one sends.
func TestFidelitySyncMaster(t *testing.T) {
	const few = 300
	entries, same := comparedEntries.Load(), sameEntries.Load()
	for _, scheduler := range []string{"rr", "lc"} {
		t.Run(scheduler, func(t *testing.T) {
			fidelity{"master", makeMaster(scheduler), cmp.Or(*fidelityPackets, few), 6}.run(t, openFidelity(t))
		})
	}
	reportSent(t, entries, same)
}

// A lot of traffic at once makes messages full.
func TestFidelitySyncBurst(t *testing.T) {
	const few = 3000
	entries, same := comparedEntries.Load(), sameEntries.Load()
	fidelity{"burst", makeBurst, cmp.Or(*fidelityPackets, few), 8}.run(t, openFidelity(t))
	reportSent(t, entries, same)
}

// reportSent reports how many entries were compared besides those that were before.
func reportSent(t *testing.T, entries, same int64) {
	t.Helper()
	entries, same = comparedEntries.Load()-entries, sameEntries.Load()-same
	if entries == 0 {
		t.Error("no entry was compared")
	}
	t.Logf("%d entries were compared, %d of them in messages that were the same bytes", entries, same)
}

// makeBurst makes histories of many packets and no surveys. It counts packets.
func makeBurst(t testing.TB, r release.Release, seed uint64) (history, int) {
	s := &scope{TB: t}
	defer s.end()
	p := &picker{Rand: rand.New(rand.NewPCG(seed, 4)), scheduler: "rr", port: 1023, sim: newPlayer(s, openSimulatorSide(s, r))}
	p.settles = true
	p.setSync()
	p.do(newCall(cNewDaemon, attributes{{aDaemon, p.daemon(1).encode()}}))
	for range 4 {
		p.addService()
	}
	p.mood = moodExpiry // no connection is reset, for that would expire soon
	for range 120 {
		p.open(one(p.Rand, p.services...))
		for range 8 {
			p.follow()
		}
	}
	p.do(sent{})
	return p.h, p.h.packets()
}

// makeMaster makes histories of a director that tells others of its connections. It counts
// packets.
func makeMaster(scheduler string) func(testing.TB, release.Release, uint64) (history, int) {
	return func(t testing.TB, r release.Release, seed uint64) (history, int) {
		s := &scope{TB: t}
		defer s.end()
		p := &picker{
			Rand: rand.New(rand.NewPCG(seed, 2)), scheduler: scheduler, port: 1023,
			sim: newPlayer(s, openSimulatorSide(s, r)),
		}
		if p.IntN(3) == 0 {
			p.mood = moodReuse
		}
		p.setSync()
		p.do(newCall(cNewDaemon, attributes{{aDaemon, p.daemon(1).encode()}}))
		p.make()
		p.do(sent{})
		return p.h, p.h.packets()
	}
}

// setSync sets the switches of sync daemons.
func (p *picker) setSync() {
	p.do(requirement{"sync_ports", one(p.Rand, 1, 1, 2, 4)})
	p.do(requirement{"sync_version", one(p.Rand, 1, 1, 1, 0)})
	p.do(requirement{"sync_persist_mode", p.IntN(2)})
	if p.IntN(2) == 0 {
		p.do(requirement{"sync_refresh_period", one(p.Rand, 100, 10000)}) // retries are an eighth of it later
		p.do(requirement{"sync_retries", p.IntN(4)})
	}
	threshold := p.IntN(4)
	p.do(thresholds{threshold, one(p.Rand, 0, threshold+1, threshold+2, 10)})
}

func (p *picker) daemon(state uint32) attributes {
	return daemonOf(state).set(ySyncID, u32(one(p.Rand, uint32(0), 5, 255, 300))).plus(yMaxLen, u16(one(p.Rand, uint16(1), 80, 200, 1400)))
}
