package main

import (
	"strings"
	"testing"
	"time"
)

func TestResultsWrite(t *testing.T) {
	all := results{
		{"lvs", []time.Duration{20, 40, 30}},
		{"peer", []time.Duration{200, 200, 600}},
		{"raw", []time.Duration{10, 10, 30}},
	}
	var b strings.Builder
	if err := all.write(&b, "adding", 2, []string{"lvs", "raw"}); err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"adding,", "ns", "per", "object", "min", "median", "max", "all,", "ms", "/", "lvs", "min", "max", "/", "raw", "min", "max"},
		{"lvs", "10", "15", "20", "0.0", "2.00", "1.00", "4.00"},
		{"peer", "100", "100", "300", "0.0", "10.00", "5.00", "20.00", "20.00", "20.00", "20.00"},
		{"raw", "5", "5", "15", "0.0", "0.50", "0.25", "1.00"},
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != len(want) {
		t.Fatalf("got %d lines, want %d:\n%s", len(lines), len(want), &b)
	}
	for i, line := range lines {
		if got := strings.Join(strings.Fields(line), " "); got != strings.Join(want[i], " ") {
			t.Errorf("line %d: %q, want %q", i, got, want[i])
		}
	}
}

func TestResultsWriteWithoutOthers(t *testing.T) {
	var b strings.Builder
	if err := (results{{"peer", []time.Duration{7}}}).write(&b, "reading", 1, []string{"lvs", "raw"}); err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(b.String(), "\n")
	if got := strings.Join(strings.Fields(line), " "); got != "peer 7 7 7 0.0" {
		t.Errorf("got %q", got)
	}
}

func TestSpread(t *testing.T) {
	for _, tt := range []struct {
		values           []float64
		min, median, max float64
	}{
		{[]float64{3}, 3, 3, 3},
		{[]float64{4, 1}, 1, 2.5, 4},
		{[]float64{9, 1, 4}, 1, 4, 9},
	} {
		if min, median, max := spread(tt.values); min != tt.min || median != tt.median || max != tt.max {
			t.Errorf("spread(%v) = %v, %v, %v", tt.values, min, median, max)
		}
	}
}
