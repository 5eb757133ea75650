package lvs

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"

	"github.com/golvs/lvs/internal/genl"
)

// call is what is attempted on what, for the error when it fails.
type call struct {
	op        Op
	object    string
	scheduler Scheduler // of a service that is written
	engine    string
}

// explain turns an error of the connection into one with its kind, what was
// attempted, what the kernel said, and what to do.
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
			e.detail = "IPVS is part of Linux, and this is " + runtime.GOOS + "/" + runtime.GOARCH
			e.hint = ""
		}
	case errors.Is(err, genl.ErrClosed):
		e.kind, e.cause, e.detail = ErrClosed, nil, "the client is closed"
	case errors.Is(err, genl.ErrInterrupted):
		e.kind, e.cause, e.detail = ErrUnstable, nil, "the table changed while it was read"
		e.hint = "try again"
	default:
		e.classify(connectionErrors)
	}
	return e
}

// knownError is the kind of some errors, and what to do about them.
type knownError struct {
	is   []error
	kind error
	hint string
}

// connectionErrors are the kinds of errors that are not an answer of IPVS.
var connectionErrors = []knownError{
	{[]error{genl.ErrStuck}, ErrStuck, "try again later"},
	{[]error{genl.ErrMoving}, ErrUnavailable, "try again when the module ip_vs stays loaded"},
	{[]error{genl.ErrMalformed, syscall.EMSGSIZE}, errors.ErrUnsupported, ""},
	{[]error{genl.ErrOverrun, syscall.ENOBUFS, syscall.ENOMEM, syscall.EAGAIN}, ErrBusy, "try again later"},
	{[]error{syscall.EMFILE, syscall.ENFILE}, ErrBusy, hintFiles},
	{[]error{os.ErrPermission}, ErrPermission, "entering another network namespace needs CAP_SYS_ADMIN"},
	{[]error{syscall.EAFNOSUPPORT, syscall.EPROTONOSUPPORT, syscall.ECONNREFUSED}, ErrUnavailable, "use a kernel that has generic netlink"},
}

// classify gives the error the kind, the hint and the errno of its cause. The first
// known error that matches counts. An unknown one that is not the kernel's, such as
// the context's, gets no kind.
func (e *Error) classify(all []knownError) {
	var errno syscall.Errno
	if errors.As(e.cause, &errno) {
		e.Errno = errnoOf(errno)
		e.kind = errors.ErrUnsupported
	}
	for _, known := range all {
		for _, target := range known.is {
			if errors.Is(e.cause, target) {
				e.kind, e.hint = known.kind, known.hint
				return
			}
		}
	}
}

const (
	hintNoIPVS = "run 'modprobe ip_vs' as root, or use a kernel that has CONFIG_IP_VS"
	hintCaps   = "this needs CAP_NET_ADMIN in the initial user namespace, which root in a container with its own user namespace lacks"
	hintFiles  = "raise the limit of open files, or close some"
	hintIPv6   = "IPv6 is disabled, or the kernel was built without it"
	hintDaemon = "the interface must be up, and lo cannot send to an IPv6 group; for an IPv6 group, " +
		"net.ipv6.conf.all.disable_ipv6 and the interface's must be 0, and no route may prohibit it"
)

// explainErrno finds the kind of the kernel's answer. It also looks at what was
// attempted: ENOENT has three meanings, EINVAL has many.
func (w call) explainErrno(e *Error) {
	if w.op == OpStartSyncDaemon && explainDaemon(e) {
		return
	}
	switch e.Errno {
	case EPERM:
		e.kind, e.detail, e.hint = ErrPermission, "permission denied", hintCaps
	case EACCES:
		e.kind, e.detail, e.hint = ErrPermission, "permission denied", "a security module may forbid it"
	case ESRCH:
		e.kind, e.detail = ErrNoService, "no such service"
		if w.op == OpStopSyncDaemon {
			e.kind, e.detail = ErrNotFound, "no sync daemon has this role"
		}
	case ENOENT:
		w.explainENOENT(e)
	case EEXIST:
		e.kind, e.detail = ErrExists, "already exists"
		if w.op == OpAddService || w.op == OpAddRealServer {
			e.hint = "update it to replace it"
		}
	case EOPNOTSUPP:
		e.kind, e.detail = errors.ErrUnsupported, "this kernel does not know the command"
	case EAFNOSUPPORT:
		e.kind, e.detail, e.hint = errors.ErrUnsupported, "this kernel does not have the address family", hintIPv6
	case ENOPROTOOPT:
		e.kind, e.detail = ErrUnavailable, "the IPVS module is being removed"
	case EINVAL, ERANGE:
		w.explainEINVAL(e)
	case ENOMEM, ENOBUFS, ENOSPC, ENFILE, EMFILE, EBUSY, EAGAIN, EINTR:
		e.kind, e.detail, e.hint = ErrBusy, "the kernel is busy", "try again later"
	default:
		e.kind, e.detail = errors.ErrUnsupported, "the kernel refused with an error that IPVS does not normally return"
	}
}

// explainDaemon explains the errnos that come from a sync daemon's socket. It
// reports whether the errno is one of these.
func explainDaemon(e *Error) bool {
	switch e.Errno {
	case ENODEV:
		e.kind, e.Field, e.detail = ErrInvalid, "Interface", "no such network interface, or it does not support the group's address family"
	case ENETUNREACH, EHOSTUNREACH, ENETDOWN, EADDRNOTAVAIL, EACCES:
		e.kind, e.Field, e.detail, e.hint = ErrInvalid, "Interface", "the group is unreachable from it", hintDaemon
	case EAFNOSUPPORT:
		e.kind, e.Field, e.detail, e.hint = errors.ErrUnsupported, "Group", "this kernel does not have the address family", hintIPv6
	case EADDRINUSE:
		e.kind, e.Field, e.detail = ErrBusy, "Port", "another program uses it"
	default:
		return false
	}
	return true
}

func (w call) explainENOENT(e *Error) {
	switch w.op {
	case OpUpdateRealServer, OpRemoveRealServer:
		e.kind, e.detail = ErrNoRealServer, "the service has no such real server"
	case OpAddService, OpUpdateService:
		w.explainMissing(e)
	default:
		e.explainGone()
	}
}

// explainMissing says which of the modules that a service needs may be missing.
func (w call) explainMissing(e *Error) {
	var missing, commands []string
	if w.scheduler != NoScheduler {
		e.kind = ErrScheduler
		scheduler := cmp.Or(w.scheduler, WLC)
		missing = append(missing, fmt.Sprintf("no scheduler %q", scheduler))
		commands = append(commands, fmt.Sprintf("'modprobe ip_vs_%s'", scheduler))
	}
	if w.engine != "" {
		if e.kind = ErrEngine; len(missing) > 0 {
			e.kind = errModule
		}
		missing = append(missing, fmt.Sprintf("no persistence engine %q", w.engine))
		commands = append(commands, fmt.Sprintf("'modprobe ip_vs_pe_%s'", w.engine))
	}
	if len(missing) == 0 {
		e.explainGone()
		return
	}
	e.detail = "the kernel has " + strings.Join(missing, ", or ")
	e.hint = "run " + strings.Join(commands, " and ") + " as root to see why"
}

func (e *Error) explainGone() {
	e.kind, e.detail, e.hint = ErrUnavailable, "IPVS is no longer available", hintNoIPVS
}

func (w call) explainEINVAL(e *Error) {
	e.kind, e.detail = ErrInvalid, "the kernel refused the value"
	switch w.op {
	case OpAddRealServer, OpUpdateRealServer:
		e.hint = "packets must be routable to the address (not a broadcast or multicast address, and 'lo' must be up), " +
			"and while a sync daemon is running, real servers must have the service's address family"
	case OpUpdateService:
		e.hint = "the mh scheduler accepts no more real servers than its table has slots"
	case OpSetTimeouts:
		e.hint = "a timeout is longer than the kernel can count"
	case OpStartSyncDaemon:
		e.hint = "a sync daemon cannot run while a real server's address family differs from its service's, " +
			"or with a group that a blackhole route covers"
	}
}
