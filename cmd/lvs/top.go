package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/golvs/lvs/cmd/lvs/internal/cli"
	"github.com/golvs/lvs/cmd/lvs/internal/term"
	"github.com/golvs/lvs/cmd/lvs/internal/top"
)

func topCommand() *cli.Command {
	return &cli.Command{
		Name:  "top",
		Brief: "watch services and real servers live",
		Doc: `Rates are those of the kernel, which averages over about eight seconds and publishes
them every two. In the live view, "?" explains columns and keys.

Of a table with more than 500 real servers, the live view reads weights and connections of
all, and the rest only of the services whose real servers are on the screen.

With -state, the time that is left to drains is shown, and with -status what 'lvs run' knows
of the health of real servers: why they have another weight than the configured one, and
below, of the one at the cursor, what its checks say. With -demo, a director checks the first
service, of which one real server fails and comes back by turns.

Without a terminal, or with -b, frames of the whole table are printed as plain text.`,
		Host: true,
		New:  func() cli.Action { return &liveView{} },
	}
}

// liveView shows the table as it changes.
type liveView struct {
	interval    time.Duration
	frames      int
	batch, once bool
	filter      string
	sort        top.Sort
	states      bool
	stateFile   string
	statusFile  string
	probes      bool
}

func (v *liveView) Flags(f *flag.FlagSet) {
	f.DurationVar(&v.interval, "interval", time.Second, "read the table every `DURATION`")
	f.IntVar(&v.frames, "n", 0, "end after `FRAMES` readings; 0 is never")
	f.BoolVar(&v.batch, "b", false, "print frames as plain text")
	f.BoolVar(&v.once, "once", false, "print one frame, as -b -n 1 does")
	f.StringVar(&v.filter, "filter", "", "show only services and servers that contain `TEXT`")
	f.TextVar(&v.sort, "sort", top.ByRate, "sort by `ORDER`: rate, active, address, or weight")
	f.BoolVar(&v.states, "states", false, "count connections by state even if there are many")
	probesFlag(f, &v.probes)
	f.StringVar(&v.stateFile, "state", "", "show the deadlines of drains that `FILE` has, a state file of lvs apply, run, or drain")
	f.StringVar(&v.statusFile, "status", "", "show the health that the file `STATUS` has, which lvs run -status writes")
}

func (v *liveView) Run(ctx context.Context, env *cli.Env, args []string) error {
	switch {
	case len(args) > 0:
		return cli.Usagef("top has no arguments, and %q is one; -filter TEXT selects services", args[0])
	case v.interval < top.MinInterval || v.interval > top.MaxInterval:
		return cli.Usagef("-interval %s is out of range [%s, %s]", v.interval, top.MinInterval, top.MaxInterval)
	case v.frames < 0:
		return cli.Usagef("-n %d: want 0 or more", v.frames)
	}
	if v.once {
		v.batch, v.frames = true, 1
	}
	if v.stateFile != "" {
		if _, err := os.Stat(v.stateFile); err != nil {
			return fmt.Errorf("-state: %w; lvs apply, run and drain write the file, with -state", err)
		}
	}
	host, err := env.Host(ctx)
	if err != nil {
		return err
	}
	reader := &top.Reader{Host: host, StateFile: v.stateFile, StatusFile: v.statusFile, Probes: v.probes}
	stop, err := v.directDemo(env, reader)
	if err != nil {
		return err
	}
	defer stop()
	model := top.NewModel("lvs top", v.interval)
	model.Filter, model.Sort, model.CountStates = v.filter, v.sort, v.states
	output := term.Inspect(env.Out, env.Getenv)
	in, out := terminals(env)
	if v.batch || in == nil || term.IsDumb(env.Getenv) {
		model.Width = 160
		if output.IsTerminal {
			model.Width = output.Width
		}
		return top.Batch(ctx, reader, model, env.Out, v.frames)
	}
	live := &top.Live{Reader: reader, Model: model, Frames: v.frames, Terminal: top.FileTerminal(in, out), Style: output.Style}
	return live.Run(ctx)
}

// directDemo has a director check real servers in a world that lives, for a reader, until
// stop is called.
func (v *liveView) directDemo(env *cli.Env, reader *top.Reader) (stop func(), err error) {
	world, err := env.World()
	if err != nil || world == nil || world.Frozen || v.frames == 1 {
		return func() {}, err
	}
	reader.Director, stop, err = world.Direct()
	return stop, err
}

// terminals returns the files of input and output if both are terminals.
func terminals(env *cli.Env) (in, out *os.File) {
	in, _ = env.In.(*os.File)
	out, _ = env.Out.(*os.File)
	if in == nil || out == nil || !term.IsTerminal(in) || !term.IsTerminal(out) {
		return nil, nil
	}
	return in, out
}
