package outage

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

// options are the flags of the test.
type options struct {
	story
	policies  []policy
	html, csv string // files
	events    bool
}

// flags returns options that flags will fill in, after which they are completed.
func flags(f *flag.FlagSet) *options {
	o := &options{story: usual()}
	f.BoolVar(&o.events, "events", false, "show what happened to each server under each policy")
	f.StringVar(&o.html, "html", "", "write the report as a page to this `file`")
	f.StringVar(&o.csv, "csv", "", "write the samples as CSV to this `file`")
	f.Func("policy", "a policy to try, as `name=file` of JSON; may be repeated", o.readPolicy)
	f.Func("script", "what one server does, in place of the day; may be repeated: `'10.168.1.1:80 1m refuse; 2m answer'`", o.readScript)
	w := &o.Workload
	f.IntVar(&o.servers, "servers", o.servers, "`number` of real servers, at most 250")
	f.DurationVar(&o.cold, "cold", o.cold, "`time` for which a server that comes back is slow")
	f.DurationVar(&w.Duration, "duration", w.Duration, "`time` in which the day passes")
	f.TextVar(&w.Arrivals, "arrivals", w.Arrivals, "when connections arrive: `'poisson 150/s'` (default a day with 10/s at night and 150/s at noon)")
	f.IntVar(&w.Server.Slots, "slots", w.Server.Slots, "`number` of connections that a server serves at once; 0 is unlimited")
	f.Uint64Var(&w.Seed, "seed", w.Seed, "`number` that seeds everything random")
	return o
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
	if o.scripts == nil {
		o.scripts = o.day()
	}
	if o.Workload.Arrivals == (workload.Arrivals{}) {
		o.Workload.Arrivals = o.arrivals()
	}
	for addr := range o.scripts {
		if !o.has(addr) {
			return fmt.Errorf("%s is not one of the %d real servers", addr, o.servers)
		}
	}
	return nil
}

func (o *options) readScript(s string) error {
	at, text, ok := strings.Cut(s, " ")
	addr, err := netip.ParseAddrPort(at)
	if err != nil || !ok {
		return errors.New(`want a form like "10.168.1.1:80 1m refuse; 2m answer"`)
	}
	script, err := healthtest.ParseScript(text)
	if o.scripts == nil {
		o.scripts = map[netip.AddrPort]healthtest.Script{}
	}
	o.scripts[addr] = script
	return err
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

// trials returns the story under each policy.
func (o *options) trials() (all []*trial) {
	for _, p := range o.policies {
		all = append(all, &trial{story: o.story, policy: p})
	}
	return all
}

// title says what is compared.
func (o *options) title() string {
	names := make([]string, len(o.policies))
	for i, p := range o.policies {
		names[i] = p.name
	}
	return fmt.Sprintf("Health checks: %s", strings.Join(names, ", "))
}

// writeFiles writes the files that flags name.
func (o *options) writeFiles(reports []*workload.Report) error {
	return errors.Join(
		writeFile(o.html, func(w io.Writer) error { return workload.WriteHTML(w, o.title(), reports...) }),
		writeFile(o.csv, func(w io.Writer) error { return workload.WriteCSV(w, reports...) }))
}

func writeFile(path string, write func(io.Writer) error) error {
	if path == "" {
		return nil
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
