package health

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

var (
	soakTime    = flag.Duration("soak.time", 3*time.Second, "how long servers fail at random")
	soakTargets = flag.Int("soak.targets", 1000, "how many servers fail at random")
)

// Of servers that fail at random, nothing remains: no memory, goroutine, descriptor or
// process. -soak.time 1h is the long one.
func TestSoak(t *testing.T) {
	server := newFailing(t)
	table := tableOn(*soakTargets, server.port)
	script := Check{Probe: Exec{Path: "/bin/sh", Args: []string{"-c", "exit $(($$ % 2))"}}, Interval: 500 * time.Millisecond, Timeout: 400 * time.Millisecond}
	question := Check{Probe: TCP{Send: "?\n", Expect: "ok"}, Interval: 500 * time.Millisecond, Timeout: 150 * time.Millisecond}
	p := Policy{Checks: []Check{question}, Servers: map[netip.AddrPort][]Check{}, Limit: Limit{Share: 0.5, Then: KeepAll}}
	for i := 0; i < *soakTargets; i += 100 {
		p.Servers[table.Services[0].RealServers[i].Addr] = []Check{question, script}
	}
	var events atomic.Int64
	m, err := New(Options{OnEvent: func(Event) { events.Add(1) }})
	if err == nil {
		err = m.Set(table, map[lvs.ServiceID]Policy{web: p})
	}
	if err != nil {
		t.Fatal(err)
	}
	run := func(d time.Duration) soakHeld {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		_ = m.Run(ctx)
		return heldBy(server)
	}
	run(time.Second) // what is made once is made
	before := run(max(time.Second, *soakTime/10))
	after := run(*soakTime)
	t.Logf("%d servers, %d connections, %d events: before %+v, after %+v", *soakTargets, server.accepted.Load(), events.Load(), before, after)
	if events.Load() < int64(*soakTargets)/2 {
		t.Error("too little happened")
	}
	for range 100 { // what ends may take its time on a busy machine
		if !after.more(before) {
			return
		}
		time.Sleep(100 * time.Millisecond)
		after = heldBy(server)
	}
	t.Errorf("before %+v, after %+v", before, after)
}

// soakHeld is what a process can leak.
type soakHeld struct {
	goroutines, descriptors, processes int
	bytes                              uint64
}

// more reports whether something has been leaked since.
func (h soakHeld) more(before soakHeld) bool {
	return h.goroutines > before.goroutines || h.descriptors > before.descriptors || h.processes > before.processes || h.bytes > before.bytes+before.bytes/4+1<<20
}

// heldBy returns what is held when the connections of a server have ended.
func heldBy(s *failing) soakHeld {
	for range 300 {
		if s.open.Load() == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond)
	descriptors, _ := filepath.Glob("/proc/self/fd/*")
	return soakHeld{runtime.NumGoroutine(), len(descriptors), children(), memory()}
}

// children returns how many processes this one has started that have not been waited for.
func children() (n int) {
	tasks, _ := filepath.Glob("/proc/self/task/*/children")
	for _, name := range tasks {
		text, _ := os.ReadFile(name)
		n += len(strings.Fields(string(text)))
	}
	return n
}

// failing is a server at all addresses of this host that answers, answers something else,
// hangs or resets, each for some seconds.
type failing struct {
	port     uint16
	accepted atomic.Int64
	open     atomic.Int64
}

func newFailing(t *testing.T) *failing {
	t.Helper()
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := &failing{port: l.Addr().(*net.TCPAddr).AddrPort().Port()}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.accepted.Add(1)
			s.open.Add(1)
			go s.serve(conn.(*net.TCPConn))
		}
	}()
	return s
}

func (s *failing) serve(conn *net.TCPConn) {
	defer s.open.Add(-1)
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_ = conn.SetLinger(0)
	in := bufio.NewReader(conn)
	_, _ = in.ReadString('\n')
	addr := conn.LocalAddr().(*net.TCPAddr).IP.To4()
	phase := uint64(time.Now().Unix()/2)<<16 | uint64(addr[2])<<8 | uint64(addr[3])
	switch rand.New(rand.NewPCG(phase, 1)).IntN(6) {
	case 0: // reset
	case 1:
		fmt.Fprintln(conn, "no")
	case 2:
		_, _ = in.ReadByte() // until the probe hangs up
	default:
		fmt.Fprintln(conn, "ok")
	}
	_, _ = in.ReadByte()
}
