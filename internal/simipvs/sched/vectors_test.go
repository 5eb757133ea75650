package sched

import (
	"net/netip"
	"testing"
)

// named is a group whose servers have letters as names: A is the oldest.
type named struct {
	*Group
	servers []*Server
}

// newNamed makes the group as an administrator does: the scheduler first, then
// the servers, A first.
func newNamed(t *testing.T, scheduler string, o Options, weights ...int32) *named {
	t.Helper()
	n := &named{Group: NewGroup(false)}
	by, ok := New(scheduler, o)
	if !ok {
		t.Fatalf("no scheduler %q", scheduler)
	}
	if err := n.Schedule(by); err != nil {
		t.Fatal(err)
	}
	for i, w := range weights {
		addr := netip.AddrFrom4([4]byte{10, 2, 0, byte(i + 1)})
		s := &Server{Addr: netip.AddrPortFrom(addr, 80), Weight: w, LastWeight: w}
		n.servers = append(n.servers, s)
		n.Add(s)
	}
	return n
}

func (n *named) letter(s *Server) string {
	for i := range n.servers {
		if n.servers[i] == s {
			return string(rune('A' + i))
		}
	}
	return "-"
}

// picks returns the letters of some picks in a row.
func (n *named) picks(k int) string {
	var text string
	for range k {
		text += n.letter(n.Pick(&Flow{}))
	}
	return text
}

func TestPicks(t *testing.T) {
	for _, c := range []struct {
		scheduler string
		weights   []int32
		want      string
	}{
		{"rr", []int32{1, 1, 1}, "CBACBACBA"},
		{"rr", []int32{1, 0, 1}, "CACACA"},
		{"rr", []int32{0}, "--"},
		{"rr", nil, "--"},
		{"wrr", []int32{1, 1, 1}, "CBACBACBACBACBACBACB"},
		{"wrr", []int32{4, 3, 2}, "CBAABACBACBAABACBACB"},
		{"wrr", []int32{2, 0, 1}, "CAACAACAACAACAACAACA"},
		{"wrr", []int32{6, 4, 2}, "CBAABACBAABACBAABACB"},
		{"wrr", []int32{3, 1}, "BAAABAAABAAABAAABAAA"},
		{"wrr", []int32{0, 0}, "--"},
		{"wrr", nil, "--"},
		{"lc", []int32{1, 2, 1}, "CCC"},
		{"wlc", []int32{1, 2, 1}, "CCC"},
		{"sed", []int32{1, 3, 2}, "BBB"},
		{"nq", []int32{1, 3, 2}, "CCC"},
		{"fo", []int32{1, 3, 3, 2}, "CCC"},
		{"fo", []int32{0}, "-"},
		{"ovf", []int32{1, 3, 3, 2}, "CCC"},
		{"twos", []int32{0, 0}, "-"},
		{"lblc", nil, "-"},
		{"lblcr", nil, "-"},
		{"dh", nil, "-"},
		{"sh", nil, "-"},
		{"mh", nil, "-"},
	} {
		n := newNamed(t, c.scheduler, Options{}, c.weights...)
		if got := n.picks(len(c.want)); got != c.want {
			t.Errorf("%s %v: picked %s, want %s", c.scheduler, c.weights, got, c.want)
		}
	}
}

func TestRoundRobinRemoval(t *testing.T) {
	n := newNamed(t, "rr", Options{}, 1, 1, 1)
	n.picks(2) // C, B
	n.Remove(n.servers[1])
	if got := n.picks(3); got != "ACA" {
		t.Errorf("after the removal of the last one picked: %s, want ACA", got)
	}
	n.Remove(n.servers[0])
	n.Remove(n.servers[2])
	n.Add(n.servers[0])
	n.Add(n.servers[1])
	if got := n.picks(3); got != "BAB" {
		t.Errorf("from the head: %s, want BAB", got)
	}
}

// A server that is added comes before the one that was picked last, so it waits for
// the next round.
func TestRoundRobinAddition(t *testing.T) {
	n := newNamed(t, "rr", Options{}, 1, 1)
	if got := n.picks(1); got != "B" {
		t.Fatalf("picked %s first", got)
	}
	c := &Server{Addr: netip.MustParseAddrPort("10.2.0.3:80"), Weight: 1}
	n.servers = append(n.servers, c)
	n.Add(c)
	if got := n.picks(3); got != "ACB" {
		t.Errorf("picked %s, want ACB", got)
	}
}

func TestWeightedRoundRobinState(t *testing.T) {
	for _, c := range []struct {
		weights       []int32
		highest, step int32
	}{
		{[]int32{1, 1, 1}, 1, 1}, {[]int32{4, 3, 2}, 4, 1}, {[]int32{2, 0, 1}, 2, 1},
		{[]int32{6, 4, 2}, 5, 2}, {[]int32{3, 1}, 3, 1}, {[]int32{0}, 0, 1},
	} {
		w := newNamed(t, "wrr", Options{}, c.weights...).by.(*weightedRoundRobin)
		if w.highest != c.highest || max(w.step, 1) != c.step {
			t.Errorf("weights %v: %d/%d, want %d/%d", c.weights, w.highest, w.step, c.highest, c.step)
		}
	}
}

// An edit that changes nothing restarts the round, and keeps the current weight.
func TestWeightedRoundRobinRewinds(t *testing.T) {
	n := newNamed(t, "wrr", Options{}, 1, 1, 1)
	got := n.picks(1)
	n.Edited(n.servers[0])
	if got += n.picks(3); got != "CCBA" {
		t.Errorf("picked %s, want CCBA", got)
	}
}

// A server of weight w takes w + 1 active connections.
func TestOverflow(t *testing.T) {
	n := newNamed(t, "ovf", Options{}, 1, 2)
	var text string
	for range 6 {
		s := n.Pick(&Flow{})
		text += n.letter(s)
		if s != nil {
			s.Active++
			n.Counted(s)
		}
	}
	if text != "BBBAA-" {
		t.Errorf("picked %s, want BBBAA-", text)
	}
}

// The kernel goes through two thousand million rounds here.
func TestWeightedRoundRobinSkipsRounds(t *testing.T) {
	n := newNamed(t, "wrr", Options{}, 1, 1<<31-1)
	w := n.by.(*weightedRoundRobin)
	if got := n.picks(2); got != "BA" || w.current != 1 {
		t.Fatalf("picked %s at %d, want BA at 1", got, w.current)
	}
	n.servers[1].Overloaded = true
	n.Counted(n.servers[1])
	if got := n.picks(3); got != "AAA" || w.current != 1 {
		t.Errorf("without B: picked %s at %d, want AAA at 1", got, w.current)
	}
	n.servers[0].Overloaded = true
	n.Counted(n.servers[0])
	if got := n.picks(1); got != "-" || w.current != 1 || w.at != n.servers[0] {
		t.Errorf("without any: picked %s at %d, want none at 1, and to go on after A", got, w.current)
	}
	n.servers[1].Overloaded = false
	n.Counted(n.servers[1])
	if got := n.picks(3); got != "BBB" || w.current != 1<<31-3 {
		t.Errorf("with B: picked %s at %d, want BBB at 2^31-3", got, w.current)
	}
}

func TestLoadWraps(t *testing.T) {
	for _, c := range []struct{ scheduler, want string }{
		{"lc", "A"},  // 2^31 is more than 256
		{"wlc", "B"}, // -2^31 is less
	} {
		n := newNamed(t, c.scheduler, Options{}, 1, 1)
		n.servers[0].Active = 1
		n.Counted(n.servers[0])
		n.servers[1].Active = 1 << 23
		n.Counted(n.servers[1])
		if got := n.picks(1); got != c.want {
			t.Errorf("%s picked %s, want %s", c.scheduler, got, c.want)
		}
	}
}

func TestLoad(t *testing.T) {
	s := &Server{Active: 3, Inactive: 5}
	if got := NewGroup(false).Load(s); got != 773 {
		t.Errorf("load %d, want 773", got)
	}
	if got := NewGroup(true).Load(s); got != 776 {
		t.Errorf("load with totals %d, want 776", got)
	}
}

func TestWithoutScheduler(t *testing.T) {
	n := newNamed(t, "rr", Options{}, 1, 1)
	if err := n.Schedule(nil); err != nil {
		t.Fatal(err)
	}
	n.Edited(n.servers[0])
	n.Counted(n.servers[0])
	n.Remove(n.servers[0])
	if got := n.picks(1); got != "-" {
		t.Errorf("picked %s", got)
	}
	if _, ok := New("none", Options{}); ok {
		t.Error("none is a scheduler")
	}
}
