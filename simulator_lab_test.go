package lvs

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// simLab is a simulator with a service, for tests of what packets do. Its
// releases are one of each way of counting connections.
type simLab struct {
	testing.TB
	*Simulator
	client *Client
	id     ServiceID
	port   uint16 // of the client that came last
}

var simReleases = []string{"6.1.176", "7.2.7"}

// forEachRelease runs a test on a simulator of each kind of kernel.
func forEachRelease(t *testing.T, test func(t *testing.T, l *simLab)) {
	t.Helper()
	for _, release := range simReleases {
		t.Run(release, func(t *testing.T) { test(t, newSimLab(t, SimOptions{Kernel: release})) })
	}
}

func newSimLab(t testing.TB, o SimOptions) *simLab {
	t.Helper()
	sim, err := NewSimulator(o)
	must(t, err)
	c := sim.Client()
	t.Cleanup(func() { c.Close() })
	return &simLab{TB: t, Simulator: sim, client: c, port: 1023}
}

// serve adds a service with servers 10.2.0.1 and so on, of port 80 or the
// service's if that is 0.
func (l *simLab) serve(s Service, mode Mode, weights ...int) {
	l.Helper()
	l.id = s.ID
	must(l, l.client.AddService(context.Background(), s))
	for i, w := range weights {
		server := RealServer{Addr: l.server(i), Mode: mode, Weight: w}
		must(l, l.client.AddRealServer(context.Background(), s.ID, server))
	}
}

func (l *simLab) server(i int) netip.AddrPort {
	port := uint16(80)
	if l.id.FWMark() != 0 || l.id.AddrPort().Port() == 0 {
		port = 0
	}
	if l.id.Is6() {
		return netip.AddrPortFrom(netip.MustParseAddr(fmt.Sprintf("fd00:2::%x", i+1)), port)
	}
	return netip.AddrPortFrom(netip.MustParseAddr(fmt.Sprintf("10.2.0.%d", i+1)), port)
}

func (l *simLab) sysctl(name string, value string) {
	l.Helper()
	must(l, l.Host().SetSysctl(context.Background(), SysctlKey("net.ipv4.vs."+name), value))
}

// flow returns a flow to the service from an unused port.
func (l *simLab) flow() Flow {
	l.port++
	f := Flow{Protocol: l.id.Protocol(), Client: netip.AddrPortFrom(netip.MustParseAddr("10.9.0.1"), l.port), VIP: l.id.AddrPort(), FWMark: l.id.FWMark()}
	if f.FWMark != 0 {
		f.Protocol, f.VIP = ProtocolTCP, netip.MustParseAddrPort("10.1.0.77:8080")
	}
	return f
}

func (l *simLab) connect() *SimConn {
	l.Helper()
	c, err := l.Connect(l.flow())
	must(l, err)
	return c
}

// syn is the first packet of a flow.
func (l *simLab) syn(f Flow) Verdict {
	l.Helper()
	return l.packet(f, SimSYN)
}

func (l *simLab) packet(f Flow, flags SimTCPFlags) Verdict {
	l.Helper()
	if f.protocol() != ProtocolTCP {
		flags = 0
	}
	v, err := l.Deliver(SimPacket{Protocol: f.protocol(), Source: f.Client, Destination: f.VIP, TCP: flags, FWMark: f.FWMark})
	must(l, err)
	return v
}

func (l *simLab) wants(v Verdict, a Action, r Reason) {
	l.Helper()
	if v.Action != a || v.Reason != r {
		l.Errorf("the packet was %s, want %s: %s", v, a, r)
	}
}

func (l *simLab) wait(d time.Duration) {
	l.Helper()
	must(l, l.Advance(d))
}

// status returns the only server's, or that of a server.
func (l *simLab) status(i int) RealServerStatus {
	l.Helper()
	s, err := l.client.RealServer(context.Background(), l.id, l.server(i))
	must(l, err)
	return s
}

func (l *simLab) counts(i int, active, inactive, persistent int) {
	l.Helper()
	s := l.status(i)
	if s.ActiveConns != active || s.InactiveConns != inactive || s.PersistentConns != persistent {
		l.Errorf("server %d has %d active, %d inactive, %d persistent; want %d, %d, %d",
			i, s.ActiveConns, s.InactiveConns, s.PersistentConns, active, inactive, persistent)
	}
}

// table returns the connection table, sorted, without expiry.
func (l *simLab) table() (rows []string) {
	l.Helper()
	all, err := CollectConnections(l.Host().Connections(context.Background(), ConnectionFilter{}))
	must(l, err)
	for _, c := range all {
		rows = append(rows, fmt.Sprintf("%s %s %s %s %s", c.Protocol, c.Client, c.VIP, c.Server, c.State))
	}
	slices.Sort(rows)
	return rows
}

func (l *simLab) expiry(i int) time.Duration {
	l.Helper()
	all, err := CollectConnections(l.Host().Connections(context.Background(), ConnectionFilter{}))
	must(l, err)
	return all[i].Expires
}

// picks opens connections and tells by letters which servers got them.
func (l *simLab) picks(n int) string {
	l.Helper()
	var b strings.Builder
	for range n {
		v := l.syn(l.flow())
		l.wants(v, ActionForwarded, ReasonScheduled)
		for i := range 26 {
			if v.Server == l.server(i) {
				b.WriteByte("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i])
			}
		}
	}
	return b.String()
}

var simWeb = TCP(netip.MustParseAddrPort("10.1.0.1:80"))

func (l *simLab) setWeight(i, weight int) {
	l.Helper()
	err := l.client.SetWeight(context.Background(), l.id, l.server(i), weight)
	must(l, err)
}
