package main

import (
	"context"
	"net"
	"os"

	"github.com/golvs/lvs/cmd/lvs/internal/cli"
)

// values returns what completes arguments and flags, by their names.
func values() map[string]cli.Completer {
	files := fixed(cli.Files)
	return map[string]cli.Completer{
		"SERVICE": completeServices, "SERVER": completeServers, "ADDRESS:PORT": completeAllServers, "NETNS": completeNamespaces,
		"FILE": files, "PLAN": files, "STATE": files, "STATUS": files, "FOLDER": files, "CAPTURE": files,
		"INTERFACE": completeLinks, "DEVICE": completeLinks,
		"PROTOCOL": fixed("tcp", "udp"),
		"ORDER":    fixed("rate", "active", "address", "weight"),
	}
}

// fixed completes by the same words wherever it is asked.
func fixed(words ...string) cli.Completer {
	return func(context.Context, *cli.Env, []string) []string { return words }
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

// completeLinks returns the links of the host. Those of this machine need no privilege.
func completeLinks(ctx context.Context, env *cli.Env, _ []string) (all []string) {
	if env.IsHere() {
		links, err := net.Interfaces()
		if err != nil {
			return nil
		}
		for _, l := range links {
			all = append(all, l.Name)
		}
		return all
	}
	host, err := env.Host(ctx)
	if err != nil {
		return nil
	}
	state, err := host.State(ctx)
	if err != nil {
		return nil
	}
	for _, l := range state.Interfaces {
		all = append(all, l.Name)
	}
	return all
}
