package lvs

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// What is said of a datagram before it is sent comes to pass, in real kernels too.
func TestConformanceExplain(t *testing.T) {
	tied := Persistence{Timeout: time.Minute, Mask: PrefixMask(16)}
	for _, s := range []Service{
		{Scheduler: LC}, {Scheduler: WLC}, {Scheduler: SED}, {Scheduler: NQ}, {Scheduler: FO}, {Scheduler: OVF}, {Scheduler: DH},
		{Scheduler: SH, Flags: SourcePort}, {Scheduler: SH, Flags: SourcePort | Fallback},
		{Scheduler: MH, Flags: SourcePort}, {Scheduler: MH, Flags: SourcePort | Fallback},
		{Scheduler: RR, Persistence: tied}, {Scheduler: WLC, Persistence: tied}, {Scheduler: LC, OnePacket: true},
	} {
		s.ID = UDP(netip.MustParseAddrPort("10.1.0.1:53"))
		t.Run(s.String(), func(t *testing.T) {
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
			server.UpperThreshold, server.LowerThreshold = 5, 5 // so that its counts tell whether it is closed
		}
		must(t, h.Client().AddServer(ctx, s.ID, server))
	}
	certain := 0
	for port := range uint16(25) {
		for _, from := range []string{"10.1.0.1", "10.2.0.1"} {
			f := Flow{Protocol: ProtocolUDP, Client: netip.AddrPortFrom(netip.MustParseAddr(from), 5000+port), VIP: s.ID.VIP()}
			if explainDatagram(t, g, h, f, s.OnePacket) {
				certain++
			}
		}
	}
	if want := map[Scheduler]int{RR: 48}[s.Scheduler]; certain < want || want == 0 && certain < 50 {
		t.Errorf("%d of 50 answers were certain", certain)
	}
}

// explainDatagram explains a datagram as if the ground were live, sends it, and
// compares where it went.
func explainDatagram(t *testing.T, g ground, h *Host, f Flow, onePacket bool) (certain bool) {
	t.Helper()
	ctx := groundContext(t)
	live := *h
	live.files = aliveFiles{h.files}
	x, err := live.Explain(ctx, f)
	must(t, err)
	candidates := x.Candidates()
	if len(candidates) == 0 {
		for _, v := range x.Verdicts {
			if v.Action != Refused || v.Reason != ReasonNoServerUsable {
				t.Fatalf("it says %s", x)
			}
		}
		return x.Certain // a ground takes no datagram that is refused
	}
	before, err := h.Client().Servers(ctx, UDP(f.VIP))
	must(t, err)
	g.Datagram(t, f.Client, f.VIP)
	after, err := h.Client().Servers(ctx, UDP(f.VIP))
	must(t, err)
	for i := range after {
		got := after[i].InactiveConns != before[i].InactiveConns
		if onePacket {
			break
		}
		if may := len(candidates) == 1 && candidates[0] == after[i].Addr; x.Certain && got != may {
			t.Fatalf("%s got the datagram: %t, and it was to be\n%s", after[i].Addr, got, x)
		}
	}
	again, err := live.Explain(ctx, f)
	must(t, err)
	if onePacket {
		return x.Certain
	}
	if !again.Certain || again.Verdicts[0].Reason != ReasonConnection || fmt.Sprint(again.Candidates()) != fmt.Sprint(connectedTo(t, h, f)) {
		t.Fatalf("then it says %s", again)
	}
	if x.Certain && again.Verdicts[0].Server != x.Verdicts[0].Server {
		t.Fatalf("first it says %s, and then %s", x, again)
	}
	return x.Certain
}

// connectedTo returns the servers of the flow's connections.
func connectedTo(t *testing.T, h *Host, f Flow) (servers []netip.AddrPort) {
	t.Helper()
	all, err := h.Connections(groundContext(t))
	must(t, err)
	for _, c := range all {
		if f.owns(c) {
			servers = append(servers, c.Server)
		}
	}
	return servers
}
