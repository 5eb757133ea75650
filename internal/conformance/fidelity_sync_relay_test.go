package conformance

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/golvs/lvs/internal/release"
)

// relayed are messages of the real master and of the simulated one.
var relayed [2]atomic.Int64

// What a real master sends means the same to a real backup and to a simulated one, and so
// does what a simulated master sends: with the same messages, as they are, their tables are
// the same, and so is what happens to the packets of clients then.
func TestFidelitySyncRelay(t *testing.T) {
	const few = 300
	open := openFidelity(t)
	fidelity{"relay", makeRelay, cmp.Or(*fidelityPackets, few), 4}.run(t, func(t testing.TB) *duel {
		d := open(t)
		d.backups = backups{open(t), open(t)}
		return d
	})
	for i, of := range []string{"the real master", "the simulated master"} {
		if n := relayed[i].Load(); n == 0 {
			t.Errorf("%s has sent no message", of)
		} else {
			t.Logf("%d messages of %s were delivered to a real backup and to a simulated one", n, of)
		}
	}
}

// makeRelay makes histories of masters whose messages are relayed at times. It counts
// packets.
func makeRelay(t testing.TB, r release.Release, seed uint64) (h history, packets int) {
	random := rand.New(rand.NewPCG(seed, 5))
	make := one(random, makeMaster("rr"), makeMaster("lc"), makeMaster("sh"), makeCallers, makeBurst)
	made, packets := make(t, r, seed)
	const relays = 3 // one in so many surveys, and one after so many packets of a burst
	for i, s := range made {
		if _, isPacket := s.(packet); isPacket && i%400 == 399 {
			h = append(h, relay(random.Uint64()))
		}
		switch s.(type) {
		case survey:
			if random.IntN(relays) > 0 {
				continue
			}
			s = relay(random.Uint64())
		case sent:
			s = relay(random.Uint64())
		}
		h = append(h, s)
	}
	return h, packets
}

// relay is a step: messages that the masters have sent go to their backups. It is the seed
// of which are lost, come twice, or come late.
type relay uint64

func (r relay) String() string { return fmt.Sprintf("relay %d", uint64(r)) }

// backups are those of the real master and of the simulated one, a real and a simulated
// backup each. Without backups they are nil.
type backups [2]*duel

// relay returns how what the masters have sent differs, or else how a backup differs from
// the other of the same master.
func (d *duel) relay(r relay) string {
	difference, real, sim := d.compareSent()
	if difference != "" || d.backups[0] == nil {
		return difference
	}
	for i, sent := range [][]message{real, sim} {
		b := d.backups[i]
		if late := d.real.Elapsed() - b.real.Elapsed(); late > 0 { // it is a simulator
			b.real.Wait(late)
		}
		relayed[i].Add(int64(b.take(sent, rand.New(rand.NewPCG(uint64(r), 1)))))
		b.meet()
		if difference := b.failOver(); difference != "" {
			return fmt.Sprintf("of master %d: %s", i, difference)
		}
		if difference := b.look(false); difference != "" {
			return fmt.Sprintf("backups of master %d: %s", i, difference)
		}
	}
	return ""
}

// take delivers messages to both, and returns how many.
func (d *duel) take(sent []message, random *rand.Rand) int {
	var arrived []message
	sent, d.late = append(d.late, sent...), nil
	for _, m := range sent {
		switch random.IntN(12) {
		case 0: // it is lost
		case 1:
			d.late = append(d.late, m)
		case 2:
			arrived = append(arrived, m, m)
		default:
			arrived = append(arrived, m)
		}
	}
	d.meet()
	d.hear(arrived...)
	return len(arrived)
}

// failOver sends some packets of the masters' clients to both. With conntrack, netfilter
// would have to know the connections.
func (d *duel) failOver() string {
	packets := d.recent
	d.recent = nil
	if len(packets) == 0 || d.sim.number("conntrack") != 0 {
		return ""
	}
	const some = 4
	packets = packets[max(0, len(packets)-some):]
	var batch []step
	for _, p := range packets {
		batch = append(batch, p)
	}
	return unlike(batch, d.real.Send(packets), d.sim.Send(packets))
}

func (b backups) each(do func(*player)) {
	for _, d := range b {
		if d != nil {
			do(d.real)
			do(d.sim)
		}
	}
}

// call gives the backups the services of the masters, and for each master a daemon that
// takes messages of any sync ID.
func (b backups) call(calls []control) {
	b.each(func(p *player) {
		for _, c := range calls {
			switch c.command {
			case cNewDaemon:
				c = newCall(cNewDaemon, attributes{{aDaemon, daemonOf(2).set(ySyncID, u32(0)).plus(yMaxLen, u16(9000)).encode()}})
			case cDelDaemon:
				continue
			}
			p.call([]control{c})
		}
	})
}

// note notes packets that the backups may get too.
func (b backups) note(packets []packet) {
	for _, d := range b {
		if d != nil {
			d.recent = append(d.recent, packets...)
		}
	}
}
