package top

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/director"
	"github.com/golvs/lvs/health"
)

// What a director knows of real servers is shown beside them, and in full for the one at
// the cursor.
func TestStatusFile(t *testing.T) {
	w := newWorld(t)
	path := filepath.Join(t.TempDir(), "status.json")
	id, addr := lvs.MustParseServiceID("tcp://192.0.2.10:80"), server("10.1.0.12:80", 0).Addr
	m := w.model(240, 24)
	r := Reader{Host: w.host, StatusFile: path}
	read := func() string {
		t.Helper()
		reading, err := r.Read(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		m.SetReading(reading, nil)
		return screenText(m)
	}
	if got := read(); !strings.Contains(got, "health: ") || !strings.Contains(got, "lvs run writes the file") {
		t.Errorf("without a file:\n%s", got)
	}
	for _, test := range []struct {
		server  health.ServerStatus
		running bool
		age     time.Duration
		want    string
	}{
		{health.ServerStatus{State: health.Down, Since: clock.Add(-90 * time.Second)}, true, 0, "failed for 1m30s"},
		{health.ServerStatus{State: health.Down, Since: clock.Add(-90 * time.Second)}, false, 0, "the director does not run"},
		{health.ServerStatus{State: health.Down, Since: clock.Add(-90 * time.Second)}, true, time.Minute, "lvs run does not write it any more"},
		{health.ServerStatus{Override: &health.Override{Kind: health.Drain, By: "ann", Why: "new disk"}}, true, 0, "drain, ann"},
		{health.ServerStatus{Override: &health.Override{Kind: health.Pin}}, true, 0, "pin, operator"},
		{health.ServerStatus{State: health.Up, Weight: health.Weight{Operator: 1, Reported: 1, Ramp: 0.45}}, true, 0, "slow start, 45 %"},
		{health.ServerStatus{State: health.Up, Weight: health.Weight{Operator: 1, Reported: 0.5, Ramp: 1}}, true, 0, "asks for 50 %"},
		{health.ServerStatus{State: health.Unknown, Weight: health.Weight{Held: "not checked yet"}}, true, 0, "not checked yet"},
	} {
		test.server.Service, test.server.Server = id, addr
		status := director.Status{At: time.Now().Add(-test.age), Running: test.running, Health: health.Status{Services: []health.ServiceStatus{{Service: id, Servers: []health.ServerStatus{test.server}}}}}
		text, err := json.Marshal(status)
		must(t, err)
		must(t, os.WriteFile(path, text, 0o600))
		if got := read(); !strings.Contains(got, test.want) {
			t.Errorf("no %q in\n%s", test.want, got)
		}
	}
	failed := health.ServerStatus{Service: id, Server: addr, State: health.Down, Checks: []health.CheckStatus{{Check: "http /ready", State: health.Down, Last: clock, Streak: 3, Error: "status 500"}}}
	text, err := json.Marshal(director.Status{At: time.Now(), Running: true, Health: health.Status{Services: []health.ServiceStatus{{Service: id, Servers: []health.ServerStatus{failed}}}}})
	must(t, err)
	must(t, os.WriteFile(path, text, 0o600))
	read()
	press(m, "jjj")
	if got := screenText(m); !strings.Contains(got, "status 500") {
		t.Errorf("the cursor is at a server that failed:\n%s", got)
	}
	must(t, os.WriteFile(path, []byte("{}"), 0o600))
	if got := read(); !strings.Contains(got, "health: ") || !strings.Contains(got, "version") {
		t.Errorf("with a broken file:\n%s", got)
	}
}
