package simipvs

import (
	"slices"
	"testing"
)

// TestTablesGrow checks that connections are found as their tables grow, and that of two
// alike the newer one still comes first, though it has the lower number.
func TestTablesGrow(t *testing.T) {
	table := newConnTable(1)
	server := [16]byte{15: 9}
	add := func(port uint16) connID {
		id := table.add(&conn{client: [16]byte{15: 1}, virtual: [16]byte{15: 2}, clientPort: port, vport: 80, protocol: protoTCP, family: inet4})
		table.linkReply(id, table.at(id), &server)
		return id
	}
	first, older := add(1), add(2)
	table.remove(first)
	newer := add(2)
	if newer != first {
		t.Fatalf("the newer connection has number %d, want %d", newer, first)
	}
	want := make(map[uint16][]connID)
	want[2] = []connID{newer, older}
	for port := uint16(3); port <= 3000; port++ {
		want[port] = []connID{add(port)}
	}
	for port, ids := range want {
		for _, replies := range []bool{false, true} {
			if got := table.withPort(port, ids[0], replies); !slices.Equal(got, ids) {
				t.Errorf("port %d, replies %t: connections %d, want %d", port, replies, got, ids)
			}
		}
	}
}

// withPort returns the connections of a client's port in the list where one of them is.
func (t *connTable) withPort(port uint16, one connID, replies bool) (ids []connID) {
	buckets := t.byEnds
	if replies {
		buckets = t.byReply
	}
	for id := *bucket(buckets, t.hashIn(t.at(one), replies)); id != 0; id = *t.at(id).nextIn(replies) {
		if t.at(id).clientPort == port {
			ids = append(ids, id)
		}
	}
	return ids
}
