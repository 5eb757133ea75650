package healthtest

import (
	"fmt"

	"github.com/golvs/lvs"
)

// InvalidError is the error of a value that can never work. It matches
// [lvs.ErrInvalid].
type InvalidError struct {
	Field   string // as Go names it, such as "Script[1].At"
	Problem string // what is wrong with it, and what would be right
}

// Error returns the field and what is wrong with it.
func (e *InvalidError) Error() string { return "healthtest: " + e.Field + ": " + e.Problem }

// Is reports whether target is [lvs.ErrInvalid].
func (e *InvalidError) Is(target error) bool { return target == lvs.ErrInvalid }

func invalid(field, format string, args ...any) error {
	return &InvalidError{field, fmt.Sprintf(format, args...)}
}
