package healthtest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
	"github.com/golvs/lvs/health/healthtest"
)

// Each way in which a real server can break is noticed through IPVS, in each mode and
// family. At the server's own address, what lacks for IPVS alone is not noticed.
func TestMonitorNotices(t *testing.T) {
	tunnels := []lvs.Mode{lvs.IPIP(), lvs.GUE(6080), lvs.GRE()}
	modes := append([]lvs.Mode{lvs.DR(), lvs.NAT()}, tunnels...)
	for _, site := range []struct {
		vip, source string
		servers     []string
	}{
		{"10.168.0.91:80", "10.168.0.90", []string{"10.168.0.94:80", "10.168.0.95:80"}},
		{"[2001:db8:a::91]:80", "2001:db8:a::90", []string{"[2001:db8:a::94]:80", "[2001:db8:a::95]:80"}},
	} {
		for _, mode := range modes {
			for _, path := range []health.Path{health.Direct, health.ThroughIPVS} {
				for _, c := range []struct {
					breaks healthtest.Behaviour
					path   bool // only through IPVS
					modes  []lvs.Mode
				}{
					{healthtest.BlackHole(), false, modes},
					{healthtest.Refuse(), false, modes},
					{healthtest.Reset(), false, modes},
					{healthtest.Hang(), false, modes},
					{healthtest.Status(http.StatusInternalServerError), false, modes},
					{healthtest.NoVIP(), true, append([]lvs.Mode{lvs.DR()}, tunnels...)},
					{healthtest.TunnelDown(), true, tunnels},
					{healthtest.Slow(500 * time.Millisecond), false, nil},
				} {
					t.Run(fmt.Sprint(site.vip, " ", mode, " ", path, " ", c.breaks), func(t *testing.T) {
						want := health.Up
						if slices.Contains(c.modes, mode) && (path == health.ThroughIPVS || !c.path) {
							want = health.Down
						}
						synctest.Test(t, func(t *testing.T) {
							s := newSite(t, site.vip, mode, site.servers...)
							p := s.path(t, netip.MustParseAddr(site.source))
							policies := map[lvs.ServiceID]health.Policy{s.id: {Checks: []health.Check{{Probe: health.HTTP{}, Path: path}}}}
							if err := p.Set(t.Context(), s.table, policies); err != nil {
								t.Fatal(err)
							}
							m := s.monitor(t, p, policies)
							time.Sleep(10 * time.Second)
							if err := s.Set(s.table.Services[0].RealServers[1].Addr, c.breaks); err != nil {
								t.Fatal(err)
							}
							time.Sleep(10 * time.Second)
							got := m.Status().Services[0].Servers
							if len(got) != 2 || got[0].State != health.Up || got[1].State != want {
								t.Errorf("got %+v, want %s", got, want)
							}
							if status, err := s.client.Service(t.Context(), s.id); err != nil || status.Stats.Conns != 0 && mode != lvs.NAT() {
								t.Errorf("probes are among the service's %d connections: %v", status.Stats.Conns, err)
							}
						})
					})
				}
			}
		}
	}
}

// site is a simulated director with a service, and its real servers.
type site struct {
	*healthtest.Network
	sim    *lvs.Simulator
	client *lvs.Client
	id     lvs.ServiceID
	table  lvs.Table
}

func newSite(t *testing.T, vip string, mode lvs.Mode, servers ...string) *site {
	t.Helper()
	sim, err := lvs.NewSimulator(lvs.SimOptions{Clock: time.Now, ImmediateStats: true})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{Network: healthtest.New(), sim: sim, client: sim.Client(), id: lvs.TCP(netip.MustParseAddrPort(vip))}
	t.Cleanup(func() { s.client.Close() })
	service := lvs.TableService{Service: lvs.Service{ID: s.id, Scheduler: lvs.WLC}}
	for _, addr := range servers {
		a := netip.MustParseAddrPort(addr)
		service.RealServers = append(service.RealServers, lvs.NewRealServer(a, mode))
		if err := s.Serve(a, hello()); err != nil {
			t.Fatal(err)
		}
	}
	s.table = lvs.Table{Services: []lvs.TableService{service}}
	plan, err := s.client.PlanTable(t.Context(), s.table, lvs.TableOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.client.ApplyTable(t.Context(), plan, lvs.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	return s
}

// path returns the path through the simulated IPVS.
func (s *site) path(t *testing.T, source netip.Addr) *health.TablePath {
	t.Helper()
	p, err := health.NewTablePath(s.client, health.TablePathOptions{
		Sources: []netip.Addr{source},
		Network: func(mark uint32, source netip.Addr) health.Network { return s.Through(s.sim, source, mark) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// monitor runs a monitor until the end of the test.
func (s *site) monitor(t *testing.T, p *health.TablePath, policies map[lvs.ServiceID]health.Policy, events ...func(health.Event)) *health.Monitor {
	t.Helper()
	o := health.Options{Network: s.Network}
	if p != nil {
		o.Paths = map[health.Path]health.PathFunc{health.ThroughIPVS: p.Prepare}
	}
	for _, f := range events {
		o.OnEvent = f
	}
	m, err := health.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Set(s.table, policies); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return m
}

// recorder is a probe that notes what it found, and when.
type recorder struct {
	health.HTTP
	*records
}

type records struct {
	sync.Mutex
	all []record
}

type record struct {
	began, ended time.Time
	err          error
}

// Probe does what HTTP's does.
func (r recorder) Probe(ctx context.Context, t health.Target) (health.Answer, error) {
	began := time.Now()
	a, err := r.HTTP.Probe(ctx, t)
	r.Lock()
	defer r.Unlock()
	r.all = append(r.all, record{began, time.Now(), err})
	return a, err
}

// Of servers that do anything at random, each probe finds what the script says, and the
// monitor reports what follows from that by rise and fall, and nothing else.
func TestMonitorRandomScripts(t *testing.T) {
	for seed := range uint64(200) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 13))
				script := randomScript(r)
				s := newSite(t, vip.String(), lvs.DR(), web.String())
				server := hello()
				server.Script = script
				if err := s.Serve(web, server); err != nil {
					t.Fatal(err)
				}
				check := health.Check{
					Interval: time.Duration(1+r.IntN(3)) * time.Second, Failing: time.Duration(500+r.IntN(1500)) * time.Millisecond,
					Timeout: time.Second, Rise: 1 + r.IntN(3), Fall: 1 + r.IntN(3),
				}
				seen := &records{}
				check.Probe = recorder{records: seen}
				var got []transition
				start := time.Now()
				s.monitor(t, nil, map[lvs.ServiceID]health.Policy{s.id: {Checks: []health.Check{check}}}, func(e health.Event) {
					if e, ok := e.(health.ServerChanged); ok {
						got = append(got, transition{time.Since(start), e.Is})
					}
				})
				time.Sleep(5 * time.Minute)
				synctest.Wait()
				seen.Lock()
				defer seen.Unlock()
				for _, p := range seen.all {
					from, to := p.began.Sub(start), p.ended.Sub(start)
					if next, changes := script.Next(from); changes && next <= to {
						continue // it changed in between
					}
					if does := script.At(from); works(does) != (p.err == nil) {
						t.Fatalf("%s: after %s it does %q, and the probe says %v", script, from, does, p.err)
					}
				}
				if diff := cmp.Diff(judged(seen.all, check.Rise, check.Fall, start), got); diff != "" {
					t.Errorf("%s\n%s", script, diff)
				}
			})
		})
	}
}

func works(b healthtest.Behaviour) bool {
	return b.Serves(lvs.NAT()) && b.String() != "slow 2s" && b.String() != "status 500"
}

func randomScript(r *rand.Rand) (s healthtest.Script) {
	at := time.Duration(0)
	for range 1 + r.IntN(10) {
		does := []healthtest.Behaviour{
			healthtest.Answer(), healthtest.Hang(), healthtest.BlackHole(), healthtest.Refuse(), healthtest.Reset(), healthtest.Slow(200 * time.Millisecond),
			healthtest.Slow(2 * time.Second), healthtest.Status(500), healthtest.NoVIP(), healthtest.TunnelDown(),
			healthtest.Flap(time.Duration(1+r.IntN(9000)) * time.Millisecond),
		}
		s = append(s, healthtest.Step{At: at, Does: does[r.IntN(len(does))]})
		at += time.Duration(1+r.IntN(60_000)) * time.Millisecond
	}
	return s
}

type transition struct {
	At time.Duration
	Is health.State
}

// judged returns what follows from the results of probes.
func judged(all []record, rise, fall int, start time.Time) (out []transition) {
	state, streak, last := health.Unknown, 0, false
	for i, p := range all {
		ok := p.err == nil
		if streak++; i > 0 && ok != last {
			streak = 1
		}
		last = ok
		is := state
		switch {
		case ok && (state == health.Unknown || streak >= rise):
			is = health.Up
		case !ok && streak >= fall:
			is = health.Down
		}
		if is != state {
			state = is
			out = append(out, transition{p.ended.Sub(start), is})
		}
	}
	return out
}
