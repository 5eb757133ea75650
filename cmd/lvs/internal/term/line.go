package term

import "strings"

// Span is a text that looks the same from its beginning to its end.
type Span struct {
	Text string // clean, see [Clean]
	Attr Attr
}

// Line is what stands in one line of the output.
type Line []Span

// Text returns a line without attributes.
func Text(text string) Line { return Line{{Text: text}} }

// Width returns how many cells the line fills.
func (l Line) Width() int {
	n := 0
	for _, s := range l {
		n += Width(s.Text)
	}
	return n
}

// Cut returns the line so that it fills at most so many cells; see the function of this
// name.
func (l Line) Cut(width int) Line {
	if l.Width() <= width {
		return l
	}
	var short Line
	for _, s := range l {
		w := Width(s.Text)
		if w >= width { // even if it fits: there is more that does not
			s.Text = Cut(s.Text+" ", width)
			return append(short, s)
		}
		short = append(short, s)
		width -= w
	}
	return short
}

// Pad returns the line with spaces behind it, up to so many cells.
func (l Line) Pad(width int, a Attr) Line {
	n := width - l.Width()
	if n <= 0 {
		return l
	}
	return append(l[:len(l):len(l)], Span{strings.Repeat(" ", n), a})
}

// With returns the line with further attributes on all of it.
func (l Line) With(a Attr) Line {
	line := make(Line, len(l))
	for i, s := range l {
		line[i] = Span{s.Text, s.Attr | a}
	}
	return line
}

// Render returns the line as it is written.
func (l Line) Render(s Style) string {
	var b strings.Builder
	for _, span := range l {
		b.WriteString(s.Paint(span.Attr, span.Text))
	}
	return b.String()
}

// String returns the text alone.
func (l Line) String() string { return l.Render(Style{}) }
