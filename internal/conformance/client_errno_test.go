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

// callOf is a method that makes a call of the kernel by that name.
var callOf = map[string]string{
	"add service": "AddService", "update service": "UpdateService", "remove service": "RemoveService",
	"add real server": "AddRealServer", "update real server": "UpdateRealServer", "remove real server": "RemoveRealServer",
	"zero counters of": "ZeroCounters", "zero all counters": "ZeroAllCounters", "flush": "Flush", "set timeouts": "SetTimeouts",
	"start sync daemon": "StartSyncDaemon", "stop sync daemon": "StopSyncDaemon",
	"list services": "Services", "get service": "Service", "list real servers of": "RealServers",
	"list daemons": "SyncDaemons", "get timeouts": "Timeouts", "get info": "Info",
}

// Every call says of every errno its name and what kind it is.
func TestEveryErrnoOfEveryCall(t *testing.T) {
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	must(t, err)
	c := sim.Client()
	defer c.Close()
	called := slices.Collect(maps.Values(callOf))
	for method := range clientMethods {
		made := method == "Do" || method == "Snapshot" || method == "SetWeight" || strings.HasPrefix(method, "Modify") || method == "RealServer"
		if !made && !slices.Contains(called, method) {
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
			var of []error
			for _, kind := range kinds {
				if errors.Is(err, kind) {
					of = append(of, kind)
				}
			}
			if len(of) != 1 {
				t.Errorf("%s, %v: %v is of the kinds %v", op, errno, err, of)
			}
			if said := fmt.Sprint(err); strings.Contains(said, "(errno ") && errno != 41 && errno != 58 || !strings.Contains(said, errno.Error()) {
				t.Errorf("%s, %v: %s", op, errno, said)
			}
		}
	}
}
