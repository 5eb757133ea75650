package role

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/golvs/lvs"
)

// arguments are what the command line says.
type arguments struct {
	Options
	role  string
	check bool
	dry   bool
	undo  bool
	file  string // "" depends on the program and the role
}

func (a *arguments) flags(p Program, messages io.Writer) *flag.FlagSet {
	f := flag.NewFlagSet(p.Name, flag.ContinueOnError)
	f.SetOutput(messages)
	f.StringVar(&a.role, "role", "director", "what this host is: director or realserver")
	f.BoolVar(&a.check, "check", false, "diagnose, and change nothing; the exit status is 1 if anything is wrong")
	f.BoolVar(&a.dry, "dry-run", false, "print the equivalent commands, and change nothing")
	f.BoolVar(&a.undo, "undo", false, "restore the host")
	f.StringVar(&a.file, "plan", "", "`file` that stores what -undo needs (default "+planFile(p.Name, "ROLE")+")")
	_ = (*servers)(&a.Servers).Set(seedServers)
	f.TextVar(&a.VIP, "vip", a.VIP, "`address:port` of the service, in IPv4 or IPv6")
	f.Var((*servers)(&a.Servers), "servers", "comma-separated `addresses` of the real servers, each with a port unless it is the service's (default "+seedServers+")")
	f.StringVar((*string)(&a.Scheduler), "scheduler", string(a.Scheduler), "how real servers are picked: rr, wrr, lc, wlc, …")
	f.DurationVar(&a.Persistent, "persistent", a.Persistent, "how long a client stays with its server; 0 disables persistence")
	f.StringVar(&a.Interface, "interface", a.Interface, "where clients reach the VIP")
	p.Flags(f)
	return f
}

func planFile(name, role string) string { return "/var/lib/lvs/" + name + "-" + role + ".json" }

const seedServers = "10.168.0.94,10.168.0.95"

// servers reads "10.168.0.94,[2001:db8::94]:80". A port of 0 is that of the service.
type servers []netip.AddrPort

// String leaves the default to the usage.
func (s *servers) String() string { return "" }

func (s *servers) Set(text string) error {
	var all servers
	for part := range strings.SplitSeq(text, ",") {
		server, err := netip.ParseAddrPort(part)
		if err != nil {
			addr, aerr := netip.ParseAddr(part)
			if aerr != nil {
				return aerr
			}
			server = netip.AddrPortFrom(addr, 0)
		}
		all = append(all, server)
	}
	*s = all
	return nil
}

// work validates the arguments, and returns what they ask for.
func (p Program) work(ctx context.Context, a arguments, rest []string, out io.Writer) (*work, error) {
	if len(rest) > 0 {
		return nil, fmt.Errorf("unexpected argument %q: there are only flags; see -h", rest[0])
	}
	if a.check && a.dry || a.check && a.undo || a.dry && a.undo {
		return nil, fmt.Errorf("-check, -dry-run and -undo are mutually exclusive")
	}
	if a.file == "" {
		a.file = planFile(p.Name, a.role)
	}
	w := &work{arguments: a, out: out}
	var err error
	switch a.role {
	case "director":
		if w.setup, err = p.Director(a.Options); err == nil {
			err = w.addTable(ctx, p)
		}
	case "realserver":
		w.setup, err = p.RealServer(a.Options)
	default:
		err = fmt.Errorf("-role is director or realserver, not %q", a.role)
	}
	return w, err
}

// addTable adds the service, and tries it in a simulated kernel first: what cannot
// work is refused before anything is changed.
func (w *work) addTable(ctx context.Context, p Program) error {
	mode, err := p.Mode()
	if err != nil {
		return err
	}
	w.service = lvs.Service{ID: lvs.TCP(w.VIP), Scheduler: w.Scheduler, Persistence: lvs.Persistence{Timeout: w.Persistent}}
	for _, addr := range w.Servers {
		if addr.Port() == 0 {
			addr = netip.AddrPortFrom(addr.Addr(), w.VIP.Port())
		}
		w.servers = append(w.servers, lvs.NewRealServer(addr, mode))
	}
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		return err
	}
	return w.balance(ctx, sim.Client())
}
