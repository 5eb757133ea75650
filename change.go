package lvs

import (
	"net/netip"

	"github.com/golvs/lvs/internal/wire"
)

// Change is something to be done to the kernel's table. Make it with one of
// the functions below and give it to [Client.Do]. The zero value does nothing
// and is refused.
type Change struct {
	kind     changeKind
	service  Service // of a change to a server, the identity alone
	server   RealServer
	daemon   SyncDaemon
	timeouts Timeouts
}

type changeKind uint8

const (
	noChange changeKind = iota
	addService
	updateService
	removeService
	addServer
	updateServer
	removeServer
	zeroService
	zeroAll
	flush
	setTimeouts
	startDaemon
	stopDaemon
)

// changeKinds says how each kind is written: by which command, and in an error
// and a listing.
var changeKinds = [...]struct {
	command wire.Command
	op      string
	sign    string
}{
	noChange:      {0, "make no change", "nothing"},
	addService:    {wire.CmdNewService, "add service", "+"},
	updateService: {wire.CmdSetService, "update service", "~"},
	removeService: {wire.CmdDelService, "remove service", "-"},
	addServer:     {wire.CmdNewDest, "add real server", "+"},
	updateServer:  {wire.CmdSetDest, "update real server", "~"},
	removeServer:  {wire.CmdDelDest, "remove real server", "-"},
	zeroService:   {wire.CmdZero, "zero counters of", "zero"},
	zeroAll:       {wire.CmdZero, "zero all counters", "zero everything"},
	flush:         {wire.CmdFlush, "flush", "flush"},
	setTimeouts:   {wire.CmdSetConfig, "set timeouts", "set timeouts"},
	startDaemon:   {wire.CmdNewDaemon, "start sync daemon", "+ daemon"},
	stopDaemon:    {wire.CmdDelDaemon, "stop sync daemon", "- daemon"},
}

// AddService adds a service without real servers.
func AddService(s Service) Change { return Change{kind: addService, service: s} }

// UpdateService replaces everything of a service but its identity, its real
// servers and its counters: what the value leaves out is gone afterwards.
func UpdateService(s Service) Change { return Change{kind: updateService, service: s} }

// RemoveService removes a service with its real servers. Their connections are
// remembered, but packets of them are dropped.
func RemoveService(id ServiceID) Change {
	return Change{kind: removeService, service: Service{ID: id}}
}

// AddRealServer adds a real server to a service.
func AddRealServer(id ServiceID, s RealServer) Change {
	return Change{kind: addServer, service: Service{ID: id}, server: s}
}

// UpdateRealServer replaces everything of a real server but its address, its
// counters, and the mode of the connections that it has.
func UpdateRealServer(id ServiceID, s RealServer) Change {
	return Change{kind: updateServer, service: Service{ID: id}, server: s}
}

// RemoveRealServer removes a real server from a service. Packets of its connections
// are dropped, or scheduled anew while net.ipv4.vs.expire_nodest_conn is 1. To
// let them end first, set its weight to 0.
func RemoveRealServer(id ServiceID, addr netip.AddrPort) Change {
	return Change{kind: removeServer, service: Service{ID: id}, server: RealServer{Addr: addr}}
}

// ZeroCounters sets the counters of a service and of its real servers to 0; see [Stats].
func ZeroCounters(id ServiceID) Change { return Change{kind: zeroService, service: Service{ID: id}} }

// ZeroAllCounters sets all counters of the network namespace to 0.
func ZeroAllCounters() Change { return Change{kind: zeroAll} }

// Flush removes all services of the network namespace, whoever made them.
func Flush() Change { return Change{kind: flush} }

// SetTimeouts sets the timeouts that are not zero.
func SetTimeouts(t Timeouts) Change { return Change{kind: setTimeouts, timeouts: t} }

// StartSyncDaemon starts a sync daemon.
func StartSyncDaemon(d SyncDaemon) Change { return Change{kind: startDaemon, daemon: d} }

// StopSyncDaemon stops the sync daemon of a role.
func StopSyncDaemon(r SyncRole) Change { return Change{kind: stopDaemon, daemon: SyncDaemon{Role: r}} }

// Equal tells whether both do the same.
func (ch Change) Equal(other Change) bool {
	return ch.kind == other.kind && ch.service.Equal(other.service) && ch.server.Equal(other.server) &&
		ch.daemon == other.daemon && ch.timeouts == other.timeouts
}

// String shows the change as a line of a diff, such as
// "+ tcp://10.168.0.91:80 -> 10.168.0.94:80 dr weight 1".
func (ch Change) String() string {
	sign := changeKinds[ch.kind].sign
	switch ch.kind {
	case addService, updateService:
		return sign + " " + ch.service.String()
	case addServer, updateServer:
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

// object names what the change is made to.
func (ch Change) object() string {
	switch ch.kind {
	case addService, updateService, removeService, zeroService:
		return ch.service.ID.String()
	case addServer, updateServer, removeServer:
		return ch.service.ID.String() + " -> " + ch.server.Addr.String()
	case startDaemon, stopDaemon:
		return ch.daemon.Role.String()
	}
	return ""
}

// call describes the change for errors and the log.
func (ch Change) call() call {
	return call{
		op: changeKinds[ch.kind].op, object: ch.object(), kind: ch.kind,
		scheduler: ch.service.Scheduler, engine: ch.service.Persistence.Engine,
	}
}

// validate refuses what can never work. Removing needs no more than an
// identity: whatever can be listed can be removed.
func (ch Change) validate() *Error {
	switch ch.kind {
	case noChange:
		return invalid("", "the zero Change does nothing")
	case addService:
		return ch.service.validate(nil)
	case updateService:
		return ch.validateUpdate(nil)
	case removeService, zeroService:
		return requireID(ch.service.ID)
	case addServer, updateServer:
		if err := requireID(ch.service.ID); err != nil {
			return err
		}
		return ch.server.validate(ch.service.ID, nil)
	case removeServer:
		if !ch.server.Addr.Addr().IsValid() {
			return invalid("Addr", "is no address")
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

func (ch Change) validateUpdate(was *Service) *Error {
	if ch.service.Scheduler == "" {
		return invalid("Scheduler", "is empty: an update replaces the scheduler, so it must name one")
	}
	return ch.service.validate(was)
}

func requireID(id ServiceID) *Error {
	if !id.IsValid() {
		return invalid("ID", "names no service (a zero value, a VIP that is not valid, or mark 0)")
	}
	return nil
}

// appendTo appends the change's request.
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
