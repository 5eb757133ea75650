package top

import (
	"fmt"
	"io"
	"os"

	"github.com/golvs/lvs/cmd/lvs/internal/term"
	xterm "golang.org/x/term"
)

// Terminal is a terminal that a live view can have for itself.
type Terminal interface {
	io.ReadWriter // of keys, and of what is shown

	// Enter makes the terminal send single keys, and switches to an empty screen.
	Enter() error

	// Leave gives the terminal back as it was before Enter, if that was called.
	Leave()

	// Size returns the columns and lines.
	Size() (width, height int)
}

// FileTerminal returns the terminal of two files.
func FileTerminal(in, out *os.File) Terminal { return &fileTerminal{in: in, out: out} }

type fileTerminal struct {
	in, out *os.File
	cooked  *xterm.State // as it was, while it is ours
}

// The control sequences that switch to another screen without a cursor, and back. A
// terminal that has one screen is left empty.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l"
	leaveScreen = "\x1b[0m\x1b[2J\x1b[H\x1b[?25h\x1b[?1049l"
)

func (t *fileTerminal) Enter() error {
	cooked, err := xterm.MakeRaw(int(t.in.Fd()))
	if err != nil {
		return fmt.Errorf("cannot read single keys from the terminal: %w; lvs top -b needs no terminal", err)
	}
	if t.cooked == nil {
		t.cooked = cooked
	}
	_, err = io.WriteString(t.out, enterScreen)
	return err
}

func (t *fileTerminal) Leave() {
	if t.cooked == nil {
		return
	}
	_, _ = io.WriteString(t.out, leaveScreen) // it may be gone
	_ = xterm.Restore(int(t.in.Fd()), t.cooked)
	t.cooked = nil
}

func (t *fileTerminal) Read(b []byte) (int, error) { return t.in.Read(b) }

func (t *fileTerminal) Write(b []byte) (int, error) { return t.out.Write(b) }

func (t *fileTerminal) Size() (width, height int) { return term.Size(t.out) }
