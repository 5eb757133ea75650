package health

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

var (
	targetsCount = flag.Int("targets.count", 200, "how many TCP targets are checked each second")
	targetsTime  = flag.Duration("targets.time", 3*time.Second, "how long they are checked")
)

// What TCP checks cost: -targets.count 10000 -targets.time 30s checks 10,000 targets each
// second, and fails if that takes more than a core or more than 10 KB each.
func TestTargets(t *testing.T) {
	if os.Getenv("LVS_HEALTH_TARGETS") != "" {
		listenAnywhere(t)
		return
	}
	port, accepted := startListener(t)
	table := tableOn(*targetsCount, port)
	idle := memory()
	m, err := New(Options{})
	if err == nil {
		err = m.Set(table, map[lvs.ServiceID]Policy{web: {Checks: []Check{{Probe: TCP{}, Interval: time.Second}}}})
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- m.Run(ctx) }()
	time.Sleep(1500 * time.Millisecond) // each has been asked once
	before, begun, asked := processorTime(), time.Now(), accepted()
	time.Sleep(*targetsTime)
	probes := float64(accepted() - asked)
	used, took := (processorTime() - before).Seconds(), time.Since(begun).Seconds()
	bytes := float64(int64(memory())-int64(idle)) / float64(*targetsCount)
	failed := 0
	for _, s := range m.Status().Services[0].Servers {
		if s.Checks[0].Error != "" {
			failed++
		}
	}
	cancel()
	<-done
	cores := used / probes * 10_000 // at 10,000 a second, however many this host got to
	t.Logf("%d TCP targets: %.0f probes a second, of which %.2f cores would do 10,000; %.0f bytes each; %d failed last", *targetsCount, probes/took, cores, bytes, failed)
	if *targetsCount < 10_000 {
		return // a few do not show what each costs
	}
	if cores > 1 || bytes > 10<<10 {
		t.Errorf("want at most one core for 10,000 a second, and %d bytes each", 10<<10)
	}
}

// tableOn returns the service web with servers at addresses of this host.
func tableOn(servers int, port uint16) lvs.Table {
	t := tableOf(lvs.WLC, make([]int, servers)...)
	for i := range servers {
		addr := netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)})
		t.Services[0].RealServers[i] = lvs.RealServer{Addr: netip.AddrPortFrom(addr, port), Mode: lvs.NAT(), Weight: 1}
	}
	return t
}

// startListener starts a process that accepts connections at all addresses of this host,
// so that its cost is not that of the checks. It returns their port, and how to ask how many.
func startListener(t *testing.T) (port uint16, accepted func() int) {
	t.Helper()
	command := exec.Command(os.Args[0], "-test.run", "^TestTargets$")
	command.Env = append(os.Environ(), "LVS_HEALTH_TARGETS=listen")
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = command.Wait() })
	var n int
	if _, err := fmt.Fscanln(out, &port); err != nil {
		t.Fatal(err)
	}
	return port, func() int {
		_, _ = io.WriteString(in, "?")
		if _, err := fmt.Fscanln(out, &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
}

// listenAnywhere accepts connections, and writes how many when it is asked on standard
// input, until that ends.
func listenAnywhere(t *testing.T) {
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	var accepted atomic.Int64
	go func() {
		defer l.Close()
		for b := make([]byte, 1); ; {
			if _, err := os.Stdin.Read(b); err != nil {
				return
			}
			fmt.Println(accepted.Load())
		}
	}()
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		accepted.Add(1)
		conn.Close()
	}
}

// processorTime returns what this process has used so far.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// memory returns the bytes that this process needs, garbage excepted.
func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
