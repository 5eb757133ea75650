package health

import (
	"errors"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/golvs/lvs"
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

// Ports that the host reserves are left to the services that listen there.
func TestProbePortsReserved(t *testing.T) {
	p := deal(32768, 60999, 1)
	p.reserved = parsePortRanges("22,32897-33025, x, 70000,33089\n")
	if want := []lvs.PortRange{{First: 22, Last: 22}, {First: 32897, Last: 33025}, {First: 33089, Last: 33089}}; !slices.Equal(p.reserved, want) {
		t.Errorf("read %v, want %v", p.reserved, want)
	}
	var turn atomic.Uint32
	var tried []uint16
	for range 3 {
		_ = p.each(1, &turn, func(port uint16) error {
			tried = append(tried, port)
			return nil
		})
	}
	// Those of the server are 32769, 32833, 32897 and so on.
	if want := []uint16{32833, 33153, 33217}; !slices.Equal(tried, want) {
		t.Errorf("tried %v, want %v", tried, want)
	}
	p.reserved = parsePortRanges("1-65535")
	if err := p.each(1, &turn, func(port uint16) error { return errors.New(strconv.Itoa(int(port))) }); err.Error() != "0" {
		t.Errorf("of reserved ports alone, it tried %v, want that of the kernel", err)
	}
}
