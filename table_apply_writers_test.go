package lvs

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// tableWriter keeps a table as it wants it by planning and applying, while other programs
// write.
type tableWriter struct {
	t      *testing.T
	client *Client
	scope  Scope
	file   string
	random *rand.Rand

	applied, stale, failed int
}

// run applies random tables until the context ends, and holds that errors say what the
// other program did. It ends between two calls: the kernel may still make the change of one
// that was interrupted.
func (w *tableWriter) run(ctx context.Context, wanted func(*rand.Rand) Table) {
	for ctx.Err() == nil {
		switch err := w.once(wanted(w.random), ApplyOptions{StateFile: w.file, RollBack: w.random.IntN(4) == 0, Stop: w.random.IntN(4) == 0}); {
		case err == nil:
			w.applied++
		case errors.Is(err, ErrStale):
			w.stale++
		case isAny(err, []error{ErrExists, ErrNotFound, ErrUnstable}):
			w.failed++
		default:
			w.t.Errorf("an error that another writer cannot cause: %v", err)
		}
	}
}

// meet runs until plans were applied, and others were not because of the other program,
// which takes long where programs run slowly.
func (w *tableWriter) meet(ctx context.Context, wanted func(*rand.Rand) Table) {
	w.t.Helper()
	for range 15 {
		short, cancel := context.WithTimeout(ctx, writersTime)
		w.run(short, wanted)
		cancel()
		if w.applied > 0 && w.stale+w.failed > 0 {
			break
		}
	}
	w.t.Logf("%d plans applied, %d stale, %d failed in part", w.applied, w.stale, w.failed)
	if w.applied == 0 || w.stale+w.failed == 0 {
		w.t.Error("the two did not meet")
	}
}

func (w *tableWriter) once(want Table, o ApplyOptions) error {
	last, err := ReadTableState(o.StateFile)
	must(w.t, err)
	plan, err := w.client.PlanTable(w.t.Context(), want, TableOptions{Scope: w.scope, Prune: true, Last: &last})
	if err != nil {
		return err
	}
	_, err = w.client.ApplyTable(w.t.Context(), plan, o)
	return err
}

// converge holds that a plan of everything in scope can be applied, and that the scope
// then is what is wanted: no other program writes it.
func (w *tableWriter) converge(want Table) {
	w.t.Helper()
	err := stably(func() error {
		plan, err := w.client.PlanTable(w.t.Context(), want, TableOptions{Scope: w.scope, Prune: true})
		if err == nil {
			_, err = w.client.ApplyTable(w.t.Context(), plan, ApplyOptions{StateFile: w.file})
		}
		return err
	})
	if err != nil {
		w.t.Errorf("no other program writes the same, and %v", err)
	}
	var now Snapshot
	must(w.t, stably(func() (err error) {
		now, err = w.client.Snapshot(w.t.Context())
		return err
	}))
	got := now.Table()
	got.Services = slices.DeleteFunc(got.Services, func(s TableService) bool { return !w.scope.Contains(s.ID, true) })
	if !sameInAnyOrder(got, want) {
		w.t.Errorf("the kernel has\n%v\nwant\n%v", got, want)
	}
}

// stably repeats what reads the table while it changes elsewhere.
func stably(do func() error) error {
	err := do()
	for range 100 {
		if !errors.Is(err, ErrUnstable) {
			break
		}
		err = do()
	}
	return err
}

// randomTable returns some of the services of a port range, with some real servers.
func randomTable(from, to int) func(*rand.Rand) Table {
	return func(r *rand.Rand) (table Table) {
		for i := from; i < to; i++ {
			if r.IntN(3) == 0 {
				continue
			}
			s := TableService{Service: Service{ID: applyID(i), Scheduler: []Scheduler{RR, WRR, WLC}[r.IntN(3)]}}
			for j := range 4 {
				if r.IntN(2) == 0 {
					s.RealServers = append(s.RealServers, RealServer{Addr: applyRIP(i, j), Mode: NAT(), Weight: r.IntN(3)})
				}
			}
			table.Services = append(table.Services, s)
		}
		return table
	}
}

// vandal makes random changes to the services of a port range until the context ends, and
// leaves none under way.
func vandal(ctx context.Context, c *Client, r *rand.Rand, from, to int) {
	for ctx.Err() == nil {
		i, j := from+r.IntN(to-from), r.IntN(5)
		server := RealServer{Addr: applyRIP(i, j), Mode: NAT(), Weight: r.IntN(3)}
		changes := []Change{
			RemoveService(applyID(i)), AddService(Service{ID: applyID(i), Scheduler: RR}), UpdateService(Service{ID: applyID(i), Scheduler: WLC}),
			AddRealServer(applyID(i), server), UpdateRealServer(applyID(i), server), RemoveRealServer(applyID(i), server.Addr),
		}
		_ = c.Do(context.WithoutCancel(ctx), changes[r.IntN(len(changes))])
	}
}

func portScope(from, to int) Scope {
	return ScopeFunc(func(id ServiceID) bool {
		port := int(id.AddrPort().Port()) - 80
		return from <= port && port < to
	})
}

const writersTime = 2 * time.Second

// Another program writes the same services. No call hangs, each error says why, and the
// table is as wanted once the other program has stopped.
func TestApplyTableAmongWriters(t *testing.T) {
	l := newApplyLab(t, SimOptions{})
	w := &tableWriter{t: t, client: l.client, file: filepath.Join(t.TempDir(), "state.json"), scope: portScope(0, 6), random: rand.New(rand.NewPCG(1, 1))}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var others sync.WaitGroup
	others.Go(func() { vandal(ctx, l.other, rand.New(rand.NewPCG(2, 2)), 0, 6) })
	w.meet(ctx, randomTable(0, 6))
	stop()
	others.Wait()
	for range 20 {
		w.converge(randomTable(0, 6)(w.random))
	}
}

// Programs with different scopes never touch each other's services.
func TestApplyTableScopes(t *testing.T) {
	l := newApplyLab(t, SimOptions{})
	ctx, stop := context.WithTimeout(t.Context(), writersTime)
	defer stop()
	var all sync.WaitGroup
	const each, plans = 4, 10 // at least that many, where programs run slowly
	writers := make([]*tableWriter, 3)
	for n := range writers {
		from, to := n*each, (n+1)*each
		w := &tableWriter{t: t, client: l.sim.Client(), scope: portScope(from, to), random: rand.New(rand.NewPCG(uint64(n), 3))}
		w.file = filepath.Join(t.TempDir(), "state.json")
		writers[n] = w
		all.Go(func() {
			for ; ctx.Err() == nil || w.applied < plans; w.applied++ {
				w.converge(randomTable(from, to)(w.random))
			}
		})
	}
	all.Wait()
	for _, w := range writers {
		must(t, w.client.Close())
	}
}
