package main

import (
	"context"
	"flag"
	"io"
	"strings"

	"github.com/golvs/lvs/cmd/lvs/internal/cli"
	"github.com/golvs/lvs/cmd/lvs/internal/dropin"
	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

const ipvsadmDoc = `The options are those of ipvsadm 1.31: see -h. A link to this program of the name ipvsadm
runs this command, and so do links of the names ipvsadm-save and ipvsadm-restore. -demo and
-netns stand before the options of ipvsadm.

Output, messages and exit statuses are those of ipvsadm, but for these differences:

`

func ipvsadmCommand() *cli.Command {
	return dropinCommand("ipvsadm", "[OPTION...]", "do what ipvsadm does", ipvsadmDoc+differences(), dropin.Main)
}

func ipvsadmSaveCommand() *cli.Command {
	return dropinCommand("ipvsadm-save", "[-n] [--full]", "do what ipvsadm-save does", "", dropin.Save)
}

func ipvsadmRestoreCommand() *cli.Command {
	return dropinCommand("ipvsadm-restore", "", "do what ipvsadm-restore does",
		"It reads the commands of a save file. If it cannot read one of them, it changes nothing.",
		func(ctx context.Context, env dropin.Env, _ []string) int { return dropin.Restore(ctx, env) })
}

// differences returns them for the help.
func differences() string {
	var b strings.Builder
	for _, d := range dropin.Differences {
		b.WriteString("    - " + d.What + ":\n      " + d.Reason + "\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

func dropinCommand(name, args, brief, doc string, run dropinRun) *cli.Command {
	return &cli.Command{
		Name: name, Args: args, Brief: brief, Doc: doc, Host: true, Raw: true, Links: []string{name},
		Statuses: []cli.Status{{Code: 2, Meaning: "the options are wrong"}, {Code: 255, Meaning: "the kernel refused, or an option could not be read"}},
		New:      func() cli.Action { return run },
	}
}

// harmless returns a writer that escapes what a terminal would obey. Elsewhere, output is
// ipvsadm's to the byte.
func harmless(env *cli.Env, w io.Writer) io.Writer {
	if term.Inspect(w, env.Getenv).IsTerminal {
		return cleanWriter{w}
	}
	return w
}

type cleanWriter struct{ to io.Writer }

func (w cleanWriter) Write(text []byte) (int, error) {
	_, err := io.WriteString(w.to, term.CleanLines(string(text)))
	return len(text), err
}

// dropinRun is a program that reads its arguments itself.
type dropinRun func(ctx context.Context, env dropin.Env, args []string) int

func (dropinRun) Flags(*flag.FlagSet) {}

func (run dropinRun) Run(ctx context.Context, env *cli.Env, args []string) error {
	status := run(ctx, dropin.Env{
		In: env.In, Out: harmless(env, env.Out), Err: harmless(env, env.Err),
		Host:  env.Host,
		Names: dropin.NewNames(ctx),
	}, args)
	if status == 0 {
		return nil
	}
	return cli.Exit{Status: status}
}
