package health

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/testbed"
)

func TestPingKernel(t *testing.T) {
	testbed.InKernel(t)
	ns := testbed.New(t)
	ns.Dummy("lan", "10.1.0.1/24", "2001:db8::1/64")
	err := ns.Do(func() error {
		for addr, works := range map[string]bool{"10.1.0.1": true, "2001:db8::1": true, "10.1.0.9": false} {
			ping := func() error {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err := Ping{Size: 1000}.Probe(ctx, Target{Addr: netip.AddrPortFrom(netip.MustParseAddr(addr), 0)})
				return err
			}
			err := ping()
			for range 4 {
				if err != nil && works { // the kernel needs a moment until a new interface is ready for IPv6
					err = ping()
				}
			}
			if (err == nil) != works {
				t.Errorf("%s: %v", addr, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
