package sched

const defaultSHBits = 8

// sourceHashing assigns each client to a server by hash. A server has as many buckets
// in a row as its weight, or one if that is zero.
type sourceHashing struct {
	g       *Group
	bits    int
	buckets []*Server
}

func newSourceHashing(o Options) *sourceHashing {
	bits := o.SHBits
	if bits == 0 {
		bits = defaultSHBits
	}
	return &sourceHashing{bits: bits}
}

func (h *sourceHashing) Attach(g *Group) error {
	h.g = g
	h.buckets = make([]*Server, 1<<h.bits)
	h.rebuild()
	return nil
}

func (h *sourceHashing) Added(*Server)   { h.rebuild() }
func (h *sourceHashing) Removed(*Server) { h.rebuild() }
func (h *sourceHashing) Edited(*Server)  { h.rebuild() }
func (h *sourceHashing) Counted(*Server) {}

func (h *sourceHashing) rebuild() {
	clear(h.buckets)
	rest := h.buckets
	for s := range h.g.cycle() {
		for range max(s.Weight, 1) {
			if len(rest) == 0 {
				return
			}
			rest[0], rest = s, rest[1:]
		}
	}
}

func (h *sourceHashing) Pick(f *Flow) *Server {
	hash := hash32(clientKey(f), h.bits)
	s := h.buckets[hash]
	switch {
	case s == nil, s.usable():
		return s
	case f.Flags&flagFallback == 0:
		return nil
	}
	s, _ = h.fallback(hash)
	return s
}

// fallback returns another server, and how many buckets it looked at.
func (h *sourceHashing) fallback(hash uint32) (s *Server, steps int) {
	for offset := range uint32(len(h.buckets)) {
		if s := h.probe(hash, offset); s.usable() {
			return s, int(offset) + 1
		}
	}
	return nil, len(h.buckets)
}

// probe returns the server that the fallback looks at after offset others. The kernel
// starts at twice the hash, not beside it.
func (h *sourceHashing) probe(hash, offset uint32) *Server {
	return h.buckets[(offset+2*hash)&uint32(len(h.buckets)-1)]
}
