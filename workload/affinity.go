package workload

// affinity remembers which server each client had, and finds out who moved to
// another one.
type affinity struct {
	last  []int32 // by client: its server, or nobody
	since []int32 // by client: the period of its last connection
	now   int32   // periods begin with events

	returned, moved, refused int // clients' first connections in this period
	again, switched          int // their further connections in this period
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
		first, n, other := a.first(client), &a.again, &a.switched
		if first {
			n, other = &a.returned, &a.moved
		}
		*n++
		if last != server {
			*other++
		}
	}
	a.last[client] = server
	a.since[client] = a.now
}

// wasRefused notes that a client got none.
func (a *affinity) wasRefused(client int) {
	if a.last[client] != nobody && a.first(client) {
		a.returned++
		a.refused++
		a.since[client] = a.now
	}
}

// first tells whether it is the client's first connection of the period.
func (a *affinity) first(client int) bool { return a.since[client] != a.now }

// ordinary returns which share of connections went to another server than the
// client's one before, in a period in which nothing happened between the two.
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
