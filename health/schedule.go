package health

import (
	"cmp"
	"container/heap"
	"hash/fnv"
	"slices"
	"time"
)

// spread sets when the first probes of new watches begin: evenly over the interval, in
// the order of a hash, so that neighbours in the table are not asked together. It does
// the same each time.
func spread(fresh []*watch, now time.Time) {
	slices.SortFunc(fresh, func(a, b *watch) int {
		if a.hash != b.hash {
			return cmp.Compare(a.hash, b.hash)
		}
		return a.key.compare(b.key)
	})
	for i, w := range fresh {
		share := float64(i) / float64(len(fresh))
		w.slot = now.Add(time.Duration(float64(w.check.Interval) * share))
		w.due = w.slot
	}
}

const (
	// earliest is how much sooner than it is due a probe may begin.
	earliest = 50 * time.Millisecond

	// mostEarly is how many probes begin sooner than they are due at a time. When there are
	// more, waking up for them costs little of what they need.
	mostEarly = 64
)

// early returns how much sooner something that is due for a watch may be done, together
// with what is due now: waking up costs more than a probe does. A probe is given up in time.
func (w *watch) early() time.Duration {
	if w.running != nil {
		return 0
	}
	return min(w.interval()/20, earliest)
}

// after returns when the next probe is due after one that was due at a time: an interval
// later. While a server works, that is moved back to a whole number of intervals from its
// first probe. Otherwise all that failed together would be asked together ever after.
func (w *watch) after(last time.Time) time.Time {
	due := last.Add(w.interval())
	if w.state == Up && w.ok {
		due = due.Add(-(due.Sub(w.slot) % w.check.Interval))
	}
	return due
}

// hash returns a number that is as good as random, and always the same for a key.
func (k watchKey) hash() uint64 {
	h := fnv.New64a()
	_, _ = h.Write(k.server.Addr().AsSlice())
	_, _ = h.Write([]byte{byte(k.server.Port() >> 8), byte(k.server.Port())})
	_, _ = h.Write([]byte(k.path))
	_, _ = h.Write(k.check[:])
	return h.Sum64()
}

// queue has the watches in the order in which something is due.
type queue []*watch

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

// Push implements [heap.Interface].
func (q *queue) Push(x any) {
	w := x.(*watch)
	w.place = len(*q)
	*q = append(*q, w)
}

// Pop implements [heap.Interface].
func (q *queue) Pop() any {
	last := len(*q) - 1
	w := (*q)[last]
	(*q)[last] = nil
	*q, w.place = (*q)[:last], -1
	return w
}

// set makes something due for a watch.
func (q *queue) set(w *watch, due time.Time) {
	w.due = due
	if w.place < 0 {
		heap.Push(q, w)
		return
	}
	heap.Fix(q, w.place)
}

func (q *queue) remove(w *watch) {
	if w.place >= 0 {
		heap.Remove(q, w.place)
	}
}
