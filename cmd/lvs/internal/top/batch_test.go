package top

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs"
)

func TestBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		began := time.Now()
		var b strings.Builder
		m := NewModel("lvs top", 2*time.Second)
		m.Width, m.Filter = 160, "53"
		must(t, Batch(t.Context(), &Reader{Host: w.host}, m, &b, 3))
		if got := time.Since(began); got != 4*time.Second {
			t.Errorf("3 frames lasted %s", got)
		}
		frames := strings.Split(strings.TrimSuffix(b.String(), "\n\n"), "\n\n")
		if len(frames) != 3 || strings.Count(b.String(), "udp://192.0.2.53:53") != 3 || strings.Contains(b.String(), "\x1b") {
			t.Errorf("%d frames:\n%s", len(frames), b.String())
		}
		must(t, w.Inject(lvs.SimFault{Op: lvs.OpListServices, Errno: lvs.Errno(syscall.EPERM)}))
		if err := Batch(t.Context(), &Reader{Host: w.host}, m, &b, 3); err == nil || !strings.Contains(err.Error(), "CAP_NET_ADMIN") {
			t.Errorf("without permission: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 59*time.Second)
		defer cancel()
		b.Reset()
		must(t, Batch(ctx, &Reader{Host: w.host}, m, &b, 0)) // its end is not an error
		if got := strings.Count(b.String(), "lvs top  "); got != 30 {
			t.Errorf("%d frames in a minute", got)
		}
	})
}

func TestBatchEmpty(t *testing.T) {
	sim, err := lvs.NewSimulator(lvs.SimOptions{Kernel: "6.12.113"})
	must(t, err)
	host := sim.Host()
	defer host.Close()
	var b strings.Builder
	m := NewModel("lvs top", time.Second)
	must(t, Batch(t.Context(), &Reader{Host: host}, m, &b, 1))
	if !strings.Contains(b.String(), "0 services, 0 servers") || !strings.Contains(b.String(), "there are no services; lvs apply") {
		t.Errorf("%s", b.String())
	}
}
