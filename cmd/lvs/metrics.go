package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"sync"

	"github.com/golvs/lvs/cmd/lvs/internal/cli"
	"github.com/golvs/lvs/metrics"
)

func metricsCommand() *cli.Command {
	return &cli.Command{
		Name:  "metrics",
		Brief: "write metrics for Prometheus once, or serve them",
		Doc: `Without -listen, the metrics are written once, as the textfile collector of node_exporter
reads them. With -listen, they are served at /metrics until the program is interrupted.

A reading of the kernel that fails is reported, leaves out its metrics, and makes lvs_up 0.

With -state, the drains that 'lvs apply', 'lvs drain' or 'lvs run' remember in that file are
shown as well. What else 'lvs run' does is among the metrics that it serves with -metrics.

    lvs metrics -servers none
    lvs metrics -listen 127.0.0.1:9150 -servers 100 -server-counters`,
		Host: true,
		New:  func() cli.Action { return &meter{} },
	}
}

// meter writes or serves metrics.
type meter struct {
	listen  string
	servers string
	options metrics.Options
}

func (m *meter) Flags(f *flag.FlagSet) {
	f.StringVar(&m.listen, "listen", "", "serve the metrics at `ADDRESS`, such as 127.0.0.1:9150 or :9150")
	f.StringVar(&m.servers, "servers", "all", "`WHICH` real servers have metrics: all, none, or a number, for the busiest")
	f.BoolVar(&m.options.ServerCounters, "server-counters", false, "add counters of real servers, which take some times as long to read")
	probesFlag(f, &m.options.Probes)
	f.BoolVar(&m.options.NodeExporter, "node-exporter", false, "use the names and labels of node_exporter")
	f.BoolVar(&m.options.Totals, "totals", false, "add the counters of all services together")
	f.BoolVar(&m.options.CPUs, "cpus", false, "add the counters of each CPU")
	f.BoolVar(&m.options.States, "states", false, "count connections by state, for which the kernel lists all of them at each scrape")
	f.StringVar(&m.options.StateFile, "state", "", "add the drains of the file `STATE` of another command")
	f.DurationVar(&m.options.Timeout, "timeout", 0, "the longest `TIME` of a scrape; 0 is 5s")
}

func (m *meter) Run(ctx context.Context, env *cli.Env, _ []string) error {
	if err := m.selectServers(); err != nil {
		return err
	}
	host, err := env.Host(ctx)
	if err != nil {
		return err
	}
	var failed failures
	m.options.OnError = failed.add
	collector, err := metrics.New(host, m.options)
	if err != nil {
		return err
	}
	if m.listen != "" {
		failed.report = env.Err
		return serveMetrics(ctx, env, m.listen, collector)
	}
	return errors.Join(collector.WriteText(env.Out), failed.err)
}

// selectServers reads the flag -servers.
func (m *meter) selectServers() error {
	switch m.servers {
	case "all":
		m.options.Servers = metrics.AllServers()
		return nil
	case "none":
		m.options.Servers = metrics.NoServers()
		return nil
	}
	n, err := strconv.Atoi(m.servers)
	if err != nil || n <= 0 {
		return cli.Usagef("the flag -servers cannot be %q: want all, none, or a number above 0", m.servers)
	}
	m.options.Servers = metrics.BusiestServers(n)
	return nil
}

// failures collects the errors of readings, or reports each as it comes.
type failures struct {
	report io.Writer // nil collects

	mu  sync.Mutex
	err error
}

func (f *failures) add(reading string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	err = fmt.Errorf("read %s: %w", reading, err)
	if f.report != nil {
		fmt.Fprintln(f.report, "lvs:", err)
		return
	}
	f.err = errors.Join(f.err, err)
}
