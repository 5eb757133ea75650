package workload

import (
	"time"

	"github.com/golvs/lvs"
)

// backend is a real server at work.
type backend struct {
	lvs.RealServer
	Server
	inTable bool
	before  int  // its weight before it was drained or removed
	dead    bool // it does not reply
	coldAt  time.Duration
	warmAt  time.Duration
	slow    time.Duration // that it takes longer for each connection

	busy int // connections that it serves
	line line

	active, peak int // connections that it serves or lets wait
	area         float64
	since        time.Duration // until when area is known

	connections, lost, broken int
	due                       float64 // connections, by weight
	sampled                   int     // connections and due up to the last sample
	sampledDue                float64
	took                      struct {
		n   int
		sum float64 // seconds
	}
}

// effective returns the weight that counts for new connections.
func (b *backend) effective() int {
	if !b.inTable {
		return 0
	}
	return b.Weight
}

// takes returns how long the server needs for work that it begins now.
func (b *backend) takes(work, now time.Duration) time.Duration {
	speed := b.Speed
	if speed == 0 {
		speed = 1
	}
	if now < b.warmAt {
		speed *= max(0.1, float64(now-b.coldAt)/float64(b.warmAt-b.coldAt))
	}
	if speed != 1 {
		work = seconds(work.Seconds() / speed)
	}
	return work + min(b.slow, forever-work)
}

// warm makes the server slow at first, for a time.
func (b *backend) warm(now, cold time.Duration) {
	b.coldAt, b.warmAt = now, now+min(cold, forever-now)
}

// count changes the number of active connections.
func (b *backend) count(by int, now time.Duration) {
	b.area += float64(b.active) * (now - b.since).Seconds()
	b.since = now
	b.active += by
	b.peak = max(b.peak, b.active)
}
