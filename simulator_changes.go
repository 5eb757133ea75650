package lvs

import (
	"slices"
	"sync"
)

// A simulator keeps the last changes, so that a long simulation does not fill the
// memory. It keeps them in blocks, because a change is large: growing a slice would
// copy all of them again and again.
const (
	mostChanges  = 1 << 14
	changesBlock = 256
	mostBlocks   = mostChanges/changesBlock + 1
)

// simulatedChanges are the last changes that clients of a simulator have made.
type simulatedChanges struct {
	mu     sync.Mutex
	blocks [][]Change
}

// note keeps the changes of a Do that were made.
func (c *simulatedChanges) note(changes []Change, err error) {
	batch, isBatch := err.(*BatchError)
	if err != nil && !isBatch {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range changes {
		if batch == nil || batch.Made(i) {
			c.add(&changes[i])
		}
	}
}

func (c *simulatedChanges) add(ch *Change) {
	if n := len(c.blocks); n == 0 || len(c.blocks[n-1]) == changesBlock {
		c.blocks = append(c.blocks, c.freeBlock())
	}
	last := &c.blocks[len(c.blocks)-1]
	*last = append(*last, *ch)
}

// freeBlock returns a new block, or the oldest one if there are enough.
func (c *simulatedChanges) freeBlock() []Change {
	if len(c.blocks) < mostBlocks {
		return make([]Change, 0, changesBlock)
	}
	oldest := c.blocks[0]
	c.blocks = slices.Delete(c.blocks, 0, 1)
	return oldest[:0]
}

// take returns the changes, and forgets them.
func (c *simulatedChanges) take() []Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := slices.Concat(c.blocks...)
	c.blocks = nil
	return all[max(0, len(all)-mostChanges):]
}

// Changes returns the changes that clients of the simulator have made since Changes was
// last called, in order, so that a test can ask whether a program wrote what it
// should, and nothing else. A change of which the client does not know whether it was
// made is not among them. Of a great number, the last 16,384 are kept.
func (s *Simulator) Changes() []Change { return s.made.take() }
