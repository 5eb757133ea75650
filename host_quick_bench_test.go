package lvs

import (
	"context"
	"testing"
)

// BenchmarkQuickTable reads 5,000 services with one real server each from /proc and by
// netlink, and BenchmarkWatch is one reading of a watch of 10,000.
func BenchmarkQuickTable(b *testing.B) {
	h := benchQuick(b, 5000)
	benchCall(b, "QuickTable", func() error { _, err := h.QuickTable(b.Context()); return err })
	benchCall(b, "Snapshot", func() error { _, err := h.Client().Snapshot(b.Context()); return err })
}

func BenchmarkWatch(b *testing.B) {
	w := watcher{host: benchQuick(b, 10000)}
	benchCall(b, "Reading", func() error { _, err := w.read(b.Context()); return err })
}

func benchQuick(b *testing.B, services int) *Host {
	h := benchDirector(b)
	must(b, h.Client().Do(context.Background(), benchChanges(services, 1)...))
	return h
}
