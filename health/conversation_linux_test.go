package health

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestProbesLeaveNothing asks servers often, with success and without, and then looks for
// goroutines, descriptors and ports that are left.
func TestProbesLeaveNothing(t *testing.T) {
	cert, _ := certificate(t, farAway, "example.org")
	plain, secure := webServer(t, nil), webServer(t, &cert)
	silent := on(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	mail := on(t, lines("220 mx\r\n", "250 mx\r\n", "221 bye\r\n"))
	rpc := grpcServer(t, nil, message("\x00\x00\x00\x00\x02\x08\x01", "0"))
	any := &TLS{Insecure: true}
	round := func() {
		for _, works := range []struct {
			probe  Probe
			target Target
		}{
			{TCP{}, plain}, {TCP{TLS: any}, secure}, {HTTP{Contains: "well"}, plain}, {HTTP{Path: "/to/3", Follow: 3}, plain}, {HTTP{TLS: any}, secure},
			{HTTP{HTTP2: true}, plain}, {HTTP{HTTP2: true, TLS: any}, secure}, {GRPC{}, rpc}, {SMTP{}, mail}, {All{TCP{}, HTTP{}}, plain}, {Any{TCP{}, HTTP{}}, plain},
		} {
			if _, err := works.probe.Probe(seconds(t, time.Minute), works.target); err != nil {
				t.Errorf("%s: %v", works.probe, err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		for name, p := range streams() {
			wg.Go(func() {
				if _, err := p.Probe(ctx, silent); err == nil {
					t.Errorf("%s works", name)
				}
			})
		}
		wg.Wait()
	}
	round() // what the first one makes, such as the poller, stays
	goroutines, descriptors := settled(t, 0, 0, time.Second)
	for range 10 {
		round()
	}
	if g, d := settled(t, goroutines, descriptors, 10*time.Second); g > goroutines || d > descriptors {
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines and %d descriptors have become %d and %d\n%s", goroutines, descriptors, g, d, stacks[:runtime.Stack(stacks, true)])
	}
	for name, target := range map[string]Target{"plain": plain, "secure": secure, "silent": silent, "mail": mail, "rpc": rpc} {
		if left := waiting(t, target.Addr.Port()); left > 0 {
			t.Errorf("%s: %d connections are in TIME_WAIT", name, left)
		}
	}
}

// settled waits until no more than so many goroutines and descriptors are left, or none
// have ended for so long, because servers notice later that a connection has ended.
func settled(t *testing.T, goroutines, descriptors int, patience time.Duration) (g, d int) {
	t.Helper()
	for changed := time.Now(); time.Since(changed) < patience; time.Sleep(20 * time.Millisecond) {
		was, wasD := g, d
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		g, d = runtime.NumGoroutine(), len(fds)
		if g <= goroutines && d <= descriptors {
			return g, d
		}
		if g != was || d != wasD {
			changed = time.Now()
		}
	}
	return g, d
}

// waiting returns how many connections to a port are in TIME_WAIT.
func waiting(t *testing.T, port uint16) (n int) {
	t.Helper()
	f, err := os.Open("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) > 3 && strings.HasSuffix(fields[2], fmt.Sprintf(":%04X", port)) && fields[3] == "06" {
			n++
		}
	}
	return n
}
