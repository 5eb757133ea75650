package metrics

import (
	"cmp"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
)

// thing is a service or a real server, or with the zero value the whole host.
type thing struct {
	service lvs.ServiceID
	server  netip.AddrPort // the zero value: the service itself
}

// name is the labels by which metrics are known; server is "" for a service.
type name struct{ service, server string }

func (a name) compare(b name) int {
	return cmp.Or(cmp.Compare(a.service, b.service), cmp.Compare(a.server, b.server))
}

// object is what is remembered of a thing.
type object struct {
	counted
	text string // its address
	seen time.Time

	info   *labels // of its _info metric
	infoOf infoKey
	series *series // to which it contributed last; nil before it has
}

// infoKey is what the _info metric of an object depends on.
type infoKey struct{ service, server, detail string }

// series is the metrics of a name, to which several objects may contribute.
type series struct {
	name
	labels *labels
	sum    lvs.Stats // of all that ever contributed
	seen   time.Time
	gone   bool    // from the book
	turn   int     // in which it was used last
	now    figures // in this turn
}

// figures are the gauges of a service or real server.
type figures struct {
	active, inactive, persistent int
	weight                       int
	upper, lower                 int
	servers, usable              int // of a service

	counts       bool // it has counters
	countsOut    bool // also of outgoing traffic
	isPersistent bool
	persistence  time.Duration
}

// book remembers objects and series from one scrape to the next.
type book struct {
	objects map[thing]*object
	series  map[name]*series
	turn    int // counts scrapes
	swept   time.Time
}

func newBook() *book {
	return &book{objects: map[thing]*object{}, series: map[name]*series{}}
}

// object returns what is remembered of a thing, which is there now.
func (b *book) object(t thing, now time.Time) *object {
	o := b.objects[t]
	if o == nil {
		o = &object{}
		switch {
		case t.server.IsValid():
			o.text = t.server.String()
		case t.service.IsValid():
			o.text = t.service.String()
		}
		b.objects[t] = o
	}
	o.seen = now
	return o
}

// of returns the series of a name, to which an object contributes. isNew reports whether
// this scrape has not used it yet.
func (b *book) of(o *object, n name, labels []string, now time.Time) (s *series, isNew bool) {
	if s = o.series; s == nil || s.name != n || s.gone {
		s = b.find(n, labels)
		o.series = s
	}
	s.seen = now
	if isNew = s.turn != b.turn; isNew {
		s.turn, s.now = b.turn, figures{}
	}
	return s, isNew
}

// find returns the series of a name, a new one if the book has none.
func (b *book) find(n name, labels []string) *series {
	s := b.series[n]
	if s == nil {
		s = &series{name: n}
		if n.server == "" {
			s.labels = labelsOf(labels, n.service)
		} else {
			s.labels = labelsOf(labels, n.server, n.service)
		}
		b.series[n] = s
	}
	return s
}

// begin begins a scrape, and forgets what has been gone for long.
func (b *book) begin(now time.Time) {
	b.turn++
	if now.Sub(b.swept) < time.Minute {
		return
	}
	b.swept = now
	for t, o := range b.objects {
		if now.Sub(o.seen) > memory {
			delete(b.objects, t)
		}
	}
	for n, s := range b.series {
		if now.Sub(s.seen) > memory {
			s.gone = true
			delete(b.series, n)
		}
	}
}

// noteHidden adds what was counted to a series that is not shown, if it ever was.
func (b *book) noteHidden(n name, more lvs.Stats, now time.Time) {
	if s := b.series[n]; s != nil {
		s.sum, s.seen = added(s.sum, more), now
	}
}
