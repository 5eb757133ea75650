package main

import (
	"strings"
	"testing"
)

func run(t *testing.T, kernel bool, lines ...string) (out, counts string, ok bool) {
	t.Helper()
	var w strings.Builder
	j := newJudge(&w, kernel)
	if err := j.read(strings.NewReader(strings.Join(lines, "\n"))); err != nil {
		t.Fatal(err)
	}
	ok = j.verdict()
	return w.String(), j.line(), ok
}

const (
	passA   = `{"Action":"pass","Package":"p","Test":"TestA"}`
	skipB   = `{"Action":"skip","Package":"p","Test":"TestB/sub"}`
	skipWhy = `{"Action":"output","Package":"p","Test":"TestB/sub","Output":"    x_test.go:3: needs a moon\n"}`
	failC   = `{"Action":"fail","Package":"p","Test":"TestC"}`
	outC    = `{"Action":"output","Package":"p","Test":"TestC","Output":"    x_test.go:9: wrong\n"}`
	failP   = `{"Action":"fail","Package":"p"}`
	running = `{"Action":"output","Package":"p","Output":"lvs-kernel: Linux 6.1.9 (6.1, u 1 of Debian b)\n"}`
)

func TestJudge(t *testing.T) {
	tests := []struct {
		name   string
		kernel bool
		lines  []string
		counts string
		ok     bool
		says   string
	}{
		{"passed", false, []string{passA, skipWhy, skipB}, "1 0 1 - -\n", true, ""},
		{"passed in a kernel", true, []string{running, passA}, "1 0 0 6.1.9 older\n", true, ""},
		{"skipped in a kernel", true, []string{running, passA, skipWhy, skipB}, "1 1 0 6.1.9 older\n", false, "p TestB/sub: x_test.go:3: needs a moon"},
		{"passed in a newer kernel", true, []string{strings.Replace(running, "6.1.9", "6.12.113", 1), passA}, "1 0 0 6.12.113 newer\n", true, ""},
		{"no kernel ran", true, []string{passA}, "1 0 0 - -\n", false, "no kernel said"},
		{"failed", false, []string{passA, outC, failC, failP}, "1 1 0 - -\n", false, "x_test.go:9: wrong"},
		{"no test", false, []string{`{"Action":"skip","Package":"p"}`}, "0 0 0 - -\n", false, "no test was run"},
		{"nothing", false, nil, "0 0 0 - -\n", false, "no test was run"},
		{"did not build", false, []string{`{"ImportPath":"p","Action":"build-output","Output":"x.go:1: no\n"}`, passA, failP}, "1 1 0 - -\n", false, "x.go:1: no"},
		{"panicked", false, []string{passA, outC, failP}, "1 1 0 - -\n", false, "TestC did not end"},
		{"no event", false, []string{"go: trouble", passA}, "1 0 0 - -\n", true, "go: trouble"},
	}
	for _, tt := range tests {
		out, counts, ok := run(t, tt.kernel, tt.lines...)
		if counts != tt.counts || ok != tt.ok || !strings.Contains(out, tt.says) {
			t.Errorf("%s: counts %q, ok %v, output:\n%s", tt.name, counts, ok, out)
		}
	}
}
