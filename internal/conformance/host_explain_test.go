package conformance

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// A datagram goes where Explain says before it is sent.
func TestConformanceExplain(t *testing.T) {
	tied := lvs.Persistence{Timeout: time.Minute, Mask: lvs.PrefixMask(16)}
	for _, s := range []lvs.Service{
		{Scheduler: lvs.LC}, {Scheduler: lvs.WLC}, {Scheduler: lvs.DH},
		{Scheduler: lvs.SH, SchedulerFlags: lvs.HashPort}, {Scheduler: lvs.SH, SchedulerFlags: lvs.HashPort | lvs.HashFallback},
		{Scheduler: lvs.MH, SchedulerFlags: lvs.HashPort}, {Scheduler: lvs.MH, SchedulerFlags: lvs.HashPort | lvs.HashFallback},
		{Scheduler: lvs.RR, Persistence: tied},
	} {
		s.ID = lvs.UDP(netip.MustParseAddrPort("10.1.0.1:53"))
		name := strings.ReplaceAll(strings.TrimPrefix(s.String(), s.ID.String()+" "), "/", "-")
		t.Run(name, func(t *testing.T) {
			conformOne(t, func(t *testing.T, g ground) { explainDatagrams(t, g, s) })
		})
	}
}

func explainDatagrams(t *testing.T, g ground, s lvs.Service) {
	h, ctx := g.Host(t), groundContext(t)
	must(t, h.Client().AddService(ctx, s))
	for i, weight := range []int{3, 1, 2, 0, 4} {
		server := lvs.NewRealServer(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, byte(2 + i)}), 53), lvs.DR())
		server.Weight = weight
		if s.Scheduler == lvs.MH {
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
			f := lvs.Flow{Protocol: lvs.ProtocolUDP, Client: netip.AddrPortFrom(netip.MustParseAddr(from), 5000+port), VIP: s.ID.AddrPort()}
			if explainDatagram(t, g, h, f) {
				certain++
			}
		}
	}
	want := 10
	if _, simulated := g.(*simulatorGround); s.Scheduler == lvs.RR && !simulated {
		want = 8 // the first of each network: a kernel does not say where rr stands
	}
	if certain != want {
		t.Errorf("%d of 10 answers were certain, want %d", certain, want)
	}
}

// explainDatagram explains a datagram, sends it, and compares where it went.
func explainDatagram(t *testing.T, g ground, h *lvs.Host, f lvs.Flow) (certain bool) {
	t.Helper()
	x, err := h.Explain(groundContext(t), f)
	must(t, err)
	if slices.ContainsFunc(x.Verdicts, func(v lvs.Verdict) bool { return v.Action != lvs.ActionForwarded }) {
		return x.Certain // a ground takes no datagram that is refused
	}
	must(t, g.Datagram(f.Client, f.VIP))
	all, err := lvs.CollectConnections(h.Connections(groundContext(t), lvs.ConnectionFilter{}))
	must(t, err)
	mine := slices.DeleteFunc(all, func(c lvs.Connection) bool { return c.Client != f.Client || c.VIP != f.VIP })
	if len(mine) != 1 || !slices.Contains(x.Servers(), mine[0].Server) {
		t.Fatalf("connections %v, and it was to be\n%s", mine, x)
	}
	if f.Client.Port()%5 == 0 {
		explainConnection(t, h, f, mine[0])
	}
	return x.Certain
}

func explainConnection(t *testing.T, h *lvs.Host, f lvs.Flow, c lvs.Connection) {
	t.Helper()
	x, err := h.Explain(groundContext(t), f)
	must(t, err)
	if !x.Certain || x.Verdicts[0].Reason != lvs.ReasonConnection || x.Verdicts[0].Server != c.Server || x.Connection == nil || x.Connection.Server != c.Server {
		t.Fatalf("of the connection %v it says\n%s", c, x)
	}
}
