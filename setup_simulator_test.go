package lvs

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/golvs/lvs/internal/genl"
)

// A real server takes no IPVS: its host is set up, checked and set back without.
func TestHostWithoutIPVS(t *testing.T) {
	ctx := context.Background()
	s, other := simulatedHost(t)
	none := func() (genl.Socket, error) { return nil, genl.ErrNoFamily }
	h := newHost(lateClient(none, slog.New(slog.DiscardHandler)), s.guard())
	defer h.Close()
	setup := mustSetup(t, caseOf("DR real server"))
	before := s.dump()
	plan, err := h.Plan(ctx, setup)
	if err == nil {
		err = h.Apply(ctx, plan)
	}
	if err != nil {
		t.Fatal(err)
	}
	if report, err := h.Check(ctx, CheckOptions{Setup: setup}); err != nil || len(report.Findings) != 0 {
		t.Errorf("Check: %v, %v", report.Findings, err)
	}
	state, err := h.State(ctx)
	if err != nil || len(state.Services) != 0 {
		t.Errorf("Facts: %v, %v", state, err)
	}
	if _, err := other.Check(ctx, CheckOptions{Peers: []HostState{state}}); err != nil {
		t.Error(err)
	}
	if _, err := h.Client().Services(ctx); !errors.Is(err, ErrUnavailable) {
		t.Errorf("its services: got %v, want ErrUnavailable", err)
	}
	if kept, err := h.Undo(ctx, plan); err != nil || len(kept) != 0 {
		t.Errorf("Undo: %v, %v", kept, err)
	}
	if diff := cmp.Diff(before, s.dump()); diff != "" {
		t.Errorf("after Undo (-before +after):\n%s", diff)
	}
}

// IPVS on a simulated host knows the interfaces that setups add and remove.
func TestSimulatedInterfaces(t *testing.T) {
	ctx := context.Background()
	s, h := simulatedHost(t)
	plan, err := h.Plan(ctx, mustSetup(t, caseOf("DR real server on a dummy")))
	must(t, err)
	daemon := SyncDaemon{Role: SyncBackup, Interface: "vip.0"}
	starts := func(when string, want bool) {
		t.Helper()
		err := h.Client().StartSyncDaemon(ctx, daemon)
		if (err == nil) != want {
			t.Errorf("a daemon %s: %v", when, err)
		}
		if err == nil {
			must(t, h.Client().StopSyncDaemon(ctx, SyncBackup))
		}
	}
	starts("without its interface", false)
	must(t, h.Apply(ctx, plan))
	starts("on a new interface", true)
	_, err = h.Undo(ctx, plan)
	must(t, err)
	starts("after Undo", false)
	daemon.Interface = "tunl0"
	starts("on a tunnel without its module", false)
	s.LoadModule("ipip")
	starts("on a module's interface", true)
}
