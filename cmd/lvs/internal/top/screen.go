package top

import (
	"fmt"
	"io"
	"strings"

	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

// Screen writes frames to a terminal: of each, the lines that differ from those before.
type Screen struct {
	W     io.Writer
	Style term.Style

	width int
	lines []string // on the screen; nil: what is on it is not known
}

// Show makes the screen show lines, each at most so wide.
func (s *Screen) Show(lines []term.Line, width int) error {
	var b strings.Builder
	if s.lines == nil || s.width != width || len(s.lines) != len(lines) {
		b.WriteString("\x1b[0m\x1b[2J")
		s.lines, s.width = make([]string, len(lines)), width
	}
	for i, l := range lines {
		text := l.Render(s.Style)
		if text == s.lines[i] {
			continue
		}
		fmt.Fprintf(&b, "\x1b[%d;1H%s", i+1, text)
		if l.Width() < width { // after the last cell, the cursor is still on it
			b.WriteString("\x1b[K")
		}
		s.lines[i] = text
	}
	if b.Len() == 0 {
		return nil
	}
	_, err := io.WriteString(s.W, b.String())
	return err
}

// Forget makes the next frame write all lines.
func (s *Screen) Forget() { s.lines = nil }
