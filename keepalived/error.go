package keepalived

import (
	"fmt"

	"github.com/golvs/lvs"
)

// Error is a text that cannot be read. It matches [lvs.ErrInvalid].
type Error struct {
	File         string // its name, as it was given or as an include found it
	Line, Column int    // from 1; columns count bytes
	Problem      string // what is wrong, and what would be right
}

// Error returns the problem behind its place.
func (e *Error) Error() string {
	return fmt.Sprintf("keepalived: %s:%d:%d: %s", e.File, e.Line, e.Column, e.Problem)
}

// Is reports whether target is [lvs.ErrInvalid].
func (e *Error) Is(target error) bool { return target == lvs.ErrInvalid }

// place is where a text stands.
type place struct {
	file         string
	line, column int
}

func (p place) errorf(format string, args ...any) error {
	return &Error{p.file, p.line, p.column, fmt.Sprintf(format, args...)}
}

func (p place) note(keyword, format string, args ...any) Note {
	return Note{p.file, p.line, keyword, fmt.Sprintf(format, args...)}
}
