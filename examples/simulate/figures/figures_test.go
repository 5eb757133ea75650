package main

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strings"
	"testing"
)

// The quick figures come out near the published ones, all but the largest.
func TestFigures(t *testing.T) {
	for name, want := range map[string][]string{
		"failover": {"mh, sloppy_tcp=1", "0.0 %", "rr, sloppy_tcp=0", "100.0 %"},
		"mh":       {"10 servers: greatest/mean", "1.002", "1000 servers: greatest/mean", "1.2"},
	} {
		var out bytes.Buffer
		if err := run(t.Context(), []string{"-quick", name}, &out); err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%s: no %q in\n%s", name, w, &out)
			}
		}
	}
}

func TestQueue(t *testing.T) {
	b := &bench{seed: 1}
	for count, want := range map[int]float64{1: 2, 2: 1.2657} { // at load 0.5, by the formula
		took, err := b.queue(t.Context(), 0.5, count, false, 100, 800)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(took-want) > 0.08 {
			t.Errorf("%d choices: %v, want %v", count, took, want)
		}
	}
}

func TestOverProvisioning(t *testing.T) {
	for name, c := range map[string]struct {
		fill     func([]uint64, []int)
		from, to float64
	}{"maglev": {maglev, 0, 0.02}, "karger": {karger, 0.1, 0.5}, "rendezvous": {rendezvous, 0.1, 0.5}} {
		over, err := overProvisioning(t.Context(), c.fill, 4099, 50, 1)
		if err != nil || over < c.from || over > c.to {
			t.Errorf("%s: %v, want %v to %v: %v", name, over, c.from, c.to, err)
		}
	}
}

func TestRefused(t *testing.T) {
	if err := run(t.Context(), []string{"nonsense"}, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, []string{"bins"}, &bytes.Buffer{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
