package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
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

// Main runs the subcommand that the arguments name, the program's name first, and
// returns the exit status: 0, that of an [Exit], or 1 for any other error.
func (p *Program) Main(ctx context.Context, env *Env, argv []string) int {
	err := p.run(ctx, env, argv[1:])
	env.close()
	var exit Exit
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &exit):
		if exit.Err != nil {
			fmt.Fprintf(env.Err, "%s: %v\n", p.Name, exit.Err)
		}
		return exit.Status
	}
	fmt.Fprintf(env.Err, "%s: %v\n", p.Name, err)
	return 1
}

func (p *Program) run(ctx context.Context, env *Env, args []string) error {
	if len(args) == 0 {
		return Usagef("a command is missing")
	}
	c := find(p.Commands, args[0])
	if c == nil {
		return Usagef("%q is not a command", args[0])
	}
	return c.run(ctx, env, args[1:])
}

func (c *Command) run(ctx context.Context, env *Env, args []string) error {
	action := c.New()
	if c.Raw {
		return action.Run(ctx, env, args)
	}
	f := flag.NewFlagSet(c.Name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	if c.Host {
		env.ground.flags(f)
	}
	action.Flags(f)
	rest, err := parse(f, args)
	if err != nil {
		return UsageError{err}
	}
	return action.Run(ctx, env, rest)
}

// parse reads flags that may stand before, between and behind the arguments, which it
// returns. All that follows "--" are arguments.
func parse(f *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := f.Parse(args); err != nil {
			return nil, err
		}
		left := f.Args()
		if len(left) == 0 {
			return rest, nil
		}
		if n := len(args) - len(left); n > 0 && args[n-1] == "--" {
			return append(rest, left...), nil
		}
		rest, args = append(rest, left[0]), left[1:]
	}
}
