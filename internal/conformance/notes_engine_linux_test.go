package conformance

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/testbed"
)

// The notes on persistence engines are true of kernels.
func TestConformanceNotesOfEngines(t *testing.T) {
	testbed.InKernel(t)
	byClient := lvs.Persistence{Timeout: time.Minute}
	byCall := lvs.Persistence{Timeout: time.Minute, Engine: "sip"}
	const dropped = " Datagrams of new flows that have no Call-ID are dropped."

	t.Run("on", func(t *testing.T) {
		c := openCalls(t, byClient)
		c.is("a client's calls", c.call(1, "a")+c.call(1, "b"), "BB")
		c.change(byCall, "Templates of another engine do not count, so persistence lets go of 1 client; "+
			"each call is tied to the server that rr picks next."+dropped)
		c.is("new calls of the client", c.call(1, "c")+c.call(1, "d"), "AB")
		c.is("the same calls", c.call(1, "c")+c.call(1, "d"), "AB")
		c.is("one of them of another client", c.call(2, "d"), "A")
		c.is("no call", c.say(1, "hello"), "-")
	})
	t.Run("off", func(t *testing.T) {
		c := openCalls(t, byCall)
		c.is("calls", c.call(2, "a")+c.call(1, "b"), "BA")
		c.change(byClient, "Templates of another engine do not count, so persistence lets go of 2 calls; "+
			"each client is tied to the server that rr picks next.")
		c.is("the same call and none", c.call(1, "b")+c.say(1, "hello"), "BB")
	})
	t.Run("with persistence", func(t *testing.T) {
		c := openCalls(t, lvs.Persistence{})
		c.is("calls", c.call(1, "a")+c.call(1, "a"), "BA")
		c.change(byCall, "Existing flows stay; each call is tied to the server that rr picks for its next one."+dropped)
		c.is("the same call", c.call(1, "a")+c.call(1, "a"), "BB")
		c.is("no call", c.say(1, "hello"), "-")
	})
	t.Run("removed server", func(t *testing.T) {
		c := openCalls(t, byCall)
		c.is("calls", c.call(1, "a")+c.call(1, "b"), "BA")
		c.plan("Datagrams of its 1 flow are dropped, each flow's until the UDP timeout after the last one that was forwarded.\n"+
			"Persistence lets go of 1 call, whose next flows are scheduled again.\n"+
			"New flows of new calls go to the other servers.", removing(0))
		c.is("the calls", c.call(1, "a")+c.call(1, "b"), "BB")
	})
}

// calls sends datagrams to a service of the real servers A and B.
type calls struct {
	testing.TB
	*kernelGround
	host  *lvs.Host
	table lvs.TableService
	port  uint16
}

func openCalls(t *testing.T, p lvs.Persistence) *calls {
	t.Helper()
	g := openKernelGround(t).(*kernelGround)
	c := &calls{TB: t, kernelGround: g, host: g.Host(t), port: 1023}
	c.table.Service = lvs.Service{ID: lvs.UDP(addrAt("10.1.254.1:5060")), Scheduler: lvs.RR, Persistence: p}
	for i := range 2 {
		c.table.RealServers = append(c.table.RealServers, noteServer(c.table.ID, i, 1))
	}
	other := lvs.TableService{Service: lvs.Service{ID: noteOther}}
	must(t, c.host.Client().Do(groundContext(t), lvs.AddService(other.Service)))
	c.plan("", func(*lvs.TableService) {})
	return c
}

// change sets the persistence.
func (c *calls) change(p lvs.Persistence, notes string) {
	c.Helper()
	c.plan(notes, func(s *lvs.TableService) { s.Persistence = p })
}

// plan applies a change that has the notes.
func (c *calls) plan(notes string, edit func(*lvs.TableService)) {
	c.Helper()
	edit(&c.table)
	want := lvs.Table{Services: []lvs.TableService{c.table}}
	plan, err := c.host.Client().PlanTable(groundContext(c), want, lvs.TableOptions{Host: c.host})
	must(c, err)
	if notes != "" {
		c.is("the notes", strings.Join(plan.Steps[0].Notes, "\n"), notes)
	}
	must(c, c.host.Client().Do(groundContext(c), plan.Changes()...))
}

// call opens a flow of a client by the Call-ID, and returns the server.
func (c *calls) call(client int, id string) string {
	c.Helper()
	return c.say(client, "INVITE sip:b@example.com SIP/2.0\r\nCall-ID: "+id+"@example.com\r\n\r\n")
}

// say opens a flow of a client, and returns the server, or "-" if the datagram is
// dropped.
func (c *calls) say(client int, text string) string {
	c.Helper()
	c.port++
	from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(client), 0, 1}), c.port)
	err := c.ns.Do(func() error {
		conn, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(from), net.UDPAddrFromAddrPort(c.table.ID.AddrPort()))
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.Write([]byte(text))
		return err
	})
	if errors.Is(err, unix.EPERM) {
		return "-"
	}
	must(c, err)
	all, err := lvs.CollectConnections(c.host.Connections(groundContext(c), lvs.ConnectionFilter{}))
	must(c, err)
	for _, conn := range all {
		if conn.Client == from && !conn.IsTemplate() {
			return string('A' + conn.Server.Addr().As4()[3] - 10)
		}
	}
	return "?"
}

func (c *calls) is(what, got, want string) {
	c.Helper()
	if got != want {
		c.Errorf("%s: %s, want %s", what, got, want)
	}
}
