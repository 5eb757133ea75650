package lvs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/golvs/lvs/internal/genl"
)

// call is what is attempted on what, for the error when it fails.
type call struct {
	op, object string
	kind       changeKind // noChange when it reads
	scheduler  Scheduler  // of a service that is written
	engine     string
}

// explain makes of an error of the connection's one that says its kind, what
// was attempted, what the kernel said, and what to do.
func (w call) explain(err error) *Error {
	e := (&Error{cause: err}).about(w.op, w.object)
	var answer *genl.Error
	switch {
	case errors.As(err, &answer):
		e.cause = nil
		e.Errno = Errno(answer.Errno)
		w.explainErrno(e)
		if answer.Message != "" {
			e.detail += ": " + answer.Message
		}
	case errors.Is(err, genl.ErrNoFamily):
		e.kind, e.cause = ErrUnavailable, nil
		e.detail = "this kernel has no IPVS, and could not load the module ip_vs"
		e.hint = hintNoIPVS
		if runtime.GOOS != "linux" {
			e.detail = "IPVS is a part of Linux, and this is " + runtime.GOOS + "/" + runtime.GOARCH
			e.hint = ""
		}
	case errors.Is(err, genl.ErrClosed):
		e.kind, e.cause, e.detail = ErrClosed, nil, "the client is closed"
	case errors.Is(err, genl.ErrInterrupted):
		e.kind, e.cause, e.detail = ErrUnstable, nil, "the table changed while it was read"
		e.hint = "try again"
	case errors.Is(err, genl.ErrStuck):
		e.kind, e.hint = ErrStuck, "try again later"
	case errors.Is(err, genl.ErrMoving):
		e.kind, e.hint = ErrUnavailable, "try again when the module ip_vs stays"
	case errors.Is(err, os.ErrPermission):
		e.kind = ErrPermission
	}
	return e
}

const (
	hintNoIPVS = "run 'modprobe ip_vs' as root, or use a kernel that has CONFIG_IP_VS"
	hintCaps   = "it takes CAP_NET_ADMIN in the initial user namespace, which root of a container with a user namespace does not have"
)

// explainErrno finds the kind of a kernel's answer. It looks at what was
// attempted too: ENOENT has three meanings, EINVAL has many.
func (w call) explainErrno(e *Error) {
	switch e.Errno {
	case EPERM, EACCES:
		e.kind, e.detail, e.hint = ErrPermission, "the kernel did not permit it", hintCaps
	case ESRCH:
		e.kind, e.detail = ErrNotFound, "there is no such service"
		if w.kind == stopDaemon {
			e.detail = "no sync daemon of that role runs"
		}
	case ENOENT:
		w.explainENOENT(e)
	case EEXIST:
		e.kind, e.detail = ErrExists, "it is there already"
		if w.kind == addService || w.kind == addServer {
			e.hint = "update it to replace what it is"
		}
	case EOPNOTSUPP:
		e.kind, e.detail = errors.ErrUnsupported, "this kernel does not know the command"
	case EAFNOSUPPORT:
		e.kind, e.detail = errors.ErrUnsupported, "this kernel does not have the address family"
	case ENOPROTOOPT:
		e.kind, e.detail = ErrUnavailable, "the IPVS module is being removed"
	case ENODEV:
		e.kind, e.Field, e.detail = ErrInvalid, "Interface", "there is no such network interface"
	case EINVAL, ERANGE:
		w.explainEINVAL(e)
	default:
		e.detail = "the kernel refused"
	}
}

func (w call) explainENOENT(e *Error) {
	switch w.kind {
	case updateServer, removeServer:
		e.kind, e.detail = ErrNotFound, "the service has no such real server"
	case addService, updateService:
		e.kind = ErrScheduler
		scheduler := w.scheduler
		if scheduler == "" {
			scheduler = WLC
		}
		e.detail = fmt.Sprintf("the kernel has no scheduler %q", scheduler)
		e.hint = fmt.Sprintf("run 'modprobe ip_vs_%s' as root to see why", scheduler)
		if w.engine != "" {
			e.detail += fmt.Sprintf(", or no persistence engine %q", w.engine)
			e.hint = fmt.Sprintf("run 'modprobe ip_vs_%s' and 'modprobe ip_vs_pe_%s' as root to see which", scheduler, w.engine)
		}
	default:
		e.kind, e.detail, e.hint = ErrUnavailable, "IPVS is not there any more", hintNoIPVS
	}
}

func (w call) explainEINVAL(e *Error) {
	e.kind, e.detail = ErrInvalid, "the kernel refused the value"
	switch w.kind {
	case addServer, updateServer:
		e.hint = "the address must be one that packets can be routed to (not a broadcast or multicast address, and 'lo' must be up), " +
			"and a server of another address family than the service's cannot be had while a sync daemon runs"
	case updateService:
		e.hint = "the mh scheduler takes no more real servers than its table has slots"
	case setTimeouts:
		e.hint = "a timeout is longer than the kernel can count"
	case startDaemon:
		e.hint = "a sync daemon cannot run beside real servers of another address family than their service's"
	}
}

// openError explains why the namespace could not be had.
func openError(err error) error {
	e := call{op: "open", object: "IPVS"}.explain(err)
	if errors.Is(err, genl.ErrNotNamespace) {
		e.kind, e.Field = ErrInvalid, "InNamespace"
		e.hint = "give a name that 'ip netns' lists, or a path such as /proc/PID/ns/net; one that was removed is an empty file"
	}
	return e
}

// ended is the error of a whole call that ended early.
func ended(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return call{op: "change"}.explain(err)
}
