package lvs

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// rollBackTables have every kind of step between them.
func rollBackTables() (have, want Table) {
	have = weightTable([]int{1, 2, 0}, []int{1}, []int{1, 2}, []int{5})
	want = weightTable([]int{3, -1, 0, 1}, []int{1, 1}, nil, []int{5}, []int{1, 1})
	want.Services = slices.Delete(want.Services, 2, 3)
	want.Services[1].Persistence.Timeout = time.Minute
	return have, want
}

var rollBackPlan = TableOptions{Scope: ScopeServices(applyID(0), applyID(1), applyID(2), applyID(3), applyID(4)), Prune: true}

// sameServices reports an error unless the table has the same services, whatever the order
// of their real servers: one that was removed comes back at the end.
func (l *applyLab) sameServices(what string, want Table) {
	l.t.Helper()
	s, err := l.other.Snapshot(l.t.Context())
	must(l.t, err)
	if got := s.Table(); !sameInAnyOrder(got, want) {
		l.t.Errorf("%s: the kernel has\n%v\nwant\n%v", what, got, want)
	}
}

func sameInAnyOrder(a, b Table) bool {
	for _, table := range []Table{a, b} {
		for _, s := range table.Services {
			slices.SortFunc(s.RealServers, func(a, b RealServer) int { return a.Addr.Compare(b.Addr) })
		}
	}
	return a.Equal(b)
}

// Whatever change fails, whether the kernel refuses it or the context ends there, the
// table becomes what it was, and so does the state.
func TestApplyTableRollsBack(t *testing.T) {
	have, want := rollBackTables()
	probe := newApplyLab(t, SimOptions{})
	probe.fill(have)
	for _, drain := range []time.Duration{0, time.Minute} {
		o := rollBackPlan
		o.Drain = drain
		changes := probe.plan(want, o).Changes()
		for i := range changes {
			for _, ends := range []bool{false, true} {
				l := newApplyLab(t, SimOptions{})
				l.fill(have)
				what := fmt.Sprintf("%v fails, ends %t, drain %v", changes[i], ends, drain)
				file := filepath.Join(t.TempDir(), "state.json")
				must(t, TableState{Applied: have}.WriteFile(file))
				plan := l.plan(want, o)
				ctx := l.failAt(changes, i, ends)
				r, err := l.client.ApplyTable(ctx, plan, ApplyOptions{RollBack: true, Stop: true, StateFile: file})
				if wanted := map[bool]error{false: ErrBusy, true: context.Canceled}[ends]; !errors.Is(err, wanted) || strings.Contains(err.Error(), "taken back") {
					t.Errorf("%s: %v", what, err)
				}
				if r.Count(StepMade, StepUnknown, StepFound) > 0 || len(r.Drains) > 0 || i > 0 && r.Count(StepTakenBack) == 0 {
					t.Errorf("%s: %v, %v", what, r, r.Steps)
				}
				l.sameServices(what, have)
				if s, err := ReadTableState(file); err != nil || !sameInAnyOrder(s.Applied, have) || s.Drains != nil {
					t.Errorf("%s: the state is %v, %v", what, s, err)
				}
			}
		}
	}
}

// failAt makes the i-th of the changes fail, or end the context that it returns.
func (l *applyLab) failAt(changes []Change, i int, ends bool) context.Context {
	ctx, cancel := context.WithCancel(l.t.Context())
	l.t.Cleanup(cancel)
	for _, ch := range changes[:i] {
		if ch.Op() == changes[i].Op() {
			must(l.t, l.sim.Inject(SimFault{Op: ch.Op(), Before: func() {}}))
		}
	}
	f := SimFault{Op: changes[i].Op(), Errno: ENOMEM}
	if ends {
		f = SimFault{Op: changes[i].Op(), Before: cancel, LoseReply: true}
	}
	must(l.t, l.sim.Inject(f))
	return ctx
}

// Without Stop, all that adds or edits is sent together, and nothing that removes after a
// failure.
func TestApplyTableRollsBackTogether(t *testing.T) {
	have, want := rollBackTables()
	l := newApplyLab(t, SimOptions{})
	l.fill(have)
	plan := l.plan(want, rollBackPlan)
	must(t, l.sim.Inject(SimFault{Op: OpUpdateService, Errno: ENOMEM}))
	note := l.client.note
	l.client.note = func(changes []Change, err error) {
		for _, ch := range changes {
			isRemoval := ch.Op() == OpRemoveService || ch.Op() == OpRemoveRealServer
			if isRemoval && slices.ContainsFunc(plan.Steps, func(s TableStep) bool { return s.Change.Equal(ch) }) {
				t.Errorf("%v was sent", ch)
			}
		}
		note(changes, err)
	}
	_, err := l.client.ApplyTable(t.Context(), plan, ApplyOptions{RollBack: true})
	ofKind(t, "the cause", Ignore(err, ErrSkipped), ErrBusy)
	l.sameServices("after", have)
}

// What another program has changed since stays, and is listed by the step.
func TestApplyTableRollsBackNothingOfOthers(t *testing.T) {
	have, want := rollBackTables()
	for name, tt := range map[string]struct {
		change Change
		after  func(*Table) // what stays
		step   Change       // that is not taken back
	}{
		"a server's weight": {
			UpdateRealServer(applyID(0), RealServer{Addr: applyRIP(0, 0), Mode: NAT(), Weight: 7}),
			func(t *Table) { t.Services[0].RealServers[0].Weight = 7 },
			UpdateRealServer(applyID(0), RealServer{Addr: applyRIP(0, 0), Mode: NAT(), Weight: 3}),
		},
		"a server that was added": {
			UpdateRealServer(applyID(1), RealServer{Addr: applyRIP(1, 1), Mode: NAT(), Weight: 7}),
			func(t *Table) {
				t.Services[1].RealServers = append(t.Services[1].RealServers, RealServer{Addr: applyRIP(1, 1), Mode: NAT(), Weight: 7})
			},
			AddRealServer(applyID(1), RealServer{Addr: applyRIP(1, 1), Mode: NAT(), Weight: 1}),
		},
		"a server in a service that was added": {
			AddRealServer(applyID(4), RealServer{Addr: applyRIP(4, 7), Mode: NAT(), Weight: 7}),
			func(t *Table) {
				s := weightTable(nil, nil, nil, nil, nil).Services[4]
				s.RealServers = []RealServer{{Addr: applyRIP(4, 7), Mode: NAT(), Weight: 7}}
				t.Services = append(t.Services, s)
			},
			AddService(Service{ID: applyID(4), Scheduler: WRR}),
		},
		"a service's scheduler": {
			UpdateService(Service{ID: applyID(1), Scheduler: RR}),
			func(t *Table) { t.Services[1].Scheduler = RR },
			UpdateService(want.Services[1].Service),
		},
		"a service that was edited is gone": {
			RemoveService(applyID(1)),
			func(t *Table) { t.Services = slices.Delete(t.Services, 1, 2) },
			UpdateService(want.Services[1].Service),
		},
		"a server that was removed is back": {
			AddRealServer(applyID(0), RealServer{Addr: applyRIP(0, 1), Mode: NAT(), Weight: 8}),
			func(t *Table) { t.Services[0].RealServers[1].Weight = 8 },
			RemoveRealServer(applyID(0), applyRIP(0, 1)),
		},
		"nothing, for it does what we would": {
			AddRealServer(applyID(0), RealServer{Addr: applyRIP(0, 1), Mode: NAT(), Weight: 2}),
			func(t *Table) {}, Change{},
		},
	} {
		l := newApplyLab(t, SimOptions{})
		l.fill(have)
		// The last change fails, when the other program has made its change.
		plan := l.plan(want, rollBackPlan)
		changes := plan.Changes()
		last := changes[len(changes)-1]
		l.failBefore(last, changes, func() { must(t, l.other.Do(t.Context(), tt.change)) })
		r, err := l.client.ApplyTable(t.Context(), plan, ApplyOptions{RollBack: true, Stop: true})
		if !errors.Is(err, ErrBusy) {
			t.Errorf("%s: %v", name, err)
		}
		left, _ := rollBackTables()
		tt.after(&left)
		l.sameServices(name, left)
		if isAny(err, []error{ErrExists, ErrNotFound}) != (tt.step.Op() != "") {
			t.Errorf("%s: %v", name, err)
		}
		for i, s := range plan.Steps[:len(plan.Steps)-1] {
			want := StepTakenBack
			if s.Change.Equal(tt.step) {
				want = StepMade
			}
			// A service that is gone cannot get its real server back, and has none to remove.
			if r.Steps[i] != want {
				t.Errorf("%s: %v is %v, want %v", name, s.Change, r.Steps[i], want)
			}
		}
	}
}

func (l *applyLab) failBefore(last Change, changes []Change, do func()) {
	for _, ch := range changes[:len(changes)-1] {
		if ch.Op() == last.Op() {
			must(l.t, l.sim.Inject(SimFault{Op: ch.Op(), Before: func() {}}))
		}
	}
	must(l.t, l.sim.Inject(SimFault{Op: last.Op(), Before: do, Errno: ENOMEM}))
}

// What cannot be taken back is listed, and remains the program's own.
func TestApplyTableRollBackFails(t *testing.T) {
	have, want := rollBackTables()
	less := Table{slices.DeleteFunc(slices.Clone(want.Services), func(s TableService) bool { return s.ID == applyID(3) })}
	for name, tt := range map[string]struct {
		want   Table
		faults []SimFault
	}{
		"an addition": {want, []SimFault{{Op: OpUpdateService, Errno: ENOMEM}, {Op: OpRemoveRealServer, Errno: EPERM}}},
		"a part of a removal": {less, []SimFault{
			{Op: OpRemoveService, Before: func() {}}, {Op: OpRemoveService, Errno: ENOMEM}, // that of service 3, after service 2
			{Op: OpAddRealServer, Before: func() {}, Times: 4}, {Op: OpAddRealServer, Errno: EPERM}, // 3 that are new, and one of service 2
		}},
	} {
		l := newApplyLab(t, SimOptions{})
		l.fill(have)
		file := filepath.Join(t.TempDir(), "state.json")
		must(t, TableState{Applied: have}.WriteFile(file))
		plan := l.plan(tt.want, rollBackPlan)
		for _, f := range tt.faults {
			must(t, l.sim.Inject(f))
		}
		r, err := l.client.ApplyTable(t.Context(), plan, ApplyOptions{RollBack: true, StateFile: file})
		if !errors.Is(err, ErrBusy) || !errors.Is(err, ErrPermission) || r.Count(StepMade) != 1 {
			t.Errorf("%s: %v, %v", name, r, err)
		}
		l.ownsAll(name, file)
	}
}

// ownsAll reports an error if something of the kernel's table is not owned by a state file.
func (l *applyLab) ownsAll(what, file string) {
	l.t.Helper()
	s, err := ReadTableState(file)
	must(l.t, err)
	now, err := l.other.Snapshot(l.t.Context())
	must(l.t, err)
	for _, service := range now.Table().Services {
		i := slices.IndexFunc(s.Applied.Services, func(s TableService) bool { return s.ID == service.ID })
		if i < 0 {
			l.t.Errorf("%s: %v is in the kernel, and not our own", what, service.ID)
			continue
		}
		for _, server := range service.RealServers {
			if !slices.ContainsFunc(s.Applied.Services[i].RealServers, server.Equal) {
				l.t.Errorf("%s: %v -> %v is in the kernel, and not our own", what, service.ID, server)
			}
		}
	}
}
