//go:build linux

package main

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golvs/lvs/internal/netspace"
)

// pace is the time between two connections.
const pace = 5 * time.Millisecond

// traffic is clients that connect one after the other until it is stopped. None waits
// for another.
type traffic struct {
	stop   context.CancelFunc
	all    sync.WaitGroup
	opened atomic.Int64
	lost   atomic.Int64 // that got no answer in a second
}

func begin(ctx context.Context, from *netspace.Namespace, c check) *traffic {
	t := &traffic{}
	ctx, t.stop = context.WithCancel(ctx)
	t.all.Go(func() {
		tick := time.NewTicker(pace)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				t.all.Go(func() { t.visit(from, c) })
			}
		}
	})
	return t
}

func (t *traffic) visit(from *netspace.Namespace, c check) {
	t.opened.Add(1)
	if err := visit(from, c); err != nil {
		t.lost.Add(1)
	}
}

// visit makes one connection and waits for its answer, a second in all.
func visit(from *netspace.Namespace, c check) error {
	var conn net.Conn
	end := time.Now().Add(time.Second)
	err := from.Do(func() (err error) {
		conn, err = (&net.Dialer{Deadline: end}).Dial("tcp", vip.String())
		return err
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.SetDeadline(end)
	return c.ask(conn)
}

// end stops the clients, and waits for those that are under way.
func (t *traffic) end() (opened, lost int64) {
	t.stop()
	t.all.Wait()
	return t.opened.Load(), t.lost.Load()
}
