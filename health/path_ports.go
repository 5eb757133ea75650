package health

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/golvs/lvs"
)

// probePorts are the local ports of probes. IPVS remembers a connection that got no
// answer for a minute, by its addresses and ports alone: a probe from the same port would
// follow it to the real server that it was for, even if that is another one. So ports are
// dealt to the real servers like cards.
type probePorts struct {
	first, count uint32          // that the host gives its own connections
	reserved     []lvs.PortRange // of them, those that it gives to nothing
	servers      uint32          // among which they are dealt
}

// fewestHands is among how many servers ports are dealt at least, so that few more do not
// mean a new deal.
const fewestHands = 64

// deal returns the ports of marks, of which the last one is so far from the first.
func deal(first, last uint16, farthest uint32) probePorts {
	p := probePorts{first: uint32(first), count: uint32(last) - uint32(first) + 1, servers: fewestHands}
	for p.servers <= farthest && p.servers <= p.count {
		p.servers *= 2
	}
	return p
}

// at returns the port of a turn of a server; 0, which leaves it to the kernel, if there
// are fewer ports than servers.
func (p probePorts) at(server, turn uint32) uint16 {
	rounds := p.count / p.servers
	if rounds == 0 || server >= p.servers {
		return 0
	}
	return uint16(p.first + turn%rounds*p.servers + server)
}

// mostTaken is how many ports of a server may be in use or reserved before the kernel
// chooses one.
const mostTaken = 8

// each tries a function with the next ports of a server, until one is not in use.
func (p probePorts) each(server uint32, turn *atomic.Uint32, try func(port uint16) error) (err error) {
	for range mostTaken {
		port := p.at(server, turn.Add(1))
		if port == 0 {
			break
		}
		if slices.ContainsFunc(p.reserved, func(r lvs.PortRange) bool { return r.First <= port && port <= r.Last }) {
			continue
		}
		if err = try(port); !isTaken(err) {
			return err
		}
	}
	return try(0)
}

// isTaken reports whether an error means that a port is in use.
func isTaken(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EADDRNOTAVAIL)
}

// parsePortRanges reads ports as the kernel writes them, such as "8080,9148-9150". It
// passes over what it does not know.
func parsePortRanges(text string) (all []lvs.PortRange) {
	for part := range strings.SplitSeq(strings.TrimSpace(text), ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, err1 := strconv.ParseUint(from, 10, 16)
		last, err2 := strconv.ParseUint(to, 10, 16)
		if err1 == nil && err2 == nil {
			all = append(all, lvs.PortRange{First: uint16(first), Last: uint16(last)})
		}
	}
	return all
}
