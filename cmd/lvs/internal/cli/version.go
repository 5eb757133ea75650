package cli

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// versionCommand prints the version.
func (p *Program) versionCommand() *Command {
	return &Command{
		Name: "version", Brief: "print the version",
		New: func() Action {
			return plainAction(func(_ context.Context, env *Env, _ []string) error {
				_, err := fmt.Fprintf(env.Out, "%s %s, %s, %s/%s\n", p.Name, version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
				return err
			})
		},
	}
}

// version returns the version of the program's module, or the commit that it was built of.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "of unknown version"
	}
	var commit, changed string
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			commit = s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			if s.Value == "true" {
				changed = ", changed"
			}
		}
	}
	if v := info.Main.Version; commit == "" || v != "" && v != "(devel)" {
		return v
	}
	return "commit " + commit + changed
}
