package metrics

import (
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// page is what one scrape shows. All forms of it are made from the same samples.
type page map[*family]*column

// column is the samples of a family.
type column struct {
	family  *family
	samples []sample
}

// sample is a value with its labels.
type sample struct {
	labels *labels
	value  float64
}

func (p page) add(f *family, labels *labels, value float64) {
	c := p[f]
	if c == nil {
		c = &column{family: f}
		p[f] = c
	}
	c.samples = append(c.samples, sample{labels, value})
}

func (p page) addWith(f *family, value float64, labels ...string) {
	p.add(f, labelsOf(f.labels, labels...), value)
}

// clear removes all samples, and keeps their room.
func (p page) clear() {
	for _, c := range p {
		clear(c.samples)
		c.samples = c.samples[:0]
	}
}

// columns returns those that have samples, ordered by name, as a registry does.
func (p page) columns() []*column {
	all := slices.SortedFunc(maps.Values(p), func(a, b *column) int { return strings.Compare(a.family.name, b.family.name) })
	return slices.DeleteFunc(all, func(c *column) bool { return len(c.samples) == 0 })
}

// send sends all samples to a registry.
func (p page) send(ch chan<- prometheus.Metric) {
	for _, c := range p {
		for _, s := range c.samples {
			ch <- metric{s, c.family}
		}
	}
}

// metric is a sample for a registry.
type metric struct {
	sample
	family *family
}

// Desc implements [prometheus.Metric].
func (m metric) Desc() *prometheus.Desc { return m.family.desc }

// Write implements [prometheus.Metric].
func (m metric) Write(to *dto.Metric) error {
	if m.labels != nil {
		to.Label = m.labels.pairs
	}
	if m.family.kind == dto.MetricType_COUNTER {
		to.Counter = &dto.Counter{Value: &m.value}
	} else {
		to.Gauge = &dto.Gauge{Value: &m.value}
	}
	return nil
}

// gather returns the page as a registry would.
func (p page) gather() []*dto.MetricFamily {
	columns := p.columns()
	all := make([]*dto.MetricFamily, len(columns))
	for i, c := range columns {
		all[i] = c.gather()
	}
	return all
}

func (c *column) gather() *dto.MetricFamily {
	n := len(c.samples)
	values, metrics, list := make([]float64, n), make([]dto.Metric, n), make([]*dto.Metric, n)
	for i, s := range c.samples {
		values[i], list[i] = s.value, &metrics[i]
		if s.labels != nil {
			metrics[i].Label = s.labels.pairs
		}
	}
	if c.family.kind == dto.MetricType_COUNTER {
		counters := make([]dto.Counter, n)
		for i := range counters {
			counters[i].Value, metrics[i].Counter = &values[i], &counters[i]
		}
	} else {
		gauges := make([]dto.Gauge, n)
		for i := range gauges {
			gauges[i].Value, metrics[i].Gauge = &values[i], &gauges[i]
		}
	}
	return &dto.MetricFamily{Name: &c.family.name, Help: &c.family.help, Type: &c.family.kind, Metric: list}
}
