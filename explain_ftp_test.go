package lvs

import (
	"context"
	"net/netip"
	"testing"
)

// Data connections of FTP that client and server agreed on are known of live hosts too,
// and the copy of a host has them.
func TestExplainFTPData(t *testing.T) {
	ctx := context.Background()
	sim, err := NewSimulator(SimOptions{})
	must(t, err)
	sim.LoadModule("ip_vs_ftp")
	vip, server, from := netip.MustParseAddrPort("10.1.0.1:21"), netip.MustParseAddrPort("10.2.0.1:2121"), netip.MustParseAddrPort("10.9.0.1:4000")
	id := TCP(vip)
	must(t, sim.Client().Do(ctx, AddService(Service{ID: id, Scheduler: RR}), AddRealServer(id, NewRealServer(server, NAT()))))
	for _, p := range []SimPacket{
		{Source: from, Destination: vip, TCP: SimSYN},
		{Source: server, Destination: from, TCP: SimSYN | SimACK},
		{Source: from, Destination: vip, TCP: SimACK},
		{Source: from, Destination: vip, TCP: SimACK, Data: "PASV\r\n"},
		{Source: server, Destination: from, TCP: SimACK, Data: "227 Entering Passive Mode (10,2,0,1,200,10).\r\n"},
		{Source: from, Destination: vip, TCP: SimACK, Data: "PORT 10,9,0,1,100,1\r\n"},
	} {
		p.Protocol = ProtocolTCP
		_, err := sim.Deliver(p)
		must(t, err)
	}
	copied, _, err := SimulatorFrom(ctx, sim.Host(), SimOptions{})
	must(t, err)
	alive := sim.Host()
	alive.guard.files = aliveFiles{alive.guard.files}
	passive := Flow{Client: netip.MustParseAddrPort("10.9.0.1:4001"), VIP: netip.MustParseAddrPort("10.1.0.1:51210")}
	active := Flow{Client: netip.MustParseAddrPort("10.9.0.1:25601"), VIP: netip.MustParseAddrPort("10.1.0.1:20")}
	stranger := Flow{Client: netip.MustParseAddrPort("10.9.0.2:4001"), VIP: passive.VIP}
	for name, h := range map[string]*Host{"simulated": sim.Host(), "live": alive, "copied": copied.Host()} {
		for _, c := range []struct {
			flow   Flow
			action Action
			why    Reason
			target string
		}{
			{passive, ActionForwarded, ReasonConnection, "10.2.0.1:51210"},
			{active, ActionForwarded, ReasonConnection, "10.2.0.1:2120"},
			{stranger, ActionPassed, ReasonFTPData, "invalid AddrPort"},
		} {
			x, err := h.Explain(ctx, c.flow)
			must(t, err)
			if v := x.Verdicts[0]; !x.Certain || v.Action != c.action || v.Reason != c.why || v.Target().String() != c.target ||
				(x.Connection != nil) != (c.why == ReasonConnection) || x.Connection != nil && x.Connection.State != StateListen {
				t.Errorf("%s: want %s to %s, %s; it says\n%s\n%+v", name, c.action, c.target, c.why, x, v)
			}
		}
	}
}
