package top

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// The drains of a state file are shown with the time that is left to them.
func TestStateFile(t *testing.T) {
	w := newWorld(t)
	path := filepath.Join(t.TempDir(), "state.json")
	m := w.model(240, 24)
	r := Reader{Host: w.host, StateFile: path}
	read := func() string {
		t.Helper()
		reading, err := r.Read(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		m.SetReading(reading, nil)
		return screenText(m)
	}
	if got := read(); !strings.Contains(got, "drains: ") || !strings.Contains(got, "lvs apply, run and drain write") || !strings.Contains(got, path) || !strings.Contains(got, "tcp://192.0.2.10:80") {
		t.Errorf("without a file:\n%s", got)
	}
	drain := lvs.Drain{
		Service: lvs.MustParseServiceID("tcp://192.0.2.10:80"), RealServer: server("10.1.0.12:80", 0).Addr,
		Began: clock.Add(-time.Minute), Deadline: clock.Add(4*time.Minute + 5*time.Second), Before: []lvs.RealServer{server("10.1.0.12:80", 2)},
	}
	write := func(drains ...lvs.Drain) {
		t.Helper()
		_ = os.Remove(path) // a broken file is not replaced
		must(t, lvs.TableState{Drains: drains}.WriteFile(path))
	}
	for _, test := range []struct {
		change func()
		want   string
	}{
		{func() {}, "draining: weight 0, 30 connections left; removed in 4m05s at the latest; drained since"},
		{func() { m.Width = 80 }, "30 left, 4m05s"},
		{func() { m.Now = m.Now.Add(time.Minute) }, "30 left, 3m05s"},
		{func() { m.Now = m.Now.Add(time.Hour) }, "30 left, overdue"},
		{func() { m.Width = 240 }, "should have been removed 56m55s ago, but no program goes on with the drain"},
		{func() { m.Now = clock }, "removed in 4m05s"},
		{func() { write() }, "draining: weight 0, 30 connections left\n"},
		{func() { must(t, os.WriteFile(path, []byte("{\n  \"version\": 9}"), 0o666)) }, "drains: "},
		{func() { write(drain) }, "removed in 4m05s"},
	} {
		if _, err := os.Stat(path); err != nil {
			write(drain)
		}
		test.change()
		if got := read(); !strings.Contains(got, test.want) {
			t.Errorf("no %q in\n%s", test.want, got)
		}
	}
	press(m, "jjj")
	if press(m, "u"); !strings.Contains(m.Notice, "lvs undrain takes that back") {
		t.Errorf("%q", m.Notice)
	}
}

// A file that is as it was is not read again.
func TestStateFileUnchanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	must(t, lvs.TableState{}.WriteFile(path))
	var f stateFile
	if _, err := f.read(path); err != nil {
		t.Fatal(err)
	}
	f.drains = make([]lvs.Drain, 3) // that no file has
	if drains, err := f.read(path); err != nil || len(drains) != 3 {
		t.Errorf("read again: %v, %v", drains, err)
	}
	must(t, os.Remove(path))
	if drains, err := f.read(path); err == nil || len(drains) != 0 {
		t.Errorf("removed: %v, %v", drains, err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
