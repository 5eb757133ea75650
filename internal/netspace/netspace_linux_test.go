package netspace_test

import (
	"os"
	"sync"
	"testing"

	"github.com/golvs/lvs/internal/testbed"
)

// Whichever thread makes a namespace, the main one included, it returns from there:
// otherwise the namespace would last as long as the program.
func TestThreadsReturn(t *testing.T) {
	testbed.InKernel(t)
	home, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { testbed.New(t) })
	}
	wg.Wait()
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		if now, err := os.Readlink("/proc/self/task/" + thread.Name() + "/ns/net"); err == nil && now != home {
			t.Errorf("thread %s is in %s, and the program in %s", thread.Name(), now, home)
		}
	}
}
