//go:build linux

package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/golvs/lvs"
)

// verify compares the kernel's table with the job. It has ipvsadm list it, so
// that no mistake of the library hides here. /proc/net/ip_vs would not do: some
// kernels leave services out of it while other namespaces have some too.
//
// It reads again what is not as wanted: a kernel that makes its hash table
// larger in the background tells some services twice and others not at all.
func (j job) verify(ns *namespace) (err error) {
	const tries = 5
	for range tries {
		var text []byte
		if text, err = ipvsadm(ns, nil, "-S", "-n"); err == nil {
			err = j.compare(string(text))
		}
		if err == nil {
			return nil
		}
		time.Sleep(pause)
	}
	return fmt.Errorf("verifying: %w", err)
}

// compare compares rules as ipvsadm lists them, in any order, with the job.
func (j job) compare(text string) error {
	want := make(map[string]bool, j.objects())
	for line := range strings.Lines(j.ipvsadm()) {
		want[line] = true
	}
	for line := range strings.Lines(text) {
		if !want[line] {
			return fmt.Errorf("the kernel has %q, which is not wanted or there twice", line)
		}
		delete(want, line)
	}
	for line := range want {
		return fmt.Errorf("the kernel lacks %d of %d objects, such as %q", len(want), j.objects(), line)
	}
	return nil
}

// flush empties the table of a namespace.
func flush(ns *namespace) error {
	ctx := context.Background()
	c, err := lvs.Open(ctx, lvs.InNamespace(ns.path()))
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Flush(ctx)
}
