// Package term writes text for people: in colours on a terminal and without elsewhere,
// in tables that fit, and with control characters of outside data made harmless.
package term

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Output is what is known of the place that output goes to.
type Output struct {
	IsTerminal bool
	Width      int   // cells in a line; 0: as many as there are
	Height     int   // lines; 0: not known
	Style      Style // colours only on a terminal that wants them
}

// Inspect returns what is known of w. Only a file can be a terminal. NO_COLOR turns
// colours off, and so does TERM=dumb.
func Inspect(w io.Writer, getenv func(name string) string) Output {
	var o Output
	file, ok := w.(*os.File)
	if !ok || !IsTerminal(file) {
		return o
	}
	o.IsTerminal = true
	o.Width, o.Height = Size(file)
	o.Style.colours = getenv("NO_COLOR") == "" && !IsDumb(getenv)
	return o
}

// IsTerminal reports whether a file is a terminal.
func IsTerminal(file *os.File) bool { return term.IsTerminal(int(file.Fd())) }

// IsDumb reports whether the terminal understands no control sequences.
func IsDumb(getenv func(name string) string) bool { return getenv("TERM") == "dumb" }

// Size returns the columns and lines of a terminal: 80 and 24 if it does not know, as a
// serial line does not.
func Size(file *os.File) (width, height int) {
	width, height, err := term.GetSize(int(file.Fd()))
	if err != nil || width <= 0 || height <= 0 {
		return 80, 24
	}
	return width, height
}
