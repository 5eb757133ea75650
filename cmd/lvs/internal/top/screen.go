package top

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/golvs/lvs/cmd/lvs/internal/term"
	xterm "golang.org/x/term"
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

// Terminal is a terminal that a live view has for itself.
type Terminal struct {
	In, Out *os.File
	Screen  Screen

	cooked *xterm.State // as it was, while it is ours
}

// The control sequences that switch to another screen without a cursor, and back. A
// terminal that has one screen is left empty.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l"
	leaveScreen = "\x1b[0m\x1b[2J\x1b[H\x1b[?25h\x1b[?1049l"
)

// Enter makes the terminal ours.
func (t *Terminal) Enter() error {
	cooked, err := xterm.MakeRaw(int(t.In.Fd()))
	if err != nil {
		return fmt.Errorf("cannot read single keys from the terminal: %w; lvs top -b needs no terminal", err)
	}
	if t.cooked == nil {
		t.cooked = cooked
	}
	t.Screen.Forget()
	_, err = io.WriteString(t.Out, enterScreen)
	return err
}

// Leave gives the terminal back as it was.
func (t *Terminal) Leave() {
	if t.cooked == nil {
		return
	}
	_, _ = io.WriteString(t.Out, leaveScreen) // it may be gone
	_ = xterm.Restore(int(t.In.Fd()), t.cooked)
	t.cooked = nil
}
