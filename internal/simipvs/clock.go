package simipvs

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/golvs/lvs/internal/simipvs/sched"
)

// lock takes the kernel and lets happen what time has brought. The clock is asked
// before, so that nothing is held if it panics.
func (k *Kernel) lock() {
	now := k.readClock()
	k.mu.Lock()
	if k.opts.Clock != nil {
		k.runTo(now)
	}
}

// readClock returns the time on the caller's clock. A control call cannot panic,
// for no caller could recover where it is answered: if the clock does, time has
// not moved, and the panic is the next caller's who can. See rethrow.
func (k *Kernel) readClock() (now tick) {
	if k.opts.Clock == nil {
		return 0
	}
	defer func() {
		if v := recover(); v != nil {
			k.clockPanic.CompareAndSwap(nil, &v)
		}
	}()
	return ticks(k.opts.Clock().Sub(k.started))
}

// rethrow panics with what the clock panicked with, if it did.
func (k *Kernel) rethrow() {
	if v := k.clockPanic.Swap(nil); v != nil {
		panic(*v)
	}
}

// Advance moves the clock on and lets everything happen that was due.
func (k *Kernel) Advance(d time.Duration) error {
	if k.opts.Clock != nil {
		return errors.New("the clock is the caller's, and cannot be advanced")
	}
	if d < 0 {
		return fmt.Errorf("the clock cannot go back by %s", -d)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if d > math.MaxInt64-k.virtual {
		return fmt.Errorf("the clock ends at %s", k.started.Add(math.MaxInt64).Format(time.DateOnly))
	}
	k.virtual += d
	k.runTo(ticks(k.virtual))
	return nil
}

// Now returns the time.
func (k *Kernel) Now() time.Time {
	if k.opts.Clock != nil {
		return k.opts.Clock()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.started.Add(k.virtual)
}

func ticks(d time.Duration) tick { return tick(d / (time.Second / sched.HZ)) }

// runTo lets happen, in order, what is due up to a moment.
func (k *Kernel) runTo(to tick) {
	for {
		at, expiry := k.timers.next()
		trash, armed := k.trashDue()
		flush, waiting := k.daemons.flushDue()
		switch {
		case waiting && flush <= min(to, k.defences.due) && (!expiry || flush < at) && (!armed || flush < trash):
			k.now = flush
			k.flushSync()
		case k.defences.due <= to && (!expiry || k.defences.due < at) && (!armed || k.defences.due < trash):
			k.now = k.defences.due
			k.look(to)
		case armed && trash <= to && (!expiry || trash < at):
			k.now = trash
			k.collectTrash()
		case expiry && at <= to:
			k.now = at
			k.expireAt(at)
		default:
			k.now = max(k.now, to)
			k.timers.moveTo(k.now)
			return
		}
	}
}
