package conformance

import (
	"cmp"
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/golvs/lvs/internal/testbed"
)

var fidelityExplanations = flag.Int("fidelity.explanations", 0, "how many certain explanations there are; 0 is a few")

// What Explain is certain of happens on a live host. Random histories change the table,
// parameters, routes and links; flows are explained in between, and then sent.
func TestFidelityExplain(t *testing.T) {
	testbed.InKernel(t)
	const few, mostWrong = 60, 20
	wanted := cmp.Or(*fidelityExplanations, few)
	sum := trialSum{fates: make(map[string]int)}
	for seed := *fidelitySeed; sum.certain < wanted && sum.wrong < mostWrong; seed++ {
		t.Run(fmt.Sprint("history ", seed), func(t *testing.T) {
			h := newTrial(t, seed, &sum)
			for range 400 {
				if h.step(); sum.certain >= wanted {
					break
				}
			}
			t.Logf("%d certain explanations so far", sum.certain)
		})
	}
	t.Logf("%d certain explanations, %d uncertain ones, %d wrong: %v", sum.certain, sum.uncertain, sum.wrong, sum.fates)
	if *fidelityExplanations > 0 {
		fmt.Printf("%-10s %-9s %9d %10d\n", "explain", thisRelease(t), sum.certain, sum.wrong)
	}
}

// trialSum is what histories came to.
type trialSum struct {
	certain, uncertain, wrong int
	fates                     map[string]int // of those that were certain
}

// trial is a random history. A director stands between a namespace of clients and one
// of real servers, neither of which has addresses: only the trial answers.
type trial struct {
	*testing.T
	*rand.Rand
	host                       *lvs.Host
	director, clients, servers *testbed.Namespace
	links                      *netlink.Handle // of the director
	peers                      *netlink.Handle // of the servers
	fromClients, fromServers   trialLink
	own                        map[sender]int // sockets of the director
	modes                      map[netip.Addr]lvs.Mode
	routes                     []netlink.Route // that were added
	table                      *os.File        // the director's connections
	sent                       uint32
	latest                     lvs.Flow // that was sent, and perhaps forwarded; the zero value: none
	log                        []string

	*trialSum
}

const (
	trialLocal    = "10.8.0.1"
	trialUnlinked = "10.3.0.1" // behind a router
	trialNoRoute  = "10.4.0.1"
	trialNotLocal = "10.1.0.77" // a VIP
)

func newTrial(t *testing.T, seed uint64, sum *trialSum) *trial {
	h := &trial{T: t, Rand: rand.New(rand.NewPCG(seed, 7)), own: make(map[sender]int), modes: make(map[netip.Addr]lvs.Mode), trialSum: sum}
	h.director, h.clients, h.servers = testbed.New(t), testbed.New(t), testbed.New(t)
	h.links, h.peers = trialHandle(t, h.director), trialHandle(t, h.servers)
	h.fromClients = h.link("c0", h.clients, "10.8.0.1/24", "10.1.0.1/32", "10.1.0.2/32")
	h.fromServers = h.link("s0", h.servers, "10.2.0.254/16")
	h.neighbours()
	h.addRoutes()
	host, err := lvs.OpenHost(context.Background(), lvs.InNamespaceFile(h.director.File))
	must(t, err)
	runtime.KeepAlive(h)
	h.host = host
	for range 12 {
		id := h.anyID()
		_ = host.Client().Do(context.Background(), lvs.AddService(h.service(id)), lvs.AddRealServer(id, h.server(id)), lvs.AddRealServer(id, h.server(id)))
	}
	t.Cleanup(func() {
		_ = host.Client().Flush(context.Background())
		host.Close()
		h.table.Close()
		for _, fd := range h.own {
			_ = unix.Close(fd)
		}
	})
	for key, value := range map[lvs.SysctlKey]string{
		"net.ipv4.ip_forward": "1", "net.ipv4.conf.all.rp_filter": "0", "net.ipv4.conf.c0.rp_filter": "0", "net.ipv4.conf.s0.rp_filter": "0",
		"net.ipv4.icmp_ratelimit": "0", "net.ipv4.conf.all.send_redirects": "0", "net.ipv4.conf.s0.send_redirects": "0",
	} {
		must(t, host.SetSysctl(context.Background(), key, value))
	}
	return h
}

func ipOf(text string) []byte { return netip.MustParseAddr(text).AsSlice() }

func (h *trial) addRoutes() {
	for _, r := range []struct{ to, via string }{{"10.9.0.0/16", "10.8.0.2"}, {"10.3.0.0/24", "10.2.0.250"}} {
		to, err := netlink.ParseIPNet(r.to)
		must(h.T, err)
		must(h.T, h.links.RouteReplace(&netlink.Route{Dst: to, Gw: ipOf(r.via)}))
	}
}

func (h *trial) note(format string, args ...any) { h.log = append(h.log, fmt.Sprintf(format, args...)) }

func (h *trial) step() {
	ctx := context.Background()
	c := h.host.Client()
	id := h.anyID()
	change := func(ch lvs.Change) {
		err := c.Do(ctx, ch)
		h.note("%s: %v", ch, err)
	}
	switch n := h.IntN(100); {
	case n < 4:
		change(lvs.AddService(h.service(id)))
	case n < 16:
		change(lvs.AddRealServer(id, h.server(id)))
	case n < 21:
		change(lvs.UpdateRealServer(id, h.server(id)))
	case n < 24:
		change(lvs.RemoveRealServer(id, h.server(id).Addr))
	case n < 26:
		change(lvs.UpdateService(h.service(id)))
	case n == 26 && h.IntN(2) == 0:
		change(lvs.RemoveService(id))
	case n == 27 && h.IntN(8) == 0:
		h.note("flush: %v", c.Flush(ctx))
	case n < 30:
		h.sysctl()
	case n < 32:
		h.way()
	case n < 44:
		h.other()
	case n < 62:
		h.complain()
	default:
		h.flow()
	}
}

func (h *trial) anyID() lvs.ServiceID {
	vip := netip.MustParseAddr("10.1.0.1")
	all := []lvs.ServiceID{
		lvs.TCP(netip.AddrPortFrom(vip, 80)), lvs.UDP(netip.AddrPortFrom(vip, 80)), lvs.UDP(netip.AddrPortFrom(vip, 0)),
		lvs.TCP(netip.AddrPortFrom(vip, 21)), lvs.FWMark(7), lvs.TCP(netip.MustParseAddrPort("10.1.0.2:80")), lvs.UDP(netip.MustParseAddrPort("10.1.0.77:80")),
	}
	return all[h.IntN(len(all))]
}

func (h *trial) service(id lvs.ServiceID) lvs.Service {
	schedulers := []lvs.Scheduler{lvs.RR, lvs.WRR, lvs.LC, lvs.WLC, lvs.SED, lvs.NQ, lvs.FO, lvs.OVF, lvs.DH, lvs.SH, lvs.MH, lvs.LBLC, lvs.LBLCR, lvs.LC, lvs.WLC, lvs.SH, lvs.DH, lvs.FO}
	s := lvs.Service{ID: id, Scheduler: schedulers[h.IntN(len(schedulers))], SchedulerFlags: []lvs.SchedulerFlags{0, lvs.HashFallback, lvs.HashPort, lvs.HashFallback | lvs.HashPort}[h.IntN(4)]}
	if h.IntN(3) == 0 || id.FWMark() == 0 && id.AddrPort().Port() == 0 {
		s.Persistence = lvs.Persistence{Timeout: time.Duration(1+h.IntN(100)) * time.Second, Mask: lvs.PrefixMask(24 + 8*h.IntN(2))}
	}
	s.OnePacket = id.Protocol() == lvs.ProtocolUDP && h.IntN(6) == 0
	return s
}

func (h *trial) server(id lvs.ServiceID) lvs.RealServer {
	addrs := []string{"10.2.0.1", "10.2.0.2", "10.2.0.3", "10.2.0.1", "10.2.0.2", "10.2.0.3", "10.2.0.4", trialUnlinked, trialNoRoute, trialLocal, "127.0.0.1"}
	addr := netip.AddrPortFrom(netip.MustParseAddr(addrs[h.IntN(len(addrs))]), id.AddrPort().Port())
	s := lvs.RealServer{Addr: addr, Mode: h.mode(addr.Addr()), Weight: []int{0, 1, 1, 1, 2, 3, 40}[h.IntN(7)]}
	if s.Mode == lvs.NAT() && addr.Port() == 80 && h.IntN(3) == 0 {
		s.Addr = netip.AddrPortFrom(addr.Addr(), 8000)
	}
	if h.IntN(3) == 0 {
		s.UpperThreshold = 1 + h.IntN(6)
		s.LowerThreshold = h.IntN(s.UpperThreshold + 1)
	}
	return s
}

// mode returns the mode of a server, which stays: a connection does not show the one
// that it was made with, and while connections have another one than their server,
// the kernel may send packets of both along the route of either.
func (h *trial) mode(server netip.Addr) lvs.Mode {
	m, known := h.modes[server]
	if !known {
		m = []lvs.Mode{lvs.DR(), lvs.NAT(), lvs.NAT(), lvs.IPIP()}[h.IntN(4)]
		h.modes[server] = m
	}
	return m
}

func (h *trial) sysctl() {
	names := []string{
		"expire_nodest_conn", "expire_quiescent_template", "conn_reuse_mode", "cache_bypass", "conntrack", "drop_packet", "sloppy_tcp", "conn_reuse_mode",
		"schedule_icmp", "schedule_icmp",
	}
	name, value := names[h.IntN(len(names))], h.IntN(2)
	switch name {
	case "drop_packet":
		value = 3 * (h.IntN(6) / 5)
	case "conn_reuse_mode":
		value = h.IntN(4)
	case "conntrack":
		value = h.IntN(4) / 3
	}
	h.note("%s = %d: %v", name, value, h.host.SetSysctl(context.Background(), lvs.SysctlKey("net.ipv4.vs."+name), fmt.Sprint(value)))
}

// way changes routes and links.
func (h *trial) way() {
	kinds := []int{unix.RTN_BLACKHOLE, unix.RTN_UNREACHABLE, unix.RTN_PROHIBIT}
	switch n := h.IntN(6); {
	case n < 2:
		to, _ := netlink.ParseIPNet(fmt.Sprintf("10.2.0.%d/32", 1+h.IntN(4)))
		r := netlink.Route{Dst: to, Type: kinds[h.IntN(len(kinds))]}
		h.note("route to %s of type %d: %v", to, r.Type, h.links.RouteReplace(&r))
		h.routes = append(h.routes, r)
	case n < 4:
		for _, r := range h.routes {
			_ = h.links.RouteDel(&r)
		}
		h.routes = nil
		h.note("routes removed")
	case n == 4:
		h.note("servers' end down: %v", h.peers.LinkSetDown(h.fromServers.far))
		for range 4 {
			h.flow()
		}
		h.note("servers' end up: %v", h.peers.LinkSetUp(h.fromServers.far))
		time.Sleep(50 * time.Millisecond)
	default:
		h.note("s0 down: %v", h.links.LinkSetDown(h.fromServers.own))
		for range 4 {
			h.flow()
		}
		h.note("s0 up: %v", h.links.LinkSetUp(h.fromServers.own))
		h.neighbours()
		h.addRoutes()
		time.Sleep(50 * time.Millisecond)
	}
}

// randomFlow is one of few, so that they come back.
func (h *trial) randomFlow() lvs.Flow {
	f := lvs.Flow{Protocol: lvs.ProtocolTCP}
	if h.IntN(2) == 0 {
		f.Protocol = lvs.ProtocolUDP
	}
	f.Client = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, byte(h.IntN(2)), byte(1 + h.IntN(5))}), uint16(2000+h.IntN(12)))
	if h.IntN(5) == 0 {
		f.Client = netip.AddrPortFrom(netip.MustParseAddr(trialLocal), uint16(2000+h.IntN(30)))
		f.FWMark = []uint32{0, 7}[f.Client.Port()%2] // always the same
	}
	vips := []string{"10.1.0.1:80", "10.1.0.1:80", "10.1.0.1:80", "10.1.0.1:80", "10.1.0.1:21", "10.1.0.1:8080", "10.1.0.2:80", "10.1.0.77:80"}
	f.VIP = netip.MustParseAddrPort(vips[h.IntN(len(vips))])
	return f
}

func (h *trial) packet(f lvs.Flow, tcp uint8) packet {
	if f.Protocol == lvs.ProtocolUDP {
		tcp = 0
	}
	return packet{protocol: uint8(f.Protocol), tcp: tcp, from: f.Client, to: f.VIP, mark: f.FWMark}
}

// other sends a packet that opens no connection, and perhaps an answer.
func (h *trial) other() {
	f := h.randomFlow()
	tcp := []uint8{flagACK, flagFIN | flagACK, flagRST}[h.IntN(3)]
	got := h.send(h.packet(f, tcp))
	h.note("%s, flags %#x: %s", f, tcp, got)
	if conns := h.connections(f); len(conns) == 1 && h.IntN(2) == 0 {
		p := packet{protocol: uint8(f.Protocol), from: conns[0].Server, to: f.Client}
		if f.Protocol == lvs.ProtocolTCP {
			p.tcp = []uint8{flagSYN | flagACK, flagACK, flagFIN | flagACK, flagRST}[h.IntN(4)]
		}
		h.sent++
		h.inject(&h.fromServers, p.encode(h.sent))
		h.drain()
		h.note("answer of %s, flags %#x", conns[0].Server, p.tcp)
	}
}

// connections reads those of a flow from a file that stays open, for a thread in the
// namespace is slow to make.
func (h *trial) connections(f lvs.Flow) (mine []lvs.Connection) {
	if h.table == nil {
		must(h.T, h.director.Do(func() (err error) {
			h.table, err = os.Open("/proc/thread-self/net/ip_vs_conn")
			return err
		}))
	}
	_, err := h.table.Seek(0, io.SeekStart)
	must(h.T, err)
	text, err := io.ReadAll(h.table)
	must(h.T, err)
	for _, line := range strings.Split(string(text), "\n")[1:] {
		if line == "" {
			continue
		}
		if c := connectionOf(h.T, line); c.Protocol == f.Protocol && c.Client == f.Client && c.VIP == f.VIP {
			mine = append(mine, c)
		}
	}
	return mine
}

// connectionOf reads the ends of a connection from a line of the table.
func connectionOf(t testing.TB, line string) (c lvs.Connection) {
	t.Helper()
	fields := strings.Fields(line)
	if fields[0] != "IP" { // a template of a firewall mark
		must(t, c.Protocol.UnmarshalText([]byte(strings.ToLower(fields[0]))))
	}
	for i, to := range []*netip.AddrPort{&c.Client, &c.VIP, &c.Server} {
		b, err := hex.DecodeString(strings.NewReplacer("[", "", "]", "", ":", "").Replace(fields[1+2*i]))
		must(t, err)
		addr, ok := netip.AddrFromSlice(b)
		port, err := strconv.ParseUint(fields[2+2*i], 16, 16)
		if must(t, err); !ok {
			t.Fatalf("the address %q", fields[1+2*i])
		}
		*to = netip.AddrPortFrom(addr, uint16(port))
	}
	return c
}

// flow explains a flow, sends it, and compares.
func (h *trial) flow() {
	f := h.randomFlow()
	x, err := h.host.Explain(context.Background(), f)
	must(h.T, err)
	got := h.send(h.packet(f, flagSYN))
	h.note("%s: %s", f, got)
	if h.latest = f; x.Certain && x.Verdicts[0].Action != lvs.ActionForwarded {
		h.latest = lvs.Flow{}
	}
	h.judge(x, got, slices.ContainsFunc(x.Verdicts, func(v lvs.Verdict) bool { return h.is(f, v, got) }))
}

// judge counts an explanation, and reports one that did not come to pass.
func (h *trial) judge(x lvs.Explanation, got seenFate, right bool) {
	if x.Certain {
		h.certain++
		text, _ := x.Verdicts[0].Reason.MarshalText()
		if x.Error != nil {
			text = fmt.Appendf(nil, "error-%s-%s", strings.ReplaceAll(x.Verdicts[0].Action.String(), " ", "-"), text)
		}
		h.fates[string(text)]++
	} else {
		h.uncertain++
	}
	if right {
		return
	}
	h.wrong++
	h.Errorf("the packet's fate is %s, and it was to be\n%s\nconnections: %v\nlast steps:\n%s", got, x, h.connections(x.Flow), h.last())
}

func (h *trial) last() (text string) {
	for _, line := range h.log[max(0, len(h.log)-60):] {
		text += "  " + line + "\n"
	}
	return text
}

// seenFate is what happens to a packet: where servers get it, and what the client
// gets.
type seenFate struct {
	servers string
	client  string // "icmp 3.1", "reset", "accepted" or ""
}

func (s seenFate) String() string { return fmt.Sprintf("servers %q, client %q", s.servers, s.client) }

// is reports whether a verdict is what was seen.
func (h *trial) is(f lvs.Flow, v lvs.Verdict, got seenFate) bool {
	own := f.Client.Addr().String() == trialLocal
	stack := seenFate{client: "reset"} // no program listens
	if f.Protocol == lvs.ProtocolUDP {
		stack.client = "icmp 3.3"
	}
	refused := seenFate{client: "icmp 3.3"}
	unreachable := seenFate{client: "icmp 3.1"}
	if own { // it has no socket that would show it
		got.client, stack.client, refused.client, unreachable.client = "", "", "", ""
	}
	const onward = startTTL - 1
	switch {
	case v.Action == lvs.ActionForwarded && v.Mode == lvs.NAT():
		return got.servers == fateOf(f.Client, netip.AddrPortFrom(v.Server.Addr(), v.Port), onward)
	case v.Action == lvs.ActionForwarded && v.Mode == lvs.IPIP():
		return got.servers == fateTunnelled(v.Mode.Name(), v.Server.Addr())
	case v.Action == lvs.ActionForwarded && (v.Mode == lvs.DR() || v.Mode == lvs.ModeBypass()):
		conns := h.connections(f)
		return got.servers == fateOf(f.Client, f.VIP, onward) &&
			(len(conns) == 0 || v.Mode == lvs.ModeBypass() || conns[0].Server.Addr() == v.Server.Addr())
	case v.Reason == lvs.ReasonNotListening:
		return got == stack
	case v.Reason == lvs.ReasonNoRoute && v.Action == lvs.ActionRefused:
		return got == unreachable
	case v.Action == lvs.ActionRefused:
		return got == refused
	case v.Reason == lvs.ReasonNotLocal:
		return got.servers == "" && got.client != "icmp 3.3" && got.client != "reset"
	case v.Action == lvs.ActionPassed && own && f.VIP.Addr().String() == trialNotLocal:
		return true
	case v.Action == lvs.ActionPassed:
		return got == stack
	}
	return got == seenFate{}
}
