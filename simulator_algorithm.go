package lvs

import (
	"fmt"
	"net/netip"
	"runtime/debug"

	"github.com/golvs/lvs/internal/simipvs/sched"
)

// SimAlgorithm is a scheduling algorithm of one's own for a [Simulator]. It gives
// each service that asks for it a picker.
//
// A panic in Pick reaches the caller of [Simulator.Deliver]. Algorithms and Changed
// run while a control call is answered, where no caller could recover: their panic
// reaches, as a [*SimPanicError], whoever delivers the next packet for which the
// service needs a server. The control call is done all the same. A service whose
// algorithm panicked, or gave no picker, panics at each such packet, until it gets
// another scheduler. Whatever panics, the simulator stays usable, and the packet
// has opened nothing. [runtime.Goexit], which a test's FailNow calls, is for Pick
// only: elsewhere it would end a goroutine of the client.
type SimAlgorithm func(servers *SimServers) SimPicker

// SimPicker picks the real servers of one service. Its methods are called one at a
// time, and must not use the simulator: they run inside it.
type SimPicker interface {
	// Pick returns the server that takes a new connection, or the zero value for
	// none. A client is refused, too, when the server is not one of the service's.
	Pick(f Flow) SimServer

	// Changed says that servers were added, removed or edited. Connections come
	// and go without it.
	Changed()
}

// SimServers are the real servers of a service as a [SimPicker] sees them.
type SimServers struct{ group *sched.Group }

// Len returns how many there are.
func (s *SimServers) Len() int { return s.group.Len() }

// All ranges over the servers in the kernel's order: the one that was added last
// comes first.
func (s *SimServers) All(yield func(SimServer) bool) {
	for server := range s.group.All() {
		if !yield(SimServer{server}) {
			return
		}
	}
}

// SimServer is a real server and what it has to do, as it is at the moment of
// asking. It is comparable, and stays the same as long as the server is there.
type SimServer struct{ server *sched.Server }

// Addr returns the server's address and port.
func (s SimServer) Addr() netip.AddrPort { return s.server.Addr }

// Weight returns its weight.
func (s SimServer) Weight() int { return int(s.server.Weight) }

// ActiveConns returns how many connections are established.
func (s SimServer) ActiveConns() int { return int(s.server.Active) }

// InactiveConns returns how many others there are.
func (s SimServer) InactiveConns() int { return int(s.server.Inactive) }

// IsUsable tells whether the server has a weight above 0 and is below its upper
// threshold. The kernel's own algorithms pick no other.
func (s SimServer) IsUsable() bool { return s.server.Weight > 0 && !s.server.Overloaded }

// SimPanicError is the panic of a function that a [Simulator] was given: of an
// [SimAlgorithm], or of its picker's Changed, as it reaches who delivers a packet; or of
// Before of a [SimFault] or a [SimHostFault], as the call that it strikes returns it.
type SimPanicError struct {
	Value any    // that it panicked with
	Stack []byte // of the goroutine that panicked
	who   string // panicked
}

func (e *SimPanicError) Error() string {
	return fmt.Sprintf("lvs: %s panicked: %v\n\n%s", e.who, e.Value, e.Stack)
}

// Unwrap returns the value if it is an error.
func (e *SimPanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// ownScheduler makes an algorithm of one's own look like one of the kernel's.
type ownScheduler struct {
	algorithm SimAlgorithm
	picker    SimPicker      // nil if the algorithm panicked
	panicked  *SimPanicError // in a control call, first
}

func (o *ownScheduler) Attach(g *sched.Group) error {
	o.guard(func() {
		if o.picker = o.algorithm(&SimServers{g}); o.picker == nil {
			panic("it gives no picker")
		}
	})
	return nil
}

func (o *ownScheduler) Added(*sched.Server)   { o.changed() }
func (o *ownScheduler) Removed(*sched.Server) { o.changed() }
func (o *ownScheduler) Edited(*sched.Server)  { o.changed() }
func (o *ownScheduler) Counted(*sched.Server) {}

func (o *ownScheduler) changed() {
	if o.picker != nil {
		o.guard(o.picker.Changed)
	}
}

// guard puts a panic off until somebody can recover.
func (o *ownScheduler) guard(do func()) {
	defer func() {
		if v := recover(); v != nil && o.panicked == nil {
			o.panicked = &SimPanicError{Value: v, Stack: debug.Stack(), who: "an algorithm whose service was changed"}
		}
	}()
	do()
}

func (o *ownScheduler) Pick(f *sched.Flow) *sched.Server {
	if p := o.panicked; p != nil {
		if o.picker != nil {
			o.panicked = nil
		}
		panic(p)
	}
	return o.picker.Pick(Flow{Protocol: Protocol(f.Protocol), Client: f.Client, VIP: f.Dest}).server
}
