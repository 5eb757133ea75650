package lvs

import (
	"fmt"
	"net/netip"
	"runtime/debug"

	"github.com/golvs/lvs/internal/kernel/sched"
)

// Algorithm is a scheduling algorithm of one's own for a [Simulator]. It gives
// each service that asks for it a picker.
//
// A panic in Pick reaches the caller of [Simulator.Deliver]. Algorithms and Changed
// run while a control call is answered, where no caller could recover: their panic
// reaches, as a [*PanicError], whoever delivers the next packet for which the
// service needs a server. The control call is done all the same. A service whose
// algorithm panicked, or gave no picker, panics at each such packet, until it gets
// another scheduler. Whatever panics, the simulator stays usable, and the packet
// has opened nothing. [runtime.Goexit], which a test's FailNow calls, is for Pick
// only: elsewhere it would end a goroutine of the client.
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

// PanicError is the panic of a function that a [Simulator] was given: of an
// [Algorithm], or of its picker's Changed, as it reaches who delivers a packet; or of
// Before of a [Fault] or a [SettingFault], as the call that it strikes returns it.
type PanicError struct {
	Value any    // that it panicked with
	Stack []byte // of the goroutine that panicked
	who   string // panicked
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("lvs: %s panicked: %v\n\n%s", e.who, e.Value, e.Stack)
}

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// ownScheduler makes an algorithm of one's own look like one of the kernel's.
type ownScheduler struct {
	algorithm Algorithm
	picker    Picker      // nil if the algorithm panicked
	panicked  *PanicError // in a control call, first
}

func (o *ownScheduler) Attach(g *sched.Group) error {
	o.guard(func() {
		if o.picker = o.algorithm(&Servers{g}); o.picker == nil {
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
			o.panicked = &PanicError{Value: v, Stack: debug.Stack(), who: "an algorithm whose service was changed"}
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
