package conformance

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// duel plays a history to two sides.
type duel struct {
	real, sim *player
	talkers   talkers
	flushes   uint16 // of master daemons
	backups   backups

	// Of backups.
	late   []message // that are still under way
	recent []packet  // of the masters' clients
}

// openDuel opens a side and a simulator of the same release.
func openDuel(t testing.TB, open func(testing.TB) side) *duel {
	t.Helper()
	real := open(t)
	return &duel{real: newPlayer(t, real), sim: newPlayer(t, openSimulatorSide(t, real.Release()))}
}

// play returns how the sides differ, and after how many steps that showed; ""
// if they do not.
func (d *duel) play(h history) (difference string, steps int) {
	for i := 0; i < len(h); {
		n := d.batch(h[i:])
		d.meet()
		if difference := d.step(h[i : i+n]); difference != "" {
			return difference, i + n
		}
		i += n
	}
	d.meet()
	return d.look(false), len(h)
}

// batch returns how many steps can be done in one go.
func (d *duel) batch(h history) int {
	const most = 32 // so that all their answers fit into a socket
	n := 1
	for n < min(len(h), most) && sameKind(h[0], h[n]) {
		n++
	}
	return n
}

func sameKind(a, b step) bool {
	switch a.(type) {
	case control:
		_, same := b.(control)
		return same
	case packet:
		_, same := b.(packet)
		return same
	case frame:
		_, same := b.(frame)
		return same
	}
	return false
}

// meet advances the simulator's clock to that of the other side.
func (d *duel) meet() {
	if late := d.real.Elapsed() - d.sim.Elapsed(); late > 0 {
		d.sim.Wait(late)
	}
}

func (d *duel) step(batch []step) string {
	switch s := batch[0].(type) {
	case control:
		calls := kindOf[control](batch)
		d.backups.call(calls)
		return unlike(batch, d.real.call(calls), d.sim.call(calls))
	case packet:
		packets := kindOf[packet](batch)
		d.backups.note(packets)
		return unlike(batch, d.real.Send(packets), d.sim.Send(packets))
	case frame:
		frames := kindOf[frame](batch)
		return unlikeExits(batch, d.real.side.(wired).Inject(frames), d.sim.side.(wired).Inject(frames))
	case segment:
		_, _, difference := d.speak(s)
		return difference
	case requirement:
		d.backups.each(func(p *player) { p.set(s) })
		return unlike(batch, d.real.set(s), d.sim.set(s))
	case wait:
		d.wait(s)
		return ""
	case thresholds:
		d.backups.each(func(p *player) { p.setThresholds(s) })
		return unlike(batch, d.real.setThresholds(s), d.sim.setThresholds(s))
	case message:
		d.hear(s)
		return ""
	case sent:
		difference, _, _ := d.compareSent()
		return difference
	case relay:
		return d.relay(s)
	}
	return d.look(batch[0].(survey).stats)
}

// wait waits, and then, if the kernel was to look at its memory, until it has: on a busy
// machine it is late. Only modes that change by it show that.
func (d *duel) wait(w wait) {
	d.real.Wait(time.Duration(w))
	for range 100 {
		if w < nextLook {
			return
		}
		if d.meet(); d.real.modes() == d.sim.modes() {
			return
		}
		d.real.Wait(50 * time.Millisecond)
	}
}

func kindOf[T step](batch []step) (all []T) {
	for _, s := range batch {
		all = append(all, s.(T))
	}
	return all
}

func (p *player) set(s requirement) []string {
	err := p.WriteFile("/proc/sys/net/ipv4/vs/"+s.name, fmt.Append(nil, s.value))
	return []string{fmt.Sprint(err != nil)}
}

// unlike returns how answers differ.
func unlike(batch []step, real, sim []string) string {
	for i := range real {
		if real[i] != sim[i] {
			return fmt.Sprintf("%s\n\tgot  %s\n\twant %s\n", batch[i], sim[i], real[i])
		}
	}
	return ""
}

// look reads again what differs: a list of connections is not a snapshot while some
// end, and some work of the kernel is done a moment later.
func (d *duel) look(stats bool) (difference string) {
	for range 10 {
		d.meet()
		if difference = differenceOf(d.real.look(stats), d.sim.look(stats)); difference == "" {
			return ""
		}
		d.real.Wait(30 * time.Millisecond)
	}
	return difference
}

// attempt plays a history to new sides.
func attempt(t testing.TB, open func(testing.TB) *duel, h history) (difference string, steps int) {
	t.Helper()
	s := &scope{TB: t}
	defer s.end()
	return open(s).play(h)
}

// scope is the life of what an attempt opens.
type scope struct {
	testing.TB
	cleanups []func()
}

func (s *scope) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

func (s *scope) end() {
	for _, f := range slices.Backward(s.cleanups) {
		f()
	}
}

// shrink returns the shortest part of a history found in which sides differ.
func shrink(t testing.TB, open func(testing.TB) *duel, h history) (history, string) {
	t.Helper()
	const patience = 3 * time.Minute
	deadline := time.Now().Add(patience)
	difference, steps := attempt(t, open, h)
	if difference == "" {
		return h, ""
	}
	h = h[:steps]
	for n := max(1, len(h)/2); ; {
		before := len(h)
		for i := 0; i < len(h) && time.Now().Before(deadline); {
			shorter := slices.Delete(slices.Clone(h), i, min(i+n, len(h)))
			if d, steps := attempt(t, open, shorter); d != "" {
				h, difference = shorter[:steps], d
			} else {
				i += n
			}
		}
		if n == 1 && len(h) == before || time.Now().After(deadline) {
			return h, difference
		}
		n = max(1, n/2)
	}
}
