package metrics

import (
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

// labels are the labels of a sample in the forms in which they are wanted. They are
// read only, and nil for none.
type labels struct {
	pairs []*dto.LabelPair
	text  string // such as {cpu="0"}
}

var labelEscaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

// labelsOf returns labels with their values. Prometheus refuses what is not UTF-8.
func labelsOf(names []string, values ...string) *labels {
	if len(names) == 0 {
		return nil
	}
	pairs, all, valid := make([]dto.LabelPair, len(names)), make([]*dto.LabelPair, len(names)), make([]string, len(names))
	var text strings.Builder
	for i := range names {
		valid[i] = strings.ToValidUTF8(values[i], "\uFFFD")
		pairs[i].Name, pairs[i].Value = &names[i], &valid[i]
		all[i] = &pairs[i]
		text.WriteByte("{,"[min(i, 1)])
		text.WriteString(names[i])
		text.WriteString(`="`)
		text.WriteString(labelEscaper.Replace(valid[i]))
		text.WriteByte('"')
	}
	text.WriteByte('}')
	return &labels{all, text.String()}
}
