package simipvs

import "math/bits"

// wheel holds the timers of connections, in slots of a tick each for the near
// future and of 64 times as many for each level further away. A slot is a list
// through the connections themselves, so a timer costs no memory of its own.
//
// A connection's timer may stand in an earlier slot than it is due: each packet
// puts the end of a connection off, and only its slot would have to follow.
type wheel struct {
	conns *connTable
	time  tick // what was due up to here is out
	slots [wheelLevels * wheelSlots]connID
	busy  [wheelLevels]uint64 // which slots of a level have any
}

const (
	wheelBits   = 6
	wheelSlots  = 1 << wheelBits
	wheelLevels = 10
)

// set puts a connection's timer where it is due.
func (w *wheel) set(id connID, c *conn) {
	c.due = max(c.expires, w.time+1)
	// The highest bit in which the moment differs from now says how far it is.
	level := (bits.Len64(uint64(c.due^w.time)) - 1) / wheelBits
	index := int(c.due>>(level*wheelBits)) & (wheelSlots - 1)
	c.slot = uint16(level*wheelSlots + index)
	w.busy[level] |= 1 << index
	first := &w.slots[c.slot]
	c.timerNext, c.timerPrev = *first, 0
	if *first != 0 {
		w.conns.at(*first).timerPrev = id
	}
	*first = id
}

// update follows a change of c.expires.
func (w *wheel) update(id connID, c *conn) {
	if c.expires < c.due {
		w.remove(c)
		w.set(id, c)
	}
}

func (w *wheel) remove(c *conn) {
	if c.timerNext != 0 {
		w.conns.at(c.timerNext).timerPrev = c.timerPrev
	}
	if c.timerPrev != 0 {
		w.conns.at(c.timerPrev).timerNext = c.timerNext
		return
	}
	w.slots[c.slot] = c.timerNext
	if c.timerNext == 0 {
		w.busy[c.slot/wheelSlots] &^= 1 << (c.slot % wheelSlots)
	}
}

// next returns the next moment at which a slot is to be looked at.
func (w *wheel) next() (at tick, any bool) {
	for level, busy := range w.busy {
		if busy != 0 {
			shift := level * wheelBits
			round := w.time >> (shift + wheelBits) << (shift + wheelBits)
			return round + tick(bits.TrailingZeros64(busy))<<shift, true
		}
	}
	return 0, false
}

// slotAt returns the slot that next told of, and moves to its moment.
func (w *wheel) slotAt(at tick) *connID {
	w.time = at
	for level, busy := range w.busy {
		if busy != 0 {
			return &w.slots[level*wheelSlots+bits.TrailingZeros64(busy)]
		}
	}
	return nil
}

// moveTo passes over time in which nothing is due.
func (w *wheel) moveTo(now tick) { w.time = max(w.time, now) }
