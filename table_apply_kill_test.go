package lvs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/testbed"

	"github.com/golvs/lvs/internal/genl"
	"github.com/golvs/lvs/internal/seam"
)

// A program that applies a plan of 200 changes is killed at each step, and whatever was
// done by then, the next run completes it and touches nothing of others.

// killGround is a table of which some is ours, some was ours, and some is others'.
type killGround struct {
	t      *testing.T
	client *Client
	file   string // our state
	drain  time.Duration

	foreign    TableService // a service of another program
	stranger   RealServer   // a real server of another program in our service 5
	persistent Persistence  // set by another program in our service 6
}

const (
	killService  = 5 // has a real server of another program
	killField    = 6 // has a field of another program
	killChanges  = 200
	killServices = 28
)

// killBefore and killWant are what we applied last and what we want now.
func killBefore() Table { return killTable(0, killServices, []int{1, 1, 1, 1, 0}) }

func killWant() Table { return killTable(4, killServices+8, []int{2, -1, 1, 0, 1, 1, 1}) }

// killTable has the services from one to another, each with real servers of some weights.
func killTable(from, to int, weights []int) Table {
	return Table{weightTable(slices.Repeat([][]int{weights}, to)...).Services[from:]}
}

// reset makes the table and the state what they are before the plan.
func (g *killGround) reset() {
	g.t.Helper()
	ctx := g.t.Context()
	must(g.t, g.client.Flush(ctx))
	text, err := json.Marshal(TableState{Applied: killBefore()})
	must(g.t, err)
	must(g.t, os.WriteFile(g.file, text, 0o600))
	g.foreign = TableService{Service{ID: FWMark(9), Scheduler: RR}, []RealServer{{Addr: netip.MustParseAddrPort("10.72.0.1:0"), Weight: 3}}}
	g.stranger = RealServer{Addr: netip.MustParseAddrPort("10.72.0.2:8080"), Mode: NAT(), Weight: 4}
	g.persistent = Persistence{Timeout: 5 * time.Minute}
	var changes []Change
	for _, s := range append(killBefore().Services, g.foreign) {
		if s.ID == applyID(killField) {
			s.Persistence = g.persistent
		}
		changes = append(changes, AddService(s.Service))
		for _, server := range s.RealServers {
			changes = append(changes, AddRealServer(s.ID, server))
		}
	}
	changes = append(changes, AddRealServer(applyID(killService), g.stranger))
	must(g.t, g.client.Do(ctx, changes...))
}

func (g *killGround) plan() TablePlan {
	g.t.Helper()
	last, err := ReadTableState(g.file)
	must(g.t, err)
	plan, err := g.client.PlanTable(g.t.Context(), killWant(), TableOptions{Prune: true, Drain: g.drain, Last: &last})
	must(g.t, err)
	return plan
}

// complete does what the next run does. With again it begins with the same plan.
func (g *killGround) complete(what string, plan TablePlan, again bool) {
	g.t.Helper()
	o := ApplyOptions{StateFile: g.file}
	if again {
		if _, err := g.client.ApplyTable(g.t.Context(), plan, o); err != nil {
			g.t.Errorf("%s: the same plan again: %v", what, err)
		}
	}
	next := g.plan()
	if again && next.HasChanges() {
		g.t.Errorf("%s: after the same plan again there is left\n%v", what, next)
	}
	if _, err := g.client.ApplyTable(g.t.Context(), next, o); err != nil {
		g.t.Errorf("%s: the next run: %v", what, err)
	}
	g.check(what)
}

// killEach has the plan applied by apply, which is killed at one of the steps and returns
// how many there were: once at each, or at every so many.
func (g *killGround) killEach(every int, apply func(plan TablePlan, at int) (steps int)) {
	g.t.Helper()
	g.reset()
	plan := g.plan()
	steps := apply(plan, 0)
	if n := len(plan.Changes()); n < killChanges || steps < n+5 {
		g.t.Fatalf("%d changes in %d steps, want %d", n, steps, killChanges)
	}
	g.check("without a kill")
	for at := 1; at <= steps && !g.t.Failed(); at += every {
		g.reset()
		plan := g.plan()
		apply(plan, at)
		what := fmt.Sprintf("killed at step %d of %d", at, steps)
		begun := g.begun()
		g.complete(what, plan, at%2 == 0)
		g.goOn(what, begun)
	}
}

// begun returns the drains that are known and whose weights are 0.
func (g *killGround) begun() []Drain {
	g.t.Helper()
	s, err := ReadTableState(g.file)
	must(g.t, err)
	now, err := g.client.Snapshot(g.t.Context())
	must(g.t, err)
	byID := now.byID()
	return slices.DeleteFunc(s.Drains, func(d Drain) bool {
		return slices.ContainsFunc(d.Before, func(before RealServer) bool { return byID[d.Service].server(before.Addr).Weight != 0 })
	})
}

// goOn holds that drains have the time that they had left, and what they began with.
func (g *killGround) goOn(what string, begun []Drain) {
	g.t.Helper()
	s, err := ReadTableState(g.file)
	must(g.t, err)
	for _, d := range begun {
		if !slices.ContainsFunc(s.Drains, d.Equal) {
			g.t.Errorf("%s: %v does not go on as it was: %v", what, d, s.Drains)
		}
	}
}

// check compares the table and the state with what they must be in the end.
func (g *killGround) check(what string) {
	g.t.Helper()
	want := killWant()
	for i := range want.Services {
		s := &want.Services[i]
		if i < killServices-4 && g.drain > 0 { // its second real server is not wanted
			drains := RealServer{Addr: applyRIP(i+4, 1), Mode: NAT()}
			s.RealServers = slices.Insert(s.RealServers, 1, drains)
		}
		switch s.ID {
		case applyID(killField):
			s.Persistence = g.persistent
		case applyID(killService):
			s.RealServers = slices.Insert(s.RealServers, len(s.RealServers)-2, g.stranger)
		}
	}
	if g.drain > 0 {
		want.Services = append(want.Services, killTable(0, 4, make([]int, 5)).Services...)
	}
	want.Services = append(want.Services, g.foreign)
	now, err := g.client.Snapshot(g.t.Context())
	must(g.t, err)
	if got := now.Table(); !got.Equal(want) {
		g.t.Errorf("%s: the kernel has\n%v\nwant\n%v", what, got, want)
	}
	if next := g.plan(); next.HasChanges() {
		g.t.Errorf("%s: there is left\n%v", what, next)
	}
	g.checkState(what)
}

// checkState holds that what drains is known, and nothing of others is ours.
func (g *killGround) checkState(what string) {
	g.t.Helper()
	s, err := ReadTableState(g.file)
	must(g.t, err)
	if g.drain == 0 && (len(s.Drains) > 0 || !s.Applied.Equal(killWant())) {
		g.t.Errorf("%s: we own\n%v\nwith the drains %v", what, s.Applied, s.Drains)
	}
	if n := killServices; g.drain > 0 && len(s.Drains) != n {
		g.t.Errorf("%s: %d drains are known, want %d", what, len(s.Drains), n)
	}
	before := killBefore()
	for _, d := range s.Drains {
		i := slices.IndexFunc(before.Services, func(s TableService) bool { return s.ID == d.Service })
		for _, server := range d.Before {
			if !slices.ContainsFunc(before.Services[i].RealServers, server.Equal) {
				g.t.Errorf("%s: %v would be taken back to weight %d of %s", what, d, server.Weight, server.Addr)
			}
		}
	}
	for _, own := range s.Applied.Services {
		for _, server := range own.RealServers {
			if server.Addr == g.stranger.Addr {
				g.t.Errorf("%s: we own the real server of another program", what)
			}
		}
		if own.ID == g.foreign.ID || own.Persistence != (Persistence{}) {
			g.t.Errorf("%s: we own %v of another program", what, own.Service)
		}
	}
}

// killer ends the program at one of the steps of applying: those of the state file, and
// each change.
type killer struct {
	at    int64 // the step, from 1; 0 only counts
	steps atomic.Int64
	end   func()

	failAt int64 // the change at which the socket fails; 0 is none

	changing atomic.Bool // the state is written, and the kernel is being changed
}

func (k *killer) step(name string) {
	if k.changing.Store(name == "the kernel is changed"); k.steps.Add(1) == k.at {
		k.end()
	}
}

// isOver reports whether the step has come.
func (k *killer) isOver() bool { return k.at > 0 && k.steps.Load() >= k.at }

func (k *killer) context(ctx context.Context) context.Context { return seam.WithStep(ctx, k.step) }

// dialer returns a dialer of sockets that send one change at a time.
func (k *killer) dialer(dial genl.Dialer) genl.Dialer {
	return func() (genl.Socket, error) {
		s, err := dial()
		return &killerSocket{s, k}, err
	}
}

type killerSocket struct {
	genl.Socket
	killer *killer
}

// ReceiveBuffer has room for the answer to one change.
func (s *killerSocket) ReceiveBuffer() int { return 1 }

var errKilled = errors.New("killed")

func (s *killerSocket) Send(datagram []byte) error {
	if !s.killer.changing.Load() {
		return s.Socket.Send(datagram)
	}
	n := s.killer.steps.Add(1)
	if n == s.killer.at {
		s.killer.end()
	}
	if s.killer.isOver() || n == s.killer.failAt {
		return errKilled
	}
	return s.Socket.Send(datagram)
}

var applyKills = flag.Int("apply.kills", 0, "at every so many steps, a program that applies a plan, or takes one back, is killed; 0 is at some")

// A simulator survives, so the program is a goroutine: from the step on, it can neither
// send nor write. One that lives can write what it knows, which is not whether its last
// change was made.
func TestApplyTableKilledSimulator(t *testing.T) {
	for _, tt := range []struct {
		drain time.Duration
		every int
		lives bool
	}{
		{time.Hour, 5, false}, {0, 15, false}, {time.Hour, 35, true}, {0, 35, true},
	} {
		sim, err := NewSimulator(SimOptions{})
		must(t, err)
		g := &killGround{t: t, client: sim.Client(), file: filepath.Join(t.TempDir(), "state.json"), drain: tt.drain}
		g.killEach(cmp.Or(*applyKills, testbed.Stride()*tt.every), func(plan TablePlan, at int) (steps int) {
			k := &killer{at: int64(at), end: func() {}}
			ctx := seam.WithStep(t.Context(), func(name string) {
				if k.step(name); k.isOver() && !tt.lives {
					runtime.Goexit()
				}
			})
			client, err := newClient(t.Context(), k.dialer(sim.dial), orDiscard(nil))
			must(t, err)
			defer client.Close()
			done := make(chan error, 1)
			go func() {
				defer close(done)
				_, err := client.ApplyTable(ctx, plan, ApplyOptions{StateFile: g.file})
				done <- err
			}()
			if err, returned := <-done; returned && !errors.Is(err, errKilled) && (err != nil || at > 0 && !tt.lives) {
				t.Fatalf("to be interrupted at step %d, it returned %v", at, err)
			}
			return int(k.steps.Load())
		})
	}
}
