package lvs

import (
	"context"
	"net/netip"
	"testing"

	"github.com/golvs/lvs/internal/testbed"
)

// Services of another namespace make old kernels leave out some of this one.
func TestQuickTableNamespacesKernel(t *testing.T) {
	testbed.InKernel(t)
	ctx := context.Background()
	const services = 300
	open := func(net byte) *Host {
		ns := testbed.New(t)
		h, err := OpenHost(ctx, InNamespaceFile(ns.File))
		must(t, err)
		var changes []Change
		for i := range services {
			changes = append(changes, AddService(Service{ID: TCP(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, net, byte(i >> 8), byte(i)}), 80)), Scheduler: RR}))
		}
		must(t, h.Client().Do(ctx, changes...))
		t.Cleanup(func() { _ = h.Client().Flush(ctx); h.Close() })
		return h
	}
	for i, h := range []*Host{open(1), open(2)} {
		q, err := h.QuickTable(ctx)
		must(t, err)
		s, err := h.Client().Snapshot(ctx)
		must(t, err)
		if len(q.Services) != services || len(s.Services) != services {
			t.Fatalf("namespace %d has %d services, in a snapshot %d, want %d", i, len(q.Services), len(s.Services), services)
		}
		for i := range q.Services {
			if q.Services[i].ID != s.Services[i].ID {
				t.Fatalf("service %d is %s, in a snapshot %s", i, q.Services[i].ID, s.Services[i].ID)
			}
		}
	}
}
