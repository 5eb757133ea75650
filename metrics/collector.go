package metrics

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/golvs/lvs"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Collector reads a host at each scrape. It is an [http.Handler], which costs least, a
// [prometheus.Collector], to be registered with other metrics, and a [prometheus.Gatherer].
// [New] returns one. Any number of goroutines may use it: their scrapes take turns.
type Collector struct {
	host  *lvs.Host
	o     Options
	turn  chan struct{} // has room for one scrape, which owns what follows
	is    reading
	book  *book
	top   busiest
	fails map[string]float64 // by reading
	state stateFile

	pages sync.Pool // of page: those whose room later scrapes use
}

var (
	_ prometheus.Collector = (*Collector)(nil)
	_ prometheus.Gatherer  = (*Collector)(nil)
	_ http.Handler         = (*Collector)(nil)
)

var (
	up       = gauge("lvs_up", "Whether everything that was asked for was read: 1, or else 0.")
	failures = counter("lvs_scrape_errors_total", "Readings that failed.", "reading")
	duration = gauge("lvs_scrape_duration_seconds", "How long the last scrape took to read the kernel.")
)

// New returns a collector that reads a host. It reads nothing yet. The error matches
// [lvs.ErrInvalid] for an option that cannot work, and for a nil host. The host must not be
// closed while the collector is in use.
func New(host *lvs.Host, o Options) (*Collector, error) {
	if host == nil {
		return nil, invalid("host", "must not be nil")
	}
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	c := &Collector{host: host, o: o, turn: make(chan struct{}, 1), book: newBook(), fails: map[string]float64{}}
	c.top = busiest{most: o.Servers.busiest, since: map[thing]time.Time{}}
	return c, nil
}

// Describe implements [prometheus.Collector].
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range c.families() {
		ch <- f.desc
	}
}

// families returns all that the options may show.
func (c *Collector) families() []*family {
	all := []*family{up, failures, duration}
	if c.o.NodeExporter {
		all = append(append(all, nodeTotals.families()...), nodeActive, nodeInactive, nodeWeight)
	} else {
		all = append(append(all, serviceFamilies...), serviceCounters.families()...)
		all = append(append(all, serverFamilies...), serverCounters.families()...)
		all = append(all, totals.families()...)
	}
	all = append(all, cpus.families()...)
	all = append(all, connections)
	return append(all, c.o.stateFamilies()...)
}

// Collect implements [prometheus.Collector]. It returns within [Options.Timeout].
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	p := c.scrape()
	defer c.reuse(p)
	p.send(ch)
}

// Gather implements [prometheus.Gatherer]. It returns within [Options.Timeout]. The
// error is always nil: readings that fail are counted in what it returns.
func (c *Collector) Gather() ([]*dto.MetricFamily, error) {
	p := c.scrape()
	defer c.reuse(p)
	return p.gather(), nil
}

// reuse lets later scrapes use the room of a page, which is not used any more.
func (c *Collector) reuse(p page) {
	p.clear()
	c.pages.Put(p)
}

var errTurn = errors.New("metrics: an earlier scrape has not ended")

// scrape reads the host and returns what it shows.
func (c *Collector) scrape() page {
	p, ok := c.pages.Get().(page)
	if !ok {
		p = page{}
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.o.Timeout)
	defer cancel()
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		c.o.OnError(readingTurn, errTurn)
		p.addWith(up, 0)
		return p
	}
	s := scrape{Collector: c, ctx: ctx, page: p, start: c.o.now(), ok: true}
	began := time.Now()
	s.readAll()
	s.addWith(duration, time.Since(began).Seconds())
	s.addWith(up, oneIf(s.ok))
	for _, reading := range slices.Sorted(maps.Keys(c.fails)) {
		s.addWith(failures, c.fails[reading], reading)
	}
	return s.page
}

// The names of readings.
const (
	readingTable       = "table"
	readingTotals      = "totals"
	readingCPUs        = "cpus"
	readingConnections = "connections"
	readingDrains      = "drains" // of the state file
	readingTurn        = "turn"   // of one scrape after the other, which is not counted
)

// scrape is one scrape.
type scrape struct {
	*Collector
	page
	ctx   context.Context
	start time.Time
	ok    bool // nothing has failed
}

// readAll makes the readings that the options ask for.
func (s *scrape) readAll() {
	s.book.begin(s.start)
	if !s.o.NodeExporter || !s.o.Servers.none {
		s.read(readingTable, s.table)
	}
	if s.o.NodeExporter || s.o.Totals {
		s.read(readingTotals, s.totals)
	}
	if s.o.CPUs {
		s.read(readingCPUs, s.cpus)
	}
	if s.o.States {
		s.read(readingConnections, s.connections)
	}
	s.readState()
}

// read makes one reading, and notes whether it failed.
func (s *scrape) read(reading string, make func() error) {
	err := make()
	if err == nil {
		s.fails[reading] += 0 // so that it is there before the first failure
		return
	}
	s.ok = false
	s.fails[reading]++
	s.o.OnError(reading, err)
}

// table reads the table and shows it.
func (s *scrape) table() error {
	defer s.is.clear()
	if err := s.is.table(s.ctx, s.host, s.o); err != nil {
		return err
	}
	shown := s.top.choose(s.is.entries, s.start)
	if s.o.NodeExporter {
		s.addNode(s.is.entries, shown)
		return nil
	}
	s.addServices(s.is.entries, shown)
	return nil
}

func oneIf(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
