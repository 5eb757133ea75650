package lvs

import (
	"cmp"
	"net/netip"

	"github.com/golvs/lvs/internal/wire"
)

// Change is a change to the kernel's table. A function such as [AddService] returns
// one; nothing happens until [Client.Do] makes it. Changes can be inspected, printed
// and written as JSON. The zero value does nothing and is refused.
type Change struct {
	kind     changeKind
	service  Service // of a change to a real server, the ID alone
	server   RealServer
	daemon   SyncDaemon
	timeouts Timeouts
}

type changeKind uint8

const (
	noChange changeKind = iota
	addService
	updateService
	putService
	removeService
	addServer
	updateServer
	putServer
	removeServer
	zeroService
	zeroAll
	flush
	setTimeouts
	startDaemon
	stopDaemon
)

// changeKinds has, for each kind, its operation, the command that makes it, and the
// sign that it has in a listing. A put is two commands: see [Change.requests].
var changeKinds = [...]struct {
	op      Op
	command wire.Command
	sign    string
}{
	noChange:      {"", 0, "nothing"},
	addService:    {OpAddService, wire.CmdNewService, "+"},
	updateService: {OpUpdateService, wire.CmdSetService, "~"},
	putService:    {OpPutService, 0, "="},
	removeService: {OpRemoveService, wire.CmdDelService, "-"},
	addServer:     {OpAddRealServer, wire.CmdNewDest, "+"},
	updateServer:  {OpUpdateRealServer, wire.CmdSetDest, "~"},
	putServer:     {OpPutRealServer, 0, "="},
	removeServer:  {OpRemoveRealServer, wire.CmdDelDest, "-"},
	zeroService:   {OpZeroCounters, wire.CmdZero, "zero"},
	zeroAll:       {OpZeroAllCounters, wire.CmdZero, "zero everything"},
	flush:         {OpFlush, wire.CmdFlush, "flush"},
	setTimeouts:   {OpSetTimeouts, wire.CmdSetConfig, "set timeouts"},
	startDaemon:   {OpStartSyncDaemon, wire.CmdNewDaemon, "+ daemon"},
	stopDaemon:    {OpStopSyncDaemon, wire.CmdDelDaemon, "- daemon"},
}

// AddService returns the change that adds a service without real servers. It fails
// with [ErrExists] if the service exists, and with [ErrScheduler] or [ErrEngine] if
// the kernel does not have its scheduler or persistence engine.
func AddService(s Service) Change { return Change{kind: addService, service: s} }

// UpdateService returns the change that replaces everything of a service but its ID,
// its real servers and its counters: a field that s leaves zero is zero afterwards,
// and an empty scheduler is [WLC]. It fails with [ErrNoService] if the service does
// not exist, and with [ErrScheduler] or [ErrEngine] as [AddService] does.
func UpdateService(s Service) Change { return Change{kind: updateService, service: s} }

// PutService returns the change that adds a service, or updates it if it exists: see
// [AddService] and [UpdateService]. The kernel is sent both commands, one after the
// other. If another program removes the service between the two, the change fails
// with [ErrNoService]; the method [Client.PutService] then tries again.
func PutService(s Service) Change { return Change{kind: putService, service: s} }

// RemoveService returns the change that removes a service with its real servers. The
// kernel remembers their connections, but drops their packets. It fails with
// [ErrNoService] if the service does not exist.
func RemoveService(id ServiceID) Change {
	return Change{kind: removeService, service: Service{ID: id}}
}

// AddRealServer returns the change that adds a real server to a service. It fails
// with [ErrExists] if the service has the real server, and with [ErrNoService] if
// the service does not exist.
func AddRealServer(id ServiceID, s RealServer) Change {
	return Change{kind: addServer, service: Service{ID: id}, server: s}
}

// UpdateRealServer returns the change that replaces everything of a real server but
// its address, its counters, and the mode of its existing connections. It fails with
// [ErrNoRealServer] or [ErrNoService].
func UpdateRealServer(id ServiceID, s RealServer) Change {
	return Change{kind: updateServer, service: Service{ID: id}, server: s}
}

// PutRealServer returns the change that adds a real server to a service, or updates
// it if the service has it: see [AddRealServer] and [UpdateRealServer]. It fails with
// [ErrNoService] if the service does not exist. If another program removes the real
// server between the two commands that the kernel is sent, the change fails with
// [ErrNoRealServer]; the method [Client.PutRealServer] then tries again.
func PutRealServer(id ServiceID, s RealServer) Change {
	return Change{kind: putServer, service: Service{ID: id}, server: s}
}

// RemoveRealServer returns the change that removes a real server from a service.
// Packets of its connections are dropped, or scheduled again while
// net.ipv4.vs.expire_nodest_conn is 1. To let them end first, set the real server's
// weight to 0. It fails with [ErrNoRealServer] or [ErrNoService].
func RemoveRealServer(id ServiceID, addr netip.AddrPort) Change {
	return Change{kind: removeServer, service: Service{ID: id}, server: RealServer{Addr: addr}}
}

// ZeroCounters returns the change that sets the counters of a service and of its
// real servers to 0; see [Stats]. It fails with [ErrNoService] if the service does
// not exist.
func ZeroCounters(id ServiceID) Change { return Change{kind: zeroService, service: Service{ID: id}} }

// ZeroAllCounters returns the change that sets all counters of the network namespace
// to 0.
func ZeroAllCounters() Change { return Change{kind: zeroAll} }

// Flush returns the change that removes all services of the network namespace,
// including those of other programs. Nothing happens until [Client.Do] makes it.
func Flush() Change { return Change{kind: flush} }

// SetTimeouts returns the change that sets the timeouts that are not zero. It fails
// with [ErrInvalid] if one is longer than the kernel can count.
func SetTimeouts(t Timeouts) Change { return Change{kind: setTimeouts, timeouts: t} }

// StartSyncDaemon returns the change that starts a sync daemon. It fails with
// [ErrExists] if one with the role is running, and with [ErrInvalid] if the kernel
// cannot use its interface.
func StartSyncDaemon(d SyncDaemon) Change { return Change{kind: startDaemon, daemon: d} }

// StopSyncDaemon returns the change that stops the sync daemon with a role. It fails
// with [ErrNotFound] if none is running.
func StopSyncDaemon(r SyncRole) Change { return Change{kind: stopDaemon, daemon: SyncDaemon{Role: r}} }

// Op returns the operation, such as [OpAddService]; "" for the zero Change.
func (ch Change) Op() Op { return changeKinds[ch.kind].op }

// ServiceID returns the service that is changed, or whose real servers or counters
// are; the zero value if the change is not to one service.
func (ch Change) ServiceID() ServiceID { return ch.service.ID }

// Service returns the service that is added, updated or put, and whether the change
// has one.
func (ch Change) Service() (Service, bool) {
	switch ch.kind {
	case addService, updateService, putService:
		return ch.service, true
	}
	return Service{}, false
}

// RealServer returns the real server that is added, updated or put, and whether the
// change has one.
func (ch Change) RealServer() (RealServer, bool) {
	switch ch.kind {
	case addServer, updateServer, putServer:
		return ch.server, true
	}
	return RealServer{}, false
}

// RealServerAddr returns the address of the real server that is added, updated, put
// or removed; the zero value if the change is not to a real server.
func (ch Change) RealServerAddr() netip.AddrPort { return ch.server.Addr }

// Timeouts returns the timeouts that are set, and whether the change has some.
func (ch Change) Timeouts() (Timeouts, bool) { return ch.timeouts, ch.kind == setTimeouts }

// SyncDaemon returns the sync daemon that is started, and whether the change has one.
func (ch Change) SyncDaemon() (SyncDaemon, bool) {
	if ch.kind != startDaemon {
		return SyncDaemon{}, false
	}
	return ch.daemon, true
}

// SyncRole returns the role of the sync daemon that is started or stopped; 0 if the
// change is not to one.
func (ch Change) SyncRole() SyncRole { return ch.daemon.Role }

// Equal reports whether both changes do the same.
func (ch Change) Equal(other Change) bool {
	return ch.kind == other.kind && ch.service.Equal(other.service) && ch.server.Equal(other.server) &&
		ch.daemon == other.daemon && ch.timeouts == other.timeouts
}

// String returns the change as a line of a diff, such as
// "+ tcp://10.168.0.91:80 -> 10.168.0.94:80 dr weight 1".
func (ch Change) String() string {
	sign := changeKinds[ch.kind].sign
	switch ch.kind {
	case addService, updateService, putService:
		return sign + " " + ch.service.String()
	case addServer, updateServer, putServer:
		return sign + " " + ch.service.ID.String() + " -> " + ch.server.String()
	case startDaemon:
		return sign + " " + ch.daemon.String()
	case setTimeouts:
		return sign + " " + ch.timeouts.String()
	}
	if object := ch.object(); object != "" {
		return sign + " " + object
	}
	return sign
}

// object returns what the change is made to.
func (ch Change) object() string {
	switch ch.kind {
	case addService, updateService, putService, removeService, zeroService:
		return ch.service.ID.String()
	case addServer, updateServer, putServer, removeServer:
		return ch.service.ID.String() + " -> " + ch.server.Addr.String()
	case startDaemon, stopDaemon:
		return ch.daemon.Role.String()
	}
	return ""
}

// call describes the change for errors and the log.
func (ch Change) call() call {
	return call{
		op: cmp.Or(ch.Op(), OpDo), object: ch.object(),
		scheduler: ch.service.Scheduler, engine: ch.service.Persistence.Engine,
	}
}

// Validate returns the error with which [Client.Do] would refuse the change before
// it is sent, or nil. The error is an [*Error] that matches [ErrInvalid] and names
// the field. The kernel may refuse a valid change.
func (ch Change) Validate() error {
	if err := ch.validate(); err != nil {
		what := ch.call()
		return err.about(what.op, what.object)
	}
	return nil
}

// validate refuses what can never work. Removing needs only an identity: whatever
// can be listed can be removed.
func (ch Change) validate() *Error {
	switch ch.kind {
	case noChange:
		return invalid("", "the zero Change does nothing")
	case addService, updateService, putService:
		return ch.service.validate(nil)
	case removeService, zeroService:
		return requireID(ch.service.ID)
	case addServer, updateServer, putServer:
		if err := requireID(ch.service.ID); err != nil {
			return err
		}
		return ch.server.validate(ch.service.ID, nil)
	case removeServer:
		if !ch.server.Addr.Addr().IsValid() {
			return invalid("Addr", "needs an address")
		}
		return requireID(ch.service.ID)
	case setTimeouts:
		return ch.timeouts.validate()
	case startDaemon:
		return ch.daemon.validate()
	case stopDaemon:
		return ch.daemon.Role.validate()
	}
	return nil
}

// appendTo appends the request of a change that is not a put.
func (ch *Change) appendTo(b []byte) []byte {
	cmd := changeKinds[ch.kind].command
	key := ch.service.ID.toWire()
	switch ch.kind {
	case addService, updateService:
		s := ch.service.toWire()
		return wire.AppendService(b, cmd, &s)
	case removeService, zeroService:
		return wire.AppendServiceKey(b, cmd, &key)
	case addServer, updateServer:
		d := ch.server.toWire()
		return wire.AppendDest(b, cmd, &key, &d)
	case removeServer:
		d := destKeyToWire(ch.server.Addr)
		return wire.AppendDestKey(b, cmd, &key, &d)
	case setTimeouts:
		c := ch.timeouts.toWire()
		return wire.AppendConfig(b, &c)
	case startDaemon:
		d := ch.daemon.toWire()
		return wire.AppendDaemon(b, cmd, &d)
	case stopDaemon:
		return wire.AppendDaemonState(b, cmd, uint32(ch.daemon.Role))
	}
	return wire.AppendCommand(b, cmd)
}
