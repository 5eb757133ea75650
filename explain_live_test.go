package lvs

import (
	"context"
	"net/netip"
	"testing"
	"time"
)

// Each of these is a history after which a live host was explained wrongly. The
// same flow comes again.
func TestExplainLive(t *testing.T) {
	ctx := context.Background()
	vip, server := netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("10.2.0.1")
	web := NewRealServer(netip.AddrPortFrom(server, 80), NAT())
	udp, anyPort := UDP(netip.AddrPortFrom(vip, 80)), UDP(netip.AddrPortFrom(vip, 0))
	other := TCP(netip.AddrPortFrom(vip, 8080))
	tied := Persistence{Timeout: time.Minute}
	for name, c := range map[string]struct {
		kernel  string // "" is the newest
		before  []Change
		flow    Flow // whose first packet comes
		after   []Change
		certain bool
		may     []Reason // what the explanation has, the first being what happens
	}{
		"the last service is gone": {
			before:  []Change{AddService(Service{ID: udp, Scheduler: RR}), AddRealServer(udp, web)},
			after:   []Change{RemoveService(udp)},
			certain: true, may: []Reason{ReasonNoService},
		},
		"the last service of the family is gone": {
			before: []Change{
				AddService(Service{ID: udp, Scheduler: RR}), AddRealServer(udp, web),
				AddService(Service{ID: TCP(netip.MustParseAddrPort("[fd00::1]:80")), Scheduler: RR}),
			},
			after:   []Change{RemoveService(udp)},
			certain: true, may: []Reason{ReasonNoService},
		},
		"another service of the family is there": {
			before: []Change{
				AddService(Service{ID: udp, Scheduler: RR}), AddRealServer(udp, web), AddService(Service{ID: FWMark(77), Scheduler: RR}),
			},
			after:   []Change{RemoveService(udp)},
			certain: true, may: []Reason{ReasonServerRemoved},
		},
		"another service has the removed server": {
			before: []Change{
				AddService(Service{ID: udp, Scheduler: RR}), AddRealServer(udp, web),
				AddService(Service{ID: anyPort, Scheduler: RR, Persistence: tied}), AddRealServer(anyPort, web),
			},
			after: []Change{RemoveRealServer(udp, web.Addr)},
			may:   []Reason{ReasonServerRemoved, ReasonConnection},
		},
		"a service came before the connection's": {
			before: []Change{AddService(Service{ID: anyPort, Scheduler: RR, Persistence: tied}), AddRealServer(anyPort, web)},
			after: []Change{
				AddService(Service{ID: udp, Scheduler: RR}), AddRealServer(udp, NewRealServer(netip.MustParseAddrPort("10.2.0.2:80"), NAT())),
			},
			certain: true, may: []Reason{ReasonConnection},
		},
		"a template of a removed server": {
			before: []Change{AddService(Service{ID: anyPort, Scheduler: LC, Persistence: tied}), AddRealServer(anyPort, web)},
			flow:   Flow{Protocol: ProtocolUDP, Client: netip.MustParseAddrPort("10.9.0.1:4001"), VIP: netip.AddrPortFrom(vip, 80)},
			after: []Change{
				AddRealServer(anyPort, NewRealServer(netip.AddrPortFrom(server, 0), NAT())), RemoveRealServer(anyPort, web.Addr),
			},
			may: []Reason{ReasonScheduled, ReasonPersistence},
		},
		"an upper threshold was lowered, older": {
			kernel: "6.1.176",
			before: []Change{
				AddService(Service{ID: other, Scheduler: LC}), AddRealServer(other, RealServer{Addr: web.Addr, Mode: NAT(), Weight: 1, UpperThreshold: 5}),
			},
			flow:  Flow{Client: netip.MustParseAddrPort("10.9.0.1:4001"), VIP: other.AddrPort()},
			after: []Change{UpdateRealServer(other, RealServer{Addr: web.Addr, Mode: NAT(), Weight: 1, UpperThreshold: 1})},
			may:   []Reason{ReasonScheduled, ReasonNoServerUsable},
		},
		"an upper threshold was lowered": {
			before: []Change{
				AddService(Service{ID: other, Scheduler: LC}), AddRealServer(other, RealServer{Addr: web.Addr, Mode: NAT(), Weight: 1, UpperThreshold: 5}),
			},
			flow:    Flow{Client: netip.MustParseAddrPort("10.9.0.1:4001"), VIP: other.AddrPort()},
			after:   []Change{UpdateRealServer(other, RealServer{Addr: web.Addr, Mode: NAT(), Weight: 1, UpperThreshold: 1})},
			certain: true, may: []Reason{ReasonNoServerUsable},
		},
		"an upper threshold was reached, and is higher now": {
			kernel: "6.1.176",
			before: []Change{
				AddService(Service{ID: other, Scheduler: LC}), AddRealServer(other, RealServer{Addr: web.Addr, Mode: NAT(), Weight: 1, UpperThreshold: 1}),
			},
			flow:    Flow{Client: netip.MustParseAddrPort("10.9.0.1:4001"), VIP: other.AddrPort()},
			after:   []Change{UpdateRealServer(other, RealServer{Addr: web.Addr, Mode: NAT(), Weight: 1, UpperThreshold: 9})},
			certain: true, may: []Reason{ReasonScheduled},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if c.kernel == "" {
				c.kernel = "7.2.7"
			}
			l := newSimLab(t, SimOptions{Kernel: c.kernel})
			must(t, l.client.Do(ctx, c.before...))
			first := Flow{Protocol: ProtocolUDP, Client: netip.MustParseAddrPort("10.9.0.1:4000"), VIP: udp.AddrPort()}
			again := first
			if c.flow.VIP.IsValid() {
				again = c.flow
				first.Protocol, first.VIP = again.protocol(), again.VIP
			}
			l.first(first)
			must(t, l.client.Do(ctx, c.after...))
			h := l.Host()
			h.guard.files = aliveFiles{h.guard.files}
			x, err := h.Explain(ctx, again)
			must(t, err)
			if got := l.first(again).Reason; got != c.may[0] {
				t.Fatalf("the packet's fate is %q", got)
			}
			got := map[Reason]bool{}
			for _, v := range x.Verdicts {
				got[v.Reason] = true
			}
			want := map[Reason]bool{}
			for _, r := range c.may {
				want[r] = true
			}
			compare(t, "the reasons", want, got)
			if x.Certain != c.certain {
				t.Errorf("certain %t, want %t:\n%s", x.Certain, c.certain, x)
			}
		})
	}
}

// first lets the first packet of a flow come.
func (l *simLab) first(f Flow) Verdict {
	l.Helper()
	p := SimPacket{Protocol: f.protocol(), Source: f.Client, Destination: f.VIP, FWMark: f.FWMark}
	if f.protocol() == ProtocolTCP {
		p.TCP = SimSYN
	}
	v, err := l.Deliver(p)
	must(l, err)
	return v
}

// Explaining a flow reads the servers of the services that it can meet, and of no
// others.
func TestExplainReadsLittle(t *testing.T) {
	ctx := context.Background()
	l := newSimLab(t, SimOptions{})
	const services = 200
	for i := range services {
		must(t, l.client.AddService(ctx, Service{ID: benchService(i), Scheduler: LC}))
	}
	reads := 0
	must(t, l.Inject(SimFault{Op: OpListRealServers, Times: services, Before: func() { reads++ }}))
	h := l.Host()
	h.guard.files = aliveFiles{h.guard.files}
	x, err := h.Explain(ctx, Flow{Client: netip.MustParseAddrPort("10.9.0.1:4000"), VIP: benchService(7).AddrPort()})
	must(t, err)
	if reads == 0 || reads > 2 || x.Verdicts[0].Reason != ReasonNoServers {
		t.Errorf("the servers of %d services were read, want one or two:\n%s", reads, x)
	}
}
