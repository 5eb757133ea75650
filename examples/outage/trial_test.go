package outage

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
	"github.com/golvs/lvs/health/healthtest"
	"github.com/golvs/lvs/workload"
)

// directorIP is where probes come from.
var directorIP = netip.MustParseAddr("10.168.0.90")

// trial is a story under a policy.
type trial struct {
	story
	policy policy
	start  time.Time
	report *workload.Report
	events []string // what the director reported
}

// play runs a director with the policy while clients connect, in fake time. A day lasts as
// long as the work that is done in it.
func (r *trial) play(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r.start = time.Now()
		sim, err := lvs.NewSimulator(lvs.SimOptions{Clock: time.Now, Seed: r.Workload.Seed})
		if err != nil {
			t.Fatal(err)
		}
		client := sim.Client()
		defer client.Close()
		servers, err := r.network()
		if err != nil {
			t.Fatal(err)
		}
		defer servers.Close()
		d, err := r.director(t.Context(), sim, client, servers)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- d.Run(ctx) }()
		w := r.workload()
		w.Wait = func(d time.Duration) {
			time.Sleep(d)
			synctest.Wait()
		}
		r.report, err = workload.Run(ctx, sim, w)
		stop()
		if failed := <-ended; !errors.Is(failed, context.Canceled) {
			t.Error(failed)
		}
		if err != nil {
			t.Fatal(err)
		}
		r.report.Name = r.policy.name
	})
}

// director returns a director of a table that the kernel already has, as when the program is
// started again.
func (r *trial) director(ctx context.Context, sim *lvs.Simulator, client *lvs.Client, servers *healthtest.Network) (*director.Director, error) {
	path, err := health.NewTablePath(client, health.TablePathOptions{
		Sources: []netip.Addr{directorIP},
		Network: func(mark uint32, source netip.Addr) health.Network { return servers.Through(sim, source, mark) },
	})
	if err != nil {
		return nil, err
	}
	table := r.table()
	policies := map[lvs.ServiceID]health.Policy{r.Workload.Service: r.policy.Policy}
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
		OnEvent: r.note,
	})
	if err != nil {
		return nil, err
	}
	return d, d.Update(director.Update{Table: table, Health: policies})
}

// note notes what the director reports of servers.
func (r *trial) note(e director.Event) {
	if _, ok := e.(director.Health); ok {
		r.events = append(r.events, fmt.Sprintf("%8s  %s", time.Since(r.start).Round(time.Millisecond), e))
	}
}

// write writes what happened.
func (r *trial) write(w io.Writer) error {
	if err := r.report.WriteTable(w); err != nil {
		return err
	}
	fmt.Fprintln(w)
	for _, e := range r.events {
		fmt.Fprintln(w, e)
	}
	_, err := fmt.Fprintln(w)
	return err
}
