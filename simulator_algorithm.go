package lvs

import (
	"fmt"
	"iter"
	"net/netip"
	"runtime/debug"

	"github.com/golvs/lvs/internal/simipvs/sched"
)

// SimAlgorithm is a custom scheduling algorithm of a [Simulator]. It is called for each
// service that is given the scheduler, and returns the picker of that service.
//
// A panic in Pick reaches the caller of [Simulator.Deliver]. The algorithm and
// [SimWatcher] are called while the simulator handles a change, where no caller could
// recover. The change is made nevertheless, and the next Deliver whose packet needs a
// server of that service panics with a [*SimPanicError]. If the algorithm itself
// panicked or returned nil, so does every further one until the service is given
// another scheduler. After any panic the simulator is usable, and the packet has opened
// no connection. [runtime.Goexit], which FailNow of a test calls, is for Pick only:
// elsewhere it would end a goroutine of the client.
type SimAlgorithm func(*SimService) SimPicker

// SimPicker picks the real servers of one service. Its methods are called one at a
// time, in goroutines of the simulator's users. They must not use the simulator.
type SimPicker interface {
	// Pick returns the server that gets a new connection, or the zero value for
	// none. The client is also refused if the server is not one of the service's.
	Pick(f Flow) SimServer
}

// SimWatcher is implemented by pickers that keep something that depends on the real
// servers, such as a table.
type SimWatcher interface {
	// Changed is called after a server was added, removed or updated. It is not
	// called for connections.
	Changed()
}

// SimService is a service as its [SimPicker] sees it. Its methods, and those of its
// servers, return what is so at the moment. They may be called only by the algorithm
// and by the methods of its picker, while they run.
type SimService struct {
	id    ServiceID
	seed  uint64
	group *sched.Group
}

// ID returns the identity of the service.
func (s *SimService) ID() ServiceID { return s.id }

// SchedulerFlags returns the flags of the service, such as [HashFallback], which the
// algorithm may give any meaning.
func (s *SimService) SchedulerFlags() SchedulerFlags {
	return SchedulerFlags(s.group.Flags) &^ ownFlags
}

// Seed returns [SimOptions.Seed], for algorithms that draw at random.
func (s *SimService) Seed() uint64 { return s.seed }

// Len returns the number of real servers.
func (s *SimService) Len() int { return s.group.Len() }

// Servers returns an iterator over the real servers in the kernel's order: the one that
// was added last comes first.
func (s *SimService) Servers() iter.Seq[SimServer] {
	return func(yield func(SimServer) bool) {
		for server := range s.group.All() {
			if !yield(SimServer{server}) {
				return
			}
		}
	}
}

// SimServer is a real server as a [SimPicker] sees it. It is comparable, and stays the
// same as long as the service has the server. [SimService] says when its methods may
// be called.
type SimServer struct{ server *sched.Server }

// Addr returns the address and port.
func (s SimServer) Addr() netip.AddrPort { return s.server.Addr }

// Weight returns the weight.
func (s SimServer) Weight() int { return int(s.server.Weight) }

// ActiveConns returns the number of established connections.
func (s SimServer) ActiveConns() int { return int(s.server.Active) }

// InactiveConns returns the number of other connections.
func (s SimServer) InactiveConns() int { return int(s.server.Inactive) }

// IsUsable reports whether the weight is above 0 and the server is below its upper
// threshold. The kernel's algorithms pick no other servers.
func (s SimServer) IsUsable() bool { return s.server.Weight > 0 && !s.server.Overloaded }

// SimPanicError reports that a function of the caller's panicked inside a [Simulator]: a
// [SimAlgorithm] or a [SimWatcher], with which [Simulator.Deliver] panics then, or Before
// of a [SimFault] or a [SimHostFault], which the failing call returns.
type SimPanicError struct {
	Value any    // the argument of panic
	Stack []byte // of the goroutine that panicked
	who   string // what panicked
}

// Error returns the value and the stack.
func (e *SimPanicError) Error() string {
	return fmt.Sprintf("lvs: %s panicked: %v\n\n%s", e.who, e.Value, e.Stack)
}

// Unwrap returns the value if it is an error.
func (e *SimPanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// customScheduler makes a SimAlgorithm a scheduler of the simulated kernel.
type customScheduler struct {
	algorithm SimAlgorithm
	service   SimService
	picker    SimPicker      // nil if the algorithm panicked
	panicked  *SimPanicError // the first panic while a change was handled
}

func (c *customScheduler) Attach(g *sched.Group) error {
	c.service.group = g
	c.guard(func() {
		if c.picker = c.algorithm(&c.service); c.picker == nil {
			panic("it returned no picker")
		}
	})
	return nil
}

func (c *customScheduler) Added(*sched.Server)   { c.changed() }
func (c *customScheduler) Removed(*sched.Server) { c.changed() }
func (c *customScheduler) Edited(*sched.Server)  { c.changed() }
func (c *customScheduler) Counted(*sched.Server) {}

func (c *customScheduler) changed() {
	if w, ok := c.picker.(SimWatcher); ok {
		c.guard(w.Changed)
	}
}

// guard keeps a panic until there is a caller who can recover.
func (c *customScheduler) guard(do func()) {
	defer func() {
		if v := recover(); v != nil && c.panicked == nil {
			c.panicked = &SimPanicError{Value: v, Stack: debug.Stack(), who: "an algorithm whose service was changed"}
		}
	}()
	do()
}

func (c *customScheduler) Pick(f *sched.Flow) *sched.Server {
	if p := c.panicked; p != nil {
		if c.picker != nil {
			c.panicked = nil
		}
		panic(p)
	}
	return c.picker.Pick(Flow{Protocol: Protocol(f.Protocol), Client: f.Client, VIP: f.Dest}).server
}
