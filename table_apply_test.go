package lvs

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// applyLab is a simulator with a client, and a second client that plays another program.
type applyLab struct {
	t             *testing.T
	sim           *Simulator
	client, other *Client
}

func newApplyLab(t *testing.T, o SimOptions) *applyLab {
	t.Helper()
	sim, err := NewSimulator(o)
	must(t, err)
	l := &applyLab{t, sim, sim.Client(), sim.Client()}
	t.Cleanup(func() { l.client.Close(); l.other.Close() })
	return l
}

// fill makes the whole table what is wanted, as another program.
func (l *applyLab) fill(want Table) {
	l.t.Helper()
	must(l.t, l.other.Flush(l.t.Context()))
	for _, s := range want.Services {
		must(l.t, l.other.AddService(l.t.Context(), s.Service))
		for _, server := range s.RealServers {
			must(l.t, l.other.AddRealServer(l.t.Context(), s.ID, server))
		}
	}
}

func (l *applyLab) plan(want Table, o TableOptions) TablePlan {
	l.t.Helper()
	plan, err := l.client.PlanTable(l.t.Context(), want, o)
	must(l.t, err)
	return plan
}

// has reports an error unless the table is what is wanted.
func (l *applyLab) has(what string, want Table) {
	l.t.Helper()
	s, err := l.other.Snapshot(l.t.Context())
	must(l.t, err)
	if got := s.Table(); !got.Equal(want) {
		l.t.Errorf("%s: the kernel has\n%v\nwant\n%v", what, got, want)
	}
}

// weightTable returns a table of services on ports of one VIP, each with real servers of some
// weights.
func weightTable(services ...[]int) (all Table) {
	for i, weights := range services {
		s := TableService{Service: Service{ID: applyID(i), Scheduler: WRR}}
		for j, weight := range weights {
			if weight >= 0 {
				s.RealServers = append(s.RealServers, RealServer{Addr: applyRIP(i, j), Mode: NAT(), Weight: weight})
			}
		}
		all.Services = append(all.Services, s)
	}
	return all
}

func applyID(i int) ServiceID {
	return TCP(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 70, 0, 1}), uint16(80+i)))
}

func applyRIP(service, server int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 71, byte(service), byte(1 + server)}), 8080)
}

func outcomes(o StepOutcome, n int) []StepOutcome { return slices.Repeat([]StepOutcome{o}, n) }

func TestApplyTable(t *testing.T) {
	l := newApplyLab(t, SimOptions{})
	foreign := weightTable(nil, nil, nil, []int{7}).Services[3]
	have := weightTable([]int{1, 1}, []int{1, 0})
	l.fill(Table{Services: append(have.Services, foreign)})
	want := weightTable([]int{-1, 5, 1}, []int{2, 1}, []int{3})
	plan := l.plan(want, TableOptions{})
	r, err := l.client.ApplyTable(t.Context(), plan, ApplyOptions{})
	must(t, err)
	compare(t, "outcomes", outcomes(StepMade, len(plan.Steps)), r.Steps)
	l.has("after", Table{Services: append(want.Services, foreign)})
	if again := l.plan(want, TableOptions{}); again.HasChanges() {
		t.Errorf("a second plan has\n%v", again)
	}

	// The same plan again does nothing, because all was done.
	writes := l.countWrites(func() {
		r, err = l.client.ApplyTable(t.Context(), plan, ApplyOptions{})
		must(t, err)
	})
	compare(t, "outcomes of a second time", outcomes(StepFound, len(plan.Steps)), r.Steps)
	if writes != 0 {
		t.Errorf("%d changes were sent", writes)
	}
}

// countWrites returns how many changes our client sends.
func (l *applyLab) countWrites(do func()) (n int) {
	note := l.client.note
	l.client.note = func(changes []Change, err error) { n += len(changes); note(changes, err) }
	defer func() { l.client.note = note }()
	do()
	return n
}

// A plan without changes is not written, nor is a state that the file has.
func TestApplyTableNothing(t *testing.T) {
	l := newApplyLab(t, SimOptions{})
	want := weightTable([]int{1, 2}, []int{1})
	l.fill(want)
	file := filepath.Join(t.TempDir(), "state.json")
	for i, wrote := range []bool{true, false} {
		before, err := ReadTableState(file)
		must(t, err)
		if n := l.countWrites(func() {
			r, err := l.client.ApplyTable(t.Context(), l.plan(want, TableOptions{Last: &before}), ApplyOptions{StateFile: file})
			must(t, err)
			compare(t, "result", "nothing to do", r.String())
		}); n != 0 {
			t.Errorf("%d changes were sent", n)
		}
		after, err := ReadTableState(file)
		must(t, err)
		if !after.Applied.Equal(want) || after.Equal(before) == wrote {
			t.Errorf("run %d: the file has %v, and had %v", i, after, before)
		}
	}
}

func TestApplyTableStale(t *testing.T) {
	l := newApplyLab(t, SimOptions{})
	have := weightTable([]int{1, 1}, []int{1}, []int{1})
	want := weightTable([]int{1, 2}, []int{1}, []int{1}, []int{1})
	for name, change := range map[string]Change{
		"a weight of another step's service": UpdateRealServer(applyID(0), RealServer{Addr: applyRIP(0, 0), Mode: NAT(), Weight: 9}),
		"a service without a step":           RemoveRealServer(applyID(1), applyRIP(1, 0)),
		"a service removed":                  RemoveService(applyID(2)),
		"a wanted service added":             AddService(Service{ID: applyID(3), Scheduler: RR}),
	} {
		l.fill(have)
		plan := l.plan(want, TableOptions{})
		must(t, l.other.Do(t.Context(), change))
		before, err := l.other.Snapshot(t.Context())
		must(t, err)
		file := filepath.Join(t.TempDir(), "state.json")
		r, err := l.client.ApplyTable(t.Context(), plan, ApplyOptions{StateFile: file})
		ofKind(t, name, err, ErrStale)
		if err != nil && (!strings.Contains(err.Error(), change.ServiceID().String()) || !strings.Contains(err.Error(), "plan again")) {
			t.Errorf("%s: %v", name, err)
		}
		if r.Steps != nil {
			t.Errorf("%s: %v", name, r)
		}
		if s, err := ReadTableState(file); err != nil || s.Applied.Services != nil {
			t.Errorf("%s: the state is %v, %v", name, s, err)
		}
		l.has(name, before.Table())
	}
	// What is out of scope does not count.
	l.fill(have)
	plan := l.plan(want, TableOptions{})
	must(t, l.other.Do(t.Context(), AddService(Service{ID: applyID(7), Scheduler: RR})))
	_, err := l.client.ApplyTable(t.Context(), plan, ApplyOptions{})
	must(t, err)
}

// A plan that drains fits a real server that is draining or gone, and no longer one that
// another program wants.
func TestApplyTableStaleDrain(t *testing.T) {
	l := newApplyLab(t, SimOptions{})
	have := weightTable([]int{1, 1, 1}, []int{2, 2})
	for _, c := range []struct {
		name  string
		fits  bool
		other []Change
	}{
		{"as it was", true, nil},
		{"begun", true, []Change{applyWeight(0, 2, 0), applyWeight(1, 0, 0)}},
		{"ended", true, []Change{RemoveRealServer(applyID(0), applyRIP(0, 2)), RemoveService(applyID(1))}},
		{"a real server is wanted", false, []Change{applyWeight(0, 2, 7)}},
		{"one of a service that goes is wanted", false, []Change{applyWeight(1, 1, 7)}},
		{"one of them, after the drain began", false, []Change{applyWeight(1, 0, 0), applyWeight(1, 1, 7)}},
	} {
		l.fill(have)
		plan := l.plan(weightTable([]int{1, 1, -1}), TableOptions{Scope: ScopeAll(), Prune: true, Drain: time.Minute})
		must(t, l.other.Do(t.Context(), c.other...))
		r, err := l.client.ApplyTable(t.Context(), plan, ApplyOptions{})
		if c.fits {
			must(t, err)
			continue
		}
		ofKind(t, c.name, err, ErrStale)
		if r.Steps != nil {
			t.Errorf("%s: %v", c.name, r)
		}
	}
}

func applyWeight(service, server, weight int) Change {
	return UpdateRealServer(applyID(service), RealServer{Addr: applyRIP(service, server), Mode: NAT(), Weight: weight})
}

// Steps that can be made are, and the cause of the others comes first.
func TestApplyTableFailures(t *testing.T) {
	l := newApplyLab(t, SimOptions{})
	have := weightTable([]int{1, 1})
	l.fill(have)
	want := weightTable([]int{1, -1, 1}, slices.Repeat([]int{1}, 20), []int{1})
	want.Services[1].Scheduler = "custom"
	plan := l.plan(want, TableOptions{})
	r, err := l.client.ApplyTable(t.Context(), plan, ApplyOptions{})
	var e *Error
	if !errors.As(err, &e) || e.Kind() != ErrScheduler || e.Object != applyID(1).String() {
		t.Errorf("the first cause is %v", e)
	}
	batch := batchOf(t, err)
	if batch.Total != len(plan.Steps) || len(batch.Failures) != 21 || r.Count(StepRefused) != 21 || r.Count(StepMade) != len(plan.Steps)-21 {
		t.Errorf("%v; %v", r, err)
	}
	for i, o := range r.Steps {
		if batch.Made(i) != (o == StepMade) {
			t.Errorf("step %d is %v, and made %t", i, o, batch.Made(i))
		}
	}
	if text := err.Error(); !strings.Contains(text, "custom") || strings.Contains(text, "real server") {
		t.Errorf("%v", text)
	}
	causes := batchOf(t, Ignore(err, ErrSkipped))
	if len(causes.Failures) != 1 || plan.Steps[causes.Failures[0].Index].Change.ServiceID() != applyID(1) {
		t.Errorf("causes: %v", causes)
	}
	l.has("after", Table{Services: []TableService{want.Services[0], want.Services[2]}})
}

// A service that does not get what it should keeps what it has.
func TestApplyTableKeepsCapacity(t *testing.T) {
	for name, tt := range map[string]struct{ have, want, left []int }{
		"replaced":          {[]int{1, -1}, []int{-1, 1}, []int{1, -1}},
		"weights exchanged": {[]int{1, 0}, []int{0, 1}, []int{1, 0}},
	} {
		for _, o := range []ApplyOptions{{}, {Stop: true}, {RollBack: true}} {
			l := newApplyLab(t, SimOptions{})
			have, want := weightTable(tt.have, []int{1}), weightTable(tt.want, []int{2})
			l.fill(have)
			plan := l.plan(want, TableOptions{})
			for _, op := range []Op{OpAddRealServer, OpUpdateRealServer} {
				must(t, l.sim.Inject(SimFault{Op: op, Errno: ENOMEM}))
			}
			_, err := l.client.ApplyTable(t.Context(), plan, o)
			batch := batchOf(t, err)
			if !errors.Is(err, ErrBusy) || !errors.Is(err, ErrSkipped) {
				t.Errorf("%s, %+v: %v", name, o, batch)
			}
			s, err := l.other.Snapshot(t.Context())
			must(t, err)
			if got := s.Table().Services[0]; !got.Equal(weightTable(tt.left).Services[0]) {
				t.Errorf("%s, %+v: left %v", name, o, got)
			}
		}
	}
}

// A plan of which a step failed can be applied again unless a later step of the same
// service was made. Another plan does the rest.
func TestApplyTableAfterFailure(t *testing.T) {
	for failed, fits := range map[int]bool{1: false, 2: true} {
		l := newApplyLab(t, SimOptions{})
		l.fill(weightTable([]int{1}, nil))
		want := weightTable([]int{1, 2, 3, 4}, []int{1})
		plan := l.plan(want, TableOptions{})
		l.failAt(plan.Changes(), failed, false)
		_, err := l.client.ApplyTable(t.Context(), plan, ApplyOptions{})
		ofKind(t, "a step that fails", err, ErrBusy)
		_, err = l.client.ApplyTable(t.Context(), plan, ApplyOptions{})
		if fits {
			must(t, err)
		} else if ofKind(t, "the same plan", err, ErrStale); err == nil || !strings.Contains(err.Error(), applyID(0).String()) {
			t.Errorf("%v does not name the service", err)
		}
		_, err = l.client.ApplyTable(t.Context(), l.plan(want, TableOptions{}), ApplyOptions{})
		must(t, err)
		l.sameServices("in the end", want)
	}
}

// After a failure, Stop sends nothing more.
func TestApplyTableStops(t *testing.T) {
	l := newApplyLab(t, SimOptions{})
	want := weightTable([]int{1, 1, 1}, []int{1, 1, 1})
	plan := l.plan(want, TableOptions{})
	must(t, l.sim.Inject(SimFault{Op: OpAddRealServer, Before: func() {}}))
	must(t, l.sim.Inject(SimFault{Op: OpAddRealServer, Errno: ENOMEM}))
	var r ApplyResult
	var err error
	n := l.countWrites(func() { r, err = l.client.ApplyTable(t.Context(), plan, ApplyOptions{Stop: true}) })
	compare(t, "outcomes", slices.Concat(outcomes(StepMade, n-1), outcomes(StepRefused, 1), outcomes(StepNotSent, 8-n)), r.Steps)
	batch := batchOf(t, err)
	if len(batch.Failures) != 9-n || batch.Failures[0].Index != n-1 {
		t.Errorf("after %d changes: %v", n, err)
	}
	// The rest is made when the cause is gone.
	_, err = l.client.ApplyTable(t.Context(), plan, ApplyOptions{Stop: true})
	must(t, err)
	l.has("the second time", want)
}

func TestApplyTableDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newApplyLab(t, SimOptions{})
		have, want := weightTable([]int{1, 2}, []int{3, 4}), weightTable([]int{1})
		l.fill(have)
		file := filepath.Join(t.TempDir(), "state.json")
		o := TableOptions{Scope: ScopeAll(), Prune: true, Drain: time.Minute}
		plan := l.plan(want, o)
		r, err := l.client.ApplyTable(t.Context(), plan, ApplyOptions{StateFile: file, WaitPersistent: true})
		must(t, err)
		drained := weightTable([]int{1, 0}, []int{0, 0})
		l.has("begun", drained)
		now := time.Now().UTC()
		drains := []Drain{
			{applyID(0), applyRIP(0, 1), now, now.Add(time.Minute), true, have.Services[0].RealServers[1:]},
			{Service: applyID(1), Began: now, Deadline: now.Add(time.Minute), WaitPersistent: true, Before: have.Services[1].RealServers},
		}
		if !slices.EqualFunc(r.Drains, drains, Drain.Equal) {
			t.Errorf("%+v, want %+v", r.Drains, drains)
		}
		s, err := ReadTableState(file)
		must(t, err)
		if !slices.EqualFunc(s.Drains, drains, Drain.Equal) {
			t.Errorf("%+v, want %+v", s.Drains, drains)
		}

		// Some time later, another process continues.
		time.Sleep(time.Second)
		o.Last = &s
		if again := l.plan(want, o); again.HasChanges() {
			t.Errorf("drains are under way, and a plan has\n%v", again)
		}
		again, err := l.client.ApplyTable(t.Context(), plan, ApplyOptions{StateFile: file})
		must(t, err)
		if !slices.EqualFunc(again.Drains, drains, Drain.Equal) || again.Count(StepFound) != len(plan.Steps) {
			t.Errorf("the same plan: %v, %+v", again, again.Drains)
		}
	})
}

// A drain that is taken back gives the weights from before the first drain, even if the
// program that began that one was interrupted between two real servers.
func TestApplyTableDrainsAgain(t *testing.T) {
	l := newApplyLab(t, SimOptions{})
	l.fill(weightTable([]int{0, 0, 0, 5}))
	file := filepath.Join(t.TempDir(), "state.json")
	before := weightTable([]int{3, 2, 0, 1})
	servers := before.Services[0].RealServers
	last := TableState{Applied: before, Drains: []Drain{
		newDrain(applyID(0), applyRIP(0, 0), servers[:1], DrainOptions{Timeout: time.Minute}),
		newDrain(applyID(0), netip.AddrPort{}, servers, DrainOptions{Timeout: time.Minute}),
	}}
	must(t, last.WriteFile(file))
	plan := l.plan(Table{}, TableOptions{Prune: true, Drain: time.Minute, Last: &last})
	r, err := l.client.ApplyTable(t.Context(), plan, ApplyOptions{StateFile: file})
	must(t, err)
	servers[3].Weight = 5 // another program's
	if len(r.Drains) != 1 || !slices.EqualFunc(r.Drains[0].Before, servers, RealServer.Equal) {
		t.Errorf("it would be taken back to %v, want %v", r.Drains, servers)
	}
}

// Steps that were changed since Diff made them are refused with their path.
func TestApplyTableRefuses(t *testing.T) {
	l := newApplyLab(t, SimOptions{})
	have, want := rollBackTables()
	l.fill(have)
	o := rollBackPlan
	o.Drain = time.Minute
	for path, edit := range map[string]func(*TablePlan){
		"steps[0].change.op": func(p *TablePlan) { p.Steps[0].Change = Flush() },
		"steps[0].change":    func(p *TablePlan) { p.Steps[0].Change = AddService(Service{ID: FWMark(3)}) },
		"steps":              func(p *TablePlan) { p.Steps = p.Steps[1:] },
		"want.services[4]": func(p *TablePlan) {
			p.Want.Services = append(slices.Clip(p.Want.Services), TableService{Service: Service{ID: FWMark(3)}})
		},
		"steps[9].change": func(p *TablePlan) { p.Steps = append(p.Steps, p.Steps[0]) },
		"steps[0].drain":  func(p *TablePlan) { p.Steps[0].Drain = 1 },
		"steps[8].drain":  func(p *TablePlan) { p.Steps[8].Drain = -1 },
		"steps[8].was":    func(p *TablePlan) { p.Steps[8].Was = Change{} },
	} {
		plan := l.plan(want, o)
		edit(&plan)
		file := filepath.Join(t.TempDir(), "state.json")
		_, err := l.client.ApplyTable(t.Context(), plan, ApplyOptions{StateFile: file})
		ofKind(t, path, err, ErrInvalid)
		var e *Error
		if !errors.As(err, &e) || e.Field != path {
			t.Errorf("%s: %v", path, err)
		}
		if s, err := ReadTableState(file); err != nil || s.Applied.Services != nil {
			t.Errorf("%s: the state is %v, %v", path, s, err)
		}
	}
	l.has("after", have)
}

// A state file that cannot be read or written keeps the kernel as it is.
func TestApplyTableStateFails(t *testing.T) {
	l := newApplyLab(t, SimOptions{})
	damaged := filepath.Join(t.TempDir(), "state.json")
	must(t, os.WriteFile(damaged, []byte(`{"version": 7}`), 0o600))
	for file, kind := range map[string]error{
		damaged: ErrInvalid,
		filepath.Join(t.TempDir(), "none", "state.json"): ErrNotFound,
	} {
		_, err := l.client.ApplyTable(t.Context(), l.plan(weightTable([]int{1}), TableOptions{}), ApplyOptions{StateFile: file})
		ofKind(t, file, err, kind)
		l.has(file, Table{})
	}
}

func TestApplyResultText(t *testing.T) {
	r := ApplyResult{Steps: []StepOutcome{StepMade, StepRefused, StepMade, StepNotSent}, Drains: make([]Drain, 1)}
	compare(t, "text", "2 steps made, 1 refused, 1 not sent; 1 drain began", r.String())
	compare(t, "one", "1 step unknown", ApplyResult{Steps: []StepOutcome{StepUnknown}}.String())
	for o := range StepTakenBack + 1 {
		text, err := json.Marshal(o)
		must(t, err)
		var read StepOutcome
		if err := json.Unmarshal(text, &read); err != nil || read != o {
			t.Errorf("%s is read as %v, %v", text, read, err)
		}
	}
	var o StepOutcome
	ofKind(t, "a text", o.UnmarshalText([]byte("perhaps")), ErrInvalid)
}

// A real server that is not removed, to be moved, because another could not be edited is
// not added again either.
func TestApplyTableKeepsOrder(t *testing.T) {
	l := newApplyLab(t, SimOptions{})
	have := weightTable([]int{1, 1, 1})
	l.fill(have)
	want := weightTable([]int{1, 1, 1})
	servers := want.Services[0].RealServers
	servers[0], servers[1] = servers[1], servers[0]
	servers[0].Weight = 2
	plan := l.plan(want, TableOptions{ExactOrder: true})
	must(t, l.sim.Inject(SimFault{Op: OpUpdateRealServer, Errno: ENOMEM}))
	_, err := l.client.ApplyTable(t.Context(), plan, ApplyOptions{})
	if causes := batchOf(t, Ignore(err, ErrSkipped)); len(causes.Failures) != 1 || len(batchOf(t, err).Failures) != len(plan.Steps) {
		t.Errorf("of the plan\n%s\n%v", plan, err)
	}
	l.has("afterwards", have)
}
