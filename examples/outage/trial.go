package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/director"
	"github.com/golvs/lvs/health"
	"github.com/golvs/lvs/workload"
)

// directorIP is where probes come from.
var directorIP = netip.MustParseAddr("10.168.0.90")

// trial is a story under a policy.
type trial struct {
	story
	policy policy
	start  time.Time
	events []string // what the director reported
}

// inFakeTime plays the trial in fake time, in which a day lasts as long as the work that
// is done in it. Go has fake time for tests alone; one without a name will do.
func (t *trial) inFakeTime(ctx context.Context) (r *workload.Report, err error) {
	synctest.Test(new(testing.T), func(*testing.T) {
		// A channel from outside would keep the fake time from passing.
		inside, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
		defer cancel(nil)
		t.Workload.Progress = func(workload.Progress) {
			if err := context.Cause(ctx); err != nil {
				cancel(err)
			}
		}
		r, err = t.play(inside)
	})
	return r, err
}

// play runs a director with the policy while clients connect.
func (t *trial) play(ctx context.Context) (*workload.Report, error) {
	t.start = time.Now()
	sim, err := lvs.NewSimulator(lvs.SimOptions{Clock: time.Now, Seed: t.Workload.Seed})
	if err != nil {
		return nil, err
	}
	client := sim.Client()
	defer client.Close()
	d, err := t.director(ctx, sim, client)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- d.Run(ctx) }()
	w := t.workload()
	w.Wait = func(d time.Duration) {
		time.Sleep(d)
		synctest.Wait()
	}
	r, err := workload.Run(ctx, sim, w)
	stop()
	if failed := <-ended; !errors.Is(failed, context.Canceled) {
		err = errors.Join(err, failed)
	}
	if err == nil {
		r.Name = t.policy.name
	}
	return r, err
}

// director returns a director of a table that the kernel already has, as when the program is
// started again.
func (t *trial) director(ctx context.Context, sim *lvs.Simulator, client *lvs.Client) (*director.Director, error) {
	servers, err := t.network()
	if err != nil {
		return nil, err
	}
	path, err := health.NewTablePath(client, health.TablePathOptions{
		Sources: []netip.Addr{directorIP},
		Network: func(mark uint32, source netip.Addr) health.Network { return servers.Through(sim, source, mark) },
	})
	if err != nil {
		return nil, err
	}
	table := t.table()
	policies := map[lvs.ServiceID]health.Policy{t.Workload.Service: t.policy.Policy}
	plan, err := client.PlanTable(ctx, table, lvs.TableOptions{})
	if err != nil {
		return nil, err
	}
	if _, err := client.ApplyTable(ctx, plan, lvs.ApplyOptions{}); err != nil {
		return nil, err
	}
	if err := path.Set(ctx, table, policies); err != nil {
		return nil, err
	}
	d, err := director.New(client, director.Options{
		Health:  health.Options{Network: servers, Paths: map[health.Path]health.PathFunc{health.ThroughIPVS: path.Prepare}},
		OnEvent: t.note,
	})
	if err != nil {
		return nil, err
	}
	return d, d.Update(director.Update{Table: table, Health: policies})
}

// note notes what the director reports of servers.
func (t *trial) note(e director.Event) {
	if _, ok := e.(director.Health); ok {
		t.events = append(t.events, fmt.Sprintf("%8s  %s", time.Since(t.start).Round(time.Millisecond), e))
	}
}

// write writes what happened.
func (t *trial) write(w io.Writer, r *workload.Report) error {
	if err := r.WriteTable(w); err != nil {
		return err
	}
	fmt.Fprintln(w)
	for _, e := range t.events {
		fmt.Fprintln(w, e)
	}
	_, err := fmt.Fprintln(w)
	return err
}
