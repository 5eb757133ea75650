package sched

import (
	"slices"
	"testing"
)

// explain explains a pick before it is made, or lets it be: an explanation that
// changed anything would show in the picks and states that follow. It returns what
// compares the pick.
func (w *world) explain(f *Flow) func(picked *Server) {
	if w.r.IntN(10) != 0 {
		return func(*Server) {}
	}
	x, ok := w.g.Explain(f)
	return func(picked *Server) {
		if !ok || describe(x.Server) != describe(picked) {
			w.t.Fatalf("explained %s, picked %s, of\n%s", describe(x.Server), describe(picked), w.l)
		}
		w.checkExplanation(&x)
	}
}

// checkExplanation checks that the reasons speak of what was picked.
func (w *world) checkExplanation(x *Explanation) {
	among := func(list []*Server) bool {
		return slices.ContainsFunc(list, func(s *Server) bool { return x.Server != nil && s.ID == x.Server.ID })
	}
	switch {
	case len(x.All) != w.g.Len():
		w.t.Fatalf("%d servers of %d", len(x.All), w.g.Len())
	case x.Server == nil:
		return
	case len(x.Tried) > 0 && x.Tried[len(x.Tried)-1].ID != x.Server.ID:
		w.t.Fatalf("tried %s at last", describe(x.Tried[len(x.Tried)-1]))
	case x.Drawn != nil && !among(x.Drawn), !among(x.All):
		w.t.Fatalf("%s is not among those that were drawn", describe(x.Server))
	case among(x.Passed) && !among(x.Cached):
		w.t.Fatalf("%s was passed over", describe(x.Server))
	case x.Next != nil && x.Next.ID == x.Best.ID:
		w.t.Fatalf("%s is its own next", describe(x.Next))
	}
}

// What the next server is that an explanation names, a group without the best
// would pick.
func TestExplainNext(t *testing.T) {
	for _, name := range []string{"lc", "wlc", "sed", "nq", "fo", "ovf"} {
		n := newNamed(t, name, Options{}, 3, 3, 0, 1, 7)
		for i, s := range n.servers {
			s.ID, s.Active, s.Inactive = uint32(i), int32(7*i%5), int32(i)
			n.Counted(s)
		}
		for {
			x, ok := n.Explain(client("10.0.0.1"))
			if !ok || len(x.Passed)+n.pickable() != len(x.All) {
				t.Errorf("%s: %d of %d were passed over", name, len(x.Passed), len(x.All))
			}
			if x.Server == nil {
				break
			}
			n.Remove(n.servers[x.Server.ID])
			if got := n.Pick(client("10.0.0.1")); describe(got) != describe(x.Next) {
				t.Errorf("%s: the next is %s, and was to be %s", name, describe(got), describe(x.Next))
			}
		}
	}
}

// pickable counts the servers that are picked when the better ones go.
func (n *named) pickable() (count int) {
	for s := range n.All() {
		if n.by.(*least).of(s) != infinite {
			count++
		}
	}
	return count
}

func TestExplainWithoutScheduler(t *testing.T) {
	g := NewGroup(false)
	g.Add(&Server{Weight: 1})
	if x, ok := g.Explain(&Flow{}); !ok || x.Server != nil || len(x.All) != 1 {
		t.Errorf("%+v, %t", x, ok)
	}
}

// A custom algorithm is not asked.
func TestExplainOwnScheduler(t *testing.T) {
	g := NewGroup(false)
	g.Add(&Server{Weight: 1})
	if err := g.Schedule(own{}); err != nil {
		t.Fatal(err)
	}
	if x, ok := g.Explain(&Flow{}); ok || len(x.All) != 1 {
		t.Errorf("%+v, %t", x, ok)
	}
}

type own struct{ Scheduler }

func (own) Attach(*Group) error { return nil }
