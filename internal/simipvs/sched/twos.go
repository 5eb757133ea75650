package sched

import "math/rand/v2"

// twoChoices draws two servers by weight and picks the one with the lesser load.
type twoChoices struct {
	g       *Group
	source  *rand.PCG
	rand    *rand.Rand // draws from source
	weights sumTree    // of the usable servers
}

func newTwoChoices(o Options) *twoChoices {
	source := o.Rand
	if source == nil {
		source = rand.NewPCG(0, 0)
	}
	return &twoChoices{source: source, rand: rand.New(source)}
}

func (t *twoChoices) Attach(g *Group) error {
	t.g = g
	t.renumbered()
	return nil
}

func (t *twoChoices) renumbered()       { t.weights = newSumTree(t.g, usableWeight) }
func (t *twoChoices) Added(s *Server)   { t.weights.set(s, usableWeight(s)) }
func (t *twoChoices) Removed(s *Server) { t.weights.set(s, 0) }
func (t *twoChoices) Edited(s *Server)  { t.weights.set(s, usableWeight(s)) }
func (t *twoChoices) Counted(s *Server) { t.weights.set(s, usableWeight(s)) }

func (t *twoChoices) Pick(*Flow) *Server {
	if t.weights.sum() == 0 {
		return nil
	}
	return t.lighter(t.draw(), t.draw())
}

// lighter returns the one of two servers with the lesser load for its weight.
func (t *twoChoices) lighter(first, second *Server) *Server {
	if second.Weight*t.g.Load(first) > first.Weight*t.g.Load(second) { // 32 bits
		return second
	}
	return first
}

// draw draws from 0 to the sum of the weights, both included, which favours the
// first server in the list by one.
func (t *twoChoices) draw() *Server {
	return t.g.slots[t.weights.find(t.rand.Int64N(t.weights.sum()+1))]
}

// sumTree finds a server by the sum of the values up to it in the list. It is a complete
// binary tree over the slots of a group: node i has the children 2i and 2i+1, the leaves
// are the second half, and a node is the sum of its children.
type sumTree []int64

func newSumTree(g *Group, value func(*Server) int32) sumTree {
	t := make(sumTree, 2*g.size)
	for s := range g.All() {
		t.set(s, value(s))
	}
	return t
}

func (t sumTree) sum() int64 { return t[1] }

// set changes the value of a server.
func (t sumTree) set(s *Server, value int32) {
	i := len(t)/2 + s.slot
	more := int64(value) - t[i]
	if more == 0 {
		return
	}
	for ; i > 0; i /= 2 {
		t[i] += more
	}
}

// find returns the slot of the first server in the list up to which the sum of values is
// at least that, and positive.
func (t sumTree) find(least int64) int {
	least = max(least, 1)
	i := 1
	for i < len(t)/2 {
		if i = 2*i + 1; t[i] < least {
			least -= t[i]
			i--
		}
	}
	return i - len(t)/2
}
