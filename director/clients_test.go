package director_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/director"
	"github.com/golvs/lvs/health"
	"github.com/golvs/lvs/health/healthtest"
)

// Clients of a director whose server breaks: their connections to the other server go on,
// new ones get that server within the time that the policy allows, and the broken one gets
// connections again when it works.
func TestClientsOfBrokenServer(t *testing.T) {
	for _, mode := range []lvs.Mode{lvs.DR(), lvs.NAT(), lvs.IPIP(), lvs.GUE(6080), lvs.GRE()} {
		for _, breaks := range []healthtest.Behaviour{
			healthtest.BlackHole(), healthtest.Refuse(), healthtest.Hang(), healthtest.NoVIP(), healthtest.TunnelDown(),
		} {
			for _, failed := range []health.Consequence{health.Quiesce, health.Remove} {
				if breaks.Serves(mode) {
					continue // this mode does without
				}
				t.Run(fmt.Sprint(mode, " ", breaks, " ", failed), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { playClients(t, mode, breaks, failed) })
				})
			}
		}
	}
}

// clientsSite is a director that checks, and its servers.
type clientsSite struct {
	*testing.T
	*healthtest.Network
	sim *lvs.Simulator
	vip netip.AddrPort
}

func playClients(t *testing.T, mode lvs.Mode, breaks healthtest.Behaviour, failed health.Consequence) {
	sim, err := lvs.NewSimulator(lvs.SimOptions{Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	s := &clientsSite{t, healthtest.New(), sim, netip.MustParseAddrPort("10.168.0.91:80")}
	first, second := netip.MustParseAddrPort("10.168.0.94:80"), netip.MustParseAddrPort("10.168.0.95:80")
	service := lvs.TableService{Service: lvs.Service{ID: lvs.TCP(s.vip), Scheduler: lvs.RR}}
	for _, addr := range []netip.AddrPort{first, second} {
		service.RealServers = append(service.RealServers, lvs.NewRealServer(addr, mode))
		if err := s.Serve(addr, healthtest.Server{TCP: func(c net.Conn) { tellName(c, addr) }}); err != nil {
			t.Fatal(err)
		}
	}
	check := health.Check{
		Probe: health.TCP{Expect: "10.168"}, Path: health.ThroughIPVS,
		Interval: 2 * time.Second, Timeout: time.Second, Rise: 2, Fall: 3,
	}
	s.keep(lvs.Table{Services: []lvs.TableService{service}}, health.Policy{Checks: []health.Check{check}, Failed: failed})

	time.Sleep(10 * time.Second)
	held := map[string]*clientConn{}
	for range 4 {
		c := s.connect()
		held[c.name] = c
	}
	if len(held) != 2 {
		t.Fatalf("%d servers serve", len(held))
	}
	if err := s.Set(first, breaks); err != nil {
		t.Fatal(err)
	}
	// Interval × (fall − 1) + timeout + 100 ms, and the wait for the next probe.
	time.Sleep(3*check.Interval + check.Timeout + 100*time.Millisecond)
	for range 4 {
		if c := s.connect(); c.name != second.String() {
			t.Errorf("a new client got %q", c.name)
		}
	}
	if err := held[second.String()].again(); err != nil {
		t.Errorf("the connection to the other server broke: %v", err)
	}
	if err := held[first.String()].again(); err == nil {
		t.Error("the broken server still answers")
	}
	if err := s.Set(first, healthtest.Answer()); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2*check.Interval + check.Timeout + check.Interval)
	got := map[string]bool{}
	for range 4 {
		got[s.connect().name] = true
	}
	if len(got) != 2 {
		t.Errorf("after the repair only %v serve", got)
	}
	if err := held[second.String()].again(); err != nil {
		t.Errorf("the connection to the other server broke: %v", err)
	}
}

// keep runs a director until the end of the test.
func (s *clientsSite) keep(table lvs.Table, p health.Policy) {
	s.Helper()
	client := s.sim.Client()
	path, err := health.NewTablePath(client, health.TablePathOptions{
		Sources: []netip.Addr{netip.MustParseAddr("10.168.0.90")},
		Network: func(mark uint32, source netip.Addr) health.Network { return s.Through(s.sim, source, mark) },
	})
	if err != nil {
		s.Fatal(err)
	}
	policies := map[lvs.ServiceID]health.Policy{table.Services[0].ID: p}
	if err := path.Set(s.Context(), table, policies); err != nil {
		s.Fatal(err)
	}
	d, err := director.New(client, director.Options{
		Health: health.Options{Network: s.Network, Paths: map[health.Path]health.PathFunc{health.ThroughIPVS: path.Prepare}},
	})
	if err != nil {
		s.Fatal(err)
	}
	if err := d.Update(director.Update{Table: table, Health: policies}); err != nil {
		s.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.Context())
	ended := make(chan error)
	go func() { ended <- d.Run(ctx) }()
	s.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			s.Error(err)
		}
		client.Close()
	})
}

// tellName says the name of a server, and says it again when it is asked.
func tellName(c net.Conn, addr netip.AddrPort) {
	for in := bufio.NewReader(c); ; {
		if _, err := fmt.Fprintln(c, addr); err != nil {
			return
		}
		if _, err := in.ReadString('\n'); err != nil {
			return
		}
	}
}

// clientConn is a connection of a client to the VIP.
type clientConn struct {
	net.Conn
	in   *bufio.Reader
	name string // of the server that answered
}

// connect connects a client, and waits for the name of its server.
func (s *clientsSite) connect() *clientConn {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), time.Second)
	defer cancel()
	conn, err := s.Through(s.sim, netip.MustParseAddr("203.0.113.7"), 0).DialContext(ctx, "tcp", s.vip.String())
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { conn.Close() })
	c := &clientConn{Conn: conn, in: bufio.NewReader(conn)}
	if err := c.read(); err != nil {
		s.Fatal(err)
	}
	return c
}

func (c *clientConn) read() error {
	_ = c.SetDeadline(time.Now().Add(time.Second))
	line, err := c.in.ReadString('\n')
	if err == nil {
		c.name = line[:len(line)-1]
	}
	return err
}

// again asks the server once more.
func (c *clientConn) again() error {
	_ = c.SetDeadline(time.Time{})
	if _, err := io.WriteString(c, "again\n"); err != nil {
		return err
	}
	return c.read()
}
