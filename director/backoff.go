package director

import "time"

// backoff is how long to wait after failures. The zero value has seen none.
type backoff struct {
	failures int // in a row
}

// next returns how long to wait after one more failure: first, then twice as long each
// time, and never more than most. Of that it takes between half and all, as random, at
// least 0 and less than 1, says, so that several programs do not stay in step.
func (b *backoff) next(first, most time.Duration, random float64) time.Duration {
	wait := first
	for range b.failures {
		if wait >= most/2 {
			wait = most
			break
		}
		wait *= 2
	}
	b.failures++
	return time.Duration(float64(min(wait, most)) * (1 + random) / 2)
}

// reset forgets the failures.
func (b *backoff) reset() { b.failures = 0 }
