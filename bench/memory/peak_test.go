//go:build linux

package main

import (
	"runtime"
	"testing"
)

// TestMeasure holds memory for a moment, and lets go of it before the end.
func TestMeasure(t *testing.T) {
	const block, blocks = 1 << 16, 500
	base := live()
	most, _, err := measure(func() error {
		var held [][]byte
		for range blocks {
			held = append(held, make([]byte, block))
		}
		runtime.KeepAlive(held)
		held = nil
		for range blocks {
			held = append(held[:0], make([]byte, block)) // garbage does not count
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := most-base, uint64(block*blocks); got < want*19/20 || got > want*13/10 {
		t.Errorf("%d bytes at most, want about %d", got, want)
	}
}
