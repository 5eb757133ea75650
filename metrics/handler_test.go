package metrics

import (
	"math"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// All forms of a scrape have the same rows.
func TestFormsOfAScrapeAreTheSame(t *testing.T) {
	for _, o := range []Options{
		{ServerCounters: true, Totals: true, CPUs: true, States: true}, {NodeExporter: true, CPUs: true},
		{
			ServerCounters: true,
			ServiceName:    func(lvs.ServiceID) string { return "a \"b\"\n\\c{}\t\xff" },
			ServerName:     func(lvs.ServiceID, netip.AddrPort) string { return "ü" },
		},
	} {
		s := newScene(t, o)
		s.add("tcp://10.0.0.1:80", "10.1.0.1:80", "10.1.0.2:80")
		s.add("fwmark6://7", "[2001:db8::2]:0")
		s.do(lvs.AddService(lvs.Service{ID: lvs.MustParseServiceID("udp://[2001:db8::1]:53"), Scheduler: lvs.WRR,
			Persistence: lvs.Persistence{Timeout: 90 * time.Second}}))
		s.connect(30, "10.0.0.1:80")
		samePage(t, s.scrape())
		s.do(lvs.RemoveService(lvs.MustParseServiceID("fwmark6://7")))
		samePage(t, s.scrape())
	}
}

func TestNumbersOfTheTextFormat(t *testing.T) {
	p, f := page{}, gauge("numbers", "Numbers with a \\ and\na second line.")
	for _, v := range []float64{
		0, math.Copysign(0, -1), 1, -1, 7, 0.5, 1e-9, 123456, 999999, 1e6, 1234567, 1 << 31, -(1 << 31), 1 << 32, 1<<53 + 2,
		math.MaxUint64, math.MaxFloat64, math.SmallestNonzeroFloat64, math.NaN(), math.Inf(1), math.Inf(-1),
	} {
		p.add(f, nil, v)
	}
	want, got := gathered(t, p.gather()), textOfPage(t, p)
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// samePage compares the text that is written directly with that of what is gathered,
// byte by byte, and with what a registry collects, which orders the rows.
func samePage(t *testing.T, p page) {
	t.Helper()
	got := textOfPage(t, p)
	if want := gathered(t, p.gather()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collected{p})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := sortedRows(got), sortedRows(gathered(t, families)); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant what a registry has\n%s", strings.Join(got, ""), strings.Join(want, ""))
	}
}

// collected is a page that a registry collects.
type collected struct{ page }

func (c collected) Describe(ch chan<- *prometheus.Desc) {
	for f := range c.page {
		ch <- f.desc
	}
}
func (c collected) Collect(ch chan<- prometheus.Metric) { c.send(ch) }

func textOfPage(t *testing.T, p page) string {
	t.Helper()
	var b strings.Builder
	if err := p.write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func gathered(t *testing.T, families []*dto.MetricFamily) string {
	t.Helper()
	var b strings.Builder
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func sortedRows(text string) []string { return slices.Sorted(strings.Lines(text)) }

func TestHandlerSpeaksWhatClientsAccept(t *testing.T) {
	s := newScene(t, Options{})
	s.add("tcp://10.0.0.1:80", "10.1.0.1:80")
	const openMetrics, protobuf = "application/openmetrics-text;version=1.0.0", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
	for accept, want := range map[string]string{
		"": textType, "*/*": textType, "text/*": textType,
		openMetrics + ";q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1": textType,
		openMetrics: openMetrics, protobuf: protobuf,
	} {
		r, w := httptest.NewRequest("GET", "/metrics", nil), httptest.NewRecorder()
		if accept != "" {
			r.Header.Set("Accept", accept)
		}
		r.Header.Set("Accept-Encoding", "gzip")
		s.ServeHTTP(w, r)
		got := w.Header().Get("Content-Type")
		if short := func(s string) string { return strings.ReplaceAll(s, " ", "") }; w.Code != 200 || !strings.HasPrefix(short(got), short(want)) {
			t.Errorf("a client that accepts %q gets status %d and %q, want %q", accept, w.Code, got, want)
		}
		if w.Header().Get("Content-Encoding") != "" {
			t.Errorf("a client that accepts %q gets it compressed", accept)
		}
		if want == protobuf {
			continue
		}
		for _, row := range []string{"\nlvs_up 1", "\nlvs_services 1"} {
			if !strings.Contains(w.Body.String(), row) {
				t.Errorf("a client that accepts %q does not get %q:\n%s", accept, row, w.Body)
			}
		}
	}
}
