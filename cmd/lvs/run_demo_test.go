package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const checkedTable = `{"version": 1, "services": [{
	"id": "tcp://10.168.0.91:80", "scheduler": "wlc",
	"realServers": [{"addr": "10.168.0.94:80", "weight": 4}, {"addr": "10.168.0.96:80", "weight": 6}],
	"health": {"checks": [{"probe": {"http": {"path": "/ready"}}, "path": "PATH", "interval": "100ms"}]}
}]}`

// The checks of a demo reach simulated real servers, by both paths. Nothing leaves the
// process.
func TestRunDemoChecks(t *testing.T) {
	for _, path := range []string{"direct", "ipvs"} {
		t.Run(path, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "table.json")
			if err := os.WriteFile(file, []byte(strings.ReplaceAll(checkedTable, "PATH", path)), 0o600); err != nil {
				t.Fatal(err)
			}
			var r ran
			synctest.Test(t, func(t *testing.T) {
				ctx, interrupt := context.WithTimeout(t.Context(), 3*time.Second)
				defer interrupt()
				r = runWith(ctx, "", "run", "-demo", file)
			})
			for _, want := range []string{"10.168.0.94:80 is up", "10.168.0.96:80 is up", "10.168.0.94:80 up for", "http /ready"} {
				if !strings.Contains(r.out, want) {
					t.Errorf("no %q in\n%s%s", want, r.out, r.errs)
				}
			}
			if strings.Contains(r.out, "is down") {
				t.Errorf("a server failed:\n%s", r.out)
			}
		})
	}
}

// The live view of a demo shows real servers that fail, come back, start slowly, and are
// taken out.
func TestTopDemoHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := runWith(t.Context(), "", "top", "-demo", "-b", "-n", "90")
		got.want(t, 0, "failed for", "1 failed", "slow start, ", "drain, ann")
	})
}
