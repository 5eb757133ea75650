package demo_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/demo"
)

func newWorld(tb testing.TB, o demo.Options) (*demo.World, func() lvs.Snapshot) {
	tb.Helper()
	w, err := demo.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	host := w.Host()
	tb.Cleanup(func() { host.Close(); w.Close() })
	return w, func() lvs.Snapshot {
		tb.Helper()
		table, err := host.Client().Snapshot(tb.Context())
		if err != nil {
			tb.Fatal(err)
		}
		return table
	}
}

func TestFrozenIsAlwaysTheSame(t *testing.T) {
	a, snapshotA := newWorld(t, demo.Frozen())
	b, snapshotB := newWorld(t, demo.Frozen())
	for range 2 {
		if x, y := snapshotA(), snapshotB(); !x.Equal(y) {
			t.Fatalf("two frozen worlds differ:\n%v\n%v", x, y)
		}
		a.Advance(7 * time.Second)
		b.Advance(7 * time.Second)
	}
	if !a.Now().Equal(demo.Frozen().Start.Add(14 * time.Second)) {
		t.Errorf("it is %v", a.Now())
	}
}

// TestWorldIsInteresting expects what the program is shown with.
func TestWorldIsInteresting(t *testing.T) {
	_, snapshot := newWorld(t, demo.Frozen())
	var leaving, full, persistent, busy, idle int
	for _, s := range snapshot().Services {
		if s.Stats.Conns == 0 {
			idle++
		} else {
			busy++
		}
		for _, r := range s.RealServers {
			conns := r.ActiveConns + r.InactiveConns
			if r.Weight == 0 && r.ActiveConns > 3 {
				leaving++
			}
			if r.UpperThreshold > 0 && conns >= r.LowerThreshold {
				full++
			}
			persistent += r.PersistentConns
		}
	}
	if leaving != 1 || full != 1 || persistent == 0 || busy != 7 || idle != 2 {
		t.Errorf("leaving %d, full %d, persistent %d, busy %d, idle %d", leaving, full, persistent, busy, idle)
	}
}

// TestWorldLives looks twice at a world that lives on its own.
func TestWorldLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, snapshot := newWorld(t, demo.Options{})
		before := snapshot().Services[0].Stats.Conns
		time.Sleep(10 * time.Second)
		if after := snapshot().Services[0].Stats.Conns; after <= before+20 {
			t.Errorf("%d connections, and ten seconds later %d", before, after)
		}
	})
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		w, err := demo.New(demo.Frozen())
		if err != nil {
			b.Fatal(err)
		}
		w.Close()
	}
}

func BenchmarkSecond(b *testing.B) {
	w, _ := newWorld(b, demo.Frozen())
	for b.Loop() {
		w.Advance(time.Second)
	}
}
