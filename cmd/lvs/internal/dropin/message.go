package dropin

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/ipvsadm"
)

// portless returns an address without its port.
func portless(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr(), 0) }

// said is what ipvsadm says of an error of some operations.
type said struct {
	kind    error
	ops     []lvs.Op // empty: all
	message string
}

var serverOps = []lvs.Op{lvs.OpAddRealServer, lvs.OpUpdateRealServer, lvs.OpRemoveRealServer}

// messages are in the order in which they are tried.
var messages = []said{
	{lvs.ErrNoService, serverOps, "Service not defined"},
	{lvs.ErrNoService, nil, "No such service"},
	{lvs.ErrNoRealServer, nil, "No such destination"},
	{lvs.ErrExists, []lvs.Op{lvs.OpAddService}, "Service already exists"},
	{lvs.ErrExists, serverOps, "Destination already exists"},
	{lvs.ErrExists, nil, "Daemon has already run"},
	{lvs.ErrScheduler, nil, "Scheduler or persistence engine not found"},
	{lvs.ErrEngine, nil, "Scheduler or persistence engine not found"},
	{lvs.ErrNotFound, []lvs.Op{lvs.OpStopSyncDaemon}, "No daemon is running"},
	{lvs.ErrPermission, nil, "Permission denied (you must be root)"},
}

const invalidOperation = "Invalid operation.  Possibly wrong module version, address not unicast, ..."

// message returns what ipvsadm says of an error.
func message(err error) string {
	var e *lvs.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	for _, s := range messages {
		if errors.Is(e, s.kind) && (s.ops == nil || slices.Contains(s.ops, e.Op)) {
			return s.message
		}
	}
	switch errno := syscall.Errno(e.Errno); errno {
	case 0:
		return err.Error()
	case syscall.EINVAL:
		return invalidOperation
	default:
		text := errno.Error()
		r, n := utf8.DecodeRuneInString(text)
		return string(unicode.ToUpper(r)) + text[n:]
	}
}

// kernelMessages are about what the kernel refuses. Package ipvsadm refuses it too.
var kernelMessages = []string{
	invalidOperation,
	"Numerical result out of range",
	"Scheduler or persistence engine not found",
	"No such destination",
}

// messageBefore returns the message about what the kernel finds first: whether the
// service exists.
func messageBefore(ctx context.Context, client *lvs.Client, c ipvsadm.Command, message string) string {
	_, err := client.Service(ctx, c.Service)
	switch missing := errors.Is(err, lvs.ErrNoService); {
	case missing && slices.Contains(serverOps, c.Op):
		return "Service not defined"
	case missing && c.Op == lvs.OpUpdateService:
		return "No such service"
	case err == nil && c.Op == lvs.OpAddService:
		return "Service already exists"
	}
	return message
}
