package sched

// weightedRoundRobin goes through the list again and again, and picks each server whose
// weight reaches the current weight. That falls by a step from round to round, and then
// starts at the highest weight again.
//
// All weights are multiples of the step, and the current weight is always one more than
// a multiple. So a server of weight w is first picked in the round of w - step + 1.
type weightedRoundRobin struct {
	g       *Group
	weights maxTree // of the usable servers
	at      *Server // the last pick; nil: the search begins at the head of the list
	current int32   // weight

	// Of the weights of all servers; 0: no weight is positive.
	step     int32 // greatest common divisor
	heaviest int32
	highest  int32 // the current weight of the first round
}

func (w *weightedRoundRobin) Attach(g *Group) error {
	w.g = g
	w.renumbered()
	w.survey()
	w.rewind()
	w.current = w.highest
	return nil
}

func (w *weightedRoundRobin) renumbered()       { w.weights = newMaxTree(w.g, usableWeight) }
func (w *weightedRoundRobin) Counted(s *Server) { w.weights.set(s, usableWeight(s)) }

func (w *weightedRoundRobin) Added(s *Server) {
	w.weights.set(s, usableWeight(s))
	w.include(s)
	w.rewind()
}

func (w *weightedRoundRobin) Removed(s *Server) {
	w.weights.set(s, 0)
	w.survey()
	w.rewind()
}

func (w *weightedRoundRobin) Edited(s *Server) {
	w.weights.set(s, usableWeight(s))
	w.survey()
	w.rewind()
}

// survey computes the step and the heaviest weight.
func (w *weightedRoundRobin) survey() {
	w.step, w.heaviest = 0, 0
	for s := range w.g.All() {
		w.include(s)
	}
}

// include counts the weight of a server, whether it is usable or not.
func (w *weightedRoundRobin) include(s *Server) {
	w.step = gcd(s.Weight, w.step)
	w.heaviest = max(w.heaviest, s.Weight)
}

// rewind returns to the head of the list. The current weight stays as far as the
// weights allow.
func (w *weightedRoundRobin) rewind() {
	w.at = nil
	w.highest = w.heaviest - max(w.step-1, 0)
	switch {
	case w.current > w.highest || w.current == 0:
		w.current = w.highest
	case w.step > 1:
		w.current = w.current/w.step*w.step + 1
	}
}

func (w *weightedRoundRobin) Pick(*Flow) *Server {
	if w.highest == 0 {
		return nil
	}
	slot := w.weights.after(w.at, w.current)
	if slot < 0 {
		heaviest := w.weights.max()
		if heaviest == 0 {
			w.giveUp()
			return nil
		}
		w.nextRound(heaviest)
		slot = w.weights.after(nil, w.current)
	}
	w.at = w.g.slots[slot]
	return w.at
}

// nextRound lowers the current weight, and skips the rounds that not even the heaviest
// of the usable servers reaches.
func (w *weightedRoundRobin) nextRound(heaviest int32) {
	if w.current -= w.step; w.current <= 0 {
		w.current = w.highest
	}
	w.current = min(w.current, heaviest-w.step+1)
}

// giveUp sets what the kernel leaves behind when no server is usable. Usually the kernel
// finds that out after a whole round at the lowest weight. If it comes from that round,
// it first goes through the others, and then through the lowest again as far as the
// server where it came from.
//
// Let three servers of weights 4, 3 and 2 be overloaded. The step is 1, and the rounds
// are those of 4, 3, 2 and 1. After a pick in the round of 3, the kernel goes through
// the rest of that round, then through 2 and 1, and stands at the head of the list, at 4.
// After a pick of the second server in the round of 1, it goes through the rest of that
// round, then through 4, 3 and 2, and then through 1 as far as the second server, where
// it stays, at 1.
func (w *weightedRoundRobin) giveUp() {
	if w.at != nil && w.current <= w.step {
		w.current = 1
		return
	}
	w.at = nil
	w.current = w.highest
}

func usableWeight(s *Server) int32 {
	if s.usable() {
		return s.Weight
	}
	return 0
}

func gcd(a, b int32) int32 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
