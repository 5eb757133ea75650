package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/workload"
)

// options are the arguments of the command line.
type options struct {
	experiment
	html, json, csv string // files
	verbose, print  bool
}

func parse(args []string, messages io.Writer) (*options, error) {
	o := &options{experiment: usual()}
	// The file is read first, so that flags override it, whatever their order.
	if path := configPath(args); path != "" {
		if err := o.experiment.read(path); err != nil {
			return nil, err
		}
	}
	f := flag.NewFlagSet("simulate", flag.ContinueOnError)
	f.SetOutput(messages)
	f.String("config", "", "read this JSON `file`, which -print writes, before the other flags")
	f.BoolVar(&o.print, "print", false, "write the experiment as JSON, for -config, and exit")
	f.BoolVar(&o.verbose, "v", false, "show a table for each scheduler")
	f.StringVar(&o.html, "html", "", "write the report as a page to this `file`")
	f.StringVar(&o.json, "json", "", "write the reports as JSON to this `file`")
	f.StringVar(&o.csv, "csv", "", "write the samples as CSV to this `file`")

	f.Var(list[scheduler]{&o.Schedulers, parseScheduler}, "schedulers", "`names` to compare, with flags behind: rr,wlc,mh+fallback")
	f.Var(list[int]{&o.Weights, strconv.Atoi}, "weights", "`weights` of the real servers, repeated for further servers: 1,1,4")
	f.IntVar(&o.Servers, "servers", o.Servers, "`number` of real servers")
	f.TextVar(&o.Mode, "mode", o.Mode, "forwarding `mode`: dr, nat or ipip")
	f.StringVar(&o.Kernel, "kernel", o.Kernel, "`release` of Linux to simulate, such as 6.1.176")
	f.IntVar(&o.MHTableIndex, "mh-table", o.MHTableIndex, "`index` of mh's table size, 8 to 17; 0 is 12, 4093 buckets")

	w := &o.Workload
	f.DurationVar(&w.Duration, "duration", w.Duration, "`time` to simulate")
	f.TextVar(&w.Arrivals, "arrivals", w.Arrivals, "when connections arrive: `'poisson 500/s'`, 'steady 500/s', 'bursts 500/s of 20', 'daily 20/s to 500/s in 24h'")
	f.TextVar(&w.Clients, "clients", w.Clients, "who connects: `'20000 zipf 1.1 nat 50'`")
	f.TextVar(&w.Lifetime, "lifetime", w.Lifetime, "how long connections last: `'exponential 10s'`, 'fixed 10s', 'pareto 10s shape 1.5'")
	f.Func("event", "an event during the run; may be repeated: `'20s drain 10.168.1.1:80'`; add, remove, weight, fail, back, break, fix", o.addEvent)
	f.Func("recorded", "CSV `file` of connections in place of -arrivals: seconds, client's address, seconds that it lasts", o.readRecorded)
	f.Float64Var(&w.Server.Speed, "speed", w.Server.Speed, "`factor` that divides lifetimes; 0 is 1")
	f.IntVar(&w.Server.Slots, "slots", w.Server.Slots, "`number` of connections that a server serves at once; 0 is unlimited")
	f.Func("slow", "the speed of one server; may be repeated: `10.168.1.1:80=0.5`", o.setSpeed)
	f.IntVar(&w.Samples, "samples", w.Samples, "`number` of intervals in the report; 0 is 60")
	f.Uint64Var(&w.Seed, "seed", w.Seed, "`number` that seeds everything random")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q: there are only flags; see -h", f.Arg(0))
	}
	return o, nil
}

// configPath returns what -config says.
func configPath(args []string) string {
	for i, arg := range args {
		name, value, both := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if !strings.HasPrefix(arg, "-") || name != "config" {
			continue
		}
		if both {
			return value
		}
		if i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}

// list is a flag of several values, which replace the previous ones.
type list[T any] struct {
	into  *[]T
	parse func(string) (T, error)
}

func (l list[T]) String() string {
	if l.into == nil || len(*l.into) == 0 {
		return ""
	}
	words := make([]string, len(*l.into))
	for i, v := range *l.into {
		words[i] = fmt.Sprint(v)
	}
	return strings.Join(words, ",")
}

func (l list[T]) Set(s string) error {
	*l.into = nil
	for word := range strings.SplitSeq(s, ",") {
		v, err := l.parse(strings.TrimSpace(word))
		if err != nil {
			return err
		}
		*l.into = append(*l.into, v)
	}
	return nil
}

func (o *options) addEvent(s string) error {
	e, err := workload.ParseEvent(s)
	o.Workload.Events = append(o.Workload.Events, e)
	return err
}

// scheduler is a scheduler with its flags; as text "mh+fallback+port".
type scheduler struct {
	name  lvs.Scheduler
	flags lvs.SchedulerFlags
}

func (s scheduler) String() string {
	if s.flags == 0 {
		return s.name.String()
	}
	return s.name.String() + "+" + strings.ReplaceAll(s.flags.String(), ",", "+")
}

func parseScheduler(text string) (s scheduler, err error) {
	name, flags, _ := strings.Cut(text, "+")
	s.name = lvs.Scheduler(name)
	return s, s.flags.UnmarshalText([]byte(strings.ReplaceAll(flags, "+", ",")))
}

func (s scheduler) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s *scheduler) UnmarshalText(text []byte) (err error) {
	*s, err = parseScheduler(string(text))
	return err
}

func (o *options) writeFiles(reports []*workload.Report) error {
	for _, f := range []struct {
		path  string
		write func(io.Writer) error
	}{
		{o.html, func(w io.Writer) error { return workload.WriteHTML(w, o.title(), reports...) }},
		{o.json, func(w io.Writer) error { return writeJSON(w, reports) }},
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

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
