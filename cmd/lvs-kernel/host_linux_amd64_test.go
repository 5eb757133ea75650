package main

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestParentInStat(t *testing.T) {
	tests := map[string]int{"12 (sh) S 7 12 12": 7, "12 (a) b (c)) R 9 1": 9}
	for in, want := range tests {
		if got, ok := parentInStat([]byte(in)); !ok || got != want {
			t.Errorf("%q: got %d, %v, want %d", in, got, ok, want)
		}
	}
	for _, in := range []string{"", "1 (x", "1 (x) S", "1 (x) S y"} {
		if got, ok := parentInStat([]byte(in)); ok {
			t.Errorf("%q: got %d", in, got)
		}
	}
	if parents()[os.Getpid()] != os.Getppid() {
		t.Error("the parent of this process was not found")
	}
}

func TestDescendants(t *testing.T) {
	got := descendants(5, map[int]int{5: 1, 6: 5, 8: 7, 7: 6, 9: 1, 1: 0})
	if want := []int{6, 7, 8}; !slices.Equal(slices.Sorted(maps.Keys(got)), want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestExitOf(t *testing.T) {
	for want, err := range map[int]error{
		exitTimeout: errTimeout, 130: signalError{unix.SIGINT}, 143: signalError{unix.SIGTERM}, exitRunner: errors.New("x"),
	} {
		if got := exitOf(err); got != want {
			t.Errorf("%v: got %d, want %d", err, got, want)
		}
	}
}

func TestNeedTools(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := needTools("xz", qemuProgram)
	if err == nil || !strings.Contains(err.Error(), "apt-get install --no-install-recommends xz-utils qemu-system-x86") {
		t.Errorf("got %v", err)
	}
}

// A runner that waits for the lock of another must not outstay a signal.
func TestStoreLock(t *testing.T) {
	s := &store{dir: t.TempDir(), stderr: &tail{}}
	name := filepath.Join(s.dir, "x.lock")
	unlock, err := s.lock(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), 50*time.Millisecond, errTimeout)
	defer cancel()
	if _, err := s.lock(ctx, name); !errors.Is(err, errTimeout) {
		t.Errorf("got %v, want the context's cause", err)
	}
	unlock()
	unlock, err = s.lock(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestStoreRead(t *testing.T) {
	s := &store{dir: t.TempDir()}
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(s.dir, "6.1.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(s.dir, "6.1", "1-2")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	record := `{"Kernel":"6.1","Format":1,"Release":"6.1.9","Dir":"` + dir + `"}`
	for _, text := range []string{"", "x", `{"Format":0}`, record} {
		write(text)
		if got, ok := s.read("6.1"); ok {
			t.Errorf("%q was accepted: %+v", text, got)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, inUseFile), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, ok := s.read("6.1"); !ok || got.Release != "6.1.9" {
		t.Errorf("got %+v, %v", got, ok)
	}
	moved := &store{dir: t.TempDir()}
	if err := os.Rename(filepath.Join(s.dir, "6.1.json"), filepath.Join(moved.dir, "6.1.json")); err != nil {
		t.Fatal(err)
	}
	if got, ok := moved.read("6.1"); ok {
		t.Errorf("a cache that was moved was accepted: %+v", got)
	}
}

func TestWritable(t *testing.T) {
	dir := t.TempDir()
	o := options{command: []string{"x.test", "-test.testlogfile=" + dir + "/log", "-test.outputdir=" + dir + "/nosuch"}}
	got, err := writable(o, dir)
	if err != nil || !slices.Equal(got, []string{dir}) {
		t.Errorf("got %q and the error %v, want %q", got, err, dir)
	}
	for _, d := range []string{dir + "/nosuch", os.Args[0]} {
		o.write = []string{d}
		if _, err := writable(o, dir); err == nil {
			t.Errorf("-write %s was accepted", d)
		}
	}
}

// The guard must leave alone what a finished runner has cleaned up, and clean
// up after one that was killed.
func TestGuard(t *testing.T) {
	dir := filepath.Join(t.TempDir(), runPrefix+"1")
	for _, tt := range []struct {
		in   string
		left bool
	}{{"done\n", true}, {"junk\n", false}} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		guardMain(dir, strings.NewReader(tt.in))
		if _, err := os.Stat(dir); (err == nil) != tt.left {
			t.Errorf("%q: the folder is left: %v, want %v", tt.in, err == nil, tt.left)
		}
	}
	other := t.TempDir()
	guardMain(other, strings.NewReader(""))
	if _, err := os.Stat(other); err != nil {
		t.Errorf("a folder of another kind was removed: %v", err)
	}
}

func TestModuleFileNames(t *testing.T) {
	x := &moduleIndex{dir: "/m"}
	if got := x.file("/abs/x.ko"); got != "/abs/x.ko" {
		t.Errorf("got %q", got)
	}
}
