package ipvsadm

import (
	"cmp"
	"errors"
	"math/bits"
	"strings"

	"github.com/golvs/lvs"
)

// command is what an option of ipvsadm does that must come first.
type command struct {
	needs, may optionSet                           // of the options behind it
	words      int                                 // without a dash, behind it
	name       string                              // ipvsadm's, for messages
	kind       CommandKind                         // 0 for those that change something
	op         lvs.Op                              // 0 for those that do not
	build      func(*request) (lvs.Change, *Error) // nil if the command changes nothing
	check      func(*request) *Error               // nil if its options fit each other
}

const (
	serviceOptions = kindScheduler | kindPersistent | kindMask | kindEngine | kindOnePacket | kindSchedulerFlags
	tunnelOptions  = kindTunnel | kindTunnelPort | kindNoChecksum | kindChecksum | kindRemoteChecksum
	serverOptions  = kindMode | kindWeight | kindUpper | kindLower | tunnelOptions
	daemonOptions  = kindSyncID | kindInterface | kindMaxLen | kindGroup | kindPort | kindTTL
	countOptions   = kindStats | kindRates | kindThresholds
	listOptions    = kindService | kindNumeric | kindConns | kindTimeouts | kindDaemons | countOptions |
		kindPersistentConns | kindTunnelInfo | kindNoSort | kindExact
)

var (
	addService = command{name: "add-service", op: lvs.OpAddService, needs: kindService, may: serviceOptions, build: func(r *request) (lvs.Change, *Error) {
		s, err := r.finishService()
		return lvs.AddService(s), err
	}}
	editService = command{name: "edit-service", op: lvs.OpUpdateService, needs: kindService, may: serviceOptions, build: func(r *request) (lvs.Change, *Error) {
		s, err := r.finishService()
		return lvs.UpdateService(s), err
	}}
	deleteService = command{name: "delete-service", op: lvs.OpRemoveService, needs: kindService, build: func(r *request) (lvs.Change, *Error) {
		return lvs.RemoveService(r.service.ID), nil
	}}
	addServer = command{name: "add-server", op: lvs.OpAddRealServer, needs: kindService | kindServer, may: serverOptions, build: func(r *request) (lvs.Change, *Error) {
		s, err := r.finishServer()
		return lvs.AddRealServer(r.service.ID, s), err
	}}
	editServer = command{name: "edit-server", op: lvs.OpUpdateRealServer, needs: kindService | kindServer, may: serverOptions, build: func(r *request) (lvs.Change, *Error) {
		s, err := r.finishServer()
		return lvs.UpdateRealServer(r.service.ID, s), err
	}}
	deleteServer = command{name: "delete-server", op: lvs.OpRemoveRealServer, needs: kindService | kindServer, build: func(r *request) (lvs.Change, *Error) {
		return lvs.RemoveRealServer(r.service.ID, r.server.Addr), nil
	}}
	clearTable = command{name: "flush", op: lvs.OpFlush, build: func(*request) (lvs.Change, *Error) { return lvs.Flush(), nil }}

	zeroCounters = command{name: "zero", op: lvs.OpZeroCounters, may: kindService, build: func(r *request) (lvs.Change, *Error) {
		if r.has(kindService) {
			return lvs.ZeroCounters(r.service.ID), nil
		}
		return lvs.ZeroAllCounters(), nil
	}}
	setTimeouts = command{name: "set", op: lvs.OpSetTimeouts, words: 3, build: (*request).finishTimeouts}
	startDaemon = command{name: "start-daemon", op: lvs.OpStartSyncDaemon, may: daemonOptions, build: func(r *request) (lvs.Change, *Error) {
		return lvs.StartSyncDaemon(r.daemon), nil
	}}
	stopDaemon = command{name: "stop-daemon", op: lvs.OpStopSyncDaemon, may: kindSyncID, build: func(r *request) (lvs.Change, *Error) {
		return lvs.StopSyncDaemon(r.daemon.Role), nil
	}}
	list = command{name: "list", kind: CommandList, may: listOptions, check: (*request).listable}
	save = command{name: "save", kind: CommandSave, may: kindNumeric | kindFull}

	// These three end a restore.
	restore = command{name: "restore", kind: CommandRestore}
	help    = command{name: "help", kind: CommandHelp}
	version = command{name: "version", kind: CommandVersion}
)

// parse reads a command, for which it uses r. The second result is whether it changes
// something.
func (r *request) parse(words []word) (lvs.Change, bool, *Error) {
	var nothing lvs.Change
	*r = newRequest(words, r.Parser, r.inFile)
	first, ok, err := r.next()
	switch {
	case err != nil:
		return nothing, false, err.notCommand()
	case !ok:
		return nothing, false, noCommand(words[0])
	case first.command == nil && len(r.rest) > 0:
		return nothing, false, noCommand(r.rest[0])
	case first.command == nil:
		return nothing, false, errorf("a command such as -A or -a must come first").at(first.as, first.column).notCommand()
	case r.inFile && first.command.endsRestore():
		return nothing, false, errorf("changes nothing, and ends a restore").or("remove the line").at(first.as, first.column)
	}
	r.command = first.command
	if r.command == &help || r.command == &version {
		return nothing, false, nil // whatever follows
	}
	if err := r.read(first); err != nil {
		return nothing, false, err
	}
	if first.command.build == nil {
		return nothing, false, nil
	}
	ch, err := first.command.build(r)
	if err != nil {
		return nothing, false, err.at(first.as, first.column)
	}
	if bad := ch.Validate(); bad != nil {
		return nothing, false, r.refused(bad).at(first.as, first.column)
	}
	return ch, true, nil
}

// kindOf has the kinds of the options that say what a field is.
var kindOf = map[string]optionSet{
	"ID": kindService, "Scheduler": kindScheduler, "OnePacket": kindOnePacket, "Persistence.Engine": kindEngine,
	"Addr": kindServer, "Mode": kindMode, "LowerThreshold": kindLower, "Interface": kindInterface,
}

// refused returns the error with which package lvs refuses a change, and where what it
// refuses was given.
func (r *request) refused(err error) *Error {
	e := refused(err)
	var bad *lvs.Error
	if errors.As(err, &bad) {
		e.Column = r.column(kindOf[bad.Field])
		switch bad.Field {
		case "Scheduler":
			unknownModule(e)
		case "OnePacket":
			e.says("One-Packet Scheduling is only for UDP virtual services")
		case "LowerThreshold":
			e.aborts("Numerical result out of range")
		case "Addr":
			e.aborts("Invalid operation.  Possibly wrong module version, address not unicast, ...")
			if r.command == &editServer {
				e.aborts("No such destination")
			}
		}
	}
	return e
}

func noCommand(w word) *Error {
	return errorf("%s is not a command", quote(w.text)).or("a command begins with a dash, such as -A").at("", w.column).notCommand()
}

// read reads the options of a command, and checks that it may have them.
func (r *request) read(first given) *Error {
	if first.set != nil {
		if err := first.set(r, first.value); err != nil {
			return err.says("%s", badValue(r, first)).at(first.as, first.valueAt)
		}
	}
	for {
		g, ok, err := r.next()
		if err != nil {
			return err
		}
		if !ok {
			return r.complete(first)
		}
		if err := r.add(first, g); err != nil {
			return err.at(g.as, g.column)
		}
	}
}

// add adds an option to the request.
func (r *request) add(first, g given) *Error {
	switch {
	case g.command != nil:
		return errorf("a line has one command, and this one has %s", first.as).says("invalid option `%s'", r.taken)
	case r.has(g.kind):
		return repeated(g.kind).says("multiple '%s' options specified", kindName(g.kind))
	case g.kind&^(first.command.needs|first.command.may) != 0 && r.illegal == nil:
		r.illegal = errorf("%s does not have this option", first.as).at(g.as, g.column)
	}
	if r.kinds |= g.kind; g.kind != 0 {
		r.columns[bits.TrailingZeros64(uint64(g.kind))] = cmp.Or(g.valueAt, g.column)
	}
	if g.set != nil {
		if err := g.set(r, g.value); err != nil {
			return err.says("%s", badValue(r, g)).at(g.as, g.valueAt)
		}
	}
	return nil
}

// repeated is the error of an option when another one of its kind was given.
func repeated(kind optionSet) *Error {
	if names := optionNames(kind); len(names) > 1 {
		return errorf("only one of %s can be given", strings.Join(names, ", "))
	}
	return errorf("is given twice")
}
