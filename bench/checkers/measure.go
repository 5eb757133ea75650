//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/golvs/lvs"
)

// result is how a contender did.
type result struct {
	name    string
	version string
	cpu     []time.Duration // of its processes, a second
	probes  []int64         // a second, in the same time
	outages []outage        // one of each fault
}

func newResult(c contender) *result {
	r := &result{name: c.name, version: c.version()}
	for _, f := range faults {
		r.outages = append(r.outages, outage{fault: f.name})
	}
	return r
}

// outage is what was measured in the rounds of one fault.
type outage struct {
	fault   string
	out, in []time.Duration // until the dead server was out, and the recovered one in
	lost    []int64         // connections, from the fault until the server was in again
	opened  []int64
}

// patience is how long a contender may take for anything.
const patience = time.Minute

// interval is the time between two checks, as configuration says.
const interval = time.Second

// compare measures the contenders in turn, in another order each round.
func (l *lab) compare(ctx context.Context, o options) ([]*result, error) {
	all := make([]*result, len(o.only))
	for round := range o.rounds + 1 {
		if round <= 1 { // the first round is to warm up
			for i, c := range o.only {
				all[i] = newResult(c)
			}
		}
		for n := range o.only {
			i := (n + round) % len(o.only)
			if err := l.measure(ctx, o.only[i], round%o.rounds, o, all[i]); err != nil {
				return nil, fmt.Errorf("%s: %w", o.only[i].name, err)
			}
		}
	}
	return all, nil
}

// measure starts a contender, measures what its checks cost, and breaks a server in each
// way.
func (l *lab) measure(ctx context.Context, c contender, round int, o options, r *result) (err error) {
	if err := l.table.Flush(ctx); err != nil {
		return err
	}
	p, err := l.start(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	if err := l.await(ctx, func() bool { return l.working(ctx) == len(l.web) }); err != nil {
		return fmt.Errorf("starting: %w\n%s", err, p.log())
	}
	cpu, probes, err := l.cost(ctx, p, o.rest)
	if err != nil {
		return err
	}
	r.cpu, r.probes = append(r.cpu, cpu), append(r.probes, probes)
	// The rounds are spread evenly over the interval, or chance would decide how long the next
	// check is off.
	phase := interval * time.Duration(2*round+1) / time.Duration(2*o.rounds)
	for i, f := range faults {
		if err := sleep(ctx, until(phase, time.Since(p.begun))); err != nil {
			return err
		}
		if err := l.outage(ctx, f, l.web[len(l.web)/2], phase, &r.outages[i]); err != nil {
			return fmt.Errorf("%s: %w\n%s", f.name, err, p.log())
		}
	}
	return nil
}

// pause is the least time before a fault, and before its repair.
const pause = 3 * time.Second

// until returns how long to wait for a moment of the contender's interval, after a pause.
func until(phase, running time.Duration) time.Duration {
	return pause + (phase-(running+pause)%interval+interval)%interval
}

// outage breaks a server and repairs it, while clients connect. The repair comes when
// phase has passed since a check: the one by which the server was out.
func (l *lab) outage(ctx context.Context, f fault, w *webServer, phase time.Duration, m *outage) error {
	t := begin(ctx, l.client, l.check)
	defer t.stop()
	begun := time.Now()
	if err := f.start(ctx, l, w); err != nil {
		return err
	}
	if err := l.await(ctx, func() bool { return l.weight(ctx, w) == 0 }); err != nil {
		return fmt.Errorf("noticing the fault: %w", err)
	}
	m.out = append(m.out, time.Since(begun))
	if err := sleep(ctx, pause+phase); err != nil {
		return err
	}
	begun = time.Now()
	if err := f.end(ctx, l, w); err != nil {
		return err
	}
	if err := l.await(ctx, func() bool { return l.weight(ctx, w) > 0 }); err != nil {
		return fmt.Errorf("noticing the recovery: %w", err)
	}
	m.in = append(m.in, time.Since(begun))
	opened, lost := t.end()
	m.opened, m.lost = append(m.opened, opened), append(m.lost, lost)
	return nil
}

// await waits until something is so.
func (l *lab) await(ctx context.Context, is func() bool) error {
	for end := time.Now().Add(patience); !is(); {
		if time.Now().After(end) {
			return fmt.Errorf("it did not come within %s", patience)
		}
		if err := sleep(ctx, 2*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// weight returns the weight of a real server, 0 if it is not in the table.
func (l *lab) weight(ctx context.Context, w *webServer) int {
	s, err := l.table.RealServer(ctx, lvs.TCP(vip), w.addr)
	if err != nil {
		return 0
	}
	return s.Weight
}

// working returns how many real servers get connections.
func (l *lab) working(ctx context.Context) (n int) {
	servers, err := l.table.RealServers(ctx, lvs.TCP(vip))
	if err != nil {
		return 0
	}
	for _, s := range servers {
		if s.Weight > 0 {
			n++
		}
	}
	return n
}

// write prints the results beside each other.
func write(out io.Writer, o options, all []*result) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%d real servers, checked by %s, %d rounds; median (greatest)\n", o.servers, o.check.name, o.rounds)
	for _, r := range all {
		fmt.Fprintf(w, "\t%s", r.version)
	}
	fmt.Fprint(w, "\nprocessor time a second")
	for _, r := range all {
		fmt.Fprintf(w, "\t%s", spread(r.cpu, func(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1e3) }))
	}
	fmt.Fprint(w, "\nchecks a second")
	for _, r := range all {
		fmt.Fprintf(w, "\t%s", spread(r.probes, countText))
	}
	for i, f := range faults {
		for _, row := range []struct {
			name string
			of   func(outage) string
		}{
			{"until the server is out", func(m outage) string { return spread(m.out, durationText) }},
			{"until it is in again", func(m outage) string { return spread(m.in, durationText) }},
			{"connections lost", func(m outage) string { return spread(m.lost, countText) }},
			{"of", func(m outage) string { return spread(m.opened, countText) }},
		} {
			fmt.Fprintf(w, "\n%s: %s", f.name, row.name)
			for _, r := range all {
				fmt.Fprintf(w, "\t%s", row.of(r.outages[i]))
			}
		}
	}
	fmt.Fprintln(w)
	return w.Flush()
}

func durationText(d time.Duration) string { return d.Round(time.Millisecond).String() }

func countText(n int64) string { return fmt.Sprint(n) }

// spread returns the median and the greatest of some values.
func spread[T int64 | time.Duration](values []T, text func(T) string) string {
	sorted := slices.Sorted(slices.Values(values))
	return fmt.Sprintf("%s (%s)", text(sorted[len(sorted)/2]), text(sorted[len(sorted)-1]))
}
