package cli

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

// helpCommand prints help.
func (p *Program) helpCommand() *Command {
	return &Command{
		Name: "help", Args: "[COMMAND...]", Brief: "explain the program or a command",
		New: func() Action {
			return plainAction(func(_ context.Context, env *Env, args []string) error { return p.help(env, args) })
		},
		Complete: func(_ context.Context, _ *Env, args []string) []string {
			all := p.All()
			for _, name := range args {
				c := find(all, name)
				if c == nil {
					return nil
				}
				all = c.Commands
			}
			return listed(all)
		},
	}
}

// plainAction is an action without flags.
type plainAction func(ctx context.Context, env *Env, args []string) error

func (plainAction) Flags(*flag.FlagSet) {}

func (a plainAction) Run(ctx context.Context, env *Env, args []string) error {
	return a(ctx, env, args)
}

// help prints the help on a command, or on the program.
func (p *Program) help(env *Env, names []string) error {
	if len(names) == 0 {
		p.printOverview(env.Out)
		return nil
	}
	all, path := p.All(), []string{p.Name}
	var c *Command
	for _, name := range names {
		if c = find(all, name); c == nil {
			return UsageError{unknown(name, all)}
		}
		all, path = c.Commands, append(path, name)
	}
	c.printHelp(env, path)
	return nil
}

// printOverview prints all commands.
func (p *Program) printOverview(w io.Writer) {
	fmt.Fprintf(w, "%s: %s\n\nUsage: %s COMMAND [FLAGS] [ARGUMENTS]\n", p.Name, p.Brief, p.Name)
	width := 0
	for _, g := range p.groups() {
		width = max(width, widest(g.Commands))
	}
	for _, g := range p.groups() {
		fmt.Fprintf(w, "\n%s:\n", g.Name)
		printCommands(w, g.Commands, width)
	}
	fmt.Fprintf(w, "\nRun '%s help COMMAND' for its flags and arguments.\n", p.Name)
	fmt.Fprintln(w, "With -demo, a command uses a simulated kernel.")
}

// helpWidth returns how wide help may be: as the terminal, but no wider than is easy to read.
func helpWidth(env *Env) int {
	const usual, widest = 80, 100
	return min(cmp.Or(term.Inspect(env.Out, env.Getenv).Width, usual), widest)
}

// fold writes a paragraph in lines of a width, behind an indent. One that is indented
// itself stays as it is.
func fold(w io.Writer, text, indent string, width int) {
	if strings.HasPrefix(text, "    ") {
		fmt.Fprintln(w, text)
		return
	}
	for _, line := range term.Wrap(strings.ReplaceAll(text, "\n", " "), max(20, width-len(indent))) {
		fmt.Fprintln(w, indent+line)
	}
}

// printHelp prints the help on a command.
func (c *Command) printHelp(env *Env, path []string) {
	w, width := env.Out, helpWidth(env)
	fmt.Fprintf(w, "%s: %s\n\nUsage: %s\n", strings.Join(path, " "), c.Brief, c.synopsis(path))
	for part := range strings.SplitSeq(strings.TrimSpace(c.Doc), "\n\n") {
		if part != "" {
			fmt.Fprintln(w)
			fold(w, part, "", width)
		}
	}
	if len(c.Commands) > 0 {
		fmt.Fprintln(w, "\nCommands:")
		printCommands(w, c.Commands, widest(c.Commands))
	}
	if flags := c.described(); len(flags) > 0 {
		fmt.Fprintln(w, "\nFlags:")
		for _, f := range flags {
			fmt.Fprintln(w, "  "+flagHead(f))
			fold(w, flagUsage(f), "        ", width)
		}
	}
	fmt.Fprintln(w)
	fold(w, "Exit status: "+c.statusText()+".", "", width)
}

// synopsis returns how a command is called.
func (c *Command) synopsis(path []string) string {
	words := strings.Join(path, " ")
	switch {
	case c.Commands != nil:
		return words + " COMMAND [FLAGS] [ARGUMENTS]"
	case len(c.described()) > 0:
		words += " [FLAGS]"
	}
	if c.Args != "" {
		words += " " + c.Args
	}
	return words
}

// statusText returns the exit statuses in one line.
func (c *Command) statusText() string {
	text := "0 for success, 1 for an error"
	for _, s := range c.Statuses {
		text += fmt.Sprintf(", %d if %s", s.Code, s.Meaning)
	}
	return text
}

// flagHead returns a flag with the name of its value.
func flagHead(f *flag.Flag) string {
	if name := valueName(f); name != "" {
		return "-" + f.Name + " " + name
	}
	return "-" + f.Name
}

// flagUsage returns what a flag is for, and what it is without being given.
func flagUsage(f *flag.Flag) string {
	_, text := flag.UnquoteUsage(f)
	switch f.DefValue {
	case "", "0", "false", "0s":
		return text
	}
	return fmt.Sprintf("%s (default %s)", text, f.DefValue)
}

func widest(all []*Command) (width int) {
	for _, name := range namesOf(all) {
		width = max(width, len(name))
	}
	return width
}

func printCommands(w io.Writer, all []*Command, width int) {
	for _, c := range all {
		if !c.Hidden {
			fmt.Fprintf(w, "  %-*s  %s\n", width, c.Name, c.Brief)
		}
	}
}
