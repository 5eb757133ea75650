package sched

// overhead is the load of a server and the weight that divides it. The weight is zero
// for a server that gets no connections: then any load exceeds all others.
type overhead struct {
	load   int64
	weight int32
}

var infinite = overhead{load: 1}

// exceeds reports whether the load for its weight is greater than another one, without
// dividing. Loads have at most 33 bits, so nothing overflows.
func (b overhead) exceeds(other overhead) bool {
	return b.load*int64(other.weight) > other.load*int64(b.weight)
}

// tournament finds the server with the least overhead, and among equal ones the
// first in the list. It is a complete binary tree over the slots of a group: node i
// has the children 2i and 2i+1, the leaves are the second half, and a node is the
// winner of its children.
type tournament []player

type player struct {
	overhead
	slot int32
}

// newTournament returns the tree of a group's servers.
func newTournament(g *Group, of func(*Server) overhead) tournament {
	t := make(tournament, 2*g.size)
	for i := range t {
		t[i].overhead = infinite
	}
	for s := range g.All() {
		t.set(s, of(s))
	}
	return t
}

// play returns the winner of a node's children. The right one is the newer one.
func (t tournament) play(i int) player {
	if t[2*i+1].exceeds(t[2*i].overhead) {
		return t[2*i]
	}
	return t[2*i+1]
}

// set changes the overhead of a server, and the nodes above as far as they change.
func (t tournament) set(s *Server, b overhead) {
	p := player{b, int32(s.slot)}
	for i := len(t)/2 + s.slot; t[i] != p; p = t.play(i) {
		t[i] = p
		if i /= 2; i == 0 {
			return
		}
	}
}

// winner returns the slot of the server with the least overhead, or -1 if no server
// gets connections.
func (t tournament) winner() int {
	if t[1].weight == 0 {
		return -1
	}
	return int(t[1].slot)
}
