package lvs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/testbed"
)

func TestModuleRemovedAndLoadedAgain(t *testing.T) {
	testbed.InKernel(t)
	c := openIn(t, testbed.New(t))
	id := tcp(t, "10.50.0.1:80")
	withoutLeak(t, func() {
		if err := c.AddService(t.Context(), Service{ID: id, Scheduler: RR}); err != nil {
			t.Fatal(err)
		}
		if err := c.RemoveService(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		testbed.UnloadIPVS(t)
		// The kernel loads its module again when the family is asked for; the
		// calls below have the number that it had before.
		if all, err := c.Services(t.Context()); err != nil || len(all) != 0 {
			t.Errorf("listing: %v, %v", all, err)
		}
		testbed.UnloadIPVS(t)
		if err := c.AddService(t.Context(), Service{ID: id, Scheduler: RR}); err != nil {
			t.Errorf("adding: %v", err)
		}
		if _, err := c.Service(t.Context(), id); err != nil {
			t.Errorf("getting: %v", err)
		}
		if err := c.RemoveService(t.Context(), id); err != nil {
			t.Errorf("removing: %v", err)
		}
	})
}

// While others remove and load the module, a call succeeds or says that IPVS is not
// there; it never reports another reason.
func TestModuleComesAndGoes(t *testing.T) {
	testbed.InKernel(t)
	c := openIn(t, testbed.New(t))
	id := tcp(t, "10.50.0.1:80")
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	var wg sync.WaitGroup
	var reloads atomic.Int32
	testbed.UnloadIPVS(t)
	wg.Go(func() {
		for ctx.Err() == nil {
			if exec.Command("rmmod", "ip_vs").Run() == nil {
				if reloads.Add(1) == 5 {
					stop()
				}
			}
			_ = exec.Command("modprobe", "ip_vs").Run()
		}
	})
	var tried, unavailable int
	for ctx.Err() == nil {
		for _, err := range []error{
			c.AddService(t.Context(), Service{ID: id, Scheduler: NoScheduler}),
			c.UpdateService(t.Context(), Service{ID: id, Scheduler: NoScheduler}),
			c.RemoveService(t.Context(), id),
			c.Do(t.Context(), AddService(Service{ID: id, Scheduler: NoScheduler})),
			c.Do(t.Context(), RemoveService(id)),
		} {
			tried++
			switch {
			case err == nil, errors.Is(err, ErrNotFound), errors.Is(err, ErrExists):
			case errors.Is(err, ErrUnavailable):
				unavailable++
			default:
				t.Errorf("after %d reloads: %v", reloads.Load(), err)
			}
		}
		time.Sleep(time.Millisecond) // without services, so that it can be removed
	}
	wg.Wait()
	t.Logf("%d reloads, %d calls, %d found no IPVS", reloads.Load(), tried, unavailable)
	if reloads.Load() == 0 {
		t.Error("the module was never removed")
	}
	_ = c.RemoveService(t.Context(), id)
}

func TestNoIPVS(t *testing.T) {
	testbed.InKernel(t)
	c := openIn(t, testbed.New(t))
	const loader = "/proc/sys/kernel/modprobe"
	program, err := os.ReadFile(loader)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(loader, program, 0); err != nil {
			t.Error(err)
		}
	})
	testbed.UnloadIPVS(t)
	if err := os.WriteFile(loader, []byte("/bin/false"), 0); err != nil {
		t.Fatal(err)
	}
	withoutLeak(t, func() {
		id := tcp(t, "10.50.0.1:80")
		_, openErr := Open(t.Context())
		_, listErr := c.Services(t.Context())
		for what, err := range map[string]error{
			"opening": openErr, "listing": listErr, "adding": c.AddService(t.Context(), Service{ID: id}),
			"removing": c.RemoveRealServer(t.Context(), id, id.AddrPort()),
		} {
			if !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrNotFound) || !strings.Contains(fmt.Sprint(err), "modprobe ip_vs") {
				t.Errorf("%s: %v", what, err)
			}
		}
		h, err := OpenHost(t.Context())
		if err != nil {
			t.Fatalf("a real server's host: %v", err)
		}
		defer h.Close()
		if _, err := h.Check(t.Context(), CheckOptions{}); err != nil {
			t.Errorf("checking it: %v", err)
		}
	})
}
