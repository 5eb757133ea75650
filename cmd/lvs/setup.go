package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
)

func setupCommand() *cli.Command {
	c := &cli.Command{
		Name:  "setup",
		Brief: "make this host a director or a real server, or undo that",
		Doc: `Each mode has a set-up for the director and one for the real servers. A set-up is followed
by what to do with it: plan prints the commands and changes nothing, apply runs them, all
or none, and saves what undo needs, check says what is wrong, and undo restores the host.

The table of services is not part of it: see "lvs apply" and "lvs ipvsadm".

    lvs setup dr-director -vip 10.0.0.1 -interface eth0
    lvs setup dr-director -vip 10.0.0.1 -interface eth0 apply
    lvs setup dr-server -vip 10.0.0.1 apply
    lvs setup dr-director -vip 10.0.0.1 undo`,
	}
	for _, m := range setupModes() {
		c.Commands = append(c.Commands, m.command())
	}
	return c
}

// setupMode is a set-up of a host.
type setupMode struct {
	name  string // such as "dr-director"
	brief string
	doc   string
	key   string // the flag of the address that names it
	new   func() setupFlags
}

// setupFlags are the flags of a set-up, which say what the host needs.
type setupFlags interface {
	Flags(f *flag.FlagSet)
	Setup() (lvs.Setup, error)

	// Name distinguishes the set-up from others of its mode, "" if that is missing.
	Name() string
}

var setupActions = []string{"plan", "apply", "check", "undo"}

func (m setupMode) command() *cli.Command {
	return &cli.Command{
		Name:  m.name,
		Args:  "[ACTION]",
		Brief: m.brief,
		Doc: m.doc + `

ACTION is plan (without one), apply, check, or undo. What undo needs is saved before
anything is changed, by default in ` + defaultFolder + `, in a file named by the mode and
the address. Undo leaves what others have changed since, and what other set-ups need whose
plans are in the same folder, and lists it; what was not applied, or is undone already, is an
error. An interrupt takes back what was done. A simulated host (-demo) ends with the program:
its plan is saved only with -plan, and undo without it applies the set-up first.

The flags may also come from a file in JSON, with the names of the flags:

    {"version": 1, "setup": "` + m.name + `", "` + m.key + `": "10.0.0.1"}`,
		Host: true,
		Statuses: []cli.Status{
			{Code: 2, Meaning: "apply or undo changed the host, or check found a risk at worst"},
			{Code: statusBroken, Meaning: "check found that something is broken"},
		},
		New: func() cli.Action { return &setup{mode: m.name, own: m.new()} },
		Complete: func(_ context.Context, _ *cli.Env, args []string) []string {
			if len(args) > 0 {
				return nil
			}
			return setupActions
		},
	}
}

// setup plans, applies, checks or undoes a set-up.
type setup struct {
	mode   string
	own    setupFlags
	all    *flag.FlagSet // with the flags of the command
	keys   *flag.FlagSet // those of the mode
	config string        // file
	path   string        // of the plan; "" is the usual one
	setup  lvs.Setup
	isDemo bool
}

func (s *setup) Flags(f *flag.FlagSet) {
	s.all, s.keys = f, flag.NewFlagSet(s.mode, flag.ContinueOnError)
	s.own.Flags(s.keys)
	s.keys.VisitAll(func(own *flag.Flag) { f.Var(own.Value, own.Name, own.Usage) })
	f.StringVar(&s.config, "config", "", "read values of flags from `FILE` in JSON; those of the command line come first")
	f.StringVar(&s.path, "plan", "", "save what undo needs in `FILE`, and read it there")
}

func (s *setup) Run(ctx context.Context, env *cli.Env, args []string) error {
	action := "plan"
	if len(args) > 0 {
		action = args[0]
	}
	err := s.act(ctx, env, action, args)
	if action == "apply" || action == "undo" {
		err = interrupted(ctx, err)
	}
	return err
}

// act does what the action says.
func (s *setup) act(ctx context.Context, env *cli.Env, action string, args []string) error {
	if len(args) > 1 || !slices.Contains(setupActions, action) {
		return cli.Usagef("%q is not an action: want %s", args[len(args)-1], cli.Or(setupActions))
	}
	world, err := env.World()
	if err != nil {
		return err
	}
	s.isDemo = world != nil
	if err := s.prepare(env, action); err != nil {
		return err
	}
	host, err := env.Host(ctx)
	if err != nil {
		if action == "plan" && env.Netns() == "" && isElsewhere(err) {
			return s.planUnseen(env, err)
		}
		return err
	}
	switch action {
	case "apply":
		return s.apply(ctx, env, host)
	case "undo":
		return s.undo(ctx, env, host)
	case "check":
		report, err := host.Check(ctx, lvs.CheckOptions{Setup: s.setup})
		if err != nil {
			return err
		}
		return writeReport(env, report, lvs.SeverityUnknown, false)
	}
	return s.plan(ctx, env, host)
}

// isElsewhere reports whether an error means that this machine cannot be a director.
func isElsewhere(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, lvs.ErrUnavailable) || errors.Is(err, lvs.ErrPermission)
}

// prepare reads the configuration and finds out what is wanted, and where the plan is.
// Undoing needs no more than the plan.
func (s *setup) prepare(env *cli.Env, action string) (err error) {
	if s.config != "" {
		if err := s.readConfig(); err != nil {
			return err
		}
	}
	if action != "undo" || s.isDemo {
		if s.setup, err = s.own.Setup(); err != nil {
			return fmt.Errorf("%w. 'lvs help setup %s' lists the flags", err, s.mode)
		}
	}
	if s.path != "" || s.isDemo {
		return nil
	}
	name := s.own.Name()
	if name == "" {
		return cli.Usagef("the address is missing that names the plan, or -plan FILE")
	}
	s.path, err = planPath(s.mode, name, env.Netns())
	return err
}

// plan prints the commands, and which of them have nothing to do.
func (s *setup) plan(ctx context.Context, env *cli.Env, host *lvs.Host) error {
	plan, err := host.Plan(ctx, s.setup)
	if err != nil {
		return err
	}
	fmt.Fprint(env.Out, plan)
	if !plan.HasChanges() {
		fmt.Fprintln(env.Out, "# nothing to do")
	}
	return nil
}

// planUnseen prints all commands, for a machine that is not the one to set up.
func (s *setup) planUnseen(env *cli.Env, err error) error {
	fmt.Fprintf(env.Out, "# the host cannot be read, so all commands are shown: %v\n%s", err, s.setup)
	return nil
}
