package main

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"
)

// On the simulator the story always ends the same, to the letter:
//
//	go run ./examples/quickstart > examples/quickstart/testdata/simulator.txt
func TestStoryOnSimulator(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), onSimulator, &out); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/simulator.txt")
	if err != nil {
		t.Fatal(err)
	}
	// Git on Windows may have changed the ends of lines.
	if want := strings.ReplaceAll(string(want), "\r\n", "\n"); out.String() != want {
		t.Errorf("it reads\n%s\nwant\n%s", out.String(), want)
	}
}

// What cannot be done ends the story, with a reason.
func TestStoryThatFails(t *testing.T) {
	broken := errors.New("the cable broke")
	err := run(t.Context(), func(ctx context.Context) (*ground, error) {
		g, err := onSimulator(ctx)
		g.connect = func(context.Context, netip.Addr, netip.AddrPort) (string, error) { return "", broken }
		return g, err
	}, &bytes.Buffer{})
	if !errors.Is(err, broken) {
		t.Errorf("it ended with %v, want %v", err, broken)
	}
}
