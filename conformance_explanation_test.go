package lvs

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// What is said of a datagram before it is sent comes to pass, in real kernels too.
func TestConformanceExplain(t *testing.T) {
	tied := Persistence{Timeout: time.Minute, Mask: PrefixMask(16)}
	for _, s := range []Service{
		{Scheduler: LC}, {Scheduler: WLC}, {Scheduler: DH},
		{Scheduler: SH, SchedulerFlags: HashPort}, {Scheduler: SH, SchedulerFlags: HashPort | HashFallback},
		{Scheduler: MH, SchedulerFlags: HashPort}, {Scheduler: MH, SchedulerFlags: HashPort | HashFallback},
		{Scheduler: RR, Persistence: tied},
	} {
		s.ID = UDP(netip.MustParseAddrPort("10.1.0.1:53"))
		name := strings.ReplaceAll(strings.TrimPrefix(s.String(), s.ID.String()+" "), "/", "-")
		t.Run(name, func(t *testing.T) {
			conformOne(t, func(t *testing.T, g ground) { explainDatagrams(t, g, s) })
		})
	}
}

func explainDatagrams(t *testing.T, g ground, s Service) {
	h, ctx := g.Host(t), groundContext(t)
	must(t, h.Client().AddService(ctx, s))
	for i, weight := range []int{3, 1, 2, 0, 4} {
		server := NewRealServer(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, byte(2 + i)}), 53), DR)
		server.Weight = weight
		if s.Scheduler == MH {
			server.Weight = max(1, weight) // of what mh knows of it that is not shown, see below
		}
		if i == 2 {
			server.UpperThreshold = 20 // so many that its counts tell that it is open
		}
		must(t, h.Client().AddRealServer(ctx, s.ID, server))
	}
	certain := 0
	for port := range uint16(5) {
		for _, from := range []string{"10.1.0.1", "10.2.0.1"} {
			f := Flow{Protocol: ProtocolUDP, Client: netip.AddrPortFrom(netip.MustParseAddr(from), 5000+port), VIP: s.ID.AddrPort()}
			if explainDatagram(t, g, h, f) {
				certain++
			}
		}
	}
	want := 10
	if s.Scheduler == RR {
		want = 8 // the first of each network
	}
	if certain != want {
		t.Errorf("%d of 10 answers were certain, want %d", certain, want)
	}
}

// explainDatagram explains a datagram as if the ground were live, sends it, and
// compares where it went.
func explainDatagram(t *testing.T, g ground, h *Host, f Flow) (certain bool) {
	t.Helper()
	live := *h
	live.guard.files = aliveFiles{h.guard.files}
	x, err := live.Explain(groundContext(t), f)
	must(t, err)
	if slices.ContainsFunc(x.Verdicts, func(v Verdict) bool { return v.Action != ActionForwarded }) {
		return x.Certain // a ground takes no datagram that is refused
	}
	g.Datagram(t, f.Client, f.VIP)
	all, err := h.Connections(groundContext(t))
	must(t, err)
	mine, _ := split(all, f.owns)
	if len(mine) != 1 || !slices.Contains(x.Servers(), mine[0].Server) {
		t.Fatalf("connections %v, and it was to be\n%s", mine, x)
	}
	if f.Client.Port()%5 == 0 {
		explainConnection(t, &live, f, mine[0])
	}
	return x.Certain
}

func explainConnection(t *testing.T, h *Host, f Flow, c Connection) {
	t.Helper()
	x, err := h.Explain(groundContext(t), f)
	must(t, err)
	if !x.Certain || x.Verdicts[0].Reason != ReasonConnection || x.Verdicts[0].Server != c.Server || x.Connection == nil || x.Connection.Server != c.Server {
		t.Fatalf("of the connection %v it says\n%s", c, x)
	}
}
