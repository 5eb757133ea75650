package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"
)

// completeName is the hidden command that the scripts of shells run. Its arguments are
// the words of the command line behind the program's name; the last one is to be
// completed, and may be empty. It prints a candidate a line, which may have a
// description behind a tab, or [Files].
const completeName = "__complete"

// completeTime is how long a completion may take. A shell waits for it, and an interrupt
// ends it earlier.
const completeTime = 10 * time.Second

// complete prints what the last word may be. It says nothing of errors.
func (p *Program) complete(ctx context.Context, env *Env, words []string) error {
	if len(words) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, completeTime)
	defer cancel()
	last := len(words) - 1
	for _, candidate := range p.candidates(ctx, env, words[:last], words[last]) {
		if candidate == Files || strings.HasPrefix(candidate, words[last]) {
			fmt.Fprintln(env.Out, candidate)
		}
	}
	return nil
}

// candidates returns what a word may be, behind others.
func (p *Program) candidates(ctx context.Context, env *Env, before []string, word string) []string {
	all, args := p.All(), before
	for {
		rest, err := env.ground.before(args)
		if err != nil {
			return nil
		}
		if len(rest) == 0 {
			return listed(all)
		}
		c := find(all, rest[0])
		if c == nil {
			return nil
		}
		all, args = c.Commands, rest[1:]
		if all == nil {
			return p.candidatesOf(ctx, env, c, args, word)
		}
	}
}

// candidatesOf returns what a word may be behind the name of a command and other words.
func (p *Program) candidatesOf(ctx context.Context, env *Env, c *Command, before []string, word string) []string {
	if c.Raw {
		return completed(ctx, env, c.Complete, before)
	}
	f := c.flags(env, c.New())
	args, open := readBefore(f, before)
	if open != nil {
		return p.valuesOf(ctx, env, open, args)
	}
	if name, _, ok := strings.Cut(word, "="); ok && strings.HasPrefix(word, "-") {
		if open = f.Lookup(strings.TrimLeft(name, "-")); open == nil {
			return nil
		}
		return withPrefix(name+"=", p.valuesOf(ctx, env, open, args))
	}
	if strings.HasPrefix(word, "-") {
		return flagNames(f, strings.HasPrefix(word, "--"))
	}
	if c.Complete != nil {
		return completed(ctx, env, c.Complete, args)
	}
	all := c.params()
	i := len(args)
	if n := len(all); i >= n && n > 0 && all[n-1].many {
		i = n - 1
	}
	if i >= len(all) {
		return nil
	}
	return completed(ctx, env, p.Values[all[i].name], args)
}

// readBefore reads words, whatever is wrong with them, and returns the arguments, and
// the flag whose value is missing at the end.
func readBefore(f *flag.FlagSet, words []string) (args []string, open *flag.Flag) {
	f.SetOutput(io.Discard)
	for len(words) > 0 {
		err := f.Parse(words)
		switch {
		case errors.Is(err, flag.ErrHelp):
			return args, nil
		case err != nil:
			if m := valueless.FindStringSubmatch(err.Error()); m != nil {
				return args, f.Lookup(m[1])
			}
			if words = f.Args(); len(words) == 0 {
				return args, nil
			}
			continue
		}
		left := f.Args()
		if len(left) == 0 {
			return args, nil
		}
		args, words = append(args, left[0]), left[1:]
	}
	return args, nil
}

// valuesOf returns the values that a flag may have.
func (p *Program) valuesOf(ctx context.Context, env *Env, f *flag.Flag, args []string) []string {
	if c, ok := f.Value.(*choice); ok {
		return c.values
	}
	return completed(ctx, env, p.Values[valueName(f)], args)
}

func completed(ctx context.Context, env *Env, c Completer, args []string) []string {
	if c == nil {
		return nil
	}
	return c(ctx, env, args)
}

// listed returns the names of commands, with what they do.
func listed(all []*Command) (names []string) {
	for _, c := range all {
		if !c.Hidden {
			names = append(names, c.Name+"\t"+c.Brief)
		}
	}
	return names
}

// flagNames returns all flags, with what they are for.
func flagNames(f *flag.FlagSet, twoDashes bool) (names []string) {
	dashes := "-"
	if twoDashes {
		dashes = "--"
	}
	f.VisitAll(func(f *flag.Flag) {
		_, text := flag.UnquoteUsage(f)
		names = append(names, dashes+f.Name+"\t"+text)
	})
	return append(names, dashes+"help\texplain the command")
}

func withPrefix(prefix string, all []string) []string {
	var with []string
	for _, a := range all {
		if a != Files {
			with = append(with, prefix+a)
		}
	}
	return with
}
