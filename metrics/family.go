package metrics

import (
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// family is the metrics of one name. The labels are ordered by name, as Prometheus
// wants them.
type family struct {
	name, help string
	kind       dto.MetricType
	labels     []string
	desc       *prometheus.Desc
}

func counter(name, help string, labels ...string) *family {
	return newFamily(dto.MetricType_COUNTER, name, help, labels)
}

func gauge(name, help string, labels ...string) *family {
	return newFamily(dto.MetricType_GAUGE, name, help, labels)
}

func newFamily(kind dto.MetricType, name, help string, labels []string) *family {
	return &family{name, help, kind, labels, prometheus.NewDesc(name, help, labels, nil)}
}

// sample is a metric of a family. It is read only.
type sample struct {
	family *family
	labels []*dto.LabelPair
	value  float64
}

// Desc implements [prometheus.Metric].
func (s sample) Desc() *prometheus.Desc { return s.family.desc }

// Write implements [prometheus.Metric].
func (s sample) Write(m *dto.Metric) error {
	m.Label = s.labels
	if s.family.kind == dto.MetricType_COUNTER {
		m.Counter = &dto.Counter{Value: &s.value}
	} else {
		m.Gauge = &dto.Gauge{Value: &s.value}
	}
	return nil
}

// pairs returns labels with their values. Prometheus refuses what is not UTF-8.
func pairs(names []string, values ...string) []*dto.LabelPair {
	all := make([]*dto.LabelPair, len(names))
	for i, name := range names {
		value := strings.ToValidUTF8(values[i], "\uFFFD")
		all[i] = &dto.LabelPair{Name: &name, Value: &value}
	}
	return all
}

// page is what one scrape shows.
type page map[*family][]sample

func (p page) add(f *family, labels []*dto.LabelPair, value float64) {
	p[f] = append(p[f], sample{f, labels, value})
}

func (p page) addWith(f *family, value float64, labels ...string) {
	p.add(f, pairs(f.labels, labels...), value)
}

// send sends all samples to a registry.
func (p page) send(ch chan<- prometheus.Metric) {
	for _, all := range p {
		for _, s := range all {
			ch <- s
		}
	}
}

// families returns the page as a registry would gather it, ordered by name.
func (p page) families() []*dto.MetricFamily {
	ordered := slices.SortedFunc(maps.Keys(p), func(a, b *family) int { return strings.Compare(a.name, b.name) })
	all := make([]*dto.MetricFamily, len(ordered))
	for i, f := range ordered {
		all[i] = f.gather(p[f])
	}
	return all
}

func (f *family) gather(samples []sample) *dto.MetricFamily {
	metrics, list := make([]dto.Metric, len(samples)), make([]*dto.Metric, len(samples))
	if f.kind == dto.MetricType_COUNTER {
		values := make([]dto.Counter, len(samples))
		for i := range samples {
			values[i].Value = &samples[i].value
			metrics[i].Counter = &values[i]
		}
	} else {
		values := make([]dto.Gauge, len(samples))
		for i := range samples {
			values[i].Value = &samples[i].value
			metrics[i].Gauge = &values[i]
		}
	}
	for i := range samples {
		metrics[i].Label = samples[i].labels
		list[i] = &metrics[i]
	}
	return &dto.MetricFamily{Name: &f.name, Help: &f.help, Type: &f.kind, Metric: list}
}
