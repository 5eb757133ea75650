package kernel

import (
	"errors"
	"fmt"
	"time"
)

// lock takes the kernel and lets happen what time has brought.
func (k *Kernel) lock() {
	k.mu.Lock()
	if k.opts.Clock != nil {
		k.runTo(ticks(k.opts.Clock().Sub(k.started)))
	}
}

// Advance moves the clock on and lets everything happen that was due.
func (k *Kernel) Advance(d time.Duration) error {
	if k.opts.Clock != nil {
		return errors.New("the clock is the caller's, and moves by itself")
	}
	if d < 0 {
		return fmt.Errorf("the clock cannot go back by %s", -d)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.virtual += d
	k.runTo(ticks(k.virtual))
	return nil
}

// Now returns the time.
func (k *Kernel) Now() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.opts.Clock != nil {
		return k.opts.Clock()
	}
	return k.started.Add(k.virtual)
}

func ticks(d time.Duration) tick { return tick(d / (time.Second / hz)) }

// runTo lets happen, in order, what is due up to a moment.
func (k *Kernel) runTo(to tick) {
	for {
		at, expiry := k.timers.next()
		trash, armed := k.trashDue()
		switch {
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
