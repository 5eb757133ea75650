package main

import (
	"fmt"
	"strings"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

// plan writes a plan as a diff. Notes are folded to the width of the terminal.
func (p *prose) plan(plan lvs.TablePlan) {
	for line := range strings.SplitSeq(plan.String(), "\n") {
		if note, ok := strings.CutPrefix(line, "    "); ok {
			p.text(term.Span{Text: "    "}, note, term.Dim)
			continue
		}
		var a term.Attr
		switch line[:min(1, len(line))] {
		case "+":
			a = term.Bold
		case "-":
			a = term.Red
		case "~", "#":
			a = term.Magenta
		}
		p.line(term.Span{Text: line, Attr: a})
	}
}

// comment writes a sentence that is not part of the plan.
func (p *prose) comment(text string) {
	p.text(term.Span{Text: "# ", Attr: term.Magenta}, text, term.Magenta)
}

// leftOut names what a file has besides the table.
func (p *prose) leftOut(w wanted) {
	if w.file.Timeouts != (lvs.Timeouts{}) || len(w.file.SyncDaemons) > 0 {
		p.comment("the timeouts and sync daemons of " + w.name + " are not part of a plan: 'lvs restore' sets them")
	}
	if len(w.file.Health) > 0 {
		p.comment("the checks of " + w.name + " are not part of a plan: 'lvs run' makes them")
	}
	if len(w.file.Hooks) > 0 {
		p.comment("the hooks of " + w.name + " are not part of a plan: 'lvs run' runs them")
	}
	for _, note := range w.file.Notes {
		p.comment(note.String())
	}
}

// effect writes what a plan does to the clients of a host, or why that is not known.
func (p *prose) effect(e lvs.TableEffect, err error) {
	p.line()
	if err != nil {
		p.comment(fmt.Sprintf("what it does to the clients of now is not known: %v", err))
		return
	}
	for line := range strings.SplitSeq(e.String(), "\n") {
		rest := strings.TrimLeft(line, " ")
		p.text(term.Span{Text: strings.Repeat(" ", len(line)-len(rest))}, rest, 0)
	}
}
