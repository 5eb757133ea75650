package main

import (
	"path/filepath"
	"slices"
	"strings"
)

// outputFiles are the flags of a test binary that name a file to be written.
var outputFiles = []string{
	"blockprofile", "coverprofile", "cpuprofile", "memprofile",
	"mutexprofile", "testlogfile", "trace",
}

// outputDirs are the flags of a test binary that name a folder to write to.
var outputDirs = []string{"outputdir", "gocoverdir", "fuzzcachedir"}

// testOutputs returns the folders that a test binary with these arguments is
// asked to write to. dir is the working folder.
func testOutputs(args []string, dir string) []string {
	var out []string
	add := func(name string) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		if name = filepath.Clean(name); !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	outDir := testFlag(args, "outputdir")
	for _, f := range outputFiles {
		v := testFlag(args, f)
		switch {
		case v == "":
		case outDir != "" && !filepath.IsAbs(v):
			add(filepath.Dir(filepath.Join(outDir, v)))
		default:
			add(filepath.Dir(v))
		}
	}
	for _, f := range outputDirs {
		if v := testFlag(args, f); v != "" {
			add(v)
		}
	}
	// A fuzzing run keeps the inputs that failed in the package's folder.
	if testFlag(args, "fuzz") != "" {
		add(dir)
	}
	return out
}

// testFlag returns the value of -test.NAME in args: the last one counts, as
// it does for the binary.
func testFlag(args []string, name string) string {
	value := ""
	for i, a := range args {
		if a == "--" {
			break
		}
		a = strings.TrimPrefix(a, "-")
		rest, ok := strings.CutPrefix(a, "-test."+name)
		if !ok {
			rest, ok = strings.CutPrefix(a, "test."+name)
		}
		switch {
		case !ok:
		case strings.HasPrefix(rest, "="):
			value = rest[1:]
		case rest == "" && i+1 < len(args):
			value = args[i+1]
		}
	}
	return value
}

// outermost drops the folders that lie inside another of the list.
func outermost(dirs []string) []string {
	sorted := slices.Compact(slices.Sorted(slices.Values(dirs)))
	var out []string
	for _, d := range sorted {
		inside := slices.ContainsFunc(out, func(o string) bool {
			return o == "/" || d == o || strings.HasPrefix(d, o+"/")
		})
		if !inside {
			out = append(out, d)
		}
	}
	return out
}
