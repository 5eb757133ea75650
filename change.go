package lvs

import (
	"cmp"
	"net/netip"

	"github.com/golvs/lvs/internal/wire"
)

// Change is a change to the kernel's table. A function such as [AddService] returns
// one; nothing happens until [Client.Do] makes it. Changes can be inspected, printed,
// written as JSON and compared with [Change.Equal]. They are small and immutable, so
// copying them is cheap. The zero value does nothing and is refused.
type Change struct {
	_    [0]func()   // == would compare pointers, so there is none
	data *changeData // nil in the zero value
}

// changeData is what a change does. It is never modified once a Change has it.
type changeData struct {
	kind    changeKind
	service Service // of a change to a real server, the ID alone
	server  RealServer
	rare    *rareChange // of changes to neither
}

type rareChange struct {
	daemon   SyncDaemon
	timeouts Timeouts
}

var (
	noChangeData = changeData{rare: &noRareChange}
	noRareChange rareChange
)

// get returns what a change does.
func (ch Change) get() *changeData {
	if ch.data == nil {
		return &noChangeData
	}
	return ch.data
}

func serviceChange(kind changeKind, s Service) Change {
	return Change{data: &changeData{kind: kind, service: s, rare: &noRareChange}}
}

func serverChange(kind changeKind, id ServiceID, s RealServer) Change {
	return Change{data: &changeData{kind: kind, service: Service{ID: id}, server: s, rare: &noRareChange}}
}

func otherChange(kind changeKind, o rareChange) Change {
	return Change{data: &changeData{kind: kind, rare: &o}}
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
func AddService(s Service) Change { return serviceChange(addService, s) }

// UpdateService returns the change that replaces everything of a service but its ID,
// its real servers and its counters: a field that s leaves zero is zero afterwards,
// and an empty scheduler is [WLC]. It fails with [ErrNoService] if the service does
// not exist, and with [ErrScheduler] or [ErrEngine] as [AddService] does.
//
// While the kernel exchanges one scheduler for another, the service has none, and new
// connections are refused. That lasts until all CPUs have let go of the old one, mostly
// some milliseconds.
func UpdateService(s Service) Change { return serviceChange(updateService, s) }

// PutService returns the change that adds a service, or updates it if it exists: see
// [AddService] and [UpdateService]. The kernel is sent both commands, one after the
// other. If another program removes the service between the two, the change fails
// with [ErrNoService]; the method [Client.PutService] then tries again.
func PutService(s Service) Change { return serviceChange(putService, s) }

// RemoveService returns the change that removes a service with its real servers. The
// kernel remembers their connections, but drops their packets. It fails with
// [ErrNoService] if the service does not exist.
func RemoveService(id ServiceID) Change {
	return serviceChange(removeService, Service{ID: id})
}

// AddRealServer returns the change that adds a real server to a service. It fails
// with [ErrExists] if the service has the real server, and with [ErrNoService] if
// the service does not exist.
func AddRealServer(id ServiceID, s RealServer) Change {
	return serverChange(addServer, id, s)
}

// UpdateRealServer returns the change that replaces everything of a real server but
// its address, its counters, and the mode of its existing connections. It fails with
// [ErrNoRealServer] or [ErrNoService].
func UpdateRealServer(id ServiceID, s RealServer) Change {
	return serverChange(updateServer, id, s)
}

// PutRealServer returns the change that adds a real server to a service, or updates
// it if the service has it: see [AddRealServer] and [UpdateRealServer]. It fails with
// [ErrNoService] if the service does not exist. If another program removes the real
// server between the two commands that the kernel is sent, the change fails with
// [ErrNoRealServer]; the method [Client.PutRealServer] then tries again.
func PutRealServer(id ServiceID, s RealServer) Change {
	return serverChange(putServer, id, s)
}

// RemoveRealServer returns the change that removes a real server from a service.
// Packets of its connections are dropped, or scheduled again while
// net.ipv4.vs.expire_nodest_conn is 1. To let them end first, set the real server's
// weight to 0. It fails with [ErrNoRealServer] or [ErrNoService].
func RemoveRealServer(id ServiceID, addr netip.AddrPort) Change {
	return serverChange(removeServer, id, RealServer{Addr: addr})
}

// ZeroCounters returns the change that sets the counters of a service and of its
// real servers to 0; see [Stats]. It fails with [ErrNoService] if the service does
// not exist.
func ZeroCounters(id ServiceID) Change { return serviceChange(zeroService, Service{ID: id}) }

// ZeroAllCounters returns the change that sets all counters of the network namespace
// to 0.
func ZeroAllCounters() Change { return otherChange(zeroAll, rareChange{}) }

// Flush returns the change that removes all services of the network namespace,
// including those of other programs. Nothing happens until [Client.Do] makes it.
func Flush() Change { return otherChange(flush, rareChange{}) }

// SetTimeouts returns the change that sets the timeouts that are not zero. It fails
// with [ErrInvalid] if one is longer than the kernel can count.
func SetTimeouts(t Timeouts) Change { return otherChange(setTimeouts, rareChange{timeouts: t}) }

// StartSyncDaemon returns the change that starts a sync daemon. It fails with
// [ErrExists] if one with the role is running, and with [ErrInvalid] if the kernel
// cannot use its interface.
func StartSyncDaemon(d SyncDaemon) Change { return otherChange(startDaemon, rareChange{daemon: d}) }

// StopSyncDaemon returns the change that stops the sync daemon with a role. It fails
// with [ErrNotFound] if none is running.
func StopSyncDaemon(r SyncRole) Change {
	return otherChange(stopDaemon, rareChange{daemon: SyncDaemon{Role: r}})
}

// Op returns the operation, such as [OpAddService]; "" for the zero Change.
func (ch Change) Op() Op { return changeKinds[ch.get().kind].op }

// ServiceID returns the service that is changed, or whose real servers or counters
// are; the zero value if the change is not to one service.
func (ch Change) ServiceID() ServiceID { return ch.get().service.ID }

// Service returns the service that is added, updated or put, and whether the change
// has one.
func (ch Change) Service() (Service, bool) {
	d := ch.get()
	switch d.kind {
	case addService, updateService, putService:
		return d.service, true
	}
	return Service{}, false
}

// RealServer returns the real server that is added, updated or put, and whether the
// change has one.
func (ch Change) RealServer() (RealServer, bool) {
	d := ch.get()
	switch d.kind {
	case addServer, updateServer, putServer:
		return d.server, true
	}
	return RealServer{}, false
}

// RealServerAddr returns the address of the real server that is added, updated, put
// or removed; the zero value if the change is not to a real server.
func (ch Change) RealServerAddr() netip.AddrPort { return ch.get().server.Addr }

// Timeouts returns the timeouts that are set, and whether the change has some.
func (ch Change) Timeouts() (Timeouts, bool) {
	d := ch.get()
	return d.rare.timeouts, d.kind == setTimeouts
}

// SyncDaemon returns the sync daemon that is started, and whether the change has one.
func (ch Change) SyncDaemon() (SyncDaemon, bool) {
	d := ch.get()
	if d.kind != startDaemon {
		return SyncDaemon{}, false
	}
	return d.rare.daemon, true
}

// SyncRole returns the role of the sync daemon that is started or stopped; 0 if the
// change is not to one.
func (ch Change) SyncRole() SyncRole { return ch.get().rare.daemon.Role }

// Equal reports whether both changes do the same.
func (ch Change) Equal(other Change) bool {
	a, b := ch.get(), other.get()
	return a == b || a.kind == b.kind && a.service.Equal(b.service) && a.server.Equal(b.server) && *a.rare == *b.rare
}

// String returns the change as a line of a diff, such as
// "+ tcp://10.168.0.91:80 -> 10.168.0.94:80 dr weight 1".
func (ch Change) String() string {
	d := ch.get()
	sign := changeKinds[d.kind].sign
	switch d.kind {
	case addService, updateService, putService:
		return sign + " " + d.service.String()
	case addServer, updateServer, putServer:
		return sign + " " + d.service.ID.String() + " -> " + d.server.String()
	case startDaemon:
		return sign + " " + d.rare.daemon.String()
	case setTimeouts:
		return sign + " " + d.rare.timeouts.String()
	}
	if object := ch.object(); object != "" {
		return sign + " " + object
	}
	return sign
}

// object returns what the change is made to.
func (ch Change) object() string {
	d := ch.get()
	switch d.kind {
	case addService, updateService, putService, removeService, zeroService:
		return d.service.ID.String()
	case addServer, updateServer, putServer, removeServer:
		return d.service.ID.String() + " -> " + d.server.Addr.String()
	case startDaemon, stopDaemon:
		return d.rare.daemon.Role.String()
	}
	return ""
}

// call describes the change for errors and the log.
func (ch Change) call() call {
	d := ch.get()
	return call{
		op: cmp.Or(ch.Op(), OpDo), object: ch.object(),
		scheduler: d.service.Scheduler, engine: d.service.Persistence.Engine,
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
	d := ch.get()
	switch d.kind {
	case noChange:
		return invalid("", "the zero Change does nothing")
	case addService, updateService, putService:
		return d.service.validate(nil)
	case removeService, zeroService:
		return requireID(d.service.ID)
	case addServer, updateServer, putServer:
		if err := requireID(d.service.ID); err != nil {
			return err
		}
		return d.server.validate(d.service.ID, nil)
	case removeServer:
		if !d.server.Addr.Addr().IsValid() {
			return invalid("Addr", "needs an address")
		}
		return requireID(d.service.ID)
	case setTimeouts:
		return d.rare.timeouts.validate()
	case startDaemon:
		return d.rare.daemon.validate()
	case stopDaemon:
		return d.rare.daemon.Role.validate()
	}
	return nil
}

// appendTo appends the request of a change that is not a put.
func (ch Change) appendTo(b []byte) []byte {
	d := ch.get()
	cmd := changeKinds[d.kind].command
	key := d.service.ID.toWire()
	switch d.kind {
	case addService, updateService:
		s := d.service.toWire()
		return wire.AppendService(b, cmd, &s)
	case removeService, zeroService:
		return wire.AppendServiceKey(b, cmd, &key)
	case addServer, updateServer:
		d := d.server.toWire()
		return wire.AppendDest(b, cmd, &key, &d)
	case removeServer:
		d := destKeyToWire(d.server.Addr)
		return wire.AppendDestKey(b, cmd, &key, &d)
	case setTimeouts:
		c := d.rare.timeouts.toWire()
		return wire.AppendConfig(b, &c)
	case startDaemon:
		d := d.rare.daemon.toWire()
		return wire.AppendDaemon(b, cmd, &d)
	case stopDaemon:
		return wire.AppendDaemonState(b, cmd, uint32(d.rare.daemon.Role))
	}
	return wire.AppendCommand(b, cmd)
}
