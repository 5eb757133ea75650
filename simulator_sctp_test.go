package lvs

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
)

var simSignalling = SCTP(netip.MustParseAddrPort("10.1.0.1:80"))

// A whole association passes, through NAT with its answers and otherwise without.
func TestSimulatorSCTP(t *testing.T) {
	for _, c := range []struct {
		mode   Mode
		states []ConnState // after Connect, the client's SHUTDOWN and all of it, the server's, ABORT
	}{
		{NAT(), []ConnState{StateEstablished, StateSCTPClosed, StateSCTPClosed, StateSCTPClosed}},
		{DR(), []ConnState{StateEstablished, StateSCTPClosed, StateSCTPClosed, StateSCTPClosed}},
	} {
		forEachRelease(t, func(t *testing.T, l *simLab) {
			l.serve(Service{ID: simSignalling, Scheduler: RR}, c.mode, 1)
			var got []ConnState
			conn := l.connect()
			got = append(got, conn.State())
			l.counts(0, 1, 0, 0)
			must(t, conn.Send(100))
			must(t, conn.Reply(100))
			must(t, conn.CloseClient())
			must(t, conn.Close()) // which has nothing to do any more
			got = append(got, conn.State())
			l.counts(0, 0, 1, 0)
			conn = l.connect()
			must(t, conn.CloseServer())
			got = append(got, conn.State())
			conn = l.connect()
			must(t, conn.Reset())
			if got = append(got, conn.State()); !slices.Equal(got, c.states) {
				t.Errorf("%s: %v, want %v", c.mode, got, c.states)
			}
		})
	}
}

// Packets that open nothing.
func TestSimulatorSCTPChunks(t *testing.T) {
	l := newSimLab(t, SimOptions{})
	l.serve(Service{ID: simSignalling, Scheduler: RR}, DR(), 1)
	for chunks, want := range map[SimSCTPChunks]string{
		SimSCTPCookieEcho + SimSCTPData: "passed on not-opening",
		SimSCTPAbort:                    "passed on not-opening",
		"":                              "dropped no-chunk",
		SimSCTPInit:                     "forwarded scheduled",
	} {
		f := l.flow()
		v, err := l.Deliver(SimPacket{Protocol: ProtocolSCTP, Source: f.Client, Destination: f.VIP, SCTP: chunks})
		must(t, err)
		reason, _ := v.Reason.MarshalText()
		if got := fmt.Sprintf("%s %s", v.Action, reason); got != want {
			t.Errorf("%s: %s, want %s", chunks, got, want)
		}
	}
	if got, want := (SimSCTPCookieEcho + SimSCTPData + "\xc0").String(), "COOKIE-ECHO+DATA+192"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	_, err := l.Deliver(SimPacket{Protocol: ProtocolTCP, Source: l.flow().Client, Destination: simWeb.AddrPort(), SCTP: SimSCTPInit})
	ofKind(t, "chunks in TCP", err, ErrInvalid)
}

// hosts are the simulator's, and one that does not show that it is simulated.
func (l *simLab) hosts() []*Host {
	alive := l.Host()
	alive.guard.files = aliveFiles{alive.guard.files}
	return []*Host{l.Host(), alive}
}

// A live host's association is explained as it is.
func TestExplainSCTP(t *testing.T) {
	l := newSimLab(t, SimOptions{})
	l.serve(Service{ID: simSignalling, Scheduler: RR}, NAT(), 1, 1)
	for _, h := range l.hosts() {
		conn := l.connect()
		x, err := h.Explain(context.Background(), conn.flow)
		must(t, err)
		if x.Connection == nil || !x.Certain || x.Verdicts[0].Reason != ReasonConnection || x.Verdicts[0].State != StateEstablished {
			t.Errorf("%+v", x)
		}
		must(t, conn.Close())
		if x, err = h.Explain(context.Background(), conn.flow); err != nil || x.Ended != "it has ended" {
			t.Errorf("%+v, %v", x, err)
		}
	}
}

// IPsec follows the connection by which its keys are exchanged.
func TestSimulatorIPsec(t *testing.T) {
	forEachRelease(t, func(t *testing.T, l *simLab) {
		const isakmp = 500
		vip, client := netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("10.9.0.1")
		server := netip.MustParseAddrPort("10.2.0.1:500")
		l.serve(Service{ID: UDP(netip.AddrPortFrom(vip, isakmp)), Scheduler: RR}, NAT())
		must(t, l.client.AddRealServer(context.Background(), l.id, RealServer{Addr: server, Mode: NAT(), Weight: 1}))
		secured := Flow{Protocol: ProtocolESP, Client: netip.AddrPortFrom(client, 0), VIP: netip.AddrPortFrom(vip, 0)}
		p := SimPacket{Protocol: ProtocolESP, Source: secured.Client, Destination: secured.VIP}
		deliver := func(want Action, reason Reason) Verdict {
			v, err := l.Deliver(p)
			must(t, err)
			l.wants(v, want, reason)
			return v
		}
		deliver(ActionPassed, ReasonNotOpening)
		_, err := l.Connect(Flow{Protocol: ProtocolUDP, Client: netip.AddrPortFrom(client, isakmp), VIP: netip.AddrPortFrom(vip, isakmp)})
		must(t, err)
		for _, p.Protocol = range []Protocol{ProtocolESP, ProtocolAH} {
			if v := deliver(ActionForwarded, ReasonConnection); v.Server != server || v.Port != 0 {
				t.Errorf("%+v", v)
			}
		}
		for _, h := range l.hosts() {
			x, err := h.Explain(context.Background(), secured)
			must(t, err)
			if x.Connection == nil || !x.Certain || x.Verdicts[0].Action != ActionForwarded {
				t.Errorf("%+v", x)
			}
		}
		p.Source, p.Destination = netip.AddrPortFrom(server.Addr(), 0), p.Source
		deliver(ActionReplied, ReasonConnection)
		p.Protocol = 47
		deliver(ActionPassed, ReasonProtocol)
	})
}
