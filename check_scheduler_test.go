package lvs

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// served adds a service with servers of some weights to a simulator, gives it
// clients, and then sets other weights.
func served(t *testing.T, s *Simulator, service Service, weights, later []int, threshold int) ServiceEntry {
	t.Helper()
	ctx := context.Background()
	client := s.Client()
	defer client.Close()
	changes := []Change{AddService(service)}
	var edits []Change
	for i, w := range weights {
		server := RealServer{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 168, 0, byte(100 + i)}), service.ID.AddrPort().Port()), Weight: w, UpperThreshold: threshold}
		changes = append(changes, AddRealServer(service.ID, server))
		if server.Weight = later[i]; later[i] != w {
			edits = append(edits, UpdateRealServer(service.ID, server))
		}
	}
	if err := client.Do(ctx, changes...); err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		openFrom(t, s, service, uint32(i))
	}
	if err := client.Do(ctx, edits...); err != nil {
		t.Fatal(err)
	}
	s.Advance(3 * time.Second) // counters are published
	table, err := client.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return table.Services[0]
}

// openFrom reports whether a new client of a service gets a server.
func openFrom(t *testing.T, s *Simulator, service Service, i uint32) bool {
	t.Helper()
	from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(i%100 + 11), byte(i >> 8), byte(i * 37), byte(i * 101)}), uint16(1024+i))
	v, err := s.Deliver(SimPacket{Protocol: ProtocolTCP, Source: from, Destination: service.ID.AddrPort(), TCP: SimSYN})
	if err != nil {
		t.Fatal(err)
	}
	return v.Action == ActionForwarded
}

// What Check says of a service is what happens to its next clients.
func TestCheckSchedulerAgreesWithPicks(t *testing.T) {
	web := TCP(netip.MustParseAddrPort("10.168.0.94:80"))
	const clients = 300
	for _, scheduler := range []Scheduler{RR, WRR, LC, WLC, SED, NQ, FO, DH, SH, MH, LBLC, LBLCR, TWOS} {
		found := map[Severity]int{}
		for seed := range uint64(60) {
			t.Run(fmt.Sprintf("%s %d", scheduler, seed), func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 1))
				weights, later := make([]int, r.IntN(5)), make([]int, 5)
				for i := range weights {
					weights[i] = r.IntN(3)
					if later[i] = weights[i]; r.IntN(2) == 0 {
						later[i] = 0
					}
				}
				service := Service{ID: web, Scheduler: scheduler}
				if r.IntN(4) == 0 && (scheduler == SH || scheduler == MH) {
					service.SchedulerFlags = HashFallback
				}
				s, _ := simulatedHost(t)
				entry := served(t, s, service, weights, later, 0)
				f, ok := entry.findRefused()
				refused := 0
				for i := range clients {
					if !openFrom(t, s, service, uint32(1000+i)) {
						refused++
					}
				}
				found[f.Severity]++
				share := float64(refused) / clients
				switch {
				case !ok && refused > 0, f.Severity == SeverityBroken && refused == 0:
					t.Errorf("%d of %d clients are refused: %v of %v then %v", refused, clients, f, weights, later)
				case f.Severity == SeverityBroken && scheduler != MH && math.Abs(entry.shareRefused(false)-share) > 0.12:
					t.Errorf("%.2f of the clients are refused, and %.2f were foretold: %v then %v", share, entry.shareRefused(false), weights, later)
				}
			})
		}
		if found[SeverityBroken] == 0 || found[""] == 0 {
			t.Errorf("%s: not both: %v", scheduler, found)
		}
	}
}

// The changes of a finding let new clients in.
func TestCheckSchedulerFixes(t *testing.T) {
	ctx := context.Background()
	web := TCP(netip.MustParseAddrPort("10.168.0.94:80"))
	persistent := Persistence{Timeout: time.Minute}
	for _, c := range []struct {
		name           string
		service        Service
		weights, later []int
		threshold      int
		code           string
		fixed          bool // by changes
	}{
		{"all drained", Service{ID: web, Scheduler: RR, Persistence: persistent}, []int{1, 2}, []int{0, 0}, 0, "no-server", true},
		{"all full", Service{ID: web, Scheduler: WLC}, []int{1, 1}, []int{1, 1}, 4, "no-server", true},
		{"no servers", Service{ID: web, Scheduler: WLC}, nil, nil, 0, "no-server", false},
		{"no scheduler", Service{ID: web, Scheduler: NoScheduler}, []int{1}, []int{1}, 0, "scheduler-missing", true},
		{"ovf", Service{ID: web, Scheduler: OVF}, []int{3, 4}, []int{3, 4}, 0, "no-server", true},
		{"ovf with room", Service{ID: web, Scheduler: OVF}, []int{30, 40}, []int{30, 40}, 0, "", false},
		{"dh", Service{ID: web, Scheduler: DH}, []int{1, 1}, []int{0, 1}, 0, "", false}, // which of them gets all
		{"dh, the other", Service{ID: web, Scheduler: DH}, []int{1, 1}, []int{1, 0}, 0, "hash-no-fallback", true},
		{"mh, one drained", Service{ID: web, Scheduler: MH}, []int{1, 1}, []int{0, 1}, 0, "hash-no-fallback", true},
		{"mh, one added without weight", Service{ID: web, Scheduler: MH}, []int{0, 1}, []int{0, 1}, 0, "hash-no-fallback", true},
		{"mh with fallback", Service{ID: web, Scheduler: MH, SchedulerFlags: HashFallback}, []int{1, 1}, []int{0, 1}, 0, "", false},
		{"sh, one full", Service{ID: web, Scheduler: SH}, []int{1, 100}, []int{1, 100}, 30, "hash-no-fallback", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, h := simulatedHost(t)
			entry := served(t, s, c.service, c.weights, c.later, c.threshold)
			f, _ := entry.findRefused()
			if string(f.Code) != c.code || (len(f.Changes) > 0) != c.fixed {
				t.Fatalf("found %v", f)
			}
			if err := h.Client().Do(ctx, f.Changes...); err != nil {
				t.Fatal(err)
			}
			table, err := h.Client().Snapshot(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if f, ok := table.Services[0].findRefused(); ok && c.fixed {
				t.Errorf("afterwards: %v", f)
			}
			if c.fixed && !openFrom(t, s, c.service, 5000) {
				t.Error("the next client is still refused")
			}
			if c.fixed && table.Services[0].Persistence != c.service.Persistence {
				t.Error("the fix changes persistence")
			}
		})
	}
}

// A server of weight 0 that never had a connection may have no share of mh's buckets. The
// table does not show that.
func TestCheckSchedulerDoubt(t *testing.T) {
	web := TCP(netip.MustParseAddrPort("10.168.0.94:80"))
	s, _ := simulatedHost(t)
	entry := served(t, s, Service{ID: web, Scheduler: MH}, []int{0, 1}, []int{0, 1}, 0)
	if f, ok := entry.findRefused(); !ok || f.Severity != SeverityRisk {
		t.Errorf("%v %v, want a risk", ok, f)
	}
	if !slices.ContainsFunc(entry.RealServers, func(s RealServerStatus) bool { return s.hadShare() }) {
		t.Error("no server has had a client")
	}
}
