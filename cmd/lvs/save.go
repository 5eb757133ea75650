package main

import (
	"context"
	"flag"
	"os"
	"path/filepath"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
	"github.com/golvs/lvs/cmd/lvs/internal/tablefile"
	"github.com/golvs/lvs/ipvsadm"
)

func saveCommand() *cli.Command {
	return &cli.Command{
		Name:  "save",
		Args:  "[FILE]",
		Brief: "write the table to a file that restore reads",
		Doc: `Without FILE, the table is printed. The file is replaced at once: it has the old table or
the new one, whatever happens. It has commands of ipvsadm, which can read it too, with
timeouts, sync daemons, thresholds, and the order of the real servers. JSON and YAML have
the table alone, as "lvs apply" reads it. Services that carry health checks are left out:
the program that checks makes them again.`,
		Host: true,
		New:  func() cli.Action { return &save{} },
	}
}

// save writes the table to a file.
type save struct{ output string }

func (s *save) Flags(f *flag.FlagSet) {
	cli.Choice(f, &s.output, "o", "write a `FORMAT`", tablefile.Commands, tablefile.JSON, tablefile.YAML)
}

func (s *save) Run(ctx context.Context, env *cli.Env, args []string) error {
	host, err := env.Host(ctx)
	if err != nil {
		return err
	}
	file, err := readAll(ctx, host.Client())
	if err != nil {
		return err
	}
	text, err := tablefile.Encode(file, s.output)
	if err != nil {
		return err
	}
	if len(args) == 0 || args[0] == "-" {
		_, err = env.Out.Write(text)
		return err
	}
	return replaceFile(args[0], text)
}

// readAll reads the table, the timeouts and the sync daemons.
func readAll(ctx context.Context, client *lvs.Client) (f ipvsadm.File, err error) {
	table, err := client.Snapshot(ctx)
	if err != nil {
		return f, err
	}
	f.Table = withoutProbes(table).Table()
	if f.Timeouts, err = client.Timeouts(ctx); err != nil {
		return f, err
	}
	f.SyncDaemons, err = client.SyncDaemons(ctx)
	return f, err
}

// replaceFile writes a file beside the one of a name, makes it durable, and renames it. A
// file that exists keeps its permissions. What is not a regular file, such as a pipe, is
// written as it is.
func replaceFile(path string, text []byte) (err error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	mode := os.FileMode(0o644)
	if info, err := os.Stat(path); err == nil {
		if mode = info.Mode().Perm(); !info.Mode().IsRegular() {
			return os.WriteFile(path, text, 0)
		}
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // the error says more
		}
	}()
	_, err = f.Write(text)
	for _, step := range []func() error{func() error { return f.Chmod(mode) }, f.Sync} {
		if err == nil {
			err = step()
		}
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
