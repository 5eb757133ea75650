package top

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// What is expected of each family of schedulers, of three servers with the weights 3, 1 and
// 0, and one that is full.
func TestExpect(t *testing.T) {
	for _, test := range []struct {
		schedulers []lvs.Scheduler
		want       string
	}{
		{[]lvs.Scheduler{lvs.RR}, "true false [0.5 0.5 0 0]"},
		{[]lvs.Scheduler{lvs.WRR}, "true false [0.75 0.25 0 0]"},
		{[]lvs.Scheduler{lvs.LC}, "true true [0.5 0.5 0 0] if connections last equally long on all servers"},
		{[]lvs.Scheduler{lvs.WLC, lvs.SED, lvs.NQ, lvs.TWOS}, "true true [0.75 0.25 0 0] if connections last equally long on all servers"},
		{[]lvs.Scheduler{lvs.FO}, "true false [1 0 0 0]"},
		{[]lvs.Scheduler{lvs.NoScheduler}, "true false [0 0 0 0]"},
		{[]lvs.Scheduler{lvs.OVF}, "false false [] not predictable: ovf fills one server after the other"},
		{[]lvs.Scheduler{lvs.SH}, "false false [] not predictable: sh picks by the address of the client"},
		{[]lvs.Scheduler{lvs.MH}, "false false [] not predictable: mh picks by the address of the client"},
		{[]lvs.Scheduler{lvs.DH}, "false false [] not predictable: dh picks by the destination address"},
		{[]lvs.Scheduler{lvs.LBLCR}, "false false [] not predictable: lblcr picks by the destination address"},
		{[]lvs.Scheduler{"lottery"}, "false false [] not predictable: this scheduler is not known"},
	} {
		for _, scheduler := range test.schedulers {
			e := expect(made(scheduler, got(3, 0, 0, 0), got(1, 0, 0, 0), got(0, 0, 0, 0), limited(got(9, 0, 4, 6), 10, 0)))
			if got := strings.TrimSpace(fmt.Sprintln(e.known, e.about, e.shares, e.why)); got != test.want {
				t.Errorf("%s: %s, want %s", scheduler, got, test.want)
			}
		}
	}
	s := made(lvs.RR, got(1, 0, 0, 0))
	s.Persistence.Timeout = time.Minute
	if e := expect(s); e.known || !strings.Contains(e.why, "persistence") {
		t.Errorf("persistent: %+v", e)
	}
	if e := expect(made(lvs.WRR, got(0, 0, 0, 0))); fmt.Sprint(e.shares) != "[0]" {
		t.Errorf("all weights 0: %v", e.shares)
	}
}

// Where the simulator's schedulers send many connections is where top expects them.
func TestExpectSimulated(t *testing.T) {
	for _, scheduler := range []lvs.Scheduler{lvs.RR, lvs.WRR, lvs.LC, lvs.WLC, lvs.SED, lvs.NQ, lvs.TWOS, lvs.FO} {
		sim, err := lvs.NewSimulator(lvs.SimOptions{Kernel: "6.12.113", Seed: 7})
		if err != nil {
			t.Fatal(err)
		}
		w := &world{Simulator: sim, t: t, host: sim.Host()}
		full := server("10.1.0.14:80", 5)
		full.UpperThreshold = 1
		w.add("tcp://192.0.2.10:80", scheduler, server("10.1.0.11:80", 3), server("10.1.0.12:80", 1), server("10.1.0.13:80", 0), full)
		publish := func() { must(t, w.Advance(3*time.Second)) } // the kernel's counters
		w.connectMany("192.0.2.10:80", 8)
		publish()
		m := w.model(80, 24)
		w.connectMany("192.0.2.10:80", 2000)
		publish()
		w.read(m)
		b := m.balance(&m.Reading.Services[0])
		for i := range b.service.Servers {
			if s := b.share(i); b.sum != 2000 || s.got < s.want-0.05 || s.got > s.want+0.05 {
				t.Errorf("%s: server %d got %.3f of %d, expected %.3f", scheduler, i, s.got, b.sum, s.want)
			}
		}
		w.host.Close()
	}
}

func TestIsOdd(t *testing.T) {
	for _, test := range []struct {
		first, second uint64 // connections of two equal servers
		want          bool
	}{
		{50, 50, false}, {60, 40, false}, {70, 30, true}, {10, 1, false}, {540_000, 460_000, false}, {560_000, 440_000, true},
	} {
		m := modelOf(made(lvs.RR, got(1, 0, 0, 0), got(1, 0, 0, 0)))
		m.SetReading(readingOf(clock.Add(time.Second), made(lvs.RR, got(1, test.first, 0, 0), got(1, test.second, 0, 0))), nil)
		b := m.balance(&m.Reading.Services[0])
		if got := b.isOdd(b.share(0)); got != test.want {
			t.Errorf("%d and %d: %t", test.first, test.second, got)
		}
	}
}
