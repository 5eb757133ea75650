package lab

import (
	"context"
	"errors"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/golvs/lvs/health"
	"github.com/golvs/lvs/internal/testbed"
)

// A rule for the mark decides about the packets of the probe, and of no other one.
func TestFromMark(t *testing.T) {
	testbed.InKernel(t)
	ns := testbed.New(t)
	ns.Dummy("eth0", "192.0.2.1/24")
	ns.Commands("ip rule add fwmark 3 pref 10 unreachable")
	target := health.Target{Addr: netip.MustParseAddrPort("192.0.2.2:9")}
	ask := health.UDP{Send: "x", Silence: 10 * time.Millisecond}
	for mark, fails := range map[uint32]bool{3: true, 4: false} {
		err := ns.Do(func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			_, err := health.From{Mark: mark, Ask: ask}.Probe(ctx, target)
			return err
		})
		if unreachable := errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH); fails != unreachable || !fails && err != nil {
			t.Errorf("mark %d: %v", mark, err)
		}
	}
}
