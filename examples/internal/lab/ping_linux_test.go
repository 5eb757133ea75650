package lab

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/golvs/lvs/health"
	"github.com/golvs/lvs/internal/testbed"
)

func ping(addr string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err := health.Ping{Size: 1000}.Probe(ctx, health.Target{Addr: netip.AddrPortFrom(netip.MustParseAddr(addr), 0)})
	return err
}

// patiently pings an address until it answers: the kernel needs a moment until a new
// interface is ready for IPv6.
func patiently(addr string) (err error) {
	for range 5 {
		if err = ping(addr); err == nil {
			return nil
		}
	}
	return err
}

func TestPingKernel(t *testing.T) {
	testbed.InKernel(t)
	ns := testbed.New(t)
	ns.Dummy("lan", "10.1.0.1/24", "2001:db8::1/64")
	err := ns.Do(func() error {
		for addr, works := range map[string]bool{"10.1.0.1": true, "2001:db8::1": true, "10.1.0.9": false} {
			ask := ping
			if works {
				ask = patiently
			}
			if err := ask(addr); (err == nil) != works {
				t.Errorf("%s: %v", addr, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestPingAlone pings for TestPingUnprivileged, and does nothing otherwise.
func TestPingAlone(t *testing.T) {
	for addr := range strings.FieldsSeq(os.Getenv("LVS_TEST_PING")) {
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if err := ping(addr); err != nil {
					t.Errorf("%s: %v", addr, err)
				}
			})
		}
		all.Wait()
	}
}

// Without CAP_NET_RAW, a group that may ping is enough.
func TestPingUnprivileged(t *testing.T) {
	testbed.InKernel(t)
	ns := testbed.New(t)
	ns.Dummy("lan", "10.1.0.1/24", "2001:db8::1/64")
	if err := ns.Do(func() error { return patiently("2001:db8::1") }); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ groups, want string }{
		{"1 0", "a ping needs CAP_NET_RAW, or a group of net.ipv4.ping_group_range"},
		{"0 2147483647", "PASS"},
	} {
		err := ns.Do(func() error {
			if err := os.WriteFile("/proc/sys/net/ipv4/ping_group_range", []byte(c.groups), 0); err != nil {
				return err
			}
			child := exec.Command("/proc/self/exe", "-test.run=^TestPingAlone$", "-test.v")
			child.Env = []string{"LVS_TEST_PING=10.1.0.1 2001:db8::1"}
			child.Dir = "/"
			child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			out, err := child.CombinedOutput()
			if !strings.Contains(string(out), c.want) {
				return fmt.Errorf("groups %s: %v: %s, want %q", c.groups, err, out, c.want)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}
