package simipvs

import (
	"encoding/binary"
	"iter"
	"slices"

	"github.com/golvs/lvs/internal/release"
)

// serviceTable has the services of a namespace. A dump goes through buckets as
// the kernel's does, so its order is as good as random, but for services of one
// bucket: there the newest is first. Packets and requests find theirs in a map.
//
// Linux up to 7.0 has 256 buckets for addresses, and then as many for marks.
// Since 7.1 there is one table for both, which grows.
type serviceTable struct {
	ftp      int            // services of TCP's port 21
	anyPort  int            // services of port 0
	engines  int            // services with a persistence engine
	tracking [inet6 + 1]int // services of an address family that make netfilter track connections
	begun    bool           // there was a service once

	byKey    map[serviceKey]*service
	families [inet6 + 1]int // how many services each address family has
	buckets  []*service     // the newest of each; the next ones by service.next
	grows    bool
	seed     uint64
}

const (
	fixedBuckets  = 256
	fewestBuckets = 1 << 4
	mostBuckets   = 1 << 20

	bucketsPerService = 4 // what svc_lfactor's -2 means
)

func newServiceTable(r release.Release, seed uint64) serviceTable {
	t := serviceTable{
		byKey: make(map[serviceKey]*service), grows: r.OwnTables(), seed: seed,
	}
	if t.grows {
		t.buckets = make([]*service, fewestBuckets)
	} else {
		t.buckets = make([]*service, 2*fixedBuckets)
	}
	return t
}

// lookup returns the service of a key, nil if there is none.
func (k *Kernel) lookup(key serviceKey) *service { return k.services.byKey[key] }

// of returns how many services an address family has.
func (t *serviceTable) of(family uint32) int { return t.families[family] }

// all returns the services in the order of a dump.
func (t *serviceTable) all() iter.Seq[*service] {
	return func(yield func(*service) bool) {
		for _, s := range t.buckets {
			for ; s != nil; s = s.next {
				if !yield(s) {
					return
				}
			}
		}
	}
}

func (t *serviceTable) add(s *service) {
	t.byKey[s.key] = s
	t.begun = true
	t.count(s, 1)
	if t.grows && bucketsPerService*len(t.byKey) > len(t.buckets) && len(t.buckets) < mostBuckets {
		t.grow()
	}
	t.link(s)
}

func (t *serviceTable) remove(s *service) {
	delete(t.byKey, s.key)
	t.count(s, -1)
	if s.tracks {
		t.tracking[s.key.family]--
	}
	at := t.bucket(&s.key)
	for *at != s {
		at = &(*at).next
	}
	*at = s.next
}

func (t *serviceTable) count(s *service, n int) {
	t.families[s.key.family] += n
	if s.engine != "" {
		t.engines += n
	}
	switch {
	case s.key.mark != 0:
	case s.key.port == 0:
		t.anyPort += n
	case s.key.port == ftpPort && s.key.protocol == protoTCP:
		t.ftp += n
	}
}

func (t *serviceTable) grow() {
	all := slices.Collect(t.all())
	t.buckets = make([]*service, 2*len(t.buckets))
	for _, s := range all {
		t.link(s)
	}
}

func (t *serviceTable) link(s *service) {
	first := t.bucket(&s.key)
	s.next, *first = *first, s
}

func (t *serviceTable) bucket(key *serviceKey) **service {
	h := t.hash(key)
	switch {
	case t.grows:
		return &t.buckets[h%uint64(len(t.buckets))]
	case key.mark != 0:
		return &t.buckets[fixedBuckets+h%fixedBuckets]
	}
	return &t.buckets[h%fixedBuckets]
}

func (t *serviceTable) hash(key *serviceKey) uint64 {
	h := t.seed
	for _, part := range [...]uint64{
		binary.LittleEndian.Uint64(key.addr[:8]), binary.LittleEndian.Uint64(key.addr[8:]),
		uint64(key.mark) | uint64(key.port)<<32 | uint64(key.protocol)<<48, uint64(key.family),
	} {
		h = (h ^ part) * 0x9e3779b97f4a7c15
		h ^= h >> 32
	}
	return h
}
