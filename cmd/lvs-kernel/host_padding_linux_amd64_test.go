package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestNeedsPadding(t *testing.T) {
	const amx, avx512, pkru = 11008, 2688, 2696
	for _, tt := range []struct {
		kernel string
		area   int
		when   string
		want   bool
	}{
		{"6.1", amx, padAuto, true},
		{"6.12", amx, padAuto, true},
		{"6.12", pkru + 8, padAuto, true},
		{"6.12", pkru, padAuto, false},
		{"6.1", avx512, padAuto, false},
		{"6.1", 0, padAuto, false}, // No XSAVE.
		{"6.1", 0, padAlways, true},
		{"6.1", amx, padNever, false},
		{"newest", amx, padAuto, false},
		{"newest", amx, padAlways, false},
		{"qemu-6.1", amx, padAlways, false},
	} {
		k, err := findKernel(tt.kernel)
		if err != nil {
			t.Fatal(err)
		}
		if got := needsPadding(k, tt.area, tt.when); got != tt.want {
			t.Errorf("%s, %d bytes, %s: got %v", tt.kernel, tt.area, tt.when, got)
		}
	}
}

// hostArea returns stateArea's answer, where processes may be traced.
func hostArea(t *testing.T) int {
	t.Helper()
	area, err := stateArea()
	if errors.Is(err, unix.EPERM) {
		t.Skipf("no process can be traced here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return area
}

// The area is what the host's kernel says, and so is whether there is one.
func TestStateArea(t *testing.T) {
	area := hostArea(t)
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	least := 0
	for flag, size := range map[string]int{"xsave": 512 + 64, "avx": 512 + 64 + 256, "amx_tile": 11008} {
		if bytes.Contains(b, []byte(" "+flag+" ")) {
			least = max(least, size)
		}
	}
	if area < least || least == 0 && area != 0 || area%8 != 0 {
		t.Errorf("got %d bytes, want at least %d", area, least)
	}
}

// script puts a program of that name on the PATH.
func script(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func paddingStore(t *testing.T) (s *store, k kernel, got stored) {
	t.Helper()
	hostArea(t)
	k, err := findKernel("6.1")
	if err != nil {
		t.Fatal(err)
	}
	s = &store{dir: t.TempDir(), stderr: &tail{}}
	got = stored{Dir: filepath.Join(s.dir, k.name, "1")}
	if err := os.MkdirAll(filepath.Join(got.Dir, "lib"), 0o755); err != nil {
		t.Fatal(err)
	}
	return s, k, got
}

// Without a compiler and without apt there is one line, which says what is
// missing and what to use instead.
func TestPaddingCannotBeBuilt(t *testing.T) {
	s, k, got := paddingStore(t)
	path := t.TempDir()
	t.Setenv("PATH", path)
	script(t, path, "cc", "exit 1")            // Does not work.
	script(t, path, "gcc", `echo x >"$6"`)     // Makes what is not a shared object.
	script(t, path, "clang", "echo a; exit 0") // Makes nothing.
	_, err := s.pad(context.Background(), k, got, padAlways)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"6.1 cannot run here", "no C compiler", "lacks apt-get", "use newest or qemu-6.1 instead"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want %q in it", err, want)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("got more than one line: %q", err)
	}
	if left, _ := filepath.Glob(filepath.Join(s.dir, "6.1", "*")); len(left) != 1 {
		t.Errorf("left behind: %q", left)
	}
	if padded, err := s.pad(context.Background(), k, got, padNever); padded || err != nil {
		t.Errorf("never: got %v and the error %v", padded, err)
	}
}

// The padding is built once, by the first compiler that does.
func TestPaddingIsBuilt(t *testing.T) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler on this machine")
	}
	s, k, got := paddingStore(t)
	path := t.TempDir()
	script(t, path, "cc", "exit 1")
	script(t, path, "gcc", "PATH=/usr/bin:/bin exec "+cc+` "$@"`)
	t.Setenv("PATH", path)
	for _, path := range []string{path, t.TempDir()} {
		t.Setenv("PATH", path)
		if padded, err := s.pad(context.Background(), k, got, padAlways); !padded || err != nil {
			t.Fatalf("got %v and the error %v", padded, err)
		}
	}
	file := filepath.Join(got.Dir, "lib", paddingFile)
	if err := checkPadding(file); err != nil {
		t.Error(err)
	}
	got.padded = true
	if p := preloads(options{preload: []string{"/x.so"}}, got); p != paddingFile+" /x.so" {
		t.Errorf("preloads %q", p)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := checkPadding(self); err == nil {
		t.Error("a program was accepted as the padding")
	}
}

var amxKernels = flag.String("amx.kernels", "", "run `NAMES` of kernels as on a processor with AMX")

// TestAMX runs kernels whose host accepts no less processor state than it would
// with AMX: a shared object, after the padding or without it, refuses less.
func TestAMX(t *testing.T) {
	if *amxKernels == "" {
		t.Skip("no kernel is named by -amx.kernels")
	}
	dir := t.TempDir()
	runner := filepath.Join(dir, "lvs-kernel")
	build := exec.Command("go", "build", "-o", runner, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name := range strings.SplitSeq(*amxKernels, ",") {
		t.Run(name, func(t *testing.T) { testAMX(t, runner, name) })
	}
}

func testAMX(t *testing.T, runner, name string) {
	k, err := findKernel(name)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := &store{dir: dir, stderr: &tail{}}
	tcc, err := s.fetchCompiler(t.Context(), k, dir)
	if err != nil {
		t.Fatal(err)
	}
	amx, fetched := filepath.Join(dir, "amx.so"), filepath.Join(dir, "padding.so")
	for source, file := range map[string]string{"testdata/amx.c": amx, "preload/xstate.c": fetched} {
		if err := compile(t.Context(), tcc, source, file); err != nil {
			t.Fatal(err)
		}
	}
	run := func(flags ...string) (status int, out, errs string) {
		var stdout, stderr bytes.Buffer
		cmd := exec.CommandContext(t.Context(), runner, append(flags, name, "--", "uname", "-s")...)
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
	}
	// The first run may have to download the kernel, and says so.
	if status, out, errs := run("-pad", padAuto); status != 0 || out != "Linux\n" {
		t.Errorf("this processor's area: status %d, output %q, errors %q", status, out, errs)
	}
	status, out, errs := run("-pad", padNever, "-preload", amx)
	if status != exitRunner || out != "" || !strings.Contains(errs, meanings[0].meaning) || strings.Count(errs, "\n") != 1 {
		t.Errorf("without padding: status %d, output %q, errors %q", status, out, errs)
	}
	for what, flags := range map[string][]string{
		"padding":        {"-pad", padAlways, "-preload", amx},
		"padding by tcc": {"-pad", padNever, "-preload", fetched + "," + amx},
	} {
		if status, out, errs := run(flags...); status != 0 || out != "Linux\n" {
			t.Errorf("%s: status %d, output %q, errors %q", what, status, out, errs)
		}
	}
}
