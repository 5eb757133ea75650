// Package cli finds and runs the subcommands of a program, and makes help, completion
// and the man page of their descriptions.
package cli

import (
	"context"
	"flag"
)

// Program is a program with subcommands.
type Program struct {
	Name     string
	Brief    string // what it is for, in one line without a full stop
	Commands []*Command
}

// Command is a subcommand.
type Command struct {
	Name  string
	Args  string // its arguments, such as "CLIENT VIP" or "[SERVICE]"
	Brief string // what it does, in one line without a full stop
	Doc   string // what else there is to say, in paragraphs
	Host  bool   // it uses a host, so it has the flags -demo and -netns
	Raw   bool   // it reads its arguments without the help of package flag

	// New returns the action for one run.
	New func() Action

	// Complete, if it is there, returns what the next argument may be, after those
	// that are there.
	Complete func(ctx context.Context, env *Env, args []string) []string

	// Commands are subcommands of its own, instead of New.
	Commands []*Command
}

// Action is one run of a subcommand.
type Action interface {
	Flags(f *flag.FlagSet) // defines flags
	Run(ctx context.Context, env *Env, args []string) error
}

// find returns the command of a name.
func find(all []*Command, name string) *Command {
	for _, c := range all {
		if c.Name == name {
			return c
		}
	}
	return nil
}
