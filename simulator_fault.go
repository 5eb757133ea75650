package lvs

import (
	"fmt"
	"reflect"
	"runtime/debug"
	"time"

	"github.com/golvs/lvs/internal/simipvs"
	"github.com/golvs/lvs/internal/wire"
)

// SimFault makes calls of a simulator's clients fail, or otherwise go wrong. Its
// effects can be combined; they happen in the order of the fields.
type SimFault struct {
	// Op is the operation that the fault applies to: one that changes the table,
	// or OpListServices, OpGetService, OpListRealServers, OpListSyncDaemons,
	// OpGetTimeouts or OpGetInfo. Empty means any. Other operations consist of
	// several of these: [OpPutService] of an addition and an update,
	// [Client.ModifyRealServer] of a listing and an update.
	Op Op

	// Times is how many calls the fault applies to; 0 means one.
	Times int

	// Before, if not nil, is called before the kernel does what was asked for. It
	// may use the simulator and its clients, so it can play another program that
	// changes the table at the same time. If it panics, the call fails with a
	// [*SimPanicError], and the kernel does nothing.
	Before func()

	// Delay is how long the kernel takes, by the clock of package time. No context
	// shortens it, as in a real kernel; the call still returns when its context
	// ends.
	Delay time.Duration

	// Errno is the kernel's answer, if not 0. The kernel then does nothing.
	Errno Errno

	// LoseReply drops the reply of the kernel, which does what was asked for. The
	// call waits until its context ends.
	LoseReply bool
}

// readCommands are the commands of the operations that read.
var readCommands = map[Op]wire.Command{
	OpListServices:    wire.CmdGetService,
	OpGetService:      wire.CmdGetService,
	OpListRealServers: wire.CmdGetDest,
	OpListSyncDaemons: wire.CmdGetDaemon,
	OpGetTimeouts:     wire.CmdGetConfig,
	OpGetInfo:         wire.CmdGetInfo,
}

// bareOps are the operations whose requests name nothing. Some share a command with
// an operation whose requests do.
var bareOps = map[Op]bool{
	OpListServices: true, OpListSyncDaemons: true, OpGetTimeouts: true, OpGetInfo: true, OpFlush: true, OpZeroAllCounters: true,
}

// Inject makes the next calls that a fault applies to go wrong, after the faults
// that were injected before. The error matches [ErrInvalid]: an Op that is not a
// single call of a client, a negative Times or Delay, or an Errno out of range.
func (s *Simulator) Inject(f SimFault) error {
	command, ok := commandOf(f.Op)
	if !ok {
		return invalid("Op", "%q is not a single call of a client, such as %q", f.Op, OpAddService).about(OpInject, "fault")
	}
	if f.Delay < 0 {
		return invalid("Delay", "%s is negative", f.Delay).about(OpInject, "fault")
	}
	if err := validateFault(f.Times, f.Errno); err != nil {
		return err.about(OpInject, "fault")
	}
	s.kernel.Inject(simipvs.Fault{
		Command: uint8(command), Bare: bareOps[f.Op], Times: max(1, f.Times),
		Do: guarded("SimFault.Before", f.Before), Delay: f.Delay, Errno: int(f.Errno), Lose: f.LoseReply,
	})
	return nil
}

func commandOf(op Op) (wire.Command, bool) {
	if op == "" {
		return 0, true
	}
	for _, k := range changeKinds {
		if k.op == op && k.command != 0 {
			return k.command, true
		}
	}
	command, ok := readCommands[op]
	return command, ok
}

const maxErrno = 4095 // that the kernel can return

func validateFault(times int, errno Errno) *Error {
	if times < 0 {
		return invalid("Times", "%d is negative", times)
	}
	if errno < 0 || errno > maxErrno {
		return invalid("Errno", "%d is out of range [0, %d]", int(errno), maxErrno)
	}
	return nil
}

// SimHostFault makes changes to a simulated host's resources fail, or otherwise go
// wrong: those of [Host.Apply], [Host.Undo] and [Host.SetSysctl].
type SimHostFault struct {
	// Resource is what the fault applies to: resources of its type whose fields
	// are equal to those of Resource that are not zero. Address{Interface: "lo"}
	// means any address of lo, and Sysctl{} any parameter. nil means any resource.
	Resource Resource

	// Times is how many changes the fault applies to; 0 means one.
	Times int

	// Before, if not nil, is called before the kernel does what was asked for. It
	// may use the simulator and its hosts, so it can play another program that
	// changes the host at the same time. It must not wait for [Host.Close] of the
	// host that is being changed: Close waits for the change. If it panics, the
	// change fails with a [*SimPanicError].
	Before func()

	// Errno is the kernel's answer, such as EPERM or EROFS, if not 0. The kernel
	// then does nothing.
	Errno Errno
}

// InjectHost makes the next changes that a fault applies to go wrong, after the
// faults that were injected before. The error matches [ErrInvalid]: negative Times,
// or an Errno out of range.
func (s *Simulator) InjectHost(f SimHostFault) error {
	if err := validateFault(f.Times, f.Errno); err != nil {
		return err.about(OpInject, "fault")
	}
	f.Times = max(1, f.Times)
	s.network.mu.Lock()
	defer s.network.mu.Unlock()
	s.network.faults = append(s.network.faults, &f)
	return nil
}

// appliesTo reports whether the fault applies to a resource.
func (f *SimHostFault) appliesTo(r Resource) bool {
	if f.Resource == nil {
		return true
	}
	want, have := reflect.ValueOf(f.Resource), reflect.ValueOf(r)
	if want.Type() != have.Type() {
		return false
	}
	for i := range want.NumField() {
		if field := want.Field(i); !field.IsZero() && !field.Equal(have.Field(i)) {
			return false
		}
	}
	return true
}

// strike lets the first fault happen that applies to a resource.
func (n *simulatedNetwork) strike(r Resource) error {
	f := n.takeFault(r)
	if f == nil {
		return nil
	}
	if f.Before != nil {
		if err := guarded("SimHostFault.Before", f.Before)(); err != nil {
			return err
		}
	}
	if f.Errno != 0 {
		return f.Errno.system()
	}
	return nil
}

// takeFault returns the first fault that applies to a resource, or nil.
func (n *simulatedNetwork) takeFault(r Resource) *SimHostFault {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, f := range n.faults {
		if !f.appliesTo(r) {
			continue
		}
		if f.Times--; f.Times == 0 {
			n.faults = append(n.faults[:i:i], n.faults[i+1:]...)
		}
		return f
	}
	return nil
}

// guarded makes a function of the caller's return what it panicked with. It runs
// where no caller could recover, so it gets a goroutine of its own, which it may also
// end, as the FailNow of a test does.
func guarded(name string, do func()) func() error {
	if do == nil {
		return nil
	}
	return func() error {
		done := make(chan error)
		go func() {
			err := fmt.Errorf("%s ended its goroutine, as FailNow of a test does", name)
			defer func() { done <- err }()
			defer func() {
				if v := recover(); v != nil {
					err = &SimPanicError{Value: v, Stack: debug.Stack(), who: name}
				}
			}()
			do()
			err = nil
		}()
		return <-done
	}
}
