package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
	"github.com/golvs/lvs/cmd/lvs/internal/tablefile"
	"github.com/golvs/lvs/director"
	"github.com/golvs/lvs/health"
	"github.com/golvs/lvs/metrics"
)

func runCommand() *cli.Command {
	return &cli.Command{
		Name:  "run",
		Args:  "[FILE]",
		Brief: "keep the table what a file says, until interrupted",
		Doc: fileDoc + ` The file is
read again when it changes. While it is missing or broken, the last good table stays wanted,
and a message says where it is broken; it must be good at the beginning. Timeouts and sync
daemons of a save file are not kept: 'lvs restore' sets them.

What other programs change is put right, unless -shared leaves it, and each event is printed.
Real servers that are not wanted any more may keep their connections for as long as -drain
says. A file that takes more of the real servers out of service at once than -max-removal
allows is refused: SIGUSR1 allows it. SIGHUP prints the status, and looks at the table at
once.

The real servers of a service with a "health" in FILE are checked, and their weights follow.
Operators decide otherwise in the file of -overrides: see "lvs override". The programs of
the "hooks" in FILE run for events of the checks that they ask for, and that of -hook for all
of them, one after another. They get the event in their environment, such as
LVS_EVENT="limit crossed" and LVS_STATE=below, and as one line of JSON on their standard
input.

When run ends, the table stays as it is. With -state, the next run goes on with drains, and
knows what this one applied.

With -demo, FILE may be left out: another program then changes the table now and then.

    lvs run /etc/lvs/table.yaml -state /var/lib/lvs/table.json -prune -drain 5m`,
		Host: true,
		New:  func() cli.Action { return &keep{} },
	}
}

// keep keeps the table as it is wanted.
type keep struct {
	tableFlags
	resync    time.Duration
	metrics   string
	overrides string
	status    string
	hook      string
}

func (k *keep) Flags(f *flag.FlagSet) {
	k.flags(f)
	f.DurationVar(&k.resync, "resync", 0, "look at the table each `TIME`; 0 is 30s")
	f.StringVar(&k.metrics, "metrics", "", "serve metrics at `ADDRESS`, as 'lvs metrics -listen' does, with the state of this run")
	f.StringVar(&k.overrides, "overrides", "", "follow what operators have decided in the file `FILE`, which lvs override writes")
	f.StringVar(&k.hook, "hook", "", "run the program `HOOK`, besides the hooks of FILE, for each event of the checks")
	f.StringVar(&k.status, "status", "", "write the status to the file `STATUS` each second, for lvs top -status")
}

func (k *keep) Run(ctx context.Context, env *cli.Env, args []string) error {
	if err := k.check(); err != nil {
		return err
	}
	env = lockOutput(env)
	host, err := env.Host(ctx)
	if err != nil {
		return err
	}
	if err := cmp.Or(k.findStateFolder(), findFolder("-overrides", k.overrides), findFolder("-status", k.status), k.findHook()); err != nil {
		return err
	}
	defer k.vandalize(ctx, env, host, args)()
	source, err := k.source(ctx, env, host, args)
	if err != nil {
		return err
	}
	o := director.Options{
		Table: k.table, Shared: k.shared, StateFile: k.state, Source: source, MaxRemoval: k.most, Resync: k.resync,
		OverridesFile: k.overrides,
	}
	o.OnEvent = func(e director.Event) { printEvent(env.Out, e) }
	o.Table.Host = host
	if err := checkDemo(env, &o); err != nil {
		return err
	}
	d, err := director.New(host.Client(), o)
	if err != nil {
		return err
	}
	if env.Notify != nil {
		show := func() {
			fmt.Fprintln(env.Out, d.Status())
			d.Look()
		}
		defer env.Notify(show, func() { d.Allow() })()
	}
	if err := k.direct(ctx, env, host, d); err != nil {
		return err
	}
	_, err = fmt.Fprintln(env.Out, d.Status())
	return err
}

// source returns where the wanted table comes from.
func (k *keep) source(ctx context.Context, env *cli.Env, host *lvs.Host, args []string) (director.Source, error) {
	if len(args) == 0 {
		if world, err := env.World(); world == nil {
			return nil, cmp.Or(err, cli.Usagef("FILE is missing, which only -demo can do without"))
		}
		now, err := host.Client().Snapshot(ctx)
		if err != nil {
			return nil, err
		}
		return once(director.Update{Table: now.Table(), Hooks: k.withHook(nil)}), nil
	}
	if args[0] == "-" {
		return nil, cli.Usagef("the standard input cannot be read again: name a file")
	}
	first, err := readTableFile(ctx, env, args[0])
	if err != nil {
		return nil, err
	}
	if err := findHooks(first.Hooks); err != nil {
		return nil, err
	}
	for _, note := range first.Notes {
		fmt.Fprintln(env.Err, note)
	}
	var included []string
	decode := func(text []byte) (director.Config, error) {
		file, err := tablefile.DecodeNamed(args[0], text)
		file.Hooks = k.withHook(file.Hooks)
		included = file.Included
		return file.Config(), err
	}
	return director.File{Path: args[0], Decode: decode, Others: func() []string { return included }}, nil
}

// hookFlag is the name of the hook of -hook.
const hookFlag = "-hook"

// findHook refuses a program of -hook that cannot be run.
func (k *keep) findHook() error {
	hooks := k.withHook(nil)
	if err := hooks[hookFlag].Validate(); len(hooks) > 0 && err != nil {
		return cli.Usagef("-hook: %v", err)
	}
	return findHooks(hooks)
}

// withHook returns hooks and that of -hook.
func (k *keep) withHook(hooks health.Hooks) health.Hooks {
	if k.hook == "" {
		return hooks
	}
	all := health.Hooks{hookFlag: {Path: k.hook}}
	maps.Copy(all, hooks)
	return all
}

// findHooks returns an error if the program of a hook cannot be run. While run goes on,
// that is an event.
func findHooks(hooks health.Hooks) error {
	for _, name := range slices.Sorted(maps.Keys(hooks)) {
		if _, err := exec.LookPath(hooks[name].Path); err != nil {
			return fmt.Errorf("hook %s: %w", name, err)
		}
	}
	return nil
}

// once returns a source of one update.
func once(u director.Update) director.Source {
	updates := make(chan director.Update, 1)
	updates <- u
	return director.Channel(updates)
}

// direct runs the director, serves metrics and writes the status, until the context ends,
// which is not an error, or one of them fails.
func (k *keep) direct(outer context.Context, env *cli.Env, host *lvs.Host, d *director.Director) error {
	ctx, cancel := context.WithCancel(outer)
	defer cancel()
	var beside []func(context.Context) error
	if k.metrics != "" {
		failed := failures{report: env.Err}
		collector, err := metrics.New(host, metrics.Options{OnError: failed.add, Director: d})
		if err != nil {
			return err
		}
		beside = append(beside, func(ctx context.Context) error { return serveMetrics(ctx, env, k.metrics, collector) })
	}
	if k.status != "" {
		beside = append(beside, func(ctx context.Context) error { return keepStatus(ctx, env.Err, k.status, d) })
	}
	ended := make(chan error, len(beside))
	for _, run := range beside {
		go func() {
			ended <- run(ctx)
			cancel()
		}()
	}
	err := d.Run(ctx)
	cancel()
	var failed error
	for range beside {
		failed = cmp.Or(failed, <-ended)
	}
	if k.status != "" {
		failed = cmp.Or(failed, writeStatus(k.status, d)) // that it does not run any more
	}
	if failed != nil {
		return failed
	}
	if outer.Err() != nil && errors.Is(err, outer.Err()) {
		return nil
	}
	return err
}

// printEvent prints an event, and the steps of those that have some.
func printEvent(out io.Writer, e director.Event) {
	text := e.String()
	switch e := e.(type) {
	case director.Applied:
		text += "\n" + e.Plan.String()
	case director.Refused:
		text += "\n" + e.Plan.String()
	}
	fmt.Fprintln(out, time.Now().Format("15:04:05.000"), strings.ReplaceAll(text, "\n", "\n    "))
}

// lockOutput returns an environment of which several goroutines may write.
func lockOutput(env *cli.Env) *cli.Env {
	lock := new(sync.Mutex)
	env.Out, env.Err = lockedWriter{lock, env.Out}, lockedWriter{lock, env.Err}
	return env
}

type lockedWriter struct {
	*sync.Mutex
	to io.Writer
}

func (w lockedWriter) Write(text []byte) (int, error) {
	w.Lock()
	defer w.Unlock()
	return w.to.Write(text)
}
