package ipvsadm

import (
	"errors"

	"github.com/golvs/lvs"
)

// Commands returns the changes as commands of ipvsadm, one a line, for a shell:
//
//	ipvsadm -A -t 10.168.0.91:80 -s rr
//
// The error lists the changes that ipvsadm cannot make, each with an [*Error] that
// matches [lvs.ErrInvalid]; then the text is empty. Among them are those that add or
// update, because ipvsadm has no command that does either.
func Commands(changes ...lvs.Change) (string, error) {
	var t text
	var bad []error
	for _, ch := range changes {
		t.WriteString("ipvsadm ")
		if err := t.change(ch); err != nil {
			bad = append(bad, err.at(ch.String(), 0))
		}
	}
	if bad != nil {
		return "", errors.Join(bad...)
	}
	return t.String(), nil
}

// commandOf has the command that makes a change, if it has options of its own.
var commandOf = map[lvs.Op]string{
	lvs.OpAddService:       "-A",
	lvs.OpUpdateService:    "-E",
	lvs.OpRemoveService:    "-D",
	lvs.OpZeroCounters:     "-Z",
	lvs.OpAddRealServer:    "-a",
	lvs.OpUpdateRealServer: "-e",
	lvs.OpRemoveRealServer: "-d",
}

// change writes the command that makes a change.
func (t *text) change(ch lvs.Change) *Error {
	if err := ch.Validate(); err != nil {
		return refused(err)
	}
	switch command := commandOf[ch.Op()]; ch.Op() {
	case lvs.OpAddService, lvs.OpUpdateService:
		s, _ := ch.Service()
		return t.service(command, s)
	case lvs.OpAddRealServer, lvs.OpUpdateRealServer:
		s, _ := ch.RealServer()
		return t.server(command, ch.ServiceID(), s)
	case lvs.OpRemoveService, lvs.OpZeroCounters:
		return t.line(command, t.id(ch.ServiceID()))
	case lvs.OpRemoveRealServer:
		return t.line(command, t.id(ch.ServiceID()), "-r", addrPortText(serverKey(ch.RealServerAddr())))
	case lvs.OpZeroAllCounters:
		return t.line("-Z")
	case lvs.OpFlush:
		return t.line("-C")
	case lvs.OpSetTimeouts:
		timeouts, _ := ch.Timeouts()
		return t.timeouts(timeouts)
	case lvs.OpStartSyncDaemon:
		d, _ := ch.SyncDaemon()
		return t.daemon(d)
	case lvs.OpStopSyncDaemon:
		return t.line("--stop-daemon", ch.SyncRole().String())
	}
	return errorf("ipvsadm has no command that adds or updates").or("use a change that does one of these")
}
