package director

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs"
)

var (
	web = lvs.MustParseServiceID("tcp://10.168.0.91:80")
	dns = lvs.MustParseServiceID("udp://10.168.0.91:53")
	ftp = lvs.MustParseServiceID("tcp://10.168.0.92:21")
)

// rip returns the address of a real server of a service.
func rip(id lvs.ServiceID, n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 0, byte(n)}), id.AddrPort().Port())
}

// service returns a service with some real servers of weight 1.
func service(id lvs.ServiceID, servers ...int) lvs.TableService {
	s := lvs.TableService{Service: lvs.Service{ID: id, Scheduler: lvs.RR}}
	for _, n := range servers {
		s.RealServers = append(s.RealServers, lvs.NewRealServer(rip(id, n), lvs.DR()))
	}
	return s
}

func table(services ...lvs.TableService) lvs.Table { return lvs.Table{Services: services} }

// webTable returns a table with one service.
func webTable(servers ...int) lvs.Table { return table(service(web, servers...)) }

// scene is a Director on a simulator, with another program that writes the same table,
// in fake time.
type scene struct {
	*testing.T
	sim   *lvs.Simulator
	d     *Director
	other *lvs.Client

	mu     sync.Mutex
	events []Event
	cancel context.CancelFunc
	done   chan error // nil while the Director does not run
}

// play runs a test in fake time. Back-off is not random there.
func play(t *testing.T, o Options, test func(s *scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		sim, err := lvs.NewSimulator(lvs.SimOptions{Clock: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		s := &scene{T: t, sim: sim, other: sim.Client()}
		defer s.other.Close()
		s.direct(o)
		test(s)
		s.stop()
	})
}

// direct replaces the Director by another one, as a restart of the process does.
func (s *scene) direct(o Options) {
	s.Helper()
	o.random = func() float64 { return 0.999999999 }
	o.OnEvent = func(e Event) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.events = append(s.events, e)
	}
	client := s.sim.Client()
	s.Cleanup(func() { client.Close() })
	var err error
	if s.d, err = New(client, o); err != nil {
		s.Fatal(err)
	}
}

// run starts the Director, and lets it work until it waits.
func (s *scene) run() {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.done = cancel, make(chan error, 1)
	go func() { s.done <- s.d.Run(ctx) }()
	synctest.Wait()
}

// stop ends the Director as its program does when it is ended.
func (s *scene) stop() {
	s.Helper()
	if s.done == nil {
		return
	}
	s.cancel()
	if err := <-s.done; !errors.Is(err, context.Canceled) {
		s.Errorf("Run returned %v", err)
	}
	s.done = nil
}

// set sets the wanted table.
func (s *scene) set(table lvs.Table) {
	s.Helper()
	if err := s.d.Set(table); err != nil {
		s.Fatal(err)
	}
}

// pass lets time pass, and the Director finish what it began.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// do makes changes as another program.
func (s *scene) do(changes ...lvs.Change) {
	s.Helper()
	if err := s.other.Do(context.Background(), changes...); err != nil {
		s.Fatal(err)
	}
}

// has requires the kernel to have a table.
func (s *scene) has(when string, want lvs.Table) {
	s.Helper()
	snapshot, err := s.other.Snapshot(context.Background())
	if err != nil {
		s.Fatal(err)
	}
	if have := snapshot.Table(); !have.Equal(want) {
		s.Errorf("%s: the table is\n%s\nand should be\n%s", when, have, want)
	}
}

// inSync requires the status to say that the table is as wanted, or not.
func (s *scene) inSync(when string, want bool) {
	s.Helper()
	if got := s.d.Status(); got.InSync != want {
		s.Errorf("%s: %s", when, got)
	}
}

// reported requires events since the last call, by parts of what they print, in order.
func (s *scene) reported(when string, want ...string) {
	s.Helper()
	events := s.take()
	ok := len(events) == len(want)
	for i := 0; ok && i < len(want); i++ {
		ok = strings.Contains(line(events[i]), want[i])
	}
	if !ok {
		var got []string
		for _, e := range events {
			got = append(got, line(e))
		}
		s.Errorf("%s: the events are\n\t%s\nand should have\n\t%s", when, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// take returns the events since the last call.
func (s *scene) take() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	events := s.events
	s.events = nil
	return events
}

// kinds counts the events since the last call by their types.
func (s *scene) kinds() map[string]int {
	all := map[string]int{}
	for _, e := range s.take() {
		all[strings.TrimPrefix(fmt.Sprintf("%T", e), "director.")]++
	}
	return all
}

func line(e Event) string { return fmt.Sprintf("%T: %s", e, e) }

// connect opens a connection to a real server of the service web.
func (s *scene) connect(server int) *lvs.SimConn {
	s.Helper()
	for client := range 100 {
		conn, err := s.sim.Connect(lvs.Flow{Client: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(1000+client)), VIP: web.AddrPort()})
		if err != nil {
			s.Fatal(err)
		}
		if conn.Server() == rip(web, server) {
			return conn
		}
		if err := conn.Close(); err != nil {
			s.Fatal(err)
		}
	}
	s.Fatalf("no connection reaches server %d", server)
	return nil
}

// weights returns the weights of the real servers of web, in order.
func (s *scene) weights() (all []int) {
	s.Helper()
	servers, err := s.other.RealServers(context.Background(), web)
	if err != nil {
		s.Fatal(err)
	}
	for _, server := range servers {
		all = append(all, server.Weight)
	}
	return all
}

func (s *scene) hasWeights(when string, want ...int) {
	s.Helper()
	if got := s.weights(); !slices.Equal(got, want) {
		s.Errorf("%s: weights %v, want %v", when, got, want)
	}
}

func mustAddr(text string) netip.AddrPort { return netip.MustParseAddrPort(text) }
