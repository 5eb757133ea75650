package sched

import (
	"fmt"
	"math/bits"
	"net/netip"
)

const defaultMHIndex = 12

// maglevSizes are the sizes of the table by the kernel's index, from 8 on.
var maglevSizes = [...]uint32{251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521, 131071}

// Keys of the two hashes that make a server's permutation of the buckets.
const (
	maglevKey1 = 2654435761
	maglevKey2 = 2654446892
)

// maglev assigns each client to a server by hash, and reassigns few clients when servers
// come and go: each server prefers the buckets in its own order, and they take turns.
// The last weight that was not zero decides, so a server that is quiesced keeps its
// buckets.
type maglev struct {
	g          *Group
	ipv4       bool // the service is
	weightBits int
	size       uint32
	buckets    []*Server
	stale      bool // the buckets must be filled before the next pick
}

// turns holds how a server fills buckets.
type turns struct {
	server   *Server
	at, skip uint32
	buckets  int32 // how many it takes each time
}

func newMaglev(o Options) *maglev {
	index := o.MHIndex
	if index == 0 {
		index = defaultMHIndex
	}
	return &maglev{ipv4: o.IPv4, weightBits: index / 2, size: maglevSizes[index-8]}
}

func (m *maglev) Attach(g *Group) error {
	if g.Len() > int(m.size) {
		return fmt.Errorf("mh: %d servers are more than the %d buckets", g.Len(), m.size)
	}
	m.g = g
	m.buckets = make([]*Server, m.size)
	m.changed()
	return nil
}

func (m *maglev) Added(*Server)   { m.changed() }
func (m *maglev) Removed(*Server) { m.changed() }
func (m *maglev) Edited(*Server)  { m.changed() }
func (m *maglev) Counted(*Server) {}

// changed leaves filling the buckets to the next pick. With as many servers as buckets
// it fills them at once, and with more they stay as they are.
func (m *maglev) changed() {
	switch n := m.g.Len(); {
	case n < int(m.size):
		m.stale = true
	case n == int(m.size):
		m.fill()
	}
}

// fill lets the servers take all buckets in turn.
func (m *maglev) fill() {
	m.stale = false
	clear(m.buckets)
	all := m.permutations()
	if len(all) == 0 {
		return
	}
	taken := make([]uint64, m.size/64+1)
	for left := m.size; ; {
		for i := range all {
			p := &all[i]
			for range p.buckets {
				for taken[p.at/64]>>(p.at%64)&1 != 0 {
					if p.at += p.skip; p.at >= m.size {
						p.at -= m.size
					}
				}
				taken[p.at/64] |= 1 << (p.at % 64)
				m.buckets[p.at] = p.server
				if left--; left == 0 {
					return
				}
			}
		}
	}
}

// permutations returns the servers that take buckets, in order.
func (m *maglev) permutations() []turns {
	var divisor, heaviest int32
	for s := range m.g.All() {
		divisor = gcd(s.LastWeight, divisor)
		heaviest = max(heaviest, s.LastWeight)
	}
	if heaviest == 0 {
		return nil
	}
	shift := max(0, bits.Len32(uint32(heaviest/divisor))-m.weightBits)
	all := make([]turns, 0, m.g.Len())
	for s := range m.g.All() {
		if s.LastWeight > 0 {
			v := m.fold(s.Addr.Addr()) + uint32(s.Addr.Port())
			all = append(all, turns{
				server:  s,
				at:      sipHash(v, maglevKey1) % m.size,
				skip:    sipHash(v, maglevKey2)%(m.size-1) + 1,
				buckets: max(1, s.LastWeight/divisor>>shift),
			})
		}
	}
	return all
}

// fold folds the address of a server as one of the service's family: of an IPv6 server
// in an IPv4 service the kernel sees only the first word.
func (m *maglev) fold(a netip.Addr) uint32 {
	if m.ipv4 && !a.Is4() {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[:4]))
	}
	return fold(a)
}

func (m *maglev) Pick(f *Flow) *Server {
	if m.stale {
		m.fill()
	}
	key := clientKey(f)
	bucket := m.bucket(key)
	s := m.buckets[bucket]
	switch {
	case s == nil, s.usable():
		return s
	case f.Flags&flagFallback == 0:
		return nil
	}
	s, _ = m.fallback(key, bucket)
	return s
}

// fallback returns another server, and how many buckets it looked at. It hashes as many
// numbers as there are buckets.
func (m *maglev) fallback(key, bucket uint32) (s *Server, steps int) {
	for offset := range m.size {
		if s := m.probe(key, bucket, offset); s.usable() {
			return s, int(offset) + 1
		}
	}
	return nil, int(m.size)
}

func (m *maglev) bucket(key uint32) uint32 { return sipHash(key, maglevKey1) % m.size }

// probe returns the server that the fallback looks at after offset others.
func (m *maglev) probe(key, bucket, offset uint32) *Server {
	return m.buckets[m.bucket(key+(offset+bucket)%m.size)]
}
