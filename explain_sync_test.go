package lvs

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// A backup of a live host may have a connection whose server it does not know: what it does
// with the packets is among what may happen.
func TestExplainOnBackup(t *testing.T) {
	ctx := context.Background()
	vip, server, from := netip.MustParseAddrPort("10.1.0.1:80"), netip.MustParseAddrPort("10.2.0.1:80"), netip.MustParseAddrPort("10.9.0.1:4000")
	id := UDP(vip)
	link := func(name, addr string) SimInterface {
		return SimInterface{Name: name, Addresses: []netip.Prefix{netip.MustParsePrefix(addr)}}
	}
	for _, mode := range []Mode{NAT(), DR(), IPIP()} {
		var sims [2]*Simulator
		for i, role := range []SyncRole{SyncMaster, SyncBackup} {
			sim, err := NewSimulator(SimOptions{Interfaces: []SimInterface{link("eth0", "10.1.0.1/24"), link("eth1", "10.2.0.254/24"), link("eth2", "10.9.0.254/24")}})
			must(t, err)
			must(t, sim.Client().Do(ctx, AddService(Service{ID: id, Scheduler: RR})))
			must(t, sim.Client().StartSyncDaemon(ctx, SyncDaemon{Role: role, Interface: "eth0"}))
			sims[i] = sim
		}
		master, backup := sims[0], sims[1]
		must(t, master.Client().AddRealServer(ctx, id, NewRealServer(server, mode)))
		packet := SimPacket{Protocol: ProtocolUDP, Source: from, Destination: vip}
		for range 4 {
			_, err := master.Deliver(packet)
			must(t, err)
		}
		must(t, master.Advance(3*time.Second))
		for _, m := range master.SyncMessages() {
			must(t, backup.DeliverSync(m))
		}
		alive := backup.Host()
		alive.guard.files = aliveFiles{alive.guard.files}
		x, err := alive.Explain(ctx, Flow{Protocol: ProtocolUDP, Client: from, VIP: vip})
		must(t, err)
		v, err := backup.Deliver(packet)
		must(t, err)
		if x.Certain || !slices.ContainsFunc(x.Verdicts, func(w Verdict) bool {
			return w.Action == v.Action && w.Reason == v.Reason && w.Target() == v.Target()
		}) {
			t.Errorf("%s: the packet was %s, and was to be\n%s", mode, v, x)
		}
	}
}
