package lvs

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"
)

// applyLast applies what is wanted by comparing three, as a program with a state file does.
func (l *applyLab) applyLast(ctx context.Context, file string, want Table) (ApplyResult, error) {
	l.t.Helper()
	last, err := ReadTableState(file)
	must(l.t, err)
	plan := l.plan(want, TableOptions{Prune: true, Last: &last})
	return l.client.ApplyTable(ctx, plan, ApplyOptions{StateFile: file})
}

// Whichever change is the last one before an interruption, fields and real servers that
// were ours go when they are not wanted any more, and those of others stay.
func TestApplyTableOwnership(t *testing.T) {
	first := weightTable([]int{1, 1}, []int{1})
	first.Services[0].Persistence.Timeout = time.Minute
	first.Services[0].RealServers[0].UpperThreshold = 10
	want := weightTable([]int{1, 1, 1}, []int{-1, 1})
	theirs := RealServer{Addr: applyRIP(0, 1), Mode: NAT(), Weight: 1, UpperThreshold: 20, LowerThreshold: 5}
	foreign := RealServer{Addr: applyRIP(1, 7), Mode: NAT(), Weight: 3}
	end := weightTable([]int{1, 1, 1}, []int{-1, 1})
	end.Services[0].RealServers[1] = theirs
	end.Services[1].RealServers = []RealServer{foreign, end.Services[1].RealServers[0]}

	for i := 0; ; i++ {
		l := newApplyLab(t, SimOptions{})
		file := filepath.Join(t.TempDir(), "state.json")
		_, err := l.applyLast(t.Context(), file, first)
		must(t, err)
		must(t, l.other.Do(t.Context(), UpdateRealServer(applyID(0), theirs), AddRealServer(applyID(1), foreign)))
		last, err := ReadTableState(file)
		must(t, err)
		changes := l.plan(want, TableOptions{Prune: true, Last: &last}).Changes()
		if i == len(changes) {
			if i != 5 {
				t.Errorf("%d changes, want an edit of a service, one of a server, two additions and a removal: %v", i, changes)
			}
			return
		}
		if _, err := l.applyLast(l.failAt(changes, i, true), file, want); !errors.Is(err, context.Canceled) {
			t.Fatalf("interrupted at %v: %v", changes[i], err)
		}
		again := l.sim.Client()
		l.client.Close()
		l.client = again
		_, err = l.applyLast(t.Context(), file, want)
		must(t, err)
		l.sameServices("interrupted at "+changes[i].String(), end)
		// Everything that was ours goes, and what is not stays with its service.
		_, err = l.applyLast(t.Context(), file, Table{})
		must(t, err)
		l.sameServices("nothing is wanted", Table{[]TableService{{Service{ID: applyID(1), Scheduler: WRR}, []RealServer{foreign}}}})
	}
}

// A state in memory is what a file has, after each change that may be the last, and it
// counts if there was no file.
func TestApplyTableState(t *testing.T) {
	first, want := weightTable([]int{1, 2}, []int{3}), weightTable([]int{1, -1, 4})
	for i := 0; ; i++ {
		l := newApplyLab(t, SimOptions{})
		file := filepath.Join(t.TempDir(), "state.json")
		var inMemory, beside TableState
		plan := l.plan(first, TableOptions{})
		_, err := l.client.ApplyTable(t.Context(), plan, ApplyOptions{State: &inMemory})
		must(t, err)
		if wanted := (TableState{Applied: first}); !inMemory.Equal(wanted) {
			t.Fatalf("the state is %v, want %v", inMemory, wanted)
		}
		beside = inMemory
		plan = l.plan(want, TableOptions{Prune: true, Last: &inMemory, Drain: time.Minute})
		changes := plan.Changes()
		if i == len(changes) {
			if i != 3 {
				t.Errorf("%d changes, want an addition and two drains: %v", i, changes)
			}
			return
		}
		_, err = l.client.ApplyTable(l.failAt(changes, i, true), plan, ApplyOptions{StateFile: file, State: &beside})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("interrupted at %v: %v", changes[i], err)
		}
		written, err := ReadTableState(file)
		must(t, err)
		if len(written.Applied.Services) != 2 || written.Equal(inMemory) || !beside.Equal(written) {
			t.Errorf("interrupted at %v: the state was %v and is %v, and the file has %v", changes[i], inMemory, beside, written)
		}
	}
}

// A field belongs to whoever has set it.
func TestOwnedFields(t *testing.T) {
	id := applyID(0)
	want := Service{ID: id, Scheduler: RR, OnePacket: true}
	prior := Service{ID: id, SchedulerFlags: HashPort, Persistence: Persistence{Timeout: time.Minute}}
	compare(t, "service", Service{ID: id, Scheduler: RR, SchedulerFlags: HashPort, Persistence: prior.Persistence, OnePacket: true}, ownedService(want, prior))
	server := RealServer{Addr: applyRIP(0, 0), Mode: NAT(), Weight: 2}
	was := RealServer{Addr: applyRIP(0, 0), Mode: DR(), Weight: 5, UpperThreshold: 7, LowerThreshold: 3}
	compare(t, "server", RealServer{Addr: applyRIP(0, 0), Mode: NAT(), Weight: 2, UpperThreshold: 7, LowerThreshold: 3}, ownedServer(server, was))
}
