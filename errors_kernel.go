package lvs

import (
	"cmp"
	"context"
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
	default:
		e.explainCause()
	}
	return e
}

// connectionErrors are the kinds of what is not an answer of IPVS.
var connectionErrors = []struct {
	is   []error
	kind error
	hint string
}{
	{[]error{genl.ErrStuck}, ErrStuck, "try again later"},
	{[]error{genl.ErrMoving}, ErrUnavailable, "try again when the module ip_vs stays"},
	{[]error{genl.ErrMalformed, syscall.EMSGSIZE}, errors.ErrUnsupported, ""},
	{[]error{genl.ErrOverrun, syscall.ENOBUFS, syscall.ENOMEM, syscall.EAGAIN}, ErrBusy, "try again later"},
	{[]error{syscall.EMFILE, syscall.ENFILE}, ErrBusy, "raise the limit of open files, or close some"},
	{[]error{os.ErrPermission}, ErrPermission, "entering another network namespace takes CAP_SYS_ADMIN"},
	{[]error{syscall.EAFNOSUPPORT, syscall.EPROTONOSUPPORT, syscall.ECONNREFUSED}, ErrUnavailable, "use a kernel that has generic netlink"},
}

// explainCause finds the kind of an error that is not an answer of IPVS. The
// context's has none.
func (e *Error) explainCause() {
	for _, known := range connectionErrors {
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
	hintCaps   = "it takes CAP_NET_ADMIN in the initial user namespace, which root of a container with a user namespace does not have"
	hintIPv6   = "IPv6 is switched off, or the kernel was built without it"
	hintDaemon = "the interface must be up, and lo cannot send to an IPv6 group; for an IPv6 group, " +
		"net.ipv6.conf.all.disable_ipv6 and that of the interface must be 0, and no route may prohibit it"
)

// explainErrno finds the kind of a kernel's answer. It looks at what was
// attempted too: ENOENT has three meanings, EINVAL has many.
func (w call) explainErrno(e *Error) {
	if w.kind == startDaemon && explainDaemon(e) {
		return
	}
	switch e.Errno {
	case EPERM:
		e.kind, e.detail, e.hint = ErrPermission, "the kernel did not permit it", hintCaps
	case EACCES:
		e.kind, e.detail, e.hint = ErrPermission, "the kernel did not permit it", "a security module may forbid it"
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

// explainDaemon is for what a daemon's socket adds to the answers. It reports
// whether the errno is one of these.
func explainDaemon(e *Error) bool {
	switch e.Errno {
	case ENODEV:
		e.kind, e.Field, e.detail = ErrInvalid, "Interface", "no such network interface, or it does not support the group's address family"
	case ENETUNREACH, EHOSTUNREACH, ENETDOWN, EADDRNOTAVAIL, EACCES:
		e.kind, e.Field, e.detail, e.hint = ErrInvalid, "Interface", "the group is unreachable from it", hintDaemon
	case EAFNOSUPPORT:
		e.kind, e.Field, e.detail, e.hint = errors.ErrUnsupported, "Group", "this kernel does not have the address family", hintIPv6
	case EADDRINUSE:
		e.kind, e.Field, e.detail = ErrBusy, "Port", "is in use by another program"
	default:
		return false
	}
	return true
}

func (w call) explainENOENT(e *Error) {
	switch w.kind {
	case updateServer, removeServer:
		e.kind, e.detail = ErrNotFound, "the service has no such real server"
	case addService, updateService:
		w.explainMissing(e)
	default:
		e.explainGone()
	}
}

// explainMissing says which of the modules that a service takes can be missing.
func (w call) explainMissing(e *Error) {
	var missing, commands []string
	if w.scheduler != NoScheduler {
		scheduler := cmp.Or(w.scheduler, WLC)
		missing = append(missing, fmt.Sprintf("no scheduler %q", scheduler))
		commands = append(commands, fmt.Sprintf("'modprobe ip_vs_%s'", scheduler))
	}
	if w.engine != "" {
		missing = append(missing, fmt.Sprintf("no persistence engine %q", w.engine))
		commands = append(commands, fmt.Sprintf("'modprobe ip_vs_pe_%s'", w.engine))
	}
	if len(missing) == 0 {
		e.explainGone()
		return
	}
	e.kind = ErrScheduler
	e.detail = "the kernel has " + strings.Join(missing, ", or ")
	e.hint = "run " + strings.Join(commands, " and ") + " as root to see why"
}

func (e *Error) explainGone() {
	e.kind, e.detail, e.hint = ErrUnavailable, "IPVS is no longer available", hintNoIPVS
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
		e.hint = "a sync daemon cannot run while real servers have another address family than their service, " +
			"nor with a group that a blackhole route leads to"
	}
}

// openError explains why the namespace could not be had.
func (o *options) openError(err error) error {
	e := call{op: "open", object: "IPVS"}.explain(err)
	switch {
	case errors.Is(err, genl.ErrNotNamespace), e.kind == nil && o.given != "":
		e.kind, e.Field = ErrInvalid, o.given
		e.hint = "give a name that 'ip netns' lists, or a path such as /proc/PID/ns/net; one that was removed is an empty file"
		if o.given == "InNamespaceFD" {
			e.hint = "give the descriptor of a file such as /proc/PID/ns/net, open until Open returns"
		}
	case e.kind == nil:
		e.kind, e.hint = ErrUnavailable, "mount /proc"
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
