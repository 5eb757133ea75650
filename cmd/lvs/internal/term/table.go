package term

import (
	"io"
	"strings"
)

// Table is text in columns.
type Table struct {
	Columns []Column
	Rows    [][]Span // a cell a column; the last columns may be left out
}

// Column is a column of a [Table].
type Column struct {
	Head  string // if all are "", no heads are written
	Right bool   // numbers stand at its right edge
	Least int    // so many cells are left if the table is too wide; 0: it is not cut
}

// Add adds a row of plain texts, which need not be clean.
func (t *Table) Add(texts ...string) {
	row := make([]Span, len(texts))
	for i, text := range texts {
		row[i].Text = Clean(text)
	}
	t.Rows = append(t.Rows, row)
}

// Write writes the table as wide as the output is.
func (t *Table) Write(w io.Writer, o Output) error {
	var b strings.Builder
	for _, l := range t.Lines(o.Width) {
		b.WriteString(l.Render(o.Style) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Lines returns the head, if there is one, and the rows. Columns are two spaces apart.
// Where the table is wider than width, unless that is 0, columns with Least become
// narrower, the widest first, and then lines are cut.
func (t *Table) Lines(width int) []Line {
	widths := t.widths()
	if width > 0 {
		t.squeeze(widths, width)
	}
	var lines []Line
	if head := t.head(); head != nil {
		lines = append(lines, t.line(head, widths))
	}
	for _, row := range t.Rows {
		lines = append(lines, t.line(row, widths))
	}
	if width > 0 {
		for i, l := range lines {
			lines[i] = l.Cut(width)
		}
	}
	return lines
}

func (t *Table) head() (row []Span) {
	for i, c := range t.Columns {
		if c.Head != "" && row == nil {
			row = make([]Span, len(t.Columns))
		}
		if row != nil {
			row[i] = Span{c.Head, Bold}
		}
	}
	return row
}

// widths returns how wide each column is when nothing is cut.
func (t *Table) widths() []int {
	widths := make([]int, len(t.Columns))
	for i, c := range t.Columns {
		widths[i] = Width(c.Head)
		for _, row := range t.Rows {
			if i < len(row) {
				widths[i] = max(widths[i], Width(row[i].Text))
			}
		}
	}
	return widths
}

// squeeze makes columns narrower until the table fits, or none can become narrower.
func (t *Table) squeeze(widths []int, width int) {
	excess := 2*(len(widths)-1) - width
	for _, w := range widths {
		excess += w
	}
	for ; excess > 0; excess-- {
		widest := -1
		for i, c := range t.Columns {
			if c.Least > 0 && widths[i] > c.Least && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		widths[widest]--
	}
}

func (t *Table) line(row []Span, widths []int) Line {
	last := len(row) - 1
	for last > 0 && row[last].Text == "" {
		last--
	}
	var l Line
	for i, cell := range row[:last+1] {
		text := Cut(cell.Text, widths[i])
		space := strings.Repeat(" ", widths[i]-Width(text))
		switch {
		case t.Columns[i].Right:
			l = append(l, Span{Text: space}, Span{text, cell.Attr})
		case i == last:
			l = append(l, Span{text, cell.Attr})
		default:
			l = append(l, Span{text, cell.Attr}, Span{Text: space})
		}
		if i < last {
			l = append(l, Span{Text: "  "})
		}
	}
	return l
}
