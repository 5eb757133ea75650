package lvs

import "sync"

// mostChanges is how many changes a simulator keeps, so that a long simulation does
// not fill the memory.
const mostChanges = 1 << 14

// simulatedChanges are the last changes that clients of a simulator have made.
type simulatedChanges struct {
	mu  sync.Mutex
	all []Change
}

// note keeps the changes of a Do that were made.
func (c *simulatedChanges) note(changes []Change, err error) {
	batch, isBatch := err.(*BatchError)
	if err != nil && !isBatch {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, ch := range changes {
		if batch == nil || batch.Made(i) {
			c.all = append(c.all, ch)
		}
	}
	if extra := len(c.all) - mostChanges; extra >= mostChanges {
		c.all = append(c.all[:0], c.all[extra:]...)
	}
}

// take returns the changes, and forgets them.
func (c *simulatedChanges) take() []Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.all
	c.all = nil
	return all[max(0, len(all)-mostChanges):]
}

// Changes returns the changes that clients of the simulator have made since Changes was
// last called, in order, so that a test can ask whether a program wrote what it
// should, and nothing else. A change of which the client does not know whether it was
// made is not among them. Of a great number, the last 16,384 are kept.
func (s *Simulator) Changes() []Change { return s.made.take() }
