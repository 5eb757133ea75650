package sched

// weightedRoundRobin goes through the list again and again, and gives a
// connection to each server whose weight reaches the current weight, which
// falls from round to round and then starts anew.
//
// All weights are multiples of the step, and the current weight is always one
// more than a multiple, so the round in which a server of weight w is first
// picked is known: it is that of w - step + 1.
type weightedRoundRobin struct {
	g       *Group
	weights maxTree // of the usable servers
	at      *Server // picked last; nil is the head of the list
	current int32   // weight

	// Of the weights of all servers; 0: none is positive.
	step     int32 // greatest common divisor
	heaviest int32
	highest  int32 // where the current weight starts
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

// survey finds the step and the heaviest weight anew.
func (w *weightedRoundRobin) survey() {
	w.step, w.heaviest = 0, 0
	for s := range w.g.All() {
		w.include(s)
	}
}

// include lets the weight of a server count, whether it is usable or not.
func (w *weightedRoundRobin) include(s *Server) {
	w.step = gcd(s.Weight, w.step)
	w.heaviest = max(w.heaviest, s.Weight)
}

// rewind goes back to the head of the list, but keeps the current weight as far
// as the weights allow.
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

// nextRound lowers the current weight, and skips the rounds in which nothing
// would be picked as not even the heaviest of the usable servers reaches it.
func (w *weightedRoundRobin) nextRound(heaviest int32) {
	if w.current -= w.step; w.current <= 0 {
		w.current = w.highest
	}
	w.current = min(w.current, heaviest-w.step+1)
}

// giveUp leaves behind what the kernel does once it has found that no server is
// usable. Usually that is after a whole round at the lowest weight. When it came
// from that round, it goes through the others first, and then through the lowest
// again as far as where it came from.
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
