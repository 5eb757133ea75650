package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
	"github.com/golvs/lvs/workload"
)

// contest compares schedulers on one workload.
type contest struct {
	schedulers schedulerList
	file       string // workload in JSON
	html       string // file
	arrivals   workload.Arrivals
	lifetime   workload.Lifetime
	duration   time.Duration
	events     []workload.Event
	given      func(name string) bool
}

func (c *contest) flags(f *flag.FlagSet) {
	f.Var(&c.schedulers, "schedulers", "compare these `SCHEDULERS`, with flags behind: rr,wlc,mh+fallback")
	f.StringVar(&c.file, "workload", "", "read what clients do from `FILE` in JSON")
	f.StringVar(&c.html, "html", "", "write the comparison as a page to `FILE`")
	f.TextVar(&c.arrivals, "arrivals", workload.Poisson(500), "when connections `ARRIVE`: 'poisson 500/s', 'steady 500/s', 'bursts 500/s of 20' or 'daily 20/s to 500/s in 24h'")
	f.TextVar(&c.lifetime, "lifetime", workload.Exponential(8*time.Second), "how `LONG` connections last: 'exponential 8s', 'fixed 10s' or 'pareto 10s shape 1.5'")
	f.DurationVar(&c.duration, "duration", 2*time.Minute, "simulate so much `TIME`")
	f.Func("event", "an `EVENT`, may be repeated: '40s drain 10.168.0.94:80'; or add, remove, weight, fail, back, break, fix", func(s string) error {
		e, err := workload.ParseEvent(s)
		c.events = append(c.events, e)
		return err
	})
	c.given = func(name string) (set bool) {
		f.Visit(func(f *flag.Flag) { set = set || f.Name == name })
		return set
	}
}

// isWanted reports whether the flags ask for a comparison of schedulers.
func (c *contest) isWanted() bool {
	for _, name := range []string{"schedulers", "workload", "html", "arrivals", "lifetime", "duration", "event"} {
		if c.given(name) {
			return true
		}
	}
	return false
}

// run plays the workload to a simulator for each scheduler, the service's own first.
func (c *contest) run(ctx context.Context, env *cli.Env, live *lvs.Simulator, w *whatif) error {
	load, err := c.workload(w)
	if err != nil {
		return err
	}
	kernel, err := live.Host().KernelRelease(ctx)
	if err != nil {
		return err
	}
	service, err := onlyService(ctx, live, load.Service)
	if err != nil {
		return err
	}
	load.Service = service.ID
	var reports []*workload.Report
	for _, s := range append(schedulerList{{service.Scheduler, service.SchedulerFlags}}, c.others(service.Scheduler)...) {
		service.Scheduler, service.SchedulerFlags = s.name, s.flags
		sim, err := simulate(ctx, lvs.SimOptions{Kernel: kernel, Seed: load.Seed}, service)
		if err != nil {
			return err
		}
		r, err := workload.Run(ctx, sim, load)
		if err != nil {
			return err
		}
		r.Name = s.String()
		reports = append(reports, r)
	}
	if err := workload.WriteComparison(env.Out, reports...); err != nil || c.html == "" {
		return err
	}
	return writeFile(c.html, func(out io.Writer) error {
		return workload.WriteHTML(out, fmt.Sprintf("Schedulers for %s", service.ID), reports...)
	})
}

// others returns the schedulers to compare with the service's own.
func (c *contest) others(own lvs.Scheduler) schedulerList {
	if len(c.schedulers) > 0 {
		return c.schedulers
	}
	var all schedulerList
	for _, s := range usualSchedulers {
		if s.name != own {
			all = append(all, s)
		}
	}
	return all
}

// workload returns what the file and the flags say.
func (c *contest) workload(w *whatif) (load workload.Workload, err error) {
	load = workload.Workload{Duration: c.duration, Arrivals: c.arrivals, Clients: w.clients, Lifetime: c.lifetime, Seed: w.seed}
	if c.file != "" {
		text, err := os.ReadFile(c.file)
		if err != nil {
			return load, err
		}
		load = workload.Workload{}
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&load); err != nil {
			return load, fmt.Errorf("%s: %w", c.file, err)
		}
		c.override(&load, w)
	}
	load.Events = append(load.Events, c.events...)
	if w.service.IsValid() {
		load.Service = w.service
	}
	return load, nil
}

// override replaces what a file says by flags that were given.
func (c *contest) override(load *workload.Workload, w *whatif) {
	for name, set := range map[string]func(){
		"duration": func() { load.Duration = c.duration },
		"arrivals": func() { load.Arrivals, load.Recorded = c.arrivals, nil },
		"clients":  func() { load.Clients = w.clients },
		"lifetime": func() { load.Lifetime = c.lifetime },
		"seed":     func() { load.Seed = w.seed },
	} {
		if c.given(name) {
			set()
		}
	}
}

// onlyService returns a service of the table, or the only one that it has.
func onlyService(ctx context.Context, live *lvs.Simulator, id lvs.ServiceID) (s lvs.TableService, err error) {
	table, err := snapshot(ctx, live)
	if err != nil {
		return s, err
	}
	if !id.IsValid() && len(table.Services) != 1 {
		return s, fmt.Errorf("the table has %d services: choose one with -service", len(table.Services))
	}
	for _, e := range table.Services {
		if id.IsValid() && e.ID != id {
			continue
		}
		s.Service = e.Service
		for _, server := range e.RealServers {
			s.RealServers = append(s.RealServers, server.RealServer)
		}
		return s, nil
	}
	return s, fmt.Errorf("%s is not a service of the table; 'lvs show' lists them", id)
}

// schedulerChoice is a scheduler with its flags; as text "mh+fallback+port".
type schedulerChoice struct {
	name  lvs.Scheduler
	flags lvs.SchedulerFlags
}

var usualSchedulers = schedulerList{{name: lvs.RR}, {name: lvs.WRR}, {name: lvs.WLC}, {name: lvs.SED}, {name: lvs.MH, flags: lvs.HashFallback}}

func (s schedulerChoice) String() string {
	if s.flags == 0 {
		return s.name.String()
	}
	return s.name.String() + "+" + strings.ReplaceAll(s.flags.String(), ",", "+")
}

// schedulerList is a flag.
type schedulerList []schedulerChoice

func (l *schedulerList) String() string { return "" }

func (l *schedulerList) Set(text string) error {
	*l = nil
	for word := range strings.SplitSeq(text, ",") {
		name, flags, _ := strings.Cut(strings.TrimSpace(word), "+")
		s := schedulerChoice{name: lvs.Scheduler(name)}
		if err := s.flags.UnmarshalText([]byte(strings.ReplaceAll(flags, "+", ","))); err != nil {
			return err
		}
		*l = append(*l, s)
	}
	return nil
}

// writeFile writes a file.
func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
