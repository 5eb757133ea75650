package workload

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/golvs/lvs"
)

// eventful is a report with something in each chart.
func eventful(t *testing.T, servers int) *Report {
	t.Helper()
	w := usual()
	w.Events = []Event{Fail(5*time.Second, addrOf(0), time.Second), Back(12*time.Second, addrOf(0), 0)}
	_, r := run1(t, lvs.Service{ID: web, Scheduler: lvs.MH}, lvs.DR(), w, ones(servers)...)
	return r
}

func pageOf(t *testing.T, reports ...*Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteHTML(&b, "A <title>", reports...); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The page needs nothing from anywhere, and no text gets out of its place.
func TestPageIsSelfContained(t *testing.T) {
	r := eventful(t, 3)
	r.Name = `<script>"&`
	for _, page := range []string{pageOf(t), pageOf(t, r), pageOf(t, r, eventful(t, 30))} {
		outside := regexp.MustCompile(`(?i)https?:|//[a-z]|src=|url\(|@import|<link|<script|<iframe|<object|<title></|NaN|Inf`)
		if found := outside.FindString(page); found != "" {
			t.Errorf("the page has %q", found)
		}
		if !strings.Contains(page, "<h1>A &lt;title&gt;</h1>") || !strings.Contains(page, "prefers-color-scheme: dark") {
			t.Error("the page has no title, or no dark colours")
		}
		d := xml.NewDecoder(strings.NewReader(page))
		d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
		for {
			if _, err := d.Token(); err != nil {
				if err.Error() != "EOF" {
					t.Errorf("tags do not match: %v", err)
				}
				break
			}
		}
		mustParse(t, page)
	}
}

var startTag = regexp.MustCompile(`<([a-zA-Z][a-zA-Z0-9]*)[ >]`)

// mustParse holds that a browser builds the page as it is written: with each element once,
// where it stands, and links that lead somewhere.
func mustParse(t *testing.T, page string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var parsed, written []string
	ids, links := map[string]int{}, []string{}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		parsed = append(parsed, n.Data)
		for _, a := range n.Attr {
			switch a.Key {
			case "id":
				ids[a.Val]++
			case "href":
				links = append(links, strings.TrimPrefix(a.Val, "#"))
			}
		}
	}
	for _, m := range startTag.FindAllStringSubmatch(page, -1) {
		written = append(written, m[1])
	}
	if diff := cmp.Diff(written, parsed); diff != "" {
		t.Errorf("elements move when the page is read:\n%s", diff)
	}
	for _, id := range links {
		if ids[id] != 1 {
			t.Errorf("a link leads to %q, which %d elements are", id, ids[id])
		}
	}
}

// Of many events, the page still shows each in its table. Their marks do not cover each
// other, and only some have bars.
func TestManyEvents(t *testing.T) {
	w := usual()
	for i := range 60 {
		at := time.Duration(i+1) * 300 * time.Millisecond
		w.Events = append(w.Events, SetWeight(at, addrOf(0), 1+i%2))
	}
	_, r := run1(t, lvs.Service{ID: web, Scheduler: lvs.WRR}, lvs.DR(), w, 1, 1)
	page := pageOf(t, r)
	mustParse(t, page)
	marks := regexp.MustCompile(`<g class="mark"><title>([^<]*)</title><line class="" x1="([0-9.]+)"`).FindAllStringSubmatch(page, -1)
	last, shown := math.Inf(-1), 0
	for _, m := range marks {
		x, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		if x < last { // another chart
			if shown != 60 {
				t.Errorf("the marks of a chart stand for %d events", shown)
			}
			last, shown = math.Inf(-1), 0
		}
		if x-last < markWidth-0.1 {
			t.Errorf("marks at %v and %v", last, x)
		}
		last = x
		shown += strings.Count(m[1], "weight 10.168.1.1:80")
	}
	for want, n := range map[string]int{"<summary>60 events</summary>": 1, "<details open>": 0, " The 12 of ": 1, ">ordinary</text>": 12} {
		if got := strings.Count(page, want); got != n {
			t.Errorf("%q is there %d times, want %d", want, got, n)
		}
	}
	if got := strings.Count(pageOf(t, eventful(t, 3)), "<details open>"); got != 1 {
		t.Error("few events are not shown at once")
	}
}

var (
	curveText = regexp.MustCompile(`<path class="curve [^"]*" d="([^"]*)" data-name="([^"]*)"/>`)
	pointText = regexp.MustCompile(`[ML]([0-9.]+) ([0-9.]+)`)
)

// What the charts show is what the JSON says: the curves are turned back into
// numbers.
func TestChartsAgreeWithJSON(t *testing.T) {
	text, err := json.Marshal(eventful(t, 3))
	if err != nil {
		t.Fatal(err)
	}
	var r Report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	figures := regexp.MustCompile(`(?s)<h3>Active connections</h3>.*?</figure>`).FindAllString(pageOf(t, &r), -1)
	if len(figures) != 1 {
		t.Fatalf("%d charts of active connections", len(figures))
	}
	greatest := 0
	for _, s := range r.Samples {
		for _, n := range s.Active {
			greatest = max(greatest, n)
		}
	}
	chart := lineChart{times: []float64{r.Duration.Seconds()}, lines: []series{{values: []float64{float64(greatest)}}}}
	top, _ := chart.top()
	curves := curveText.FindAllStringSubmatch(figures[0], -1)
	if len(curves) != len(r.Servers) {
		t.Fatalf("%d curves of %d servers", len(curves), len(r.Servers))
	}
	for i, curve := range curves {
		if curve[2] != r.Servers[i].Addr.String() {
			t.Errorf("curve %d is of %s", i, curve[2])
		}
		points := pointText.FindAllStringSubmatch(curve[1], -1)
		if len(points) != len(r.Samples) {
			t.Fatalf("%d points of %d samples", len(points), len(r.Samples))
		}
		for j, p := range points {
			x, _ := strconv.ParseFloat(p[1], 64)
			y, _ := strconv.ParseFloat(p[2], 64)
			at := (x - marginLeft) / plotWidth * r.Duration.Seconds()
			value := (1 - (y-marginTop)/plotHeight) * top
			if math.Abs(at-r.Samples[j].At.Seconds()) > 0.1 || math.Abs(value-float64(r.Samples[j].Active[i])) > 0.1*top/plotHeight {
				t.Errorf("the chart shows %v at %v s, the JSON says %d at %s", value, at, r.Samples[j].Active[i], r.Samples[j].At)
			}
		}
	}
}

func TestNiceSteps(t *testing.T) {
	for whole, want := range map[float64]float64{0: 1, 1: 0.25, 4: 1, 7: 2, 1000: 250, 1700: 500, 0.03: 0.01} {
		if got := niceStep(whole, 4); !near(got, want) {
			t.Errorf("of %v: %v, want %v", whole, got, want)
		}
	}
	for whole, want := range map[float64]float64{2: 0.25, 20: 5, 120: 15, 3600: 600, 86400: 10800, 864000: 172800} {
		if got := niceTime(whole, 8); !near(got, want) {
			t.Errorf("of %v s: %v, want %v", whole, got, want)
		}
	}
	for s, want := range map[float64]string{0: "0", 1.5: "1.5s", 40: "40s", 80: "1m20s", 120: "2m", 7200: "2h", 5400: "1h30m"} {
		if got := axisTime(s); got != want {
			t.Errorf("%v s: %q, want %q", s, got, want)
		}
	}
	for v, want := range map[float64]string{0: "0", 0.25: "0.25", 1.025: "1.025", 2500: "2500", 12000: "12k", 1.5e6: "1.5M", 2e9: "2G"} {
		if got := axisNumber(v); got != want {
			t.Errorf("%v: %q, want %q", v, got, want)
		}
	}
}

func TestCSV(t *testing.T) {
	r := eventful(t, 3)
	var b bytes.Buffer
	if err := WriteCSV(&b, r, r); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if want := 1 + 2*len(r.Samples)*len(r.Servers); len(lines) != want {
		t.Fatalf("%d lines, want %d", len(lines), want)
	}
	sum := 0
	for _, l := range lines[1:] {
		n, err := strconv.Atoi(l[3])
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	if want := 2 * (r.Arrived - r.Refused); sum != want {
		t.Errorf("%d connections, want %d", sum, want)
	}
	if got := strings.Join(lines[1][:3], " "); got != "mh 2 10.168.1.1:80" {
		t.Errorf("the first line is of %q", got)
	}
}

// A table of many servers shows the busiest, in their order.
func TestTable(t *testing.T) {
	r := eventful(t, 30)
	text := r.String()
	if !strings.Contains(text, "\nand 10 more\n") || strings.Count(text, ":80 ") < 20 {
		t.Errorf("got\n%s", text)
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234"} {
		if got := thousands(n); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for s, want := range map[float64]string{0: "0s", 7.3844: "7.38s", 33.81: "33.8s", 0.0012345: "1.23ms", 1234.5: "20m30s"} {
		if got := formatTime(s); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
