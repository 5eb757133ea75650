package simipvs

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/golvs/lvs/internal/release"
)

// The wheel lets each timer run out at its moment, whatever was put off, brought
// forward or removed before, and however far the clock jumps.
func TestTimersAgainstList(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		k := New(Options{Release: release.Release{Major: 6, Minor: 12, Patch: 101}, Seed: seed})
		due := make(map[connID]tick)
		for range 2000 {
			switch r.IntN(4) {
			case 0, 1:
				c := conn{family: inet4, clientPort: uint16(r.Uint32()), timeout: span(1) << r.IntN(30)}
				c.timeout += span(r.IntN(100))
				id := k.enter(&c)
				due[id] = k.now + tick(c.timeout)
			case 2:
				id := anyKey(r, due)
				if id == 0 {
					continue
				}
				c := k.conns.at(id)
				if r.IntN(4) == 0 {
					k.expireNow(id)
					delete(due, id)
					continue
				}
				c.timeout = span(1+r.IntN(1000)) << r.IntN(20)
				k.rearm(id, c)
				due[id] = k.now + tick(c.timeout)
			case 3:
				k.runTo(k.now + tick(r.IntN(1000))<<r.IntN(16))
				for id, at := range due {
					if at <= k.now {
						delete(due, id)
					}
				}
			}
			if k.conns.live != len(due) {
				t.Fatalf("seed %d: at %d, %d connections are there, want %d", seed, k.now, k.conns.live, len(due))
			}
		}
		for id, at := range due {
			if c := k.conns.at(id); c.expires != at {
				t.Fatalf("seed %d: connection %d expires at %d, want %d", seed, id, c.expires, at)
			}
		}
	}
}

// anyKey returns some key, 0 if there is none.
func anyKey(r *rand.Rand, m map[connID]tick) connID {
	if len(m) == 0 {
		return 0
	}
	keys := make([]connID, 0, len(m))
	for id := range m {
		keys = append(keys, id)
	}
	slices.Sort(keys)
	return keys[r.IntN(len(keys))]
}

// Connections expire in the order of their moments.
func TestExpiryOrder(t *testing.T) {
	k := New(Options{Release: release.Release{Major: 6, Minor: 12, Patch: 101}})
	r := rand.New(rand.NewPCG(1, 1))
	var want []tick
	for range 1000 {
		at := tick(1 + r.IntN(1_000_000))
		want = append(want, at)
		k.enter(&conn{family: inet4, timeout: span(at)})
	}
	slices.Sort(want)
	for i, at := range want {
		k.runTo(at - 1)
		if i == 0 || want[i-1] != at {
			if k.conns.live != len(want)-i {
				t.Fatalf("before %d there are %d connections, want %d", at, k.conns.live, len(want)-i)
			}
		}
	}
	k.runTo(want[len(want)-1])
	if k.conns.live != 0 {
		t.Errorf("%d connections are left", k.conns.live)
	}
}
