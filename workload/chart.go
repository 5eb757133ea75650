package workload

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"slices"
	"strings"
	"time"
)

// Charts are SVG. Colours come from the page by class, so that they follow its
// colour scheme.

// The size of a chart and the margins around its plot, in units of its own.
const (
	chartWidth, chartHeight  = 560.0, 250.0
	marginLeft, marginRight  = 52.0, 14.0
	marginTop, marginBottom  = 26.0, 30.0
	plotWidth                = chartWidth - marginLeft - marginRight
	plotHeight               = chartHeight - marginTop - marginBottom
	barHeight, barLabelWidth = 22.0, 168.0
)

// series is a line of a chart. It has a value for each of the chart's times; NaN
// is a gap.
type series struct {
	name   string
	class  string // its colour
	values []float64
}

// mark is a moment with a name.
type mark struct {
	at    float64 // seconds
	name  string  // a letter
	title string
	more  int // marks that are drawn as one with it
}

// markWidth is the least distance of two marks that can be told apart.
const markWidth = 16.0

// titlesAtMost is how many titles of marks that are drawn as one are shown.
const titlesAtMost = 10

// distinct returns the marks to draw: those too close to one before are drawn as one with
// it.
func (c *lineChart) distinct() (all []mark) {
	for _, m := range c.marks {
		n := len(all)
		if n == 0 || c.x(m.at)-c.x(all[n-1].at) >= markWidth {
			all = append(all, m)
			continue
		}
		first := &all[n-1]
		if first.more++; first.more < titlesAtMost {
			first.title += "\n" + m.title
		}
	}
	for i := range all {
		m := &all[i]
		if m.more > 0 {
			m.name += "…"
		}
		if hidden := m.more + 1 - titlesAtMost; hidden > 0 {
			m.title += fmt.Sprintf("\nand %d more", hidden)
		}
	}
	return all
}

// lineChart shows values over time.
type lineChart struct {
	title  string
	times  []float64 // seconds, the ends of the samples
	lines  []series
	band   []series // none, or two: the lower and upper edge of an area
	marks  []mark
	bottom float64 // what the horizontal axis stands for
	format func(float64) string
}

// top returns the upper end of the vertical axis, and the distance of its lines.
func (c *lineChart) top() (top, step float64) {
	greatest := c.bottom
	for _, s := range slices.Concat(c.lines, c.band) {
		for _, v := range s.values {
			if v > greatest { // not so for NaN
				greatest = v
			}
		}
	}
	height := greatest - c.bottom
	if c.bottom > 0 {
		height = max(height, c.bottom/10) // or noise would look like mountains
	}
	step = niceStep(height, 4)
	return c.bottom + max(1, math.Ceil(height/step-1e-9))*step, step
}

// niceStep returns a distance such as 1, 2 or 5, of which about n make the whole.
func niceStep(whole float64, n int) float64 {
	if !(whole > 0) {
		return 1
	}
	raw := whole / float64(n)
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, f := range []float64{1, 2, 2.5, 5} {
		if raw <= f*power*(1+1e-9) {
			return f * power
		}
	}
	return 10 * power
}

// niceTime returns a distance of time, of which at most n make the whole.
func niceTime(whole float64, n int) float64 {
	for _, step := range []float64{
		1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 432000, 864000,
	} {
		if whole/step <= float64(n) {
			if whole < 4 {
				break
			}
			return step
		}
	}
	return niceStep(whole, n)
}

func (c *lineChart) end() float64 { return c.times[len(c.times)-1] }

func (c *lineChart) x(at float64) float64 { return marginLeft + plotWidth*at/c.end() }

// y leaves what is below the axis on it.
func (c *lineChart) y(v, top float64) float64 {
	return marginTop + plotHeight*(1-max(0, v-c.bottom)/(top-c.bottom))
}

func (c *lineChart) svg() template.HTML {
	if len(c.times) == 0 || c.end() <= 0 {
		return ""
	}
	var b svg
	top, step := c.top()
	b.open(chartHeight, c.title)
	for v := c.bottom; v <= top+step/2; v += step {
		y := c.y(v, top)
		b.line("grid", marginLeft, y, chartWidth-marginRight, y)
		b.text("axis end", marginLeft-8, y+4, c.format(v))
	}
	step = niceTime(c.end(), 8)
	for at := 0.0; at <= c.end()*(1+1e-9); at += step {
		b.text("axis middle", c.x(at), chartHeight-10, axisTime(at))
	}
	if len(c.band) == 2 {
		b.path("band", c.outline(c.band[0], c.band[1], top)+"Z", "")
	}
	for _, s := range c.lines {
		b.path("curve "+s.class, c.curve(s, top), s.name)
	}
	for _, m := range c.distinct() {
		x := c.x(m.at)
		b.printf(`<g class="mark"><title>%s</title>`, html.EscapeString(m.title))
		b.line("", x, marginTop-6, x, chartHeight-marginBottom)
		b.text("middle", x, marginTop-11, m.name)
		b.printf("</g>")
	}
	c.hover(&b)
	return b.close()
}

// curve returns the path of a line.
func (c *lineChart) curve(s series, top float64) string {
	var b strings.Builder
	pen := "M"
	for i, v := range s.values {
		if math.IsNaN(v) {
			pen = "M"
			continue
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", pen, c.x(c.times[i]), c.y(v, top))
		pen = "L"
	}
	return b.String()
}

// outline returns the path around the area between two lines.
func (c *lineChart) outline(lower, upper series, top float64) string {
	there := c.curve(upper, top)
	var b strings.Builder
	for i := len(lower.values) - 1; i >= 0; i-- {
		fmt.Fprintf(&b, "L%.1f %.1f", c.x(c.times[i]), c.y(lower.values[i], top))
	}
	return there + b.String()
}

// hover shows the values of a time when the pointer is there.
func (c *lineChart) hover(b *svg) {
	const hovered = 240 // more would be narrower than what one can point at
	every := (len(c.times) + hovered - 1) / hovered
	from := marginLeft
	for i := every - 1; i < len(c.times); i += every {
		var text strings.Builder
		fmt.Fprintf(&text, "at %s", axisTime(c.times[i]))
		for _, s := range slices.Concat(c.lines, c.band) {
			if !math.IsNaN(s.values[i]) {
				fmt.Fprintf(&text, "\n%s: %s", s.name, c.format(s.values[i]))
			}
		}
		to := c.x(c.times[i])
		b.printf(`<rect class="hover" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%s</title></rect>`,
			from, marginTop, to-from, plotHeight, html.EscapeString(text.String()))
		from = to
	}
}

// bar is a line of a bar chart.
type bar struct {
	label, text, title string
	class              string
	value              float64
	target             float64 // where a tick stands; NaN: none
}

// barChart shows values from the left to the right.
type barChart struct {
	title string
	bars  []bar
}

func (c *barChart) svg() template.HTML {
	greatest := 0.0
	for _, r := range c.bars {
		greatest = max(greatest, r.value)
		if r.target > greatest {
			greatest = r.target
		}
	}
	if greatest == 0 {
		greatest = 1
	}
	const valueWidth = 64
	scale := (chartWidth - barLabelWidth - valueWidth - marginRight) / greatest
	var b svg
	b.open(float64(len(c.bars))*barHeight+8, c.title)
	for i, r := range c.bars {
		y := float64(i)*barHeight + 4
		b.printf(`<g><title>%s</title>`, html.EscapeString(r.title))
		b.text("label end", barLabelWidth-8, y+barHeight/2+4, r.label)
		width := max(0, r.value*scale)
		b.printf(`<rect class="bar %s" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="2"/>`,
			r.class, barLabelWidth, y+3, max(width, 0.5), barHeight-6)
		right := width
		if !math.IsNaN(r.target) {
			x := r.target * scale
			b.line("target", barLabelWidth+x, y+0.5, barLabelWidth+x, y+barHeight-0.5)
			if x < right+valueWidth { // no room for the text before it
				right = max(right, x)
			}
		}
		b.text("value", barLabelWidth+right+7, y+barHeight/2+4, r.text)
		b.printf("</g>")
	}
	return b.close()
}

// svg is a drawing that is being made.
type svg struct{ strings.Builder }

func (b *svg) printf(format string, args ...any) { fmt.Fprintf(b, format, args...) }

func (b *svg) open(height float64, title string) {
	b.printf(`<svg viewBox="0 0 %g %g" role="img" aria-label="%s">`, chartWidth, height, html.EscapeString(title))
}

func (b *svg) line(class string, x1, y1, x2, y2 float64) {
	b.printf(`<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, class, x1, y1, x2, y2)
}

func (b *svg) text(class string, x, y float64, text string) {
	b.printf(`<text class="%s" x="%.1f" y="%.1f">%s</text>`, class, x, y, html.EscapeString(text))
}

func (b *svg) path(class, d, name string) {
	b.printf(`<path class="%s" d="%s" data-name="%s"/>`, class, d, html.EscapeString(name))
}

func (b *svg) close() template.HTML {
	b.printf("</svg>")
	return template.HTML(b.String()) // all text in it is escaped
}

// axisTime returns seconds as people say it: 0, 1.5s, 40s, 1m20s, 2h.
func axisTime(s float64) string {
	d := seconds(s).Round(time.Millisecond)
	if d == 0 {
		return "0"
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// axisNumber returns a number as short as it can be read.
func axisNumber(v float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e4, "k"}} {
		if v >= unit.size {
			if unit.name == "k" {
				unit.size = 1e3
			}
			return formatFloat(math.Round(v/unit.size*100)/100) + unit.name
		}
	}
	if v >= 1 {
		return formatFloat(math.Round(v*1000) / 1000)
	}
	return fmt.Sprintf("%.3g", v)
}

// axisSeconds returns seconds for an axis.
func axisSeconds(s float64) string {
	if s == 0 {
		return "0"
	}
	return formatTime(s)
}
