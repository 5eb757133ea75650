package sched

// burden is what a server carries, and the weight that it carries it with. The
// zero weight is that of a server that takes no connections: with a load it is a
// burden beyond all others.
type burden struct {
	load   int64
	weight int32
}

var unbearable = burden{load: 1}

// exceeds compares load by weight without dividing. All loads are of 33 bits, so
// that nothing overflows.
func (b burden) exceeds(other burden) bool {
	return b.load*int64(other.weight) > other.load*int64(b.weight)
}

// tournament finds the server with the least burden, and among equal ones the
// first in the list. It is a complete binary tree over the slots of a group: node i
// has the children 2i and 2i+1, the leaves are the second half, and a node is the
// winner of its children.
type tournament []player

type player struct {
	burden
	slot int32
}

// newTournament returns the tree of a group's servers.
func newTournament(g *Group, of func(*Server) burden) tournament {
	t := make(tournament, 2*g.size)
	for i := range t {
		t[i].burden = unbearable
	}
	for s := range g.All() {
		t.set(s, of(s))
	}
	return t
}

// play returns the winner of a node's children. The right one is the newer one.
func (t tournament) play(i int) player {
	if t[2*i+1].exceeds(t[2*i].burden) {
		return t[2*i]
	}
	return t[2*i+1]
}

// set changes the burden of a server, and the nodes above as far as they change.
func (t tournament) set(s *Server, b burden) {
	p := player{b, int32(s.slot)}
	for i := len(t)/2 + s.slot; t[i] != p; p = t.play(i) {
		t[i] = p
		if i /= 2; i == 0 {
			return
		}
	}
}

// winner returns the slot of the server with the least burden, and -1 if none
// takes connections.
func (t tournament) winner() int {
	if t[1].weight == 0 {
		return -1
	}
	return int(t[1].slot)
}
