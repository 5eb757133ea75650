package main

import (
	"slices"
	"testing"
)

func TestTestOutputs(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want []string
	}{
		{"no test", []string{"ls", "-l"}, nil},
		{"log", []string{"-test.testlogfile=/w/b001/testlog.txt", "-test.paniconexit0", "-test.timeout=10m0s"}, []string{"/w/b001"}},
		{"coverage", []string{"-test.coverprofile=/w/b001/_cover_.out", "-test.gocoverdir=/w/b001/gocoverdir"}, []string{"/w/b001", "/w/b001/gocoverdir"}},
		{"in outputdir", []string{"-test.cpuprofile=cpu.out", "-test.outputdir", "/home/u"}, []string{"/home/u"}},
		{"relative", []string{"--test.trace=sub/t.out"}, []string{"/pkg/sub"}},
		{"fuzz", []string{"-test.fuzz=FuzzX", "-test.fuzzcachedir=/c/fuzz/p"}, []string{"/c/fuzz/p", "/pkg"}},
		{"after the dashes", []string{"--", "-test.outputdir=/x"}, nil},
		{"value at the end is missing", []string{"-test.outputdir"}, nil},
	}
	for _, tt := range tests {
		if got := testOutputs(tt.args, "/pkg"); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestOutermost(t *testing.T) {
	got := outermost([]string{"/b/c", "/a", "/b", "/a", "/ab", "/b/c/d"})
	if want := []string{"/a", "/ab", "/b"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := outermost([]string{"/x", "/"}); !slices.Equal(got, []string{"/"}) {
		t.Errorf("got %q, want the root alone", got)
	}
}
