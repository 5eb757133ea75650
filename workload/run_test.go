package workload

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// usual is a workload that tests change.
func usual() Workload {
	return Workload{
		Service: web, Duration: 20 * time.Second, Arrivals: Poisson(200), Clients: Clients{Count: 300},
		Lifetime: Exponential(2 * time.Second), Samples: 10, Seed: 1,
	}
}

func run1(t *testing.T, s lvs.Service, mode lvs.Mode, w Workload, weights ...int) (*lvs.Simulator, *Report) {
	t.Helper()
	sim := newSim(t, s, mode, weights...)
	report, err := Run(t.Context(), sim, w)
	if err != nil {
		t.Fatal(err)
	}
	checkSums(t, report)
	return sim, report
}

// checkSums checks that the parts of a report agree with each other.
func checkSums(t *testing.T, r *Report) {
	t.Helper()
	got, share, due := 0, 0.0, 0.0
	for i, s := range r.Servers {
		got += s.Connections
		share += s.Share
		due += s.Due
		sampled, peak := 0, 0
		for _, p := range r.Samples {
			sampled += p.Connections[i]
			peak = max(peak, p.Active[i])
		}
		if sampled != s.Connections || peak > s.Peak || r.Samples[len(r.Samples)-1].Active[i] != s.Active {
			t.Errorf("%s: samples have %d connections and a peak of %d: %+v", s.Addr, sampled, peak, s)
		}
	}
	if got+r.Refused != r.Arrived {
		t.Errorf("%d connections and %d refused are not %d", got, r.Refused, r.Arrived)
	}
	if got > 0 && (!near(share, 1) || !near(due, 1)) {
		t.Errorf("shares come to %v, and dues to %v", share, due)
	}
	var sum Sample
	ended, reasons := 0, 0
	for _, p := range r.Samples {
		sum.Arrived += p.Arrived
		sum.Refused += p.Refused
		sum.Lost += p.Lost
		sum.Broken += p.Broken
		ended += p.Ended
	}
	for _, n := range r.Reasons {
		reasons += n
	}
	if sum.Arrived != r.Arrived || sum.Refused != r.Refused || sum.Lost != r.Lost || sum.Broken != r.Broken || reasons != r.Refused {
		t.Errorf("samples sum up to %+v, reasons to %d: %+v", sum, reasons, r)
	}
	active := 0
	for _, s := range r.Servers {
		active += s.Active
	}
	if ended+active+r.Broken+r.Lost != got {
		t.Errorf("%d ended, %d active, %d broken, %d lost are not %d", ended, active, r.Broken, r.Lost, got)
	}
}

// The report counts active connections as the simulated kernel does.
func TestActiveAgrees(t *testing.T) {
	for _, mode := range []lvs.Mode{lvs.DR(), lvs.NAT(), lvs.IPIP()} {
		for _, scheduler := range []lvs.Scheduler{lvs.RR, lvs.WRR, lvs.LC, lvs.WLC, lvs.SED, lvs.NQ, lvs.SH, lvs.MH, lvs.TWOS} {
			w := usual()
			w.Duration = 10 * time.Second
			sim, r := run1(t, lvs.Service{ID: web, Scheduler: scheduler}, mode, w, 1, 2, 3)
			servers, err := sim.Client().RealServers(t.Context(), web)
			if err != nil {
				t.Fatal(err)
			}
			for i, s := range servers {
				if got := r.Servers[i]; got.Addr != s.Addr || got.Active != int(s.ActiveConns) {
					t.Errorf("%s by %s: %+v, the kernel counts %d", scheduler, mode, got, s.ActiveConns)
				}
			}
			if r.Arrived < 1900 || r.Arrived > 2100 {
				t.Errorf("%d connections arrived at 200/s in 10 s", r.Arrived)
			}
			// In the first ten seconds, from nothing, a fifth is missing.
			if want := 200 * 2.0 * 0.8; math.Abs(sumActive(r)-want) > want/4 {
				t.Errorf("%s: %v connections are active on average, Little says %v", scheduler, sumActive(r), want)
			}
		}
	}
}

func sumActive(r *Report) (sum float64) {
	for _, s := range r.Servers {
		sum += s.MeanActive
	}
	return sum
}

func TestShares(t *testing.T) {
	w := usual()
	w.Arrivals = Steady(300)
	_, r := run1(t, lvs.Service{ID: web, Scheduler: lvs.WRR}, lvs.DR(), w, 1, 2, 3)
	for i, want := range []int{1000, 2000, 3000} {
		if s := r.Servers[i]; s.Connections != want || !near(s.Share, s.Due) || !near(s.Due, float64(i+1)/6) {
			t.Errorf("%+v, want %d", s, want)
		}
	}
	if got := r.Imbalance; !near(got.GreatestOverMean, 1) || got.CV > 1e-9 || !near(got.Jain, 1) {
		t.Errorf("imbalance %+v of what is as it should be", got)
	}
	_, r = run1(t, lvs.Service{ID: web, Scheduler: lvs.RR}, lvs.DR(), w, 1, 3)
	// 3000 each, due 1500 and 4500: 2 and 2/3.
	if got := r.Imbalance; !near(got.GreatestOverMean, 1.5) || !near(got.CV, 0.5) || !near(got.Jain, (64.0/9)/(2*(4+4.0/9))) {
		t.Errorf("imbalance %+v", got)
	}
}

// One slot, a connection each second that takes two: they wait for each other.
func TestSlots(t *testing.T) {
	w := Workload{
		Service: web, Duration: 5 * time.Second, Arrivals: Steady(1), Clients: Clients{Count: 1},
		Lifetime: Fixed(2 * time.Second), Server: Server{Slots: 1}, Samples: 5,
	}
	_, r := run1(t, lvs.Service{ID: web, Scheduler: lvs.RR}, lvs.DR(), w, 1)
	// They come at 1, 2, 3, 4, 5 and end at 3, 5: after 2 and 3 seconds.
	if r.Times.Mean != 2.5 || r.Times.Longest != 3 || r.Servers[0].Active != 3 || r.Servers[0].Peak != 3 {
		t.Errorf("%+v %+v", r.Times, r.Servers[0])
	}
	// From 1 s on, a second each: 1, 2, 2, 3.
	if want := (1 + 2 + 2 + 3) / 5.0; !near(r.Servers[0].MeanActive, want) {
		t.Errorf("mean active %v, want %v", r.Servers[0].MeanActive, want)
	}
	w.Server = Server{Speed: 4, Slots: 1}
	if _, r = run1(t, lvs.Service{ID: web, Scheduler: lvs.RR}, lvs.DR(), w, 1); r.Times.Mean != 0.5 {
		t.Errorf("on a server of speed 4: %+v", r.Times)
	}
}

// The mean time in a queue with Poisson arrivals and exponential service at load
// 0.5 is twice the service's.
func TestQueueingTheory(t *testing.T) {
	w := Workload{
		Service: web, Duration: 20_000 * time.Second, Arrivals: Poisson(0.5), Clients: Clients{Count: 10},
		Lifetime: Exponential(time.Second), Server: Server{Slots: 1},
	}
	_, r := run1(t, lvs.Service{ID: web, Scheduler: lvs.RR}, lvs.DR(), w, 1)
	if math.Abs(r.Times.Mean-2) > 0.2 {
		t.Errorf("mean time %v, want 2", r.Times.Mean)
	}
}

func TestDisruption(t *testing.T) {
	w := usual()
	w.Duration, w.Arrivals = time.Minute, Steady(120)
	w.Events = []Event{Remove(20*time.Second, addrOf(0)), Back(40*time.Second, addrOf(0), 0)}
	for _, c := range []struct {
		service         lvs.Service
		ordinary, share float64
	}{
		{lvs.Service{ID: web, Scheduler: lvs.MH}, 0, 0.25},
		{lvs.Service{ID: web, Scheduler: lvs.SH, SchedulerFlags: lvs.HashFallback}, 0, 0.75}, // all buckets change
		{lvs.Service{ID: web, Scheduler: lvs.RR}, 0.75, 0.75},
	} {
		_, r := run1(t, c.service, lvs.DR(), w, 1, 1, 1, 1)
		for i, d := range r.Disruptions {
			if d.Returned < 290 || !near(d.Least, 0.25) || math.Abs(d.Share-c.share) > 0.09 || d.Refused != 0 {
				t.Errorf("%s: %+v, want a share of %v", r.Name, d, c.share)
			}
			if i == 0 && math.Abs(d.Ordinary-c.ordinary) > 0.05 {
				t.Errorf("%s: %+v, want an ordinary share of %v", r.Name, d, c.ordinary)
			}
		}
		if d := r.Disruptions; d[0].Broken == 0 || d[0].Broken != r.Broken || d[1].Broken != 0 || r.Servers[0].Broken != r.Broken {
			t.Errorf("%s: %d broke: %+v", r.Name, r.Broken, d)
		}
	}
}

func TestEvents(t *testing.T) {
	w := usual()
	w.Arrivals = Steady(100)
	w.Events = []Event{
		Drain(2*time.Second, addrOf(0)),
		Add(4*time.Second, addrOf(2), 2),
		Fail(6*time.Second, addrOf(1), 2*time.Second),
		Back(10*time.Second, addrOf(0), time.Second),
		Back(12*time.Second, addrOf(1), 0),
		SetWeight(14*time.Second, addrOf(2), 1),
	}
	sim, r := run1(t, lvs.Service{ID: web, Scheduler: lvs.WRR}, lvs.NAT(), w, 1, 1)
	servers, err := sim.Client().RealServers(t.Context(), web)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range servers {
		if s.Weight != 1 || s.Mode != lvs.NAT() {
			t.Errorf("in the end there is %s", s.RealServer)
		}
	}
	if len(servers) != 3 || len(r.Servers) != 3 || len(r.Disruptions) != 7 {
		t.Fatalf("%d servers, %d in the report, %d disruptions", len(servers), len(r.Servers), len(r.Disruptions))
	}
	// From 6 to 8 s a third of 200 connections is lost, give or take one.
	if r.Lost < 66 || r.Lost > 67 || r.Servers[1].Lost != r.Lost || r.Disruptions[2].Broken == 0 {
		t.Errorf("%d lost, %+v", r.Lost, r.Disruptions[2])
	}
	// Shares by weight of 100 a second, with two seconds each but for the last.
	due := []float64{100 + 0 + 0 + 0 + 0 + 200/3. + 50 + 200, 100 + 200 + 200/3. + 200/3. + 0 + 0 + 50 + 200}
	for i, want := range due {
		if got := r.Servers[i].Due * float64(r.Arrived); math.Abs(got-want) > 3 {
			t.Errorf("%s is due %v, want %v", r.Servers[i].Addr, got, want)
		}
	}
	if got := r.Disruptions[3].Events; len(got) != 1 || got[0] != "noticed 10.168.1.2:80" {
		t.Errorf("events %v", got)
	}
}

// A server whose weight is 0 keeps its buckets: without fallback its clients get
// nothing.
func TestRefusedClients(t *testing.T) {
	w := usual()
	w.Events = []Event{Drain(10*time.Second, addrOf(0))}
	_, r := run1(t, lvs.Service{ID: web, Scheduler: lvs.MH}, lvs.DR(), w, 1, 1)
	d := r.Disruptions[0]
	if r.Refused == 0 || d.Moved != 0 || math.Abs(float64(d.Refused)/float64(d.Returned)-0.5) > 0.1 {
		t.Errorf("%d refused, %+v", r.Refused, d)
	}
	if n := r.Reasons[lvs.ReasonNoServerUsable.String()]; n != r.Refused {
		t.Errorf("reasons %v", r.Reasons)
	}
}

func TestDeterminism(t *testing.T) {
	w := usual()
	w.Clients = Clients{Count: 300, Zipf: 1.1, PerAddress: 3}
	w.Arrivals, w.Lifetime = Bursts(200, 5), Pareto(2*time.Second, 1.5)
	w.Events = []Event{Fail(5*time.Second, addrOf(1), time.Second)}
	_, first := run1(t, lvs.Service{ID: web, Scheduler: lvs.TWOS}, lvs.DR(), w, 1, 2, 3)
	_, again := run1(t, lvs.Service{ID: web, Scheduler: lvs.TWOS}, lvs.DR(), w, 1, 2, 3)
	if !reflect.DeepEqual(first, again) {
		t.Error("the same seed gave another report")
	}
	w.Seed++
	if _, other := run1(t, lvs.Service{ID: web, Scheduler: lvs.TWOS}, lvs.DR(), w, 1, 2, 3); reflect.DeepEqual(first.Samples, other.Samples) {
		t.Error("another seed gave the same report")
	}
}

func TestReportJSON(t *testing.T) {
	w := usual()
	w.Events = []Event{Drain(10*time.Second, addrOf(0))}
	w.Servers = map[netip.AddrPort]Server{addrOf(1): {Speed: 2}}
	_, r := run1(t, lvs.Service{ID: web, Scheduler: lvs.MH}, lvs.DR(), w, 1, 1)
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var again Report
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	compare(t, *r, again)
}

func TestRecorded(t *testing.T) {
	client := netip.MustParseAddr("192.0.2.1")
	w := Workload{Service: web, Samples: 2, Recorded: []Arrival{
		{At: 0, Client: client, Lifetime: time.Second},
		{At: time.Second, Client: client, Lifetime: time.Second},
		{At: 4 * time.Second, Client: netip.MustParseAddr("192.0.2.2"), Lifetime: time.Second},
	}}
	_, r := run1(t, lvs.Service{ID: web, Scheduler: lvs.SH}, lvs.DR(), w, 1, 1)
	if r.Arrived != 3 || r.Clients != 2 || r.Duration != 4*time.Second || r.Times.Mean != 1 || r.Samples[0].Arrived != 2 {
		t.Errorf("%+v", r)
	}
	w.Duration, w.Recorded[1] = 2*time.Second, Arrival{At: time.Second}
	w.Clients, w.Lifetime = Clients{Count: 5}, Fixed(time.Second)
	if _, r = run1(t, lvs.Service{ID: web, Scheduler: lvs.SH}, lvs.DR(), w, 1, 1); r.Arrived != 2 || r.Clients != 2 {
		t.Errorf("%+v", r)
	}
}

// Few addresses open more connections than there are ports.
func TestPorts(t *testing.T) {
	w := Workload{
		Service: web, Duration: time.Second, Arrivals: Steady(66_000), Clients: Clients{Count: 10, PerAddress: 10},
		Lifetime: Fixed(time.Minute),
	}
	_, r := run1(t, lvs.Service{ID: web, Scheduler: lvs.RR}, lvs.DR(), w, 1)
	if r.Servers[0].Active != portCount || r.Refused != 66_000-portCount || r.Reasons["the client's address has no port left"] != r.Refused {
		t.Errorf("%d active, refused %v", r.Servers[0].Active, r.Reasons)
	}
	w.Lifetime = Fixed(100 * time.Millisecond)
	if _, r = run1(t, lvs.Service{ID: web, Scheduler: lvs.RR}, lvs.DR(), w, 1); r.Refused != 0 || r.Servers[0].Peak > 6_601 {
		t.Errorf("peak %d, refused %v", r.Servers[0].Peak, r.Reasons)
	}
}

// Services of other kinds take clients, too.
func TestServices(t *testing.T) {
	six := lvs.TCP(netip.MustParseAddrPort("[2001:db8:1::91]:80"))
	for _, s := range []lvs.Service{
		{ID: lvs.UDP(web.AddrPort()), Scheduler: lvs.WLC},
		{ID: lvs.UDP(web.AddrPort()), Scheduler: lvs.RR, OnePacket: true},
		{ID: lvs.SCTP(web.AddrPort()), Scheduler: lvs.WLC},
		{ID: lvs.TCP(netip.AddrPortFrom(web.AddrPort().Addr(), 0)), Scheduler: lvs.WLC, Persistence: lvs.Persistence{Timeout: time.Minute}},
		{ID: lvs.FWMark(7), Scheduler: lvs.LBLC},
		{ID: six, Scheduler: lvs.MH, SchedulerFlags: lvs.HashPort},
	} {
		sim, err := lvs.NewSimulator(lvs.SimOptions{})
		if err != nil {
			t.Fatal(err)
		}
		changes := []lvs.Change{lvs.AddService(s)}
		for _, a := range []string{"10.168.0.94", "10.168.0.95"} {
			if s.ID.Is6() {
				a = "2001:db8:1::" + a[len(a)-2:]
			}
			addr := netip.AddrPortFrom(netip.MustParseAddr(a), s.ID.AddrPort().Port())
			changes = append(changes, lvs.AddRealServer(s.ID, lvs.NewRealServer(addr, lvs.DR())))
		}
		if err := sim.Client().Do(t.Context(), changes...); err != nil {
			t.Fatal(err)
		}
		w := usual()
		w.Service = s.ID
		if s.ID.FWMark() != 0 {
			w.Destinations = Clients{Count: 50}
		}
		r, err := Run(t.Context(), sim, w)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		checkSums(t, r)
		if r.Refused != 0 || r.Servers[0].Connections == 0 || r.Servers[1].Connections == 0 {
			t.Errorf("%s: %d refused of %d, %v", s, r.Refused, r.Arrived, r)
		}
	}
}

// A connection that lasts longer than the director remembers a silent one is not
// silent.
func TestKeepAlive(t *testing.T) {
	w := Workload{
		Service: web, Duration: time.Hour, Recorded: []Arrival{{Lifetime: 2 * time.Hour}}, Clients: Clients{Count: 1},
	}
	sim, r := run1(t, lvs.Service{ID: web, Scheduler: lvs.RR}, lvs.DR(), w, 1)
	s, err := sim.Client().RealServer(t.Context(), web, addrOf(0))
	if err != nil || s.ActiveConns != 1 || r.Servers[0].Active != 1 {
		t.Errorf("%+v, the kernel has %d: %v", r.Servers[0], s.ActiveConns, err)
	}
}

func TestCancelled(t *testing.T) {
	sim := newSim(t, lvs.Service{ID: web, Scheduler: lvs.WLC}, lvs.DR(), 1, 1)
	ctx, cancel := context.WithCancel(t.Context())
	w := usual()
	w.Duration = 1000 * time.Hour
	last := Progress{}
	w.Progress = func(p Progress) {
		if p.Done < last.Done || p.Arrived < last.Arrived || p.Of != w.Duration {
			t.Errorf("%+v after %+v", p, last)
		}
		if last = p; p.Arrived > 10_000 {
			cancel()
		}
	}
	r, err := Run(ctx, sim, w)
	if !errors.Is(err, context.Canceled) || r == nil {
		t.Fatalf("got %v", err)
	}
	checkSums(t, r)
	if r.Arrived < 10_000 || r.Arrived > 12_000 || r.Duration == 0 {
		t.Errorf("%d arrived in %s", r.Arrived, r.Duration)
	}
	if _, err := Run(ctx, sim, w); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that had ended: %v", err)
	}
	again, err := Run(t.Context(), sim, usual())
	if err != nil {
		t.Fatal(err)
	}
	if again.Refused > 0 || again.Arrived < 3800 {
		t.Errorf("afterwards: %v", again)
	}
}

func TestInvalid(t *testing.T) {
	sim := newSim(t, lvs.Service{ID: web, Scheduler: lvs.RR}, lvs.DR(), 1)
	for field, change := range map[string]func(*Workload){
		"Duration":           func(w *Workload) { w.Duration = 0 },
		"Duration ":          func(w *Workload) { w.Duration = -1 },
		"Arrivals":           func(w *Workload) { w.Arrivals = Arrivals{} },
		"Arrivals  ":         func(w *Workload) { w.Arrivals = Poisson(-5) },
		"Arrivals   ":        func(w *Workload) { w.Arrivals = Poisson(math.NaN()) },
		"Arrivals    ":       func(w *Workload) { w.Arrivals = Steady(math.Inf(1)) },
		"Arrivals     ":      func(w *Workload) { w.Arrivals = Steady(0) },
		"Arrivals      ":     func(w *Workload) { w.Arrivals = Bursts(5, 0) },
		"Arrivals       ":    func(w *Workload) { w.Recorded = []Arrival{{}} },
		"Arrivals        ":   func(w *Workload) { w.Arrivals = Poisson(1e12) },
		"Clients":            func(w *Workload) { w.Clients = Clients{} },
		"Clients ":           func(w *Workload) { w.Clients.Count = -1 },
		"Clients  ":          func(w *Workload) { w.Clients.Count = maxClients + 1 },
		"Clients   ":         func(w *Workload) { w.Clients.Zipf = -1 },
		"Clients    ":        func(w *Workload) { w.Clients.PerAddress = -1 },
		"Clients     ":       func(w *Workload) { w.Clients.From = netip.MustParsePrefix("10.0.0.0/24") },
		"Clients      ":      func(w *Workload) { w.Clients.From = netip.MustParsePrefix("2001:db8::/64") },
		"Lifetime":           func(w *Workload) { w.Lifetime = Lifetime{} },
		"Lifetime ":          func(w *Workload) { w.Lifetime = Fixed(0) },
		"Lifetime  ":         func(w *Workload) { w.Lifetime = Pareto(time.Second, 1) },
		"Lifetime   ":        func(w *Workload) { w.Lifetime = Exponential(-1) },
		"Server.Speed":       func(w *Workload) { w.Server.Speed = -1 },
		"Server.Slots":       func(w *Workload) { w.Server.Slots = -1 },
		"Servers":            func(w *Workload) { w.Servers = map[netip.AddrPort]Server{addrOf(9): {}} },
		"Destinations":       func(w *Workload) { w.Destinations = Clients{Count: 5} },
		"Samples":            func(w *Workload) { w.Samples = -1 },
		"Events[0]":          func(w *Workload) { w.Events = []Event{{}} },
		"Events[0] ":         func(w *Workload) { w.Events = []Event{Drain(time.Hour, addrOf(0))} },
		"Events[0]  ":        func(w *Workload) { w.Events = []Event{SetWeight(0, addrOf(0), -1)} },
		"Events[1].Server":   func(w *Workload) { w.Events = []Event{Remove(1, addrOf(0)), Drain(2, addrOf(0))} },
		"Events[0].Server":   func(w *Workload) { w.Events = []Event{Add(1, addrOf(0), 1)} },
		"Events[0].Server ":  func(w *Workload) { w.Events = []Event{Back(1, addrOf(9), 0)} },
		"Recorded[1].At":     func(w *Workload) { w.Recorded = []Arrival{{At: 2}, {At: 1}} },
		"Recorded[0].Client": func(w *Workload) { w.Recorded = []Arrival{{Client: netip.MustParseAddr("::1")}} },
		"Servers[1.2.3.4:80].Speed": func(w *Workload) {
			w.Servers = map[netip.AddrPort]Server{netip.MustParseAddrPort("1.2.3.4:80"): {Speed: -1}}
		},
		"Service": func(w *Workload) { w.Service = lvs.ServiceID{} },
	} {
		w := usual()
		change(&w)
		refused(t, sim, w, field)
	}
	if r, err := Run(t.Context(), sim, usual()); err != nil || r.Refused > 0 || r.Arrived < 3800 {
		t.Errorf("afterwards: %v, %v", r, err)
	}
	refused(t, nil, usual(), "Simulator")
	refused(t, newSim(t, lvs.Service{ID: web, Scheduler: lvs.RR}, lvs.DR()), usual(), "Service")
	refused(t, newSim(t, lvs.Service{ID: web, Scheduler: lvs.RR}, lvs.DR(), 0, 0), usual(), "Service")
	refused(t, newSim(t, lvs.Service{ID: web, Scheduler: lvs.NoScheduler}, lvs.DR(), 1), usual(), "Service")
	clocked, err := lvs.NewSimulator(lvs.SimOptions{Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	refused(t, clocked, usual(), "Simulator")

	none := usual()
	none.Service = lvs.UDP(web.AddrPort())
	if _, err := Run(t.Context(), newSim(t, lvs.Service{ID: web, Scheduler: lvs.RR}, lvs.DR(), 1), none); !errors.Is(err, lvs.ErrNotFound) {
		t.Errorf("a service that is not there: %v", err)
	}
}

// refused checks that a workload is refused with its field's name, and that nothing
// has happened.
func refused(t *testing.T, sim *lvs.Simulator, w Workload, field string) {
	t.Helper()
	r, err := Run(t.Context(), sim, w)
	var bad *InvalidError
	if want := trimmed(field); r != nil || !errors.As(err, &bad) || bad.Field != want || !errors.Is(err, lvs.ErrInvalid) {
		t.Errorf("want %s to be refused, got %v", want, err)
	}
	if sim == nil {
		return
	}
	host := sim.Host()
	defer host.Close()
	if all, err := lvs.CollectConnections(host.Connections(t.Context(), lvs.ConnectionFilter{})); err != nil || len(all) != 0 {
		t.Errorf("%s: %d connections are there: %v", field, len(all), err)
	}
}

func trimmed(s string) string {
	for len(s) > 0 && s[len(s)-1] == ' ' {
		s = s[:len(s)-1]
	}
	return s
}
