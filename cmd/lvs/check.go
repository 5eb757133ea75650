package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
)

func checkCommand() *cli.Command {
	return &cli.Command{
		Name:  "check",
		Brief: "find what keeps this host from balancing, or will",
		Doc: `The host is checked by its table, and against the set-ups that "lvs setup MODE apply"
saved here, as a director or as a real server. Each finding says why it matters, and what
fixes it. Nothing is changed, and no packet is sent.

What is broken loses packets now. A risk will, under conditions that are met sooner or
later. Below them is what could not be seen, and how to look. The states of other hosts
show more: -state prints that of a host, and -peer reads it elsewhere.

    lvs check
    ssh rs1 lvs check -state > rs1.json; lvs check -peer rs1.json
    lvs check -severity broken -o json`,
		Host:     true,
		Statuses: checkStatuses,
		New:      func() cli.Action { return &check{} },
	}
}

// Exit statuses by the worst finding.
const (
	statusRisk   = 2
	statusBroken = 3
)

var checkStatuses = []cli.Status{
	{Code: statusRisk, Meaning: "the worst finding is a risk"},
	{Code: statusBroken, Meaning: "something is broken"},
}

// check prints what is wrong with a host.
type check struct {
	output   string
	severity string
	state    bool
	peers    []string // files
	folder   string   // of saved set-ups
}

func (c *check) Flags(f *flag.FlagSet) {
	cli.Choice(f, &c.output, "o", "write a `FORMAT`", "text", "json")
	cli.Choice(f, &c.severity, "severity", "omit and ignore what is less bad than `SEVERITY`, of which unknown is what was not checked", "unknown", "risk", "broken")
	f.BoolVar(&c.state, "state", false, "print the state of this host in JSON, for -peer on another, and check nothing")
	f.Func("peer", "read the state of another host of the service from `FILE`, may be repeated", func(path string) error {
		c.peers = append(c.peers, path)
		return nil
	})
	f.StringVar(&c.folder, "setups", defaultFolder, "the `FOLDER` of saved set-ups that the host is compared with; empty for none")
}

func (c *check) Run(ctx context.Context, env *cli.Env, args []string) error {
	peers, err := readPeers(c.peers)
	if err != nil {
		return err
	}
	host, err := env.Host(ctx)
	if err != nil {
		return err
	}
	if c.state {
		state, err := host.State(ctx)
		if err != nil {
			return err
		}
		return writeJSON(env.Out, state)
	}
	setup, err := c.saved(env)
	if err != nil {
		return err
	}
	report, err := host.Check(ctx, lvs.CheckOptions{Setup: setup, Peers: peers})
	if err != nil {
		return err
	}
	return writeReport(env, report, lvs.Severity(c.severity), c.output == "json")
}

// severities are all, the worst first.
var severities = []lvs.Severity{lvs.SeverityBroken, lvs.SeverityRisk, lvs.SeverityUnknown}

// saved returns what the saved set-ups of the host want.
func (c *check) saved(env *cli.Env) (setup lvs.Setup, err error) {
	if world, err := env.World(); c.folder == "" || err != nil || world != nil && c.folder == defaultFolder {
		return nil, err // those on this machine are not the simulated host's
	}
	if _, err := os.Stat(c.folder); err != nil && c.folder != defaultFolder {
		return nil, err
	}
	all, err := savedSetups(c.folder, env.Netns(), "")
	for _, s := range all {
		setup = append(setup, s.Requirements...)
	}
	return setup, err
}

// readPeers reads the states of other hosts.
func readPeers(paths []string) ([]lvs.HostState, error) {
	var peers []lvs.HostState
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var state lvs.HostState
		if err := json.Unmarshal(text, &state); err != nil {
			return nil, fmt.Errorf("%s: %w; 'lvs check -state' on that host writes it", path, err)
		}
		peers = append(peers, state)
	}
	return peers, nil
}
