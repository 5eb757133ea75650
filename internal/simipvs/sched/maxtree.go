package sched

// maxTree finds the next server in the list whose value is large enough. It is a
// complete binary tree over the slots of a group: node i has the children 2i and
// 2i+1, the leaves are the second half, and a node is the maximum of its children.
// Values are not negative; an empty slot has 0.
type maxTree []int32

// newMaxTree returns the tree of a group's servers.
func newMaxTree(g *Group, value func(*Server) int32) maxTree {
	t := make(maxTree, 2*g.size)
	for s := range g.All() {
		t.set(s, value(s))
	}
	return t
}

func (t maxTree) leaf(s *Server) int { return len(t)/2 + s.slot }

// max returns the largest value of all.
func (t maxTree) max() int32 { return t[1] }

// set changes the value of a server, and the nodes above as far as they change.
func (t maxTree) set(s *Server, value int32) {
	i := t.leaf(s)
	for t[i] != value {
		t[i] = value
		if i /= 2; i == 0 {
			return
		}
		value = max(t[2*i], t[2*i+1])
	}
}

// after returns the slot of the first server with at least a value that comes after
// another one in the list, or -1. A nil server is the head of the list.
func (t maxTree) after(s *Server, least int32) int {
	if s == nil {
		return t.descend(1, least)
	}
	for i := t.leaf(s); i > 1; i /= 2 {
		if i&1 == 1 && t[i-1] >= least {
			return t.descend(i-1, least)
		}
	}
	return -1
}

// descend returns the newest of a node's slots with at least a value, or -1.
func (t maxTree) descend(i int, least int32) int {
	if t[i] < least {
		return -1
	}
	for i < len(t)/2 {
		i = 2*i + 1
		if t[i] < least {
			i--
		}
	}
	return i - len(t)/2
}
