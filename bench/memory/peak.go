//go:build linux

package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// measure returns the largest heap that was seen while do ran, every half millisecond.
// The collector runs whenever a twentieth more has been allocated, so that little of the
// heap is garbage.
func measure(do func() error) (most uint64, took time.Duration, err error) {
	defer debug.SetGCPercent(debug.SetGCPercent(5))
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Millisecond / 2)
		defer tick.Stop()
		for {
			most = max(most, heap())
			select {
			case <-over:
				return
			case <-tick.C:
			}
		}
	}()
	start := time.Now()
	err = do()
	took = time.Since(start)
	close(over)
	<-done
	return most, took, err
}

// live collects garbage and returns how much is left.
func live() uint64 {
	runtime.GC()
	runtime.GC()
	return heap()
}

// heap returns how much the objects on the heap occupy, with those that are garbage.
func heap() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
