package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

// Exit is the error of a command that ends with an exit status of its own. Err is
// printed, if it is there.
type Exit struct {
	Status int
	Err    error
}

func (e Exit) Error() string { return fmt.Sprintf("exit status %d: %v", e.Status, e.Err) }

// Unwrap returns Err.
func (e Exit) Unwrap() error { return e.Err }

// UsageError is the error of arguments that a command cannot understand.
type UsageError struct{ Err error }

func (e UsageError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e UsageError) Unwrap() error { return e.Err }

// Usagef returns a UsageError.
func Usagef(format string, args ...any) error { return UsageError{fmt.Errorf(format, args...)} }

// usage is a UsageError of a command whose name is known.
type usage struct {
	command, help string
	err           error
}

func (u usage) Error() string {
	end := "."
	if strings.HasSuffix(u.err.Error(), "?") {
		end = ""
	}
	return fmt.Sprintf("%s: %v%s Run '%s'.", u.command, u.err, end, u.help)
}

func (u usage) Unwrap() error { return u.err }

// interrupted is the exit status of a command that was interrupted, as shells have it.
const interrupted = 130

// status prints an error and returns the exit status.
func (p *Program) status(ctx context.Context, env *Env, err error) int {
	var exit Exit
	status := 1
	if errors.As(err, &exit) {
		status, err = exit.Status, exit.Err
	}
	switch {
	case err == nil && exit.Status != 0:
		return status
	case err == nil:
		return 0
	case errors.Is(err, syscall.EPIPE): // the reader of the output has ended, and so does this
		return status
	case ctx.Err() != nil && errors.Is(err, context.Canceled) && exit.Status == 0:
		fmt.Fprintf(env.Err, "%s: interrupted\n", p.Name)
		return interrupted
	}
	fmt.Fprintln(env.Err, term.CleanLines(p.text(err)+env.advice(err)))
	return status
}

// text returns an error with the program's name before it, and nowhere else.
func (p *Program) text(err error) string {
	text := strings.ReplaceAll(err.Error(), ": "+p.Name+": ", ": ")
	if strings.HasPrefix(text, p.Name+": ") || errors.As(err, new(usage)) {
		return text
	}
	return p.Name + ": " + text
}

// advice returns what else to do about an error of the real host.
func (e *Env) advice(err error) string {
	switch {
	case !e.ground.tried || strings.Contains(err.Error(), "\n"): // it began, and says what to do
		return ""
	case errors.Is(err, lvs.ErrPermission):
		return ". Run it as root, or with -demo on a simulated kernel."
	case errors.Is(err, lvs.ErrUnavailable):
		return ". With -demo it runs on a simulated kernel."
	}
	return ""
}
