package main

import (
	"context"
	"os"

	"github.com/golvs/lvs/cmd/lvs/internal/cli"
)

// values returns what completes arguments and flags, by their names.
func values() map[string]cli.Completer {
	files := func(context.Context, *cli.Env, []string) []string { return []string{cli.Files} }
	return map[string]cli.Completer{
		"SERVICE": completeServices, "SERVER": completeServers, "NETNS": completeNamespaces,
		"FILE": files, "PLAN": files, "STATE": files,
	}
}

// completeNamespaces returns the namespaces that ip netns has named.
func completeNamespaces(context.Context, *cli.Env, []string) (all []string) {
	entries, err := os.ReadDir("/run/netns")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}
