package workload

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golvs/lvs"
)

// A server that breaks keeps getting connections until something takes it out.
func TestBreak(t *testing.T) {
	w := Workload{
		Service: web, Duration: 12 * time.Second, Arrivals: Steady(100), Clients: Clients{Count: 1000},
		Lifetime: Fixed(3 * time.Second), Samples: 12, Seed: 1,
		Events: []Event{Break(4*time.Second, addrOf(0)), Fix(8*time.Second, addrOf(0), 500*time.Millisecond)},
	}
	_, r := run1(t, lvs.Service{ID: web, Scheduler: lvs.RR}, lvs.DR(), w, 1, 1)
	// Three seconds of the connections were open, and half of those of four seconds are lost.
	if d := r.Disruptions; len(d) != 2 || d[0].Broken < 149 || d[0].Broken > 150 || d[1].Broken != 0 {
		t.Errorf("%d broken: %+v", r.Broken, d)
	}
	if r.Lost < 199 || r.Lost > 201 || r.Refused != 0 {
		t.Errorf("%d lost, %d refused, want about 200 and 0", r.Lost, r.Refused)
	}
	if slow := r.Times.Longest; slow < 3.1 {
		t.Errorf("a cold server is as fast as others: %v", slow)
	}
}

// A slow server takes longer for each connection until that ends.
func TestSlow(t *testing.T) {
	w := Workload{
		Service: web, Duration: 30 * time.Second, Arrivals: Steady(10), Clients: Clients{Count: 1000},
		Lifetime: Fixed(time.Second), Samples: 3, Seed: 1,
		Events: []Event{Slow(10*time.Second, addrOf(0), 2*time.Second), Slow(16*time.Second, addrOf(0), 0)},
	}
	_, r := run1(t, lvs.Service{ID: web, Scheduler: lvs.RR}, lvs.DR(), w, 1, 1)
	if first, last := r.Samples[0].Time, r.Samples[2].Time; first != 1 || last != 1 {
		t.Errorf("mean times of %v and %v s without slowness", first, last)
	}
	// Half of the connections of six of ten seconds took 2 s longer.
	if slow := r.Samples[1].Time; slow < 1.4 || slow > 1.8 || r.Times.Longest < 3 || r.Times.Longest > 3.1 {
		t.Errorf("mean time of %v s, longest %v s", slow, r.Times.Longest)
	}
	if r.Lost+r.Refused+r.Broken > 0 || len(r.Disruptions) != 2 || r.Disruptions[0].Returned != 0 {
		t.Errorf("clients noticed more: %+v", r.Disruptions)
	}
}

// What a director does in the course of the workload is in the report.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, err := lvs.NewSimulator(lvs.SimOptions{Clock: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		c := sim.Client()
		defer c.Close()
		server := func(i, weight int) lvs.RealServer {
			return lvs.RealServer{Addr: addrOf(i), Weight: weight, Mode: lvs.DR()}
		}
		err = c.Do(t.Context(), lvs.AddService(lvs.Service{ID: web, Scheduler: lvs.WRR}),
			lvs.AddRealServer(web, server(0, 0)), lvs.AddRealServer(web, server(1, 1)))
		if err != nil {
			t.Fatal(err)
		}
		for i, do := range []lvs.Change{
			lvs.UpdateRealServer(web, server(0, 1)), lvs.UpdateRealServer(web, server(0, 2)), lvs.UpdateRealServer(web, server(1, 0)),
			lvs.AddRealServer(web, server(2, 1)), lvs.RemoveRealServer(web, addrOf(0)), lvs.UpdateRealServer(web, server(2, 0)),
		} {
			time.AfterFunc(time.Duration(i+1)*time.Second, func() {
				if err := c.Do(t.Context(), do); err != nil {
					t.Error(err)
				}
			})
		}
		w := Workload{
			Service: web, Duration: 7 * time.Second, Arrivals: Poisson(100), Clients: Clients{Count: 1000},
			Lifetime: Fixed(time.Second), Samples: 7, Seed: 1,
			Wait: func(d time.Duration) { time.Sleep(d); synctest.Wait() },
		}
		r, err := Run(t.Context(), sim, w)
		if err != nil {
			t.Fatal(err)
		}
		checkSums(t, r)
		var got []string
		for _, d := range r.Disruptions {
			got = append(got, d.At.Truncate(time.Second).String()+" "+strings.Join(d.Events, ", "))
		}
		want := []string{
			"1s weight 10.168.1.1:80 1", "3s drain 10.168.1.2:80", "4s weight 10.168.1.3:80 1", "5s remove 10.168.1.1:80", "6s drain 10.168.1.3:80",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if last := r.Samples[6]; last.Refused != last.Arrived || r.Disruptions[3].Broken == 0 {
			t.Errorf("in the last second: %+v", last)
		}
		if r.Workload.Wait != nil {
			t.Error("the report has Wait")
		}
	})
}

// A clock of its own needs Wait.
func TestWaitMissing(t *testing.T) {
	sim, err := lvs.NewSimulator(lvs.SimOptions{Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	var bad *InvalidError
	if _, err := Run(t.Context(), sim, usual()); !errors.As(err, &bad) || bad.Field != "Simulator" {
		t.Error(err)
	}
}
