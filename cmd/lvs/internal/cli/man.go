package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
)

// manCommand prints the man page.
func (p *Program) manCommand() *Command {
	return &Command{
		Name: "man", Brief: "print the man page",
		Doc: "It is for man(1):\n\n    " + p.Name + " man > /usr/local/share/man/man8/" + p.Name + ".8",
		New: func() Action {
			return plainAction(func(_ context.Context, env *Env, _ []string) error {
				_, err := io.WriteString(env.Out, p.man())
				return err
			})
		},
	}
}

// manDate is when the parts of the man page that are below were last changed.
const manDate = "2026-11-27"

// man returns the man page.
func (p *Program) man() string {
	m := &page{}
	m.line(".TH " + strings.ToUpper(p.Name) + " 8 " + manDate + " " + p.Name)
	m.macro("SH", "NAME")
	m.line(p.Name + ` \- ` + escape(p.Brief))
	m.macro("SH", "SYNOPSIS")
	m.macro("B", p.Name)
	m.line("COMMAND [FLAGS] [ARGUMENTS]")
	m.macro("SH", "DESCRIPTION")
	m.text(p.Doc)
	for _, g := range p.groups() {
		m.macro("SH", strings.ToUpper(g.Name))
		for _, c := range g.Commands {
			m.command(c, []string{p.Name})
		}
	}
	m.macro("SH", "EXIT STATUS")
	m.line(fmt.Sprintf("0 for success, 1 for an error, %d if it was interrupted, or what a command's description says.", interrupted))
	m.macro("SH", "ENVIRONMENT")
	m.macro("TP")
	m.macro("B", "NO_COLOR")
	m.line("If it is set, nothing is coloured. Colours appear only on a terminal.")
	m.macro("SH", "SEE ALSO")
	m.line(`ipvsadm(8), ip\-netns(8)`)
	return m.String()
}

// page is a man page in the macros of man(7).
type page struct{ strings.Builder }

func (m *page) line(text string) { m.WriteString(text + "\n") }

func (m *page) macro(name string, args ...string) {
	m.WriteString("." + name)
	for _, a := range args {
		m.WriteString(` "` + strings.ReplaceAll(escape(a), `"`, `\(dq`) + `"`)
	}
	m.WriteString("\n")
}

// text writes paragraphs. Those that are indented stay as they are.
func (m *page) text(doc string) {
	for i, part := range strings.Split(strings.TrimSpace(doc), "\n\n") {
		if i > 0 {
			m.macro("PP")
		}
		if !strings.HasPrefix(part, "    ") {
			m.lines(part)
			continue
		}
		m.macro("RS", "4")
		m.macro("nf")
		m.lines(part)
		m.macro("fi")
		m.macro("RE")
	}
}

func (m *page) lines(text string) {
	for _, line := range strings.Split(text, "\n") {
		m.line(escape(strings.TrimPrefix(line, "    ")))
	}
}

// command writes a command and those below it.
func (m *page) command(c *Command, path []string) {
	if c.Hidden {
		return
	}
	path = append(path[:len(path):len(path)], c.Name)
	m.macro("SS", c.synopsis(path))
	m.line(escape(sentence(c.Brief)))
	if c.Doc != "" {
		m.macro("PP")
		m.text(c.Doc)
	}
	for _, f := range c.described() {
		m.macro("TP")
		m.macro("B", flagHead(f))
		m.line(escape(sentence(flagUsage(f))))
	}
	if len(c.Statuses) > 0 {
		m.macro("PP")
		m.line(escape("Exit status: " + c.statusText() + "."))
	}
	for _, below := range c.Commands {
		m.command(below, path)
	}
}

// sentence returns a phrase as a sentence.
func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}

// escape returns text without characters that mean something to roff.
func escape(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		return `\&` + text
	}
	return text
}
