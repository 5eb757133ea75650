package conformance

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/golvs/lvs"
)

// callOf maps operations to the methods of Client that make them.
var callOf = map[lvs.Op]string{
	lvs.OpAddService: "AddService", lvs.OpUpdateService: "UpdateService", lvs.OpRemoveService: "RemoveService",
	lvs.OpAddRealServer: "AddRealServer", lvs.OpUpdateRealServer: "UpdateRealServer", lvs.OpRemoveRealServer: "RemoveRealServer",
	lvs.OpZeroCounters: "ZeroCounters", lvs.OpZeroAllCounters: "ZeroAllCounters", lvs.OpFlush: "Flush", lvs.OpSetTimeouts: "SetTimeouts",
	lvs.OpStartSyncDaemon: "StartSyncDaemon", lvs.OpStopSyncDaemon: "StopSyncDaemon",
	lvs.OpListServices: "Services", lvs.OpGetService: "Service", lvs.OpListRealServers: "RealServers",
	lvs.OpListSyncDaemons: "SyncDaemons", lvs.OpGetTimeouts: "Timeouts", lvs.OpGetInfo: "Info",
}

// composed are the methods of Client that consist of others.
var composed = []string{
	"Do", "PutService", "PutRealServer", "ModifyService", "ModifyRealServer", "SetWeight", "RealServer", "Snapshot", "PlanTable", "ApplyTable",
	"Drain", "DrainService", "BeginDrain", "BeginServiceDrain", "ContinueDrains", "AwaitDrains", "TakeBackDrain",
}

// The error of every call names the errno, and matches one kind, for every errno.
func TestEveryErrnoOfEveryCall(t *testing.T) {
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	must(t, err)
	c := sim.Client()
	defer c.Close()
	called := slices.Collect(maps.Values(callOf))
	for method := range clientMethods {
		if !slices.Contains(composed, method) && !slices.Contains(called, method) {
			t.Errorf("%s is not called here", method)
		}
	}
	for op, method := range callOf {
		for errno := lvs.Errno(1); errno <= 133; errno++ {
			if errno == lvs.EINTR {
				continue // netlink does not answer
			}
			must(t, sim.Inject(lvs.SimFault{Op: op, Errno: errno}))
			err := clientMethods[method](t.Context(), c)
			var e *lvs.Error
			if !errors.As(err, &e) || e.Op != op || e.Errno != errno || !errors.Is(err, errno) || !slices.Contains(kinds, e.Kind()) {
				t.Fatalf("%s, %v: %v", op, errno, err)
			}
			ofKind(t, string(op), err, e.Kind())
			if said := fmt.Sprint(err); strings.Contains(said, "(errno ") && errno != 41 && errno != 58 || !strings.Contains(said, errno.Error()) {
				t.Errorf("%s, %v: %s", op, errno, said)
			}
		}
	}
}
