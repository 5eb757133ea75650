package main

import (
	"fmt"
	"strings"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

// plan writes a plan as a diff. Notes are folded to the width of the terminal.
func (t *prose) plan(plan lvs.TablePlan) {
	for line := range strings.SplitSeq(plan.String(), "\n") {
		if note, ok := strings.CutPrefix(line, "    "); ok {
			t.text(term.Span{Text: "    "}, note, term.Dim)
			continue
		}
		var a term.Attr
		switch line[:min(1, len(line))] {
		case "+":
			a = term.Green
		case "-":
			a = term.Red
		case "~", "#":
			a = term.Yellow
		}
		t.line(term.Span{Text: line, Attr: a})
	}
}

// comment writes a sentence that is not part of the plan.
func (t *prose) comment(text string) {
	t.text(term.Span{Text: "# ", Attr: term.Yellow}, text, term.Yellow)
}

// leftOut names what a save file of ipvsadm has besides the table.
func (t *prose) leftOut(w wanted) {
	if w.file.Timeouts != (lvs.Timeouts{}) || len(w.file.SyncDaemons) > 0 {
		t.comment("the timeouts and sync daemons of " + w.name + " are not part of a plan: 'lvs restore' sets them")
	}
}

// effect writes what a plan does to the clients of a host, or why that is not known.
func (t *prose) effect(e lvs.TableEffect, err error) {
	t.line()
	if err != nil {
		t.comment(fmt.Sprintf("what it does to the clients of now is not known: %v", err))
		return
	}
	for line := range strings.SplitSeq(e.String(), "\n") {
		rest := strings.TrimLeft(line, " ")
		t.text(term.Span{Text: strings.Repeat(" ", len(line)-len(rest))}, rest, 0)
	}
}
