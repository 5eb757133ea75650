package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Main runs the subcommand that the arguments name, the program's name first, and
// returns the exit status: 0, that of an [Exit], or 1 for any other error. A name that
// is one of a command's links runs that command.
func (p *Program) Main(ctx context.Context, env *Env, argv []string) int {
	defer env.close()
	if c := p.linked(argv[0]); c != nil {
		return p.status(ctx, env, c.run(ctx, env, nil, argv[1:]))
	}
	return p.status(ctx, env, p.run(ctx, env, argv[1:]))
}

// linked returns the command that a link to the program runs.
func (p *Program) linked(path string) *Command {
	name := strings.TrimSuffix(filepath.Base(path), ".exe")
	for _, c := range p.All() {
		if slices.Contains(c.Links, name) {
			return c
		}
	}
	return nil
}

func (p *Program) run(ctx context.Context, env *Env, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case completeName:
			return p.complete(ctx, env, args[1:])
		case "-version", "--version", "-V":
			args = append([]string{"version"}, args[1:]...)
		}
	}
	args, err := env.ground.before(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return p.help(env, nil)
	case err != nil:
		return usage{p.Name, p.Name + " help", err}
	case len(args) == 0:
		p.printOverview(env.Err)
		return Exit{Status: 1}
	}
	c := find(p.All(), args[0])
	if c == nil {
		return usage{p.Name, p.Name + " help", unknown(args[0], p.All())}
	}
	return c.run(ctx, env, []string{p.Name}, args[1:])
}

// unknown returns the error of a command that does not exist.
func unknown(name string, all []*Command) error {
	var names []string
	for _, c := range all {
		if !c.Hidden {
			names = append(names, c.Name)
		}
	}
	return fmt.Errorf("%q is not a command%s", name, DidYouMean(name, names, ""))
}

// run runs a command, whose path is the names of the commands that it belongs to.
func (c *Command) run(ctx context.Context, env *Env, path, args []string) error {
	path = append(path, c.Name)
	err := c.act(ctx, env, path, args)
	var bad UsageError
	if errors.As(err, &bad) && !errors.As(err, new(usage)) {
		return usage{strings.Join(path, " "), helpOn(path), bad.Err}
	}
	return err
}

// helpOn returns the command that prints the help on a command.
func helpOn(path []string) string {
	return strings.Join(slices.Insert(slices.Clone(path), 1, "help"), " ")
}

func (c *Command) act(ctx context.Context, env *Env, path, args []string) error {
	if c.Commands != nil {
		return c.actBelow(ctx, env, path, args)
	}
	action := c.New()
	if c.Raw {
		if c.Host && len(path) > 1 { // a link has the arguments of another program alone
			var err error
			if args, err = env.ground.leading(args); err != nil {
				return err
			}
		}
		return action.Run(ctx, env, args)
	}
	f := c.flags(env, action)
	rest, err := parse(f, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		c.printHelp(env, path)
		return nil
	case err != nil:
		return UsageError{explainFlags(f, err)}
	case !c.Host && (env.ground.demo || env.ground.netns != ""):
		return Usagef("-demo and -netns are not flags of this command")
	case env.ground.demo && env.ground.netns != "":
		return Usagef("-demo and -netns exclude each other")
	}
	if err := c.countArgs(rest); err != nil {
		return UsageError{err}
	}
	return action.Run(ctx, env, rest)
}

// actBelow runs a subcommand of the command.
func (c *Command) actBelow(ctx context.Context, env *Env, path, args []string) error {
	args, err := env.ground.before(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		c.printHelp(env, path)
		return nil
	case err != nil:
		return UsageError{err}
	case len(args) == 0:
		return Usagef("a command is missing: %s", Or(namesOf(c.Commands)))
	}
	below := find(c.Commands, args[0])
	if below == nil {
		return UsageError{unknown(args[0], c.Commands)}
	}
	return below.run(ctx, env, path, args[1:])
}

// namesOf returns the names of the commands that are listed.
func namesOf(all []*Command) (names []string) {
	for _, c := range all {
		if !c.Hidden {
			names = append(names, c.Name)
		}
	}
	return names
}
