package main

import (
	"encoding/json"
	"io"
	"strings"

	"github.com/golvs/lvs/cmd/lvs/internal/cli"
	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

// prose writes sentences, which are as wide as the terminal lets them be, and at most as
// wide as people like to read.
type prose struct {
	b   strings.Builder
	out term.Output
}

const proseWidth = 120

func newProse(env *cli.Env) *prose {
	p := &prose{out: term.Inspect(env.Out, env.Getenv)}
	p.out.Width = min(p.out.Width, proseWidth)
	return p
}

// line writes spans as they are. The texts need not be clean.
func (p *prose) line(spans ...term.Span) {
	for i := range spans {
		spans[i].Text = term.Clean(spans[i].Text)
	}
	p.b.WriteString(term.Line(spans).Render(p.out.Style) + "\n")
}

// text writes a text in lines behind a label. Further lines are below the first.
func (p *prose) text(label term.Span, text string, a term.Attr) {
	indent := term.Width(label.Text)
	for _, line := range term.Wrap(term.Clean(text), p.room(indent)) {
		p.line(label, term.Span{Text: line, Attr: a})
		label = term.Span{Text: strings.Repeat(" ", indent)}
	}
}

// room returns how many cells are left beside an indent, 0 for any number.
func (p *prose) room(indent int) int {
	if p.out.Width == 0 {
		return 0
	}
	return max(20, p.out.Width-indent)
}

// flush writes everything.
func (p *prose) flush(w io.Writer) error {
	_, err := io.WriteString(w, p.b.String())
	return err
}

// writeJSON writes a value in indented JSON.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
