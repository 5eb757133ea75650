package health

import (
	"cmp"
	"container/heap"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"
)

// watch is a check of one target. All services that want the same one share it.
type watch struct {
	judge
	key    string
	check  Check // with its defaults
	target Target
	users  []*member

	last   time.Time // when the last probe ended
	took   time.Duration
	err    error
	answer Answer

	due     time.Time // when the next probe begins, or the one that is under way is given up
	place   int       // in the queue; -1 if not there
	running *attempt  // nil if no probe is under way
	gone    bool      // it is not wanted any more
}

// attempt is a probe that is under way.
type attempt struct {
	began  time.Time
	cancel context.CancelFunc
	late   bool // it has been given up, and has not returned
}

// complete returns the check with its defaults.
func (c Check) complete() Check {
	c.Path = cmp.Or(c.Path, Direct)
	c.Interval = cmp.Or(c.Interval, 2*time.Second)
	c.Failing = cmp.Or(c.Failing, c.Interval)
	c.Timeout = cmp.Or(c.Timeout, time.Second)
	c.Rise = cmp.Or(c.Rise, 2)
	c.Fall = cmp.Or(c.Fall, 3)
	return c
}

// keyOf returns what two checks have in common if one probe serves both. A [Func] has an
// address of its own in it, because two functions cannot be compared.
func keyOf(c Check, t Target) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", t.Server, c.Path)
	if c.Path != Direct {
		fmt.Fprintf(&b, " %s %s", t.Service, t.Mode)
	}
	fmt.Fprintf(&b, " %d %d %d %d %d %T ", c.Interval, c.Failing, c.Timeout, c.Rise, c.Fall, c.Probe)
	if alone, ok := c.Probe.(interface{ identity() string }); ok {
		b.WriteString(alone.identity())
		return b.String(), nil
	}
	text, err := json.Marshal(c.Probe)
	b.Write(text)
	return b.String(), err
}

// interval returns the time from the beginning of a probe to that of the next one.
func (w *watch) interval() time.Duration {
	if w.state != Up || !w.ok {
		return w.check.Failing
	}
	return w.check.Interval
}

// status returns how the check is doing.
func (w *watch) status() CheckStatus {
	s := CheckStatus{Check: describe(w.check.Probe), Path: w.check.Path, State: w.state, Last: w.last.Round(0), Took: w.took, Streak: w.streak}
	if w.err != nil {
		s.Error = w.err.Error()
	}
	if w.running == nil {
		s.Next = w.due.Round(0)
	}
	return s
}

// describe returns a probe in words.
func describe(p Probe) string {
	if s, ok := p.(fmt.Stringer); ok {
		return s.String()
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", p), "*")
}

// spread sets when the first probes of new watches begin: evenly over the interval, in
// the order of a hash, so that neighbours in the table are not asked together.
func spread(fresh []*watch, now time.Time) {
	slices.SortFunc(fresh, func(a, b *watch) int {
		return cmp.Or(cmp.Compare(hash(a.key), hash(b.key)), strings.Compare(a.key, b.key))
	})
	for i, w := range fresh {
		w.due = now.Add(time.Duration(float64(w.interval()) * float64(i) / float64(len(fresh))))
	}
}

func hash(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s))
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

func (q *queue) Push(x any) {
	w := x.(*watch)
	w.place = len(*q)
	*q = append(*q, w)
}

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
