package demo

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"time"

	"github.com/golvs/lvs"
)

// event is what a client does at a time.
type event struct {
	at time.Time
	do func(now time.Time)
	n  int // events of the same time happen in the order in which they were made
}

// traffic is what clients do, now and later.
type traffic struct {
	sim     *lvs.Simulator
	random  *rand.Rand
	clients clients
	queue   queue
	made    int
}

// later makes something happen at a time.
func (t *traffic) later(at time.Time, do func(now time.Time)) {
	t.made++
	heap.Push(&t.queue, event{at, do, t.made})
}

// next returns the next event until a time.
func (t *traffic) next(until time.Time) (event, bool) {
	if len(t.queue) == 0 || t.queue[0].at.After(until) {
		return event{}, false
	}
	return heap.Pop(&t.queue).(event), true
}

// postpone makes everything happen later.
func (t *traffic) postpone(d time.Duration) {
	for i := range t.queue {
		t.queue[i].at = t.queue[i].at.Add(d)
	}
}

// begin lets the clients of all streams arrive from a time on.
func (t *traffic) begin(now time.Time) {
	for i := range streams {
		t.arrive(&streams[i], now, now)
	}
}

// arrive makes the next client of a stream arrive. The rate changes with time: clients
// are drawn for the highest rate, and some stay away.
func (t *traffic) arrive(s *stream, start, now time.Time) {
	most := s.rate * (1 + s.swing)
	wait := time.Duration(t.random.ExpFloat64() / most * float64(time.Second))
	t.later(now.Add(wait), func(now time.Time) {
		phase := 2 * math.Pi * float64(now.Sub(start)) / float64(s.period)
		if t.random.Float64()*most < s.rate*(1+s.swing*math.Sin(phase)) {
			t.open(s, now)
		}
		t.arrive(s, start, now)
	})
}

// queue is a heap of events, the earliest first.
type queue []event

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	if !q[i].at.Equal(q[j].at) {
		return q[i].at.Before(q[j].at)
	}
	return q[i].n < q[j].n
}

func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

func (q *queue) Push(x any) { *q = append(*q, x.(event)) }

func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}
