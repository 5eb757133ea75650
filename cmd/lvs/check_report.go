package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

// writeReport prints a report without what is less bad than least, and returns the exit
// status of what is left.
func writeReport(env *cli.Env, r lvs.Report, least lvs.Severity, asJSON bool) error {
	notChecked := len(r.Unchecked)
	r.Findings = slices.DeleteFunc(r.Findings, func(f lvs.Finding) bool { return isLess(f.Severity, least) })
	if least != lvs.SeverityUnknown {
		r.Unchecked = nil
	}
	var err error
	if asJSON {
		err = writeJSON(env.Out, r)
	} else {
		p := newProse(env)
		p.report(r, least, notChecked)
		err = p.flush(env.Out)
	}
	if err != nil {
		return err
	}
	switch {
	case countSeverity(r.Findings, lvs.SeverityBroken) > 0:
		return cli.Exit{Status: statusBroken}
	case len(r.Findings) > 0:
		return cli.Exit{Status: statusRisk}
	}
	return nil
}

// isLess reports whether a severity is less bad than another.
func isLess(s, than lvs.Severity) bool {
	return slices.Index(severities, s) > slices.Index(severities, than)
}

func countSeverity(all []lvs.Finding, s lvs.Severity) (n int) {
	for _, f := range all {
		if f.Severity == s {
			n++
		}
	}
	return n
}

func (p *prose) report(r lvs.Report, least lvs.Severity, notChecked int) {
	name := r.Host
	if name == "" {
		name = "this host"
	}
	p.line(term.Span{Text: name + ": ", Attr: term.Bold}, summarySpan(r, least))
	for _, f := range r.Findings {
		p.line()
		p.finding(f)
	}
	if len(r.Unchecked) > 0 {
		p.line()
		p.line(term.Span{Text: "Not checked:", Attr: term.Bold})
		p.notChecked(r.Unchecked)
		if slices.ContainsFunc(r.Unchecked, func(f lvs.Finding) bool { return f.Code == lvs.FindingRealServer }) {
			p.line()
			p.text(term.Span{}, "'lvs check -state' prints on another host what -peer reads here.", 0)
		}
	} else if notChecked > 0 {
		p.line()
		p.line(term.Span{Text: fmt.Sprintf("%d things could not be checked; -severity unknown lists them", notChecked)})
	}
}

// summarySpan says how the host is.
func summarySpan(r lvs.Report, least lvs.Severity) term.Span {
	broken := countSeverity(r.Findings, lvs.SeverityBroken)
	risks := len(r.Findings) - broken
	var words []string
	if broken > 0 {
		words = append(words, fmt.Sprintf("%d broken", broken))
	}
	if risks == 1 {
		words = append(words, "1 risk")
	} else if risks > 1 {
		words = append(words, fmt.Sprintf("%d risks", risks))
	}
	switch {
	case broken > 0:
		return term.Span{Text: strings.Join(words, ", "), Attr: term.Red | term.Bold}
	case risks > 0:
		return term.Span{Text: words[0], Attr: term.Magenta | term.Bold}
	case least == lvs.SeverityBroken:
		return term.Span{Text: "nothing is broken in what could be checked", Attr: term.Bold}
	case r.OK():
		return term.Span{Text: "nothing wrong was found", Attr: term.Bold}
	}
	return term.Span{Text: "nothing wrong was found in what could be checked", Attr: term.Bold}
}

// finding writes what is wrong, why that matters, and what fixes it. Commands stay in one
// line, so that they can be copied.
func (p *prose) finding(f lvs.Finding) {
	a := term.Magenta
	if f.Severity == lvs.SeverityBroken {
		a = term.Red
	}
	where := ""
	if f.Host != "" {
		where = " on " + f.Host
	}
	p.line(term.Span{Text: string(f.Severity), Attr: a | term.Bold}, term.Span{Text: "  " + string(f.Code) + where, Attr: term.Bold})
	p.text(term.Span{Text: "  "}, f.Detail, 0)
	p.text(label("why"), f.Why, 0)
	for _, command := range f.Commands {
		p.line(label("run"), term.Span{Text: command})
	}
	for _, r := range f.Fix {
		p.line(label("fix"), term.Span{Text: r.Want.String()})
	}
	for _, ch := range f.Changes {
		p.line(label("fix"), term.Span{Text: ch.String()})
	}
	if f.Advice != "" {
		p.text(label("advice"), f.Advice, 0)
	}
}

func label(text string) term.Span {
	return term.Span{Text: term.Pad("  "+text, 10, false), Attr: term.Dim}
}

// notChecked writes what could not be seen, in two columns.
func (p *prose) notChecked(all []lvs.Finding) {
	widest := 0
	for _, f := range all {
		widest = max(widest, len(f.Code))
	}
	for _, f := range all {
		p.text(term.Span{Text: term.Pad("  "+string(f.Code), widest+4, false), Attr: term.Dim}, f.Advice, 0)
	}
}
