package main

import (
	"strings"
	"testing"
)

func TestReadReport(t *testing.T) {
	tests := []struct {
		in   string
		want report
	}{
		{"release 6.1\nstart\nexit 3\n", report{release: "6.1", started: true, exited: true, status: 3}},
		{"release 6.1\r\nexit 0\r\nrubbish", report{release: "6.1", exited: true}},
		{"release 6.1\nerror mount x: no\n", report{release: "6.1", failure: "mount x: no"}},
		{"", report{}},
	}
	for _, tt := range tests {
		calls := 0
		got, err := readReport(strings.NewReader(tt.in), func(report) { calls++ })
		if err != nil || got != tt.want {
			t.Errorf("%q: got %+v and the error %v, want %+v", tt.in, got, err, tt.want)
		}
	}
}

func TestReadReportErrors(t *testing.T) {
	for _, in := range []string{"exit\n", "exit x\n", "exit -1\n", "exit 256\n", "hello\n", strings.Repeat("x", 1<<17)} {
		if rep, err := readReport(strings.NewReader(in), func(report) {}); err == nil {
			t.Errorf("%.20q: got %+v, want an error", in, rep)
		}
	}
}
