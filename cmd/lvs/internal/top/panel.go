package top

import (
	"fmt"
	"strings"

	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

// panel returns a panel's title and the part of it that is seen.
func (m *Model) panel() (title term.Line, lines []term.Line) {
	p := m.Panel
	wrapped := wrap(p.Lines, m.Width)
	space := m.space()
	p.top = min(p.top, max(0, len(wrapped)-space))
	end := min(len(wrapped), p.top+space)
	text := p.Title
	if len(wrapped) > space {
		text += fmt.Sprintf("  lines %d to %d of %d", p.top+1, end, len(wrapped))
	}
	return term.Line{{Text: text, Attr: term.Bold}}, wrapped[p.top:end]
}

// wrap breaks lines between words, and goes on below the beginning of the text.
func wrap(lines []string, width int) (wrapped []term.Line) {
	for _, line := range lines {
		text := strings.TrimLeft(line, " ")
		indent := line[:len(line)-len(text)]
		if term.Width(line) <= width {
			wrapped = append(wrapped, term.Text(line))
			continue
		}
		for i, part := range term.Wrap(text, max(1, width-len(indent)-2)) {
			if i == 1 {
				indent += "  "
			}
			wrapped = append(wrapped, term.Text(indent+part))
		}
	}
	return wrapped
}
