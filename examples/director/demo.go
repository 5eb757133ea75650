package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/director"
)

var (
	web     = lvs.MustParseServiceID("tcp://10.168.0.91:80")
	servers = []netip.AddrPort{
		netip.MustParseAddrPort("10.168.0.94:80"), netip.MustParseAddrPort("10.168.0.95:80"), netip.MustParseAddrPort("10.168.0.96:80"),
	}
)

// webTable returns a table with one service, of the first real servers.
func webTable(n int) lvs.Table {
	s := lvs.TableService{Service: lvs.Service{ID: web, Scheduler: lvs.WRR}}
	for _, addr := range servers[:n] {
		s.RealServers = append(s.RealServers, lvs.NewRealServer(addr, lvs.NAT()))
	}
	return lvs.Table{Services: []lvs.TableService{s}}
}

// stage is a simulated kernel with a director, clients, and another program.
type stage struct {
	out     *lockedWriter
	other   *lvs.Client
	d       *director.Director
	clients *clients
}

// demo shows the director at work on a simulated kernel.
func demo(ctx context.Context, out io.Writer) error {
	sim, err := lvs.NewSimulator(lvs.SimOptions{Clock: time.Now})
	if err != nil {
		return err
	}
	locked := &lockedWriter{out: out}
	s := &stage{out: locked, other: sim.Client(), clients: &clients{sim: sim}}
	defer s.other.Close()
	mine := sim.Client()
	defer mine.Close()
	host := sim.Host()
	defer host.Close()
	s.d, err = director.New(mine, director.Options{
		Table: lvs.TableOptions{Drain: 3 * time.Second, Host: host}, Resync: time.Second, OnEvent: printTo(locked),
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.d.Run(ctx) }) // which fails only because the context ends
	wg.Go(func() { s.clients.live(ctx) })
	err = s.play(ctx)
	cancel()
	wg.Wait()
	if err == nil {
		err = s.end()
	}
	if errors.Is(err, context.Canceled) {
		return nil // interrupted
	}
	return err
}

// play tells the story.
func (s *stage) play(ctx context.Context) error {
	for _, scene := range []struct {
		title string
		begin func() error
		last  time.Duration
	}{
		{"A table with one service of three real servers is wanted, and clients come.", func() error { return s.d.Set(webTable(3)) }, 2 * time.Second},
		{"Another program sets a weight to 0 and adds a real server.", func() error { return s.drift(ctx) }, 1500 * time.Millisecond},
		{"The last real server is not wanted any more. Its connections may last three seconds; " +
			"the kernel remembers some that have ended, and counts them.", func() error { return s.d.Set(webTable(2)) }, 4 * time.Second},
		{"By mistake, the wanted table is left without real servers.", func() error { return s.d.Set(webTable(0)) }, time.Second},
		{"The mistake is corrected.", func() error { return s.d.Set(webTable(2)) }, time.Second},
	} {
		fmt.Fprintf(s.out, "\n# %s\n", scene.title)
		if err := scene.begin(); err != nil {
			return err
		}
		select {
		case <-time.After(scene.last):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// end shows what came of it.
func (s *stage) end() error {
	snapshot, err := s.other.Snapshot(context.Background())
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "\n# In the end, the kernel's table is\n%s\n", snapshot.Table())
	fmt.Fprintf(s.out, "\n# and the director's status\n%s\n", s.d.Status())
	fmt.Fprintf(s.out, "\n# The clients opened %d connections; %d were refused and %d cut.\n", s.clients.opened, s.clients.refused, s.clients.cut)
	return nil
}

// drift does what another program might do.
func (s *stage) drift(ctx context.Context) error {
	quiet := lvs.NewRealServer(servers[0], lvs.NAT())
	quiet.Weight = 0
	return s.other.Do(ctx, lvs.UpdateRealServer(web, quiet),
		lvs.AddRealServer(web, lvs.NewRealServer(netip.MustParseAddrPort("10.168.0.99:80"), lvs.NAT())))
}

// lockedWriter lets several goroutines print.
type lockedWriter struct {
	mu  sync.Mutex
	out io.Writer
}

func (w *lockedWriter) Write(text []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(text)
}
