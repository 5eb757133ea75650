package lvs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
)

// letteredServers returns real servers by letters, which are their addresses, and the
// digits of their weights.
func letteredServers(text string) (all []RealServer) {
	for i := 0; i < len(text); i += 2 {
		addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, text[i]}), 80)
		all = append(all, RealServer{Addr: addr, Weight: int(text[i+1] - '0')})
	}
	return all
}

func oneService(scheduler Scheduler, servers []RealServer) Table {
	return Table{Services: []TableService{{Service: Service{ID: webID, Scheduler: scheduler}, RealServers: servers}}}
}

// picksOf returns which real servers 60 clients get, of which half stay.
func picksOf(t *testing.T, scheduler Scheduler, servers []RealServer) (all []netip.AddrPort) {
	t.Helper()
	s, err := NewSimulator(SimOptions{})
	must(t, err)
	changes := []Change{AddService(Service{ID: webID, Scheduler: scheduler})}
	for _, server := range servers {
		changes = append(changes, AddRealServer(webID, server))
	}
	must(t, s.Client().Do(context.Background(), changes...))
	for i := range 60 {
		client := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, byte(i % 7), byte(i)}), uint16(1024+i))
		v, err := s.Deliver(SimPacket{Protocol: ProtocolTCP, Source: client, Destination: webID.AddrPort(), TCP: SimSYN})
		must(t, err)
		all = append(all, v.Server)
		if i%2 == 0 {
			_, err = s.Deliver(SimPacket{Protocol: ProtocolTCP, Source: client, Destination: webID.AddrPort(), TCP: SimRST})
			must(t, err)
		}
	}
	return all
}

// Whenever another order makes clients get other real servers, the plan lists the
// service, whatever the scheduler.
func TestMisorderedPicks(t *testing.T) {
	schedulers := []Scheduler{"", RR, WRR, LC, WLC, SED, NQ, FO, OVF, LBLC, LBLCR, DH, SH, MH, NoScheduler}
	r := rand.New(rand.NewPCG(1, 1))
	differ, listed := map[Scheduler]int{}, map[Scheduler]int{}
	for i := range 600 {
		scheduler := schedulers[i%len(schedulers)]
		var text string
		for _, letter := range "ABCD"[:1+r.IntN(4)] {
			text += fmt.Sprintf("%c%d", letter, r.IntN(4))
		}
		have := letteredServers(text)
		want := slices.Clone(have)
		r.Shuffle(len(want), func(i, j int) { want[i], want[j] = want[j], want[i] })
		plan, err := Diff(oneService(scheduler, have), oneService(scheduler, want), TableOptions{})
		must(t, err)
		if plan.HasChanges() {
			t.Fatalf("the order alone gives the plan\n%s", plan)
		}
		other := !slices.Equal(picksOf(t, scheduler, have), picksOf(t, scheduler, want))
		if other {
			differ[scheduler]++
		}
		if len(plan.Misordered) > 0 {
			listed[scheduler]++
		} else if other {
			t.Errorf("%s picks otherwise for %v than for %v, and is not listed", scheduler, have, want)
		}
	}
	for _, scheduler := range schedulers {
		if differ[scheduler] == 0 && scheduler != NoScheduler && scheduler != MH { // a few clients in a thousand
			t.Errorf("no order made a difference to %q", scheduler)
		}
		if listed[scheduler] > 0 && scheduler == NoScheduler {
			t.Error("services without a scheduler are listed")
		}
	}
}

// The order decides nothing between a usable real server and others, except where all
// have places in a table, nor by weights that are not the same, where they decide alone.
func TestMisordered(t *testing.T) {
	for _, test := range []struct {
		scheduler  Scheduler
		have, want string
		listed     bool
	}{
		{RR, "A1B1", "A1B1", false},
		{RR, "A1B1", "B1A1", true},
		{RR, "A1B0", "B0A1", false},
		{RR, "A1B0C1", "B0A1C1", false},
		{RR, "B1", "A1B1", true}, // A can only be the newest
		{RR, "A1", "A1B1", false},
		{FO, "A1B2", "B2A1", false},
		{FO, "A1B1", "B1A1", true},
		{OVF, "A1B2C1", "C1B2A1", true},
		{SH, "A1B0", "B0A1", true},
		{MH, "A1B0", "B0A1", true},
		{DH, "A1B0", "B0A1", true},
		{"custom", "A0B0", "B0A0", true},
		{NoScheduler, "A1B1", "B1A1", false},
		{"", "A1B1C1", "A1C1B1", true},
	} {
		plan, err := Diff(oneService(test.scheduler, letteredServers(test.have)), oneService(test.scheduler, letteredServers(test.want)), TableOptions{})
		must(t, err)
		if got := len(plan.Misordered) > 0; got != test.listed {
			t.Errorf("%s %s, want %s: listed %t", test.scheduler, test.have, test.want, got)
		}
	}
}

// The exact order removes as few real servers as possible, and never the only one that
// is usable.
func TestExactOrder(t *testing.T) {
	for _, test := range []struct {
		have, want string
		moved      int
	}{
		{"A1B1C1", "A1B1C1", 0},
		{"A1B1C1", "A1C1B1", 1},
		{"A1B1C1", "B1C1A1", 1},
		{"A1B1C1", "C1A1B1", 2}, // no one can be moved to the front
		{"A1B1C1", "C1B1A1", 2},
		{"A1C1", "A1B1C1", 1},
		{"A1C1", "A1C1B1", 0},
		{"C1", "B1C1D1", 1},
		{"A1B0", "B0A1", 0},     // A is the only one, and stays where it is
		{"A1B0", "B0A1C1", 2},   // C is there while A is moved, and is moved, too
		{"A1B0", "B1A1", 1},     // B is raised before
		{"A1B1", "B1A0", 1},     // A is added with weight 0
		{"A1B0C0", "C1B1A0", 2}, // A falls last
		{"A0B0", "B0A0", 1},
		{"A1X1", "B1A1", 1}, // X is removed afterwards
	} {
		want := oneService(RR, letteredServers(test.want))
		now := oneService(RR, letteredServers(test.have))
		plan, err := Diff(now, want, TableOptions{ExactOrder: true})
		must(t, err)
		moved := 0
		for _, ch := range plan.Changes() {
			makeOne(&now.Services[0], ch)
			if ch.Op() == OpRemoveRealServer && slices.ContainsFunc(want.Services[0].RealServers, func(s RealServer) bool { return s.Addr == ch.RealServerAddr() }) {
				moved++
			}
		}
		if moved != test.moved || now.Equal(want) == (len(plan.Misordered) > 0) {
			t.Errorf("%s, want %s: %d moved, want %d, and the result is\n%s\nby\n%s", test.have, test.want, moved, test.moved, now, plan)
		}
	}
}

// makeOne makes a change of a real server.
func makeOne(s *TableService, ch Change) {
	server, put := ch.RealServer()
	i := slices.IndexFunc(s.RealServers, func(s RealServer) bool { return s.Addr == ch.RealServerAddr() })
	switch {
	case !put:
		s.RealServers = slices.Delete(s.RealServers, i, i+1)
	case i < 0:
		s.RealServers = append(s.RealServers, server)
	default:
		s.RealServers[i] = server
	}
}
