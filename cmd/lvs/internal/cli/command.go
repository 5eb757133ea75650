// Package cli finds and runs the subcommands of a program, and makes help, completion
// and the man page of their descriptions.
package cli

import (
	"context"
	"flag"
	"io"
)

// Program is a program with subcommands.
type Program struct {
	Name   string
	Brief  string // what it is for, in one line without a full stop
	Doc    string // what else there is to say, as in [Command]
	Groups []Group

	// Values returns what arguments and the values of flags may be, by the name that
	// they have in Args or in the usage of a flag: see [Command.Complete].
	Values map[string]Completer
}

// Group is some commands with a heading.
type Group struct {
	Name     string
	Commands []*Command
}

// Command is a subcommand.
type Command struct {
	Name  string
	Args  string // its arguments, such as "CLIENT VIP", "[SERVICE]" or "[FILE...]"
	Brief string // what it does, in one line without a full stop
	Doc   string // what else there is to say, in paragraphs; those that are indented are examples
	Host  bool   // it uses a host, so it has the flags -demo and -netns
	Raw   bool   // it reads its arguments without the help of package flag

	// Hidden commands work, and are not listed.
	Hidden bool

	// Links are the names of links to the program that run this command, such as
	// "ipvsadm". The arguments are those of the link.
	Links []string

	// Statuses are the exit statuses besides 0 for success and 1 for an error.
	Statuses []Status

	// New returns the action for one run.
	New func() Action

	// Complete, if it is there, returns what the next argument may be, after those
	// that are there. Otherwise that depends on the argument's name: see
	// [Program.Values].
	Complete Completer

	// Commands are subcommands of its own, instead of New.
	Commands []*Command
}

// Completer returns what the next argument may be, after those that are there. Each
// may have a description behind a tab. [Files] stands for the names of files.
type Completer func(ctx context.Context, env *Env, args []string) []string

// Files is what a [Completer] returns to offer the names of files.
const Files = ":files"

// Status is the meaning of an exit status.
type Status struct {
	Code    int
	Meaning string // such as "the table was changed"
}

// Action is one run of a subcommand.
type Action interface {
	Flags(f *flag.FlagSet) // defines flags
	Run(ctx context.Context, env *Env, args []string) error
}

// All returns the commands of all groups, and those that every program has.
func (p *Program) All() []*Command {
	var all []*Command
	for _, g := range p.groups() {
		all = append(all, g.Commands...)
	}
	return all
}

// groups returns the groups that have commands, and as the last one the commands of
// every program.
func (p *Program) groups() (all []Group) {
	for _, g := range p.Groups {
		if len(g.Commands) > 0 {
			all = append(all, g)
		}
	}
	own := []*Command{p.helpCommand(), p.completionCommand(), p.manCommand(), p.versionCommand()}
	return append(all, Group{"This program", own})
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

// flags returns the flags of a command, which set the action and the place of the host.
func (c *Command) flags(env *Env, action Action) *flag.FlagSet {
	f := flag.NewFlagSet(c.Name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	if c.Host {
		env.ground.flags(f)
	}
	if action != nil && !c.Raw {
		action.Flags(f)
	}
	return f
}

// described returns the flags of a command for its description.
func (c *Command) described() (all []*flag.Flag) {
	if c.New == nil {
		return nil
	}
	c.flags(&Env{}, c.New()).VisitAll(func(f *flag.Flag) { all = append(all, f) })
	return all
}
