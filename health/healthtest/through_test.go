package healthtest_test

import (
	"bufio"
	"io"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health/healthtest"
)

var (
	vip    = netip.MustParseAddrPort("10.168.0.91:80")
	client = netip.MustParseAddr("203.0.113.7")
)

// director returns a simulated one with a service that has the server web in a mode, and
// another one by firewall mark.
func director(t *testing.T, mode lvs.Mode) *lvs.Simulator {
	t.Helper()
	sim, err := lvs.NewSimulator(lvs.SimOptions{Clock: time.Now, ImmediateStats: true})
	if err != nil {
		t.Fatal(err)
	}
	c := sim.Client()
	defer c.Close()
	for _, id := range []lvs.ServiceID{lvs.TCP(vip), lvs.UDP(vip), lvs.FWMark(7)} {
		server := lvs.NewRealServer(web, mode)
		if id.FWMark() != 0 {
			server.Addr = netip.AddrPortFrom(web.Addr(), 0)
		}
		if mode == lvs.NAT() {
			server.Addr = web
		}
		err := c.Do(t.Context(), lvs.AddService(lvs.Service{ID: id, Scheduler: lvs.RR}), lvs.AddRealServer(id, server))
		if err != nil {
			t.Fatal(err)
		}
	}
	return sim
}

// What lacks on the server alone is noticed through IPVS, and not at its own address.
func TestThrough(t *testing.T) {
	for _, c := range []struct {
		mode      lvs.Mode
		script    string
		http, udp string
	}{
		{lvs.DR(), "", "hello", "ok"},
		{lvs.NAT(), "", "hello", "ok"},
		{lvs.GUE(6080), "", "hello", "ok"},
		{lvs.DR(), "0s novip", "timeout", "timeout"},
		{lvs.DR(), "0s tunneldown", "hello", "ok"},
		{lvs.NAT(), "0s novip", "hello", "ok"},
		{lvs.NAT(), "0s tunneldown", "hello", "ok"},
		{lvs.IPIP(), "0s novip", "timeout", "timeout"},
		{lvs.GRE(), "0s tunneldown", "timeout", "timeout"},
		{lvs.NAT(), "0s refuse", "refused", "refused"},
		{lvs.DR(), "0s hang", "timeout", "timeout"},
		{lvs.DR(), "0s status 500", "500 Internal Server Error", "ok"},
	} {
		t.Run(c.mode.String()+" "+c.script, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := network(t, hello(), c.script)
				sim := director(t, c.mode)
				for _, mark := range []uint32{0, 7} {
					way := n.Through(sim, client, mark)
					got, err := get(t, way, "http://"+vip.String()+"/")
					if err != nil {
						got = outcome(err)
					}
					if got != c.http {
						t.Errorf("HTTP with mark %d: %s, want %s", mark, got, c.http)
					}
					answer, err := ask(t, way, "udp", vip.String(), []byte("you"))
					if got := outcome(err); got != c.udp || err == nil && string(answer) != "hello you" {
						t.Errorf("UDP with mark %d: %s, %q, want %s", mark, got, answer, c.udp)
					}
				}
				counts(t, sim, lvs.TCP(vip), 1)
				counts(t, sim, lvs.FWMark(7), 2)
				synctest.Wait()
			})
		})
	}
}

// counts holds how many connections IPVS has counted for a service.
func counts(t *testing.T, sim *lvs.Simulator, id lvs.ServiceID, want uint64) {
	t.Helper()
	c := sim.Client()
	defer c.Close()
	s, err := c.Service(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Stats.Conns; got != want {
		t.Errorf("%s has %d connections, want %d", id, got, want)
	}
}

// What IPVS does with a client is what the client gets.
func TestThroughNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := network(t, hello(), "")
		sim := director(t, lvs.NAT())
		c := sim.Client()
		defer c.Close()
		if err := c.SetWeight(t.Context(), lvs.TCP(vip), web, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := get(t, n.Through(sim, client, 0), "http://"+vip.String()+"/"); outcome(err) != "refused" {
			t.Errorf("without a server: %v", err)
		}
		if _, err := ask(t, n.Through(sim, client, 0), "ip4:icmp", vip.Addr().String(), nil); err == nil {
			t.Error("IPVS carries ICMP")
		}
	})
}

// A connection breaks when its server is removed, and goes on when it is drained.
func TestThroughConnection(t *testing.T) {
	for _, mode := range []lvs.Mode{lvs.DR(), lvs.NAT()} {
		synctest.Test(t, func(t *testing.T) {
			n := network(t, healthtest.Server{TCP: greeter}, "")
			sim := director(t, mode)
			c := sim.Client()
			defer c.Close()
			conn, err := n.Through(sim, client, 0).DialContext(t.Context(), "tcp", vip.String())
			if err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewReader(conn)
			say := func(want string) {
				t.Helper()
				_ = conn.SetDeadline(time.Now().Add(time.Second))
				got, err := lines.ReadString('\n')
				if err != nil {
					got = outcome(err)
				}
				if got != want {
					t.Fatalf("got %q, want %q", got, want)
				}
				_, _ = io.WriteString(conn, "again\n")
			}
			say("hello\n")
			if err := c.SetWeight(t.Context(), lvs.TCP(vip), web, 0); err != nil {
				t.Fatal(err)
			}
			say("again\n")
			say("again\n")
			if _, err := lines.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			if err := c.RemoveRealServer(t.Context(), lvs.TCP(vip), web); err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(conn, "lost\n")
			say("timeout")
			conn.Close()
			synctest.Wait()
			if _, open := n.Dialled(web); open != 0 {
				t.Errorf("%d connections are open", open)
			}
		})
	}
}
