package health

import (
	"errors"
	"sync/atomic"
	"syscall"
	"testing"
)

// No two servers share a port, and each goes through all of its own before one comes
// again.
func TestProbePorts(t *testing.T) {
	for _, c := range []struct {
		name        string
		first, last uint16
		servers     uint32
		each        int // how many ports each has; 0 leaves them to the kernel
	}{
		{"as most hosts", 32768, 60999, 10, 441},
		{"many servers", 32768, 60999, 1000, 27},
		{"too many servers", 32768, 60999, 30000, 0},
		{"few ports", 40000, 40255, 2, 4},
		{"fewer ports than servers", 40000, 40007, 2, 0},
		{"all ports", 1, 65535, 1, 1023},
	} {
		p := deal(c.first, c.last, c.servers-1)
		owner := map[uint16]uint32{}
		for server := range c.servers {
			if c.each == 0 {
				if port := p.at(server, 5); port != 0 {
					t.Errorf("%s: server %d has the port %d", c.name, server, port)
				}
				continue
			}
			begin := ^uint32(0) - 3 // the number of turns may overflow
			for turn := range uint32(c.each) {
				port := p.at(server, begin+turn)
				if other, ok := owner[port]; ok && other != server || port < c.first || port > c.last {
					t.Fatalf("%s: server %d has the port %d of %d", c.name, server, port, other)
				}
				owner[port] = server
			}
		}
		if least := int(c.servers) * (c.each - 4); len(owner) < least {
			t.Errorf("%s: %d ports are used, want %d at least", c.name, len(owner), least)
		}
	}
}

// Ports that are in use are passed over, until the kernel chooses.
func TestProbePortsTaken(t *testing.T) {
	p := deal(32768, 60999, 1)
	for taken := range mostTaken + 2 {
		var turn atomic.Uint32
		var tried []uint16
		err := p.each(1, &turn, func(port uint16) error {
			if tried = append(tried, port); len(tried) <= taken {
				return syscall.EADDRINUSE
			}
			return nil
		})
		if want := min(taken, mostTaken) + 1; len(tried) != want || (tried[want-1] == 0) != (taken >= mostTaken) || (err != nil) != (taken > mostTaken) {
			t.Errorf("of %d ports in use, it tried %v: %v", taken, tried, err)
		}
	}
	refused := errors.New("refused")
	var turn atomic.Uint32
	if err := p.each(1, &turn, func(uint16) error { return refused }); err != refused || turn.Load() != 1 {
		t.Errorf("got %v after %d turns", err, turn.Load())
	}
}
