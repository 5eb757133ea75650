package workload

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/golvs/lvs"
)

// newDirector returns a simulator with so many servers, in order or in reverse.
func newDirector(t *testing.T, s lvs.Service, reverse bool, servers int) *lvs.Simulator {
	t.Helper()
	sim := newSim(t, s, lvs.DR())
	client := sim.Client()
	defer client.Close()
	for i := range servers {
		if reverse {
			i = servers - 1 - i
		}
		if err := client.AddRealServer(t.Context(), s.ID, lvs.NewRealServer(addrOf(i), lvs.DR())); err != nil {
			t.Fatal(err)
		}
	}
	return sim
}

func TestDisagree(t *testing.T) {
	clients := Clients{Count: 5000, PerAddress: 2}
	for _, c := range []struct {
		service        lvs.Service
		same, reversed float64
	}{
		{lvs.Service{ID: web, Scheduler: lvs.SH}, 0, 1}, // with 4 servers, buckets 0 to 3 are those 3 to 0
		{lvs.Service{ID: web, Scheduler: lvs.MH}, 0, 0.003},
		{lvs.Service{ID: web, Scheduler: lvs.MH, SchedulerFlags: lvs.HashPort}, 0, 0.003},
		{lvs.Service{ID: web, Scheduler: lvs.RR}, 0.75, 0.75},
	} {
		d, err := Disagree(t.Context(), web, clients, 1,
			newDirector(t, c.service, false, 4), newDirector(t, c.service, false, 4), newDirector(t, c.service, true, 4))
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Pairs) != 3 || d.Pairs[1].A != 0 || d.Pairs[1].B != 2 {
			t.Fatalf("pairs %+v", d.Pairs)
		}
		for i, want := range []float64{c.same, c.reversed, c.reversed} {
			if p := d.Pairs[i]; math.Abs(p.Share-want) > 0.03 || !near(p.Share, float64(p.Different)/5000) {
				t.Errorf("%s: %+v, want %v", c.service, p, want)
			}
		}
		for director := range 3 {
			sum := 0.0
			for _, s := range d.Shares {
				sum += s.Shares[director]
			}
			if len(d.Shares) != 4 || !near(sum, 1) {
				t.Errorf("%s: shares %+v", c.service, d.Shares)
			}
		}
	}
}

// A client that one director refuses and the other serves is one that they
// disagree on.
func TestDisagreeRefused(t *testing.T) {
	s := lvs.Service{ID: web, Scheduler: lvs.MH}
	all, drained := newDirector(t, s, false, 2), newDirector(t, s, false, 2)
	if err := drained.Client().SetWeight(t.Context(), web, addrOf(0), 0); err != nil {
		t.Fatal(err)
	}
	d, err := Disagree(t.Context(), web, Clients{Count: 1000}, 1, all, drained)
	if err != nil {
		t.Fatal(err)
	}
	if p := d.Pairs[0]; math.Abs(p.Share-0.5) > 0.05 || len(d.Shares) != 3 || d.Shares[0].Server.IsValid() || !near(d.Shares[0].Shares[1], p.Share) {
		t.Errorf("%+v", d)
	}
}

func TestFailover(t *testing.T) {
	for _, c := range []struct {
		scheduler lvs.Scheduler
		more      int // servers on the second director
		sloppy    string
		broken    float64
	}{
		{lvs.MH, 0, "1", 0}, {lvs.MH, 0, "0", 1}, {lvs.RR, 0, "1", 0.75}, {lvs.RR, 0, "0", 1}, {lvs.MH, 1, "1", 0.2},
	} {
		s := lvs.Service{ID: web, Scheduler: c.scheduler}
		from, to := newDirector(t, s, false, 4), newDirector(t, s, false, 4+c.more)
		host := to.Host()
		if err := host.SetSysctl(t.Context(), lvs.SysctlSloppyTCP, c.sloppy); err != nil {
			t.Fatal(err)
		}
		if err := host.Close(); err != nil {
			t.Fatal(err)
		}
		f, err := Failover(t.Context(), web, Clients{Count: 3000}, 1, from, to)
		if err != nil {
			t.Fatal(err)
		}
		if f.Connections != 3000 || f.Kept+f.Moved+f.Unknown != 3000 || math.Abs(f.Broken-c.broken) > 0.04 || (c.sloppy == "0") != (f.Unknown == 3000) {
			t.Errorf("%+v: %+v", c, f)
		}
	}
}

func TestDirectorsInvalid(t *testing.T) {
	s := lvs.Service{ID: web, Scheduler: lvs.MH}
	one, empty := newDirector(t, s, false, 1), newDirector(t, s, false, 0)
	some := Clients{Count: 10}
	for field, call := range map[string]func() error{
		"Clients":   func() error { _, err := Disagree(t.Context(), web, Clients{}, 1, one, one); return err },
		"Service":   func() error { _, err := Disagree(t.Context(), lvs.ServiceID{}, some, 1, one, one); return err },
		"Directors": func() error { _, err := Disagree(t.Context(), web, some, 1, one); return err },
		"Simulator": func() error { _, err := Failover(t.Context(), web, some, 1, one, nil); return err },
		"Service ":  func() error { _, err := Failover(t.Context(), web, some, 1, one, empty); return err },
		"Clients ":  func() error { _, err := Failover(t.Context(), web, Clients{Count: -1}, 1, one, one); return err },
	} {
		var bad *InvalidError
		if err := call(); !errors.As(err, &bad) || bad.Field != trimmed(field) {
			t.Errorf("%s: got %v", field, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Disagree(ctx, web, some, 1, one, one); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := Failover(t.Context(), lvs.UDP(web.AddrPort()), some, 1, one, one); !errors.Is(err, lvs.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}
