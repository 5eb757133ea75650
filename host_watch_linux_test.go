package lvs

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/testbed"
)

// While the module is not loaded, each reading is an error, and a watch goes on. What was
// in the table before is then seen to be gone.
func TestWatchModuleRemoved(t *testing.T) {
	testbed.InKernel(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ns := testbed.New(t)
	h, err := OpenHost(ctx, InNamespaceFile(ns.File))
	must(t, err)
	defer h.Close()
	service := Service{ID: webID, Scheduler: RR}
	must(t, h.Client().AddService(ctx, service))
	stage, events := 0, ""
	for r, err := range h.Watch(ctx, time.Millisecond, WatchOptions{}) {
		switch {
		case stage == 0:
			must(t, err)
			must(t, h.Client().RemoveService(ctx, service.ID))
			testbed.UnloadIPVS(t)
			stage++
		case stage == 1 && err != nil:
			ofKind(t, "watching", err, ErrUnavailable)
			unavailable(t, h)
			testbed.LoadIPVS(t)
			stage++
		case stage == 2 && err == nil:
			for _, e := range r.Events {
				events += e.String() + "\n"
			}
			must(t, h.Client().AddService(ctx, service))
			stage++
		case stage == 3:
			must(t, err)
			for _, e := range r.Events {
				events += e.String() + "\n"
			}
			must(t, h.Client().RemoveService(ctx, service.ID))
			cancel()
			stage++
		default:
			if ctx.Err() == nil {
				t.Fatalf("at stage %d: %+v, %v", stage, r, err)
			}
		}
	}
	compare(t, "stage", 4, stage)
	compare(t, "events", "service tcp://10.1.0.1:80 removed\nservice tcp://10.1.0.1:80 added\n", events)
}

// unavailable checks that all that reads a file of IPVS says that the kernel has none.
func unavailable(t *testing.T, h *Host) {
	t.Helper()
	ctx := t.Context()
	_, quick := h.QuickTable(ctx)
	_, totals := h.Totals(ctx)
	_, cpus := h.CPUTotals(ctx)
	_, connections := CollectConnections(h.Connections(ctx, ConnectionFilter{}))
	_, origins := CollectConnections(h.Connections(ctx, ConnectionFilter{Origin: AnyOrigin}))
	for name, err := range map[string]error{"QuickTable": quick, "Totals": totals, "CPUTotals": cpus, "Connections": connections, "origins": origins} {
		var e *Error
		ofKind(t, name, err, ErrUnavailable)
		if !errors.As(err, &e) || e.Object == "" || e.Hint() == "" {
			t.Errorf("%s: %v does not say what to do", name, err)
		}
	}
}
