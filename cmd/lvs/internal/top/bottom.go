package top

import (
	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

// bottom is the line of the prompt, of the outcome of an action, or of the keys.
func (m *Model) bottom() term.Line {
	switch failures := m.failures(); {
	case m.Prompt != nil:
		return m.Prompt.line(m.Width)
	case m.Notice != "":
		return term.Line{{Text: m.Notice, Attr: term.Bold}}
	case failures != nil && m.Height < lowScreen:
		return term.Line{{Text: failures[0], Attr: term.Bold | term.Red}}
	case m.Panel != nil:
		return m.keys("Esc", "close", "arrows", "scroll", "e", "explain")
	}
	return m.keys("q", "quit", "?", "help", "e", "explain", "d", "drain", "w", "weight", "s", "sort", "f", "filter", "Enter", "fold", "p", "pause")
}

// keys says what keys do, as far as there is space for it.
func (m *Model) keys(words ...string) (l term.Line) {
	for i := 0; i < len(words); i += 2 {
		next := append(l, term.Span{Text: words[i], Attr: term.Bold}, term.Span{Text: " " + words[i+1] + "  "})
		if next.Width() > m.Width+2 {
			break
		}
		l = next
	}
	return l
}

// line is the prompt with its input, of which the end is seen.
func (p *Prompt) line(width int) term.Line {
	input := term.Clean(string(p.Input))
	for room := width - term.Width(p.Text) - 1; term.Width(input) > max(0, room) && input != ""; {
		input = string([]rune(input)[1:])
	}
	return term.Line{{Text: p.Text, Attr: term.Bold}, {Text: input}, {Text: "_", Attr: term.Reverse}}
}
