package main

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"

	"github.com/golvs/lvs"
)

// mhSizes are the sizes of mh's table by the simulator's index.
var mhSizes = map[int]int{12: 4093, 16: 65521, 17: 131071}

// clientsOfBuckets returns for each bucket of mh's table a client whose address
// falls into it. The table cannot be looked at, but as many servers as there are
// buckets have one each: the server that a client gets tells the bucket.
func clientsOfBuckets(ctx context.Context, index int, seed uint64) ([]netip.Addr, error) {
	size := mhSizes[index]
	l, err := newLab(ctx, lvs.MH, lvs.SimOptions{MHTableIndex: index}, upTo(size)...)
	if err != nil {
		return nil, err
	}
	defer l.client.Close()
	random := rand.New(rand.NewPCG(seed, 0))
	clients := make([]netip.Addr, size)
	for n, missing := 0, size; missing > 0; n++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], 0x40000000|random.Uint32()>>2)
		client := netip.AddrFrom4(a)
		bucket, err := l.pick(client, n)
		if err != nil {
			return nil, err
		}
		if !clients[bucket].IsValid() {
			clients[bucket] = client
			missing--
		}
	}
	return clients, nil
}

// tableOf returns the server of each bucket, in a service of these servers.
func tableOf(ctx context.Context, clients []netip.Addr, index int, servers ...int) ([]int, error) {
	l, err := newLab(ctx, lvs.MH, lvs.SimOptions{MHTableIndex: index}, servers...)
	if err != nil {
		return nil, err
	}
	defer l.client.Close()
	table := make([]int, len(clients))
	for i, client := range clients {
		if table[i], err = l.pick(client, i); err != nil {
			return nil, err
		}
	}
	return table, nil
}

// greatestOverMean returns how much the greatest of n servers has of a table, in
// relation to the mean.
func greatestOverMean(table []int, n int) float64 {
	counts := make(map[int]int)
	greatest := 0
	for _, server := range table {
		counts[server]++
		greatest = max(greatest, counts[server])
	}
	return float64(greatest) * float64(n) / float64(len(table))
}

// different returns which share of buckets two tables give to different servers.
func different(a, b []int) float64 {
	n := 0
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return float64(n) / float64(len(a))
}
