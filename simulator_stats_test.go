package lvs

import (
	"context"
	"testing"
	"time"
)

// Counters are reported as the estimator saw them last, up to two seconds ago, and
// traffic since then appears again after they are zeroed.
func TestSimulatorStatsLag(t *testing.T) {
	forEachRelease(t, func(t *testing.T, l *simLab) {
		l.serve(Service{ID: simWeb, Scheduler: RR}, DR(), 1)
		conns := func() uint64 { t.Helper(); return l.status(0).Stats.Conns }
		l.picks(7)
		if n := conns(); n != 0 {
			t.Errorf("%d connections are reported at once", n)
		}
		l.counts(0, 7, 0, 0)
		must(t, l.client.ZeroCounters(context.Background(), simWeb))
		if n := conns(); n != 0 {
			t.Errorf("%d connections after zeroing", n)
		}
		l.wait(3 * time.Second)
		if n := conns(); n != 7 {
			t.Errorf("%d connections came back, want 7", n)
		}
		must(t, l.client.ZeroCounters(context.Background(), simWeb))
		l.wait(3 * time.Second)
		if n := conns(); n != 0 {
			t.Errorf("%d connections after zeroing in time", n)
		}
	})
}

func TestSimulatorImmediateStats(t *testing.T) {
	l := newSimLab(t, SimOptions{ImmediateStats: true})
	l.serve(Service{ID: simWeb, Scheduler: RR}, NAT(), 1)
	c := l.connect()
	must(t, c.Send(100))
	must(t, c.Reply(1000))
	want := Stats{Conns: 1, InPackets: 3, InBytes: 3*40 + 100, OutPackets: 2, OutBytes: 2*40 + 1000}
	compare(t, "server's", want, l.status(0).Stats)
	s, err := l.client.Service(context.Background(), simWeb)
	must(t, err)
	compare(t, "service's", want, s.Stats)
	must(t, l.client.ZeroCounters(context.Background(), simWeb))
	compare(t, "server's after zeroing", Stats{}, l.status(0).Stats)
}

// The kernel's averages: 5 packets of 28 bytes are 13 bytes a second, and no
// packet, two passes later.
func TestSimulatorRates(t *testing.T) {
	l := newSimLab(t, SimOptions{Kernel: "6.1.176"})
	l.serve(Service{ID: UDP(simWeb.AddrPort()), Scheduler: RR}, DR(), 1)
	f := l.flow()
	for range 5 {
		l.packet(f, 0)
	}
	for _, want := range []Rates{{}, {InPackets: 1, InBytes: 17}, {InBytes: 13}} {
		compare(t, "rates", want, l.status(0).Stats.Rates)
		l.wait(2 * time.Second)
	}
	l.wait(24 * time.Hour)
	if got := l.status(0).Stats; got.Rates != (Rates{}) || got.InPackets != 5 {
		t.Errorf("a day later: %+v", got)
	}
}

// run_estimation=0 freezes counters as well as rates.
func TestSimulatorFrozenStats(t *testing.T) {
	l := newSimLab(t, SimOptions{})
	l.serve(Service{ID: simWeb, Scheduler: RR}, DR(), 1)
	l.picks(3)
	l.wait(3 * time.Second)
	l.sysctl("run_estimation", "0")
	l.picks(3)
	l.wait(time.Minute)
	if n := l.status(0).Stats.Conns; n != 3 {
		t.Errorf("%d connections are reported, want 3", n)
	}
	l.sysctl("run_estimation", "1")
	l.wait(3 * time.Second)
	if n := l.status(0).Stats.Conns; n != 6 {
		t.Errorf("%d connections are reported, want 6", n)
	}
}
