package metrics

import (
	"io"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// WriteText scrapes the host, and writes the metrics in the text format of Prometheus,
// version 0.0.4, at a fraction of the cost of gathering and encoding them. The error is one
// of the writer; readings that fail are counted in the text. The readings end within
// [Options.Timeout].
func (c *Collector) WriteText(w io.Writer) error {
	p := c.scrape()
	defer c.reuse(p)
	return p.write(w)
}

// piece is how much text is written at once.
const piece = 32 << 10

func (p page) write(w io.Writer) error {
	text := make([]byte, 0, piece+piece/4)
	for _, c := range p.columns() {
		text = c.family.appendHeading(text)
		for i := range c.samples {
			text = append(text, c.family.name...)
			text = c.samples[i].append(text)
			if len(text) < piece {
				continue
			}
			if _, err := w.Write(text); err != nil {
				return err
			}
			text = text[:0]
		}
	}
	_, err := w.Write(text)
	return err
}

var helpEscaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`)

func (f *family) appendHeading(text []byte) []byte {
	text = append(text, "# HELP "+f.name+" "+helpEscaper.Replace(f.help)+"\n# TYPE "+f.name...)
	if f.kind == dto.MetricType_COUNTER {
		return append(text, " counter\n"...)
	}
	return append(text, " gauge\n"...)
}

// append appends what follows the name in the row of a sample.
func (s *sample) append(text []byte) []byte {
	if s.labels != nil {
		text = append(text, s.labels.text...)
	}
	return append(appendValue(append(text, ' '), s.value), '\n')
}

// appendValue appends a number as the client of Prometheus writes it. It is quick with
// small integers, which most numbers are.
func appendValue(text []byte, value float64) []byte {
	const exponents = 1e6 // from which on numbers have them
	if n := int32(value); float64(n) == value && -exponents < value && value < exponents {
		return strconv.AppendInt(text, int64(n), 10)
	}
	return strconv.AppendFloat(text, value, 'g', -1, 64)
}
