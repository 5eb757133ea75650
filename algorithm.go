package lvs

import (
	"net/netip"

	"github.com/golvs/lvs/internal/kernel/sched"
)

// Algorithm is a scheduling algorithm of one's own for a [Simulator]. It gives
// each service that asks for it a picker.
type Algorithm func(servers *Servers) Picker

// Picker picks the real servers of one service. Its methods are called one at a
// time, and must not use the simulator: they run inside it.
type Picker interface {
	// Pick returns the server that takes a new connection, or the zero value for
	// none. A client is refused, too, when the server is not one of the service's.
	Pick(f Flow) ServerLoad

	// Changed says that servers were added, removed or edited. Connections come
	// and go without it.
	Changed()
}

// Servers are the real servers of a service as a [Picker] sees them.
type Servers struct{ group *sched.Group }

// Len returns how many there are.
func (s *Servers) Len() int { return s.group.Len() }

// All ranges over the servers in the kernel's order: the one that was added last
// comes first.
func (s *Servers) All(yield func(ServerLoad) bool) {
	for server := range s.group.All() {
		if !yield(ServerLoad{server}) {
			return
		}
	}
}

// ServerLoad is a real server and what it has to do, as it is at the moment of
// asking. It is comparable, and stays the same as long as the server is there.
type ServerLoad struct{ server *sched.Server }

// Addr returns the server's address and port.
func (s ServerLoad) Addr() netip.AddrPort { return s.server.Addr }

// Weight returns its weight.
func (s ServerLoad) Weight() int { return int(s.server.Weight) }

// ActiveConns returns how many connections are established.
func (s ServerLoad) ActiveConns() int { return int(s.server.Active) }

// InactiveConns returns how many others there are.
func (s ServerLoad) InactiveConns() int { return int(s.server.Inactive) }

// IsUsable tells whether the server has a weight above 0 and is below its upper
// threshold. The kernel's own algorithms pick no other.
func (s ServerLoad) IsUsable() bool { return s.server.Weight > 0 && !s.server.Overloaded }

// ownScheduler makes an algorithm of one's own look like one of the kernel's.
type ownScheduler struct {
	algorithm Algorithm
	picker    Picker
}

func (o *ownScheduler) Attach(g *sched.Group) error {
	o.picker = o.algorithm(&Servers{g})
	return nil
}

func (o *ownScheduler) Added(*sched.Server)   { o.picker.Changed() }
func (o *ownScheduler) Removed(*sched.Server) { o.picker.Changed() }
func (o *ownScheduler) Edited(*sched.Server)  { o.picker.Changed() }
func (o *ownScheduler) Counted(*sched.Server) {}

func (o *ownScheduler) Pick(f *sched.Flow) *sched.Server {
	return o.picker.Pick(Flow{Protocol: Protocol(f.Protocol), Client: f.Client, VIP: f.Dest}).server
}
