package workload

// affinity remembers which server each client had, and finds the clients that moved
// to another one. Periods begin when the table of servers changes. A client that
// connects in two successive periods may have moved because of the change between
// them; for one that stayed away for longer, the change is not known.
type affinity struct {
	last  []int32 // by client: its server, or none
	since []int32 // by client: the period of its last connection
	now   int32

	returned, moved, refused int // of the period before: their first connections in this one
	again, switched          int // further connections in this period
}

const nobody = -1

func newAffinity(clients int) *affinity {
	a := &affinity{last: make([]int32, clients), since: make([]int32, clients)}
	for i := range a.last {
		a.last[i] = nobody
	}
	return a
}

// came notes that a client got a server.
func (a *affinity) came(client int, server int32) {
	last := a.last[client]
	if last != nobody {
		switched := 0
		if last != server {
			switched = 1
		}
		switch a.now - a.since[client] {
		case 0:
			a.again++
			a.switched += switched
		case 1:
			a.returned++
			a.moved += switched
		}
	}
	a.last[client] = server
	a.since[client] = a.now
}

// wasRefused notes that a client got none.
func (a *affinity) wasRefused(client int) {
	if a.last[client] != nobody && a.now-a.since[client] == 1 {
		a.returned++
		a.refused++
		a.since[client] = a.now
	}
}

// ordinary returns the share of connections that went to another server than the
// client's previous one, in a period in which nothing happened between the two.
func (a *affinity) ordinary() float64 { return ratio(a.switched, a.again) }

// begin begins a new period.
func (a *affinity) begin() {
	a.now++
	a.returned, a.moved, a.refused, a.again, a.switched = 0, 0, 0, 0, 0
}

func ratio(part, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(part) / float64(of)
}
