package workload

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"thousands": thousands, "percent": percent, "seconds": formatTime, "join": strings.Join, "mark": markName,
	"three": func(f float64) string { return fmt.Sprintf("%.3f", f) },
	"four":  func(f float64) string { return fmt.Sprintf("%.4f", f) },
	"one":   func(f float64) string { return fmt.Sprintf("%.1f", f) },
}).Parse(pageText))

// WriteHTML writes reports as one self-contained page with charts, without scripts,
// fonts or network access. It follows the reader's choice of light or dark.
// Reports of the same workload, with other schedulers for instance, are compared.
func WriteHTML(w io.Writer, title string, reports ...*Report) error {
	p := page{Title: title}
	if len(reports) > 0 {
		p.Facts = factsOf(reports[0])
	}
	if len(reports) > 1 {
		p.Comparison = comparisonOf(reports)
	}
	for i, r := range reports {
		p.Sections = append(p.Sections, sectionOf(i, r))
	}
	return pageTemplate.Execute(w, p)
}

type page struct {
	Title      string
	Facts      []fact
	Comparison *comparison
	Sections   []section
}

type fact struct{ Name, Value string }

// comparison shows reports beside each other.
type comparison struct {
	Charts []figure
	Rows   []comparisonRow
}

type comparisonRow struct {
	*Report
	ID           string
	Peak         int
	Moved, Least string
}

// section is one report.
type section struct {
	*Report
	ID     string
	Tiles  []tile
	Charts []figure
	Marks  []mark
}

type tile struct{ Name, Value, Hint string }

// figure is a chart with its title and key.
type figure struct {
	Title, Note string
	Key         []keyEntry
	SVG         template.HTML
}

type keyEntry struct{ Name, Class string }

func factsOf(r *Report) []fact {
	w := r.Workload
	facts := []fact{
		{"Service", r.Served.ID.String()},
		{"Real servers", thousands(len(r.Servers))},
		{"Kernel", "Linux " + r.Kernel},
		{"Simulated time", w.Duration.String()},
	}
	for _, f := range []fact{
		{"Arrivals", w.Arrivals.String()}, {"Clients", w.Clients.String()}, {"Lifetime", w.Lifetime.String()},
	} {
		if f.Value == "" {
			f.Value = "as recorded"
		}
		facts = append(facts, f)
	}
	return append(facts, fact{"Seed", fmt.Sprint(w.Seed)})
}

func comparisonOf(reports []*Report) *comparison {
	c := &comparison{}
	for i, r := range reports {
		moved, least := r.moved()
		c.Rows = append(c.Rows, comparisonRow{r, sectionID(i), r.peak(), percentOrDash(moved), percentOrDash(least)})
	}
	if f, ok := busiestFigure(reports); ok {
		c.Charts = append(c.Charts, f)
	}
	count := func(v float64) string { return thousands(int(v)) }
	none := func(*Report) float64 { return math.NaN() }
	for _, ch := range []struct {
		title, note   string
		value, target func(*Report) float64
		format        func(float64) string
	}{
		{"Clients that moved at events", "Share of those who came again. The tick is the least possible.",
			func(r *Report) float64 { moved, _ := r.moved(); return moved },
			func(r *Report) float64 { _, least := r.moved(); return least }, percent},
		{"Busiest server above the mean", "Connections, by what each server was due.",
			func(r *Report) float64 { return max(0, r.Imbalance.GreatestOverMean-1) }, none, percent},
		{"Peak of active connections", "The most that a server had at once.",
			func(r *Report) float64 { return float64(r.peak()) }, none, count},
		{"Time within which 99 % of connections ended", "Waiting included.",
			func(r *Report) float64 { return r.Times.P99 }, none, formatTime},
		{"Connections that failed", "Refused, lost or broken.",
			func(r *Report) float64 { return float64(r.Refused + r.Lost + r.Broken) }, none, count},
	} {
		bars := barChart{title: ch.title}
		for i, r := range reports {
			if v := ch.value(r); !math.IsNaN(v) {
				bars.bars = append(bars.bars, bar{
					label: r.Name, text: ch.format(v), title: r.Name + ": " + ch.format(v),
					class: colour(i), value: v, target: ch.target(r),
				})
			}
		}
		if len(bars.bars) > 0 {
			c.Charts = append(c.Charts, figure{Title: ch.title, Note: ch.note, SVG: bars.svg()})
		}
	}
	return c
}

// busiestFigure shows the busiest server's connections under each scheduler, if
// the reports are of the same times.
func busiestFigure(reports []*Report) (figure, bool) {
	f := figure{Title: "Active connections of the busiest server", Note: "At the end of each part of the time."}
	c := lineChart{title: f.Title, marks: marksOf(reports[0]), format: axisNumber}
	for _, p := range reports[0].Samples {
		c.times = append(c.times, p.At.Seconds())
	}
	for i, r := range reports {
		if len(r.Samples) != len(c.times) || r.Duration != reports[0].Duration {
			return figure{}, false
		}
		c.lines = append(c.lines, series{r.Name, colour(i), overSamples(r, func(_ int, p Sample) float64 {
			return float64(slices.Max(p.Active))
		})})
	}
	f.Key, f.SVG = keyOf(c.lines), c.svg()
	return f, true
}

// colour returns the class of the i-th colour; there are eight.
func colour(i int) string { return fmt.Sprintf("c%d", i%8+1) }

func percentOrDash(share float64) string {
	if math.IsNaN(share) {
		return "-"
	}
	return percent(share)
}

func sectionID(i int) string { return fmt.Sprintf("report-%d", i+1) }

func sectionOf(i int, r *Report) section {
	s := section{Report: r, ID: sectionID(i), Marks: marksOf(r)}
	s.Tiles = []tile{
		{"Connections", thousands(r.Arrived), "of " + thousands(r.Clients) + " clients"},
		{"Failed connections", thousands(r.Refused + r.Lost + r.Broken),
			fmt.Sprintf("%s refused, %s lost, %s broken", thousands(r.Refused), thousands(r.Lost), thousands(r.Broken))},
		{"Greatest over mean", fmt.Sprintf("%.3f", r.Imbalance.GreatestOverMean),
			fmt.Sprintf("CV %.3f, Jain %.4f", r.Imbalance.CV, r.Imbalance.Jain)},
		{"Mean time", formatTime(r.Times.Mean), "99 % within " + formatTime(r.Times.P99)},
	}
	s.Charts = chartsOf(r, s.Marks)
	return s
}

// chartsOf returns the charts of one report.
func chartsOf(r *Report, marks []mark) (all []figure) {
	times := overSamples(r, func(_ int, p Sample) float64 { return p.At.Seconds() })
	over := func(title, note string, c lineChart) {
		c.title, c.times, c.marks = title, times, marks
		f := figure{Title: title, Note: note, SVG: c.svg()}
		if len(c.lines) > 1 {
			f.Key = keyOf(c.lines)
		}
		if len(c.band) > 0 {
			f.Note += " The area is from the least to the greatest server."
		}
		all = append(all, f)
	}
	lines, band := serverSeries(r, func(i, server int) float64 { return float64(r.Samples[i].Active[server]) })
	over("Active connections", "At the end of each part of the time.", lineChart{lines: lines, band: band, format: axisNumber})
	lines, band = serverSeries(r, func(i, server int) float64 { return perSecond(r, r.Samples[i].Connections[server], i) })
	over("New connections a second", "That the director gave to each server.", lineChart{lines: lines, band: band, format: axisNumber})
	all = append(all, shareFigure(r))
	if slices.ContainsFunc(r.Disruptions, func(d Disruption) bool { return d.Returned > 0 }) {
		all = append(all, disruptionFigure(r))
	}
	greatest := overSamples(r, func(_ int, p Sample) float64 { return p.Imbalance.GreatestOverMean })
	over("Imbalance", "Greatest over mean of the connections given in each part, by what is due; 1 is perfect.",
		lineChart{lines: []series{{"greatest over mean", "c1", greatest}}, bottom: 1, format: axisNumber})
	took := overSamples(r, func(_ int, p Sample) float64 {
		if p.Ended == 0 {
			return math.NaN()
		}
		return p.Time
	})
	over("Time that connections took", "Mean of those that ended, waiting included.",
		lineChart{lines: []series{{"mean", "c4", took}}, format: axisSeconds})
	if r.Refused+r.Lost+r.Broken > 0 {
		rate := func(of func(Sample) int) []float64 {
			return overSamples(r, func(i int, p Sample) float64 { return perSecond(r, of(p), i) })
		}
		over("Failed connections a second", "", lineChart{format: axisNumber, lines: []series{
			{"refused", "c6", rate(func(p Sample) int { return p.Refused })},
			{"lost", "c5", rate(func(p Sample) int { return p.Lost })},
			{"broken", "c4", rate(func(p Sample) int { return p.Broken })},
		}})
	}
	return all
}

func keyOf(lines []series) (key []keyEntry) {
	for _, l := range lines {
		key = append(key, keyEntry{l.name, l.class})
	}
	return key
}

// perSecond returns a number of the i-th sample as a rate.
func perSecond(r *Report, n, i int) float64 {
	length := r.Samples[i].At
	if i > 0 {
		length -= r.Samples[i-1].At
	}
	if length <= 0 {
		return 0
	}
	return float64(n) / length.Seconds()
}

func overSamples(r *Report, value func(int, Sample) float64) []float64 {
	out := make([]float64, len(r.Samples))
	for i, p := range r.Samples {
		out[i] = value(i, p)
	}
	return out
}

// linesAtMost is how many servers have a line of their own.
const linesAtMost = 8

// serverSeries returns a line for each server. For many servers it returns the area
// between the least and the greatest, their mean, and lines for those that events
// are about.
func serverSeries(r *Report, value func(sample, server int) float64) (lines, band []series) {
	of := func(server int) []float64 {
		return overSamples(r, func(i int, _ Sample) float64 { return value(i, server) })
	}
	if len(r.Servers) <= linesAtMost {
		for i, s := range r.Servers {
			lines = append(lines, series{s.Addr.String(), colour(i), of(i)})
		}
		return lines, nil
	}
	n := len(r.Samples)
	least, greatest, mean := make([]float64, n), make([]float64, n), make([]float64, n)
	for server := range r.Servers {
		for i, v := range of(server) {
			if server == 0 || v < least[i] {
				least[i] = v
			}
			greatest[i] = max(greatest[i], v)
			mean[i] += v / float64(len(r.Servers))
		}
	}
	band = []series{{"least", "", least}, {"greatest", "", greatest}}
	lines = []series{{"mean of all", "c1", mean}}
	about := make(map[string]bool)
	for _, e := range r.Workload.Events {
		about[e.server.String()] = true
	}
	for i, s := range r.Servers {
		if about[s.Addr.String()] && len(lines) < 6 {
			lines = append(lines, series{s.Addr.String(), colour(len(lines)), of(i)})
		}
	}
	return lines, band
}

// barsAtMost is how many servers or events a bar chart shows.
const barsAtMost = 12

// shareFigure shows what each server got, and what it was due.
func shareFigure(r *Report) figure {
	f := figure{Title: "Share of connections", Note: "The tick is what the server was due by weight."}
	shown := busiest(r.Servers, barsAtMost)
	if hidden := len(r.Servers) - len(shown); hidden > 0 {
		f.Note += fmt.Sprintf(" The %d busiest of %s.", len(shown), thousands(len(r.Servers)))
	}
	c := barChart{title: f.Title}
	for _, s := range shown {
		c.bars = append(c.bars, bar{
			label: s.Addr.String(), text: percent(s.Share), class: "c1", value: s.Share, target: s.Due,
			title: fmt.Sprintf("%s: %s connections, %s, due %s", s.Addr, thousands(s.Connections), percent(s.Share), percent(s.Due)),
		})
	}
	f.SVG = c.svg()
	return f
}

// disruptionFigure shows which share of clients each event moved.
func disruptionFigure(r *Report) figure {
	f := figure{
		Title: "Clients that moved",
		Note:  "Share of those who came again and got another server. The tick is the least possible; ordinary is what moves without an event.",
	}
	shown, all := movers(r.Disruptions, barsAtMost)
	if hidden := all - len(shown); hidden > 0 {
		f.Note += fmt.Sprintf(" The %d of %s events that moved most clients.", len(shown), thousands(all))
	}
	c := barChart{title: f.Title}
	for _, i := range shown {
		d := r.Disruptions[i]
		what := markName(i) + " " + moment(d.At)
		c.bars = append(c.bars,
			bar{label: what, text: percent(d.Share), class: "c2", value: d.Share, target: d.Least,
				title: fmt.Sprintf("%s %s: %s of %s moved, at least %s must", moment(d.At), strings.Join(d.Events, ", "),
					thousands(d.Moved), thousands(d.Returned), percent(d.Least))},
			bar{label: "ordinary", text: percent(d.Ordinary), class: "muted", value: d.Ordinary, target: math.NaN(),
				title: "before: " + percent(d.Ordinary)})
	}
	f.SVG = c.svg()
	return f
}

// movers returns which disruptions moved most clients, at most n of them in order of time,
// and how many there are after which clients returned.
func movers(all []Disruption, n int) (shown []int, some int) {
	for i, d := range all {
		if d.Returned > 0 {
			shown = append(shown, i)
		}
	}
	some = len(shown)
	slices.SortStableFunc(shown, func(a, b int) int { return all[b].Moved - all[a].Moved })
	shown = shown[:min(n, some)]
	slices.Sort(shown)
	return shown, some
}

func marksOf(r *Report) []mark {
	var all []mark
	for i, d := range r.Disruptions {
		all = append(all, mark{at: d.At.Seconds(), name: markName(i), title: moment(d.At) + " " + strings.Join(d.Events, ", ")})
	}
	return all
}

// markName returns A, B, … Z, 27, 28.
func markName(i int) string {
	if i < 26 {
		return string(rune('A' + i))
	}
	return fmt.Sprint(i + 1)
}
