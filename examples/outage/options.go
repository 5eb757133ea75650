package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"

	"github.com/golvs/lvs/health"
	"github.com/golvs/lvs/health/healthtest"
	"github.com/golvs/lvs/workload"
)

//go:embed plain.json
var plain []byte

//go:embed careful.json
var careful []byte

// policy is a policy with a name for it.
type policy struct {
	name string
	health.Policy
}

// options are the arguments of the command line.
type options struct {
	story
	policies  []policy
	html, csv string // files
	verbose   bool
}

func parse(args []string, messages io.Writer) (*options, error) {
	o := &options{story: usual()}
	f := flag.NewFlagSet("outage", flag.ContinueOnError)
	f.SetOutput(messages)
	f.BoolVar(&o.verbose, "v", false, "show what happened to each server under each policy")
	f.StringVar(&o.html, "html", "", "write the report as a page to this `file`")
	f.StringVar(&o.csv, "csv", "", "write the samples as CSV to this `file`")
	f.Func("policy", "a policy to try, as `name=file` of JSON; may be repeated", o.readPolicy)
	var own map[netip.AddrPort]healthtest.Script
	f.Func("script", "what one server does; may be repeated: `'10.168.1.1:80 1m refuse; 2m answer'`", func(s string) error {
		addr, script, err := parseScript(s)
		if own == nil {
			own = map[netip.AddrPort]healthtest.Script{}
		}
		own[addr] = script
		return err
	})
	w := &o.Workload
	f.IntVar(&o.servers, "servers", o.servers, "`number` of real servers, at most 250")
	f.DurationVar(&o.cold, "cold", o.cold, "`time` for which a server that comes back is slow")
	f.DurationVar(&w.Duration, "duration", w.Duration, "`time` to simulate")
	f.TextVar(&w.Arrivals, "arrivals", w.Arrivals, "when connections arrive: `'poisson 150/s'`")
	f.IntVar(&w.Server.Slots, "slots", w.Server.Slots, "`number` of connections that a server serves at once; 0 is unlimited")
	f.Uint64Var(&w.Seed, "seed", w.Seed, "`number` that seeds everything random")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q: there are only flags; see -h", f.Arg(0))
	}
	if own != nil {
		o.scripts = own
	}
	return o, o.complete()
}

// complete adds what no flag says, and refuses what cannot be.
func (o *options) complete() error {
	if o.policies == nil {
		for _, p := range []struct {
			name string
			text []byte
		}{{"plain", plain}, {"careful", careful}} {
			if err := o.addPolicy(p.name, p.text); err != nil {
				return err
			}
		}
	}
	if o.servers < 1 || o.servers > 250 {
		return fmt.Errorf("%d real servers are out of range [1, 250]", o.servers)
	}
	for addr := range o.scripts {
		if !o.has(addr) {
			return fmt.Errorf("%s is not one of the %d real servers", addr, o.servers)
		}
	}
	return nil
}

func parseScript(s string) (addr netip.AddrPort, script healthtest.Script, err error) {
	at, text, ok := strings.Cut(s, " ")
	if addr, err = netip.ParseAddrPort(at); err != nil || !ok {
		return addr, nil, errors.New(`want a form like "10.168.1.1:80 1m refuse; 2m answer"`)
	}
	script, err = healthtest.ParseScript(text)
	return addr, script, err
}

func (o *options) readPolicy(s string) error {
	name, path, ok := strings.Cut(s, "=")
	if !ok {
		return errors.New("want a form like mine=policy.json")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := o.addPolicy(name, text); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func (o *options) addPolicy(name string, text []byte) error {
	p := policy{name: name}
	err := json.Unmarshal(text, &p.Policy)
	o.policies = append(o.policies, p)
	return err
}

func (o *options) writeFiles(reports []*workload.Report) error {
	for _, f := range []struct {
		path  string
		write func(io.Writer) error
	}{
		{o.html, func(w io.Writer) error { return workload.WriteHTML(w, o.title(), reports...) }},
		{o.csv, func(w io.Writer) error { return workload.WriteCSV(w, reports...) }},
	} {
		if f.path == "" {
			continue
		}
		if err := writeFile(f.path, f.write); err != nil {
			return err
		}
	}
	return nil
}

// title says what is compared.
func (o *options) title() string {
	names := make([]string, len(o.policies))
	for i, p := range o.policies {
		names[i] = p.name
	}
	return fmt.Sprintf("Health checks: %s", strings.Join(names, ", "))
}

func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
