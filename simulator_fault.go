package lvs

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/golvs/lvs/internal/simipvs"
	"github.com/golvs/lvs/internal/wire"
)

// SimFault is something that goes wrong with calls of a simulator's clients. Its
// parts can be combined: they happen in the order of the fields.
type SimFault struct {
	// Op is the call that it strikes, by the name that [Error.Op] has for it,
	// such as "add service" or "list services"; "" is any. A call such as
	// [Client.ModifyRealServer] consists of several.
	Op string

	// Times is how many such calls it strikes; 0 is one.
	Times int

	// Before is called before the kernel does what was asked for. It may use the
	// simulator and its clients: it is somebody who changes the table behind the
	// caller's back. If it panics, the call fails with a [*SimPanicError], and the
	// kernel does nothing.
	Before func()

	// Delay is how long the kernel takes, by the clock of package time. No
	// context cuts it short, as in the kernel; the call returns all the same.
	Delay time.Duration

	// Errno is the kernel's answer; it does nothing then. 0 is no error.
	Errno Errno

	// LoseReply lets the kernel do what was asked for, and nobody hears of it:
	// the call waits until its context ends.
	LoseReply bool
}

// readCommands are the calls that read, by what errors call them.
var readCommands = map[string]wire.Command{
	"list services":        wire.CmdGetService,
	"get service":          wire.CmdGetService,
	"list real servers of": wire.CmdGetDest,
	"list daemons":         wire.CmdGetDaemon,
	"get timeouts":         wire.CmdGetConfig,
	"get info":             wire.CmdGetInfo,
}

// Inject makes a fault strike the next calls that it is for, after the faults
// that were injected before. An Op that no call has, a negative Times or Delay, and an
// Errno that no kernel has are of the kind [ErrInvalid].
func (s *Simulator) Inject(f SimFault) error {
	command, ok := commandOf(f.Op)
	if !ok {
		return invalid("Op", "%q is no call of a client, such as %q", f.Op, changeKinds[addService].op).about("inject", "fault")
	}
	if f.Times < 0 {
		return invalid("Times", "%d is negative", f.Times).about("inject", "fault")
	}
	if f.Delay < 0 {
		return invalid("Delay", "%s is negative", f.Delay).about("inject", "fault")
	}
	if f.Errno < 0 || f.Errno > maxErrno {
		return invalid("Errno", "%d is out of range [0, %d]", int(f.Errno), maxErrno).about("inject", "fault")
	}
	s.kernel.Inject(simipvs.Fault{
		Command: uint8(command), Times: max(1, f.Times), Do: guarded("Fault.Before", f.Before), Delay: f.Delay, Errno: int(f.Errno), Lose: f.LoseReply,
	})
	return nil
}

const maxErrno = 4095 // that the kernel can answer

// guarded makes a function of the caller's return what it panicked with. It runs
// where no caller could recover, so it gets a goroutine that it may also end, as a
// test's FailNow does.
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

func commandOf(op string) (wire.Command, bool) {
	if op == "" {
		return 0, true
	}
	for _, k := range changeKinds[1:] {
		if k.op == op {
			return k.command, true
		}
	}
	command, ok := readCommands[op]
	return command, ok
}
