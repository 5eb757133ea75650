package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/director"
)

// The status is written while run goes on. What keeps it from being written does not end
// the director, and is reported once.
func TestRunStatus(t *testing.T) {
	table := file(t, "table.yaml", runTable)
	folder := filepath.Join(t.TempDir(), "run")
	path := filepath.Join(folder, "status.json")
	synctest.Test(t, func(t *testing.T) {
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		read := func() (s director.Status) {
			t.Helper()
			text, err := os.ReadFile(path)
			must(err)
			must(s.UnmarshalJSON(text))
			return s
		}
		must(os.Mkdir(folder, 0o700))
		ctx, _ := onSimulator(t, lvs.SimOptions{Clock: time.Now})
		ctx, interrupt := context.WithCancel(ctx)
		defer interrupt()
		ended := make(chan ran)
		go func() { ended <- runWith(ctx, "", "run", table, "-netns", "blue", "-status", path) }()
		time.Sleep(3500 * time.Millisecond) // between two writes
		if s := read(); !s.Running || !s.InSync {
			t.Errorf("%s", s)
		}
		must(os.Rename(folder, folder+".gone"))
		time.Sleep(5 * time.Second)
		must(os.Mkdir(folder, 0o700))
		time.Sleep(2 * time.Second)
		if s := read(); !s.Running || time.Since(s.At) > 2*time.Second {
			t.Errorf("%s", s)
		}
		interrupt()
		got := <-ended
		got.want(t, 0)
		if s := read(); s.Running || !s.InSync {
			t.Errorf("in the end: %s", s)
		}
		if strings.Count(got.errs, "lvs: -status: ") != 1 {
			t.Errorf("errors: %q", got.errs)
		}
	})
}
