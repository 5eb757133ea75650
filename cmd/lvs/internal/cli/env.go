package cli

import (
	"context"
	"flag"
	"io"
	"strings"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/demo"
)

// Env is what a subcommand may use of its surroundings.
type Env struct {
	In       io.Reader
	Out, Err io.Writer
	Getenv   func(name string) string

	// Notify calls a function for each SIGHUP, and one for each SIGUSR1, until stop is
	// called. It may be nil.
	Notify func(hangUp, user1 func()) (stop func())

	// Demo returns the simulated world, for tests; nil is one that lives. Commands leave
	// it alone.
	Demo func() (*demo.World, error)

	ground ground
}

// ground is where a command's host is.
type ground struct {
	demo  bool
	netns string
	world *demo.World // with demo, once it was needed
	hosts []*lvs.Host // that were opened
	tried bool        // a real host was asked for
}

func (g *ground) flags(f *flag.FlagSet) {
	f.BoolVar(&g.demo, "demo", g.demo, "use a simulated kernel with living traffic")
	f.StringVar(&g.netns, "netns", g.netns, "use the network namespace `NETNS`, as ip netns names it")
}

// before reads the flags of the place that stand before the name of a command, and
// returns what follows.
func (g *ground) before(args []string) ([]string, error) {
	f := flag.NewFlagSet("", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	g.flags(f)
	if err := f.Parse(args); err != nil {
		if err == flag.ErrHelp {
			return nil, err
		}
		return nil, explainFlags(f, err)
	}
	return f.Args(), nil
}

// leading reads the flags of the place that stand before arguments of other kinds, and
// returns these.
func (g *ground) leading(args []string) ([]string, error) {
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		name, value, valued := strings.Cut(strings.TrimLeft(args[0], "-"), "=")
		switch {
		case name == "demo" && !valued:
			g.demo = true
		case name == "netns" && valued:
			g.netns = value
		case name == "netns" && len(args) > 1:
			g.netns = args[1]
			args = args[1:]
		case name == "netns":
			return nil, Usagef("-netns needs the name of a network namespace")
		default:
			return args, nil
		}
		args = args[1:]
	}
	return args, nil
}

// Host returns the host that the flags name. It is closed after the run. With -demo, it
// has a table, and clients that go on as time does.
func (e *Env) Host(ctx context.Context) (host *lvs.Host, err error) {
	switch g := &e.ground; {
	case g.demo:
		var world *demo.World
		if world, err = e.World(); err == nil {
			host = world.Host()
		}
	case g.netns != "":
		g.tried = true
		host, err = lvs.OpenHost(ctx, lvs.InNamespace(g.netns))
	default:
		g.tried = true
		host, err = lvs.OpenHost(ctx)
	}
	if err != nil {
		return nil, err
	}
	e.ground.hosts = append(e.ground.hosts, host)
	return host, nil
}

// World returns the simulated world, nil without -demo.
func (e *Env) World() (*demo.World, error) {
	g := &e.ground
	if !g.demo || g.world != nil {
		return g.world, nil
	}
	var err error
	if e.Demo != nil {
		g.world, err = e.Demo()
	} else {
		g.world, err = demo.New(demo.Options{})
	}
	return g.world, err
}

// close ends what the command used.
func (e *Env) close() {
	for _, h := range e.ground.hosts {
		_ = h.Close() // nothing depends on it any more
	}
	if e.ground.world != nil {
		e.ground.world.Close()
	}
}
