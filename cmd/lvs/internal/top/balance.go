package top

import (
	"time"
)

// balance is how a service's new connections are spread.
type balance struct {
	service *Service
	expect  expectation
	note    note // why the service gets nothing

	got []uint64      // connections of each server lately; nil: not known
	sum uint64        // of them
	in  time.Duration // in this time; 0: got has the kernel's rates
}

func (m *Model) balance(s *Service) *balance {
	b := &balance{service: s, expect: expect(s), note: serviceNote(s)}
	if w := m.windows[s.ID]; w != nil && s.Detailed {
		b.got, b.sum, b.in = w.lately(s.Servers)
	}
	return b
}

// share is what part of the new connections a server got, and should get.
type share struct {
	got, want float64 // from 0 to 1
	hasGot    bool
}

func (b *balance) share(place int) (s share) {
	if b.sum > 0 {
		s.got, s.hasGot = float64(b.got[place])/float64(b.sum), true
	}
	if b.expect.known {
		s.want = b.expect.shares[place]
	}
	return s
}

// isOdd reports whether a share differs from the expected one by more than chance and
// round numbers explain.
func (b *balance) isOdd(s share) bool {
	if !b.expect.known || !s.hasGot || b.in == 0 || b.sum < 20 {
		return false
	}
	off := s.got - s.want
	chance := 9 * s.want * (1 - s.want) / float64(b.sum) // three standard deviations, squared
	return off*off > max(chance, 0.05*0.05)
}

// gets returns how many connections a server got lately, and the service. Where only rates
// are known, in which single connections show as 0, they are those since the counters began.
func (b *balance) gets(place int) (server, service uint64) {
	switch {
	case b.got == nil:
		return 0, 0
	case b.in == 0:
		return b.service.Servers[place].Details.Stats.Conns, b.service.Stats.Conns
	}
	return b.got[place], b.sum
}
