//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"runtime/pprof"
	"time"
)

// contender is a way to do the whole job, adding or reading.
type contender struct {
	name    string
	prepare func(ns *namespace, j job) (session, error)
}

// session is a contender that is ready to begin: sockets are open, values are
// made, files are written.
type session struct {
	run   func() (objects int, err error) // the part that is timed
	close func() error
}

// once prepares the contender, and times it while it does the job.
func (c contender) once(ns *namespace, j job) (took time.Duration, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", c.name, err)
		}
	}()
	s, err := c.prepare(ns, j)
	if err != nil {
		return 0, fmt.Errorf("preparing: %w", err)
	}
	defer func() { err = errors.Join(err, s.close()) }()
	debug.FreeOSMemory() // so that no contender pays for what another one left
	objects := 0
	// The label lets a profile be narrowed to what was timed.
	pprof.Do(context.Background(), pprof.Labels("timed", c.name), func(context.Context) {
		start := time.Now()
		objects, err = s.run()
		took = time.Since(start)
	})
	if err == nil && objects != j.objects() {
		err = fmt.Errorf("did %d objects, want %d", objects, j.objects())
	}
	return took, err
}
