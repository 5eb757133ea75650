package workload

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// syncedPair returns two directors whose sync daemons run.
func syncedPair(t *testing.T) (from, to *lvs.Simulator) {
	t.Helper()
	var all []*lvs.Simulator
	for _, role := range []lvs.SyncRole{lvs.SyncMaster, lvs.SyncBackup} {
		sim, err := lvs.NewSimulator(lvs.SimOptions{Interfaces: []lvs.SimInterface{{
			Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("10.168.0.1/8"), netip.PrefixFrom(web.AddrPort().Addr(), 32)},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		changes := []lvs.Change{lvs.AddService(lvs.Service{ID: web, Scheduler: lvs.RR}), lvs.StartSyncDaemon(lvs.SyncDaemon{Role: role, Interface: "eth0", SyncID: 7})}
		for _, server := range []string{"10.168.0.94:80", "10.168.0.95:80"} {
			changes = append(changes, lvs.AddRealServer(web, lvs.NewRealServer(netip.MustParseAddrPort(server), lvs.DR())))
		}
		if err := sim.Client().Do(t.Context(), changes...); err != nil {
			t.Fatal(err)
		}
		all = append(all, sim)
	}
	return all[0], all[1]
}

// What the second director does not know is lost, and it knows what messages said that came
// in time.
func TestSyncLink(t *testing.T) {
	const count = 2000
	clients := Clients{Count: count, From: netip.MustParsePrefix("10.64.0.0/16")}
	for about, c := range map[string]struct {
		link        SyncLink
		least, most int
	}{
		"a perfect link":                 {SyncLink{Packets: 1, Duration: time.Minute}, count * 9 / 10, count - 1},
		"too few packets":                {SyncLink{}, 0, 0},
		"a link that loses all":          {SyncLink{Packets: 1, Loss: 1}, 0, 0},
		"a link that loses half":         {SyncLink{Packets: 1, Loss: 0.5, Duration: time.Minute}, count / 3, count * 2 / 3},
		"a link that takes half an hour": {SyncLink{Packets: 1, Delay: 30 * time.Minute}, 0, 0},
	} {
		from, to := syncedPair(t)
		f, err := c.link.Failover(t.Context(), web, clients, 1, from, to)
		if err != nil {
			t.Fatal(err)
		}
		if f.Connections != count || f.Known < c.least || f.Known > c.most || f.Kept != f.Known || f.Unknown != count-f.Known {
			t.Errorf("%s: %+v", about, f)
		}
	}
}

// Without one of the daemons, nothing is known, and no time passes.
func TestSyncLinkWithoutDaemon(t *testing.T) {
	clients := Clients{Count: 10, From: netip.MustParsePrefix("10.64.0.0/16")}
	for i, role := range []lvs.SyncRole{lvs.SyncMaster, lvs.SyncBackup} {
		from, to := syncedPair(t)
		if err := []*lvs.Simulator{from, to}[i].Client().StopSyncDaemon(t.Context(), role); err != nil {
			t.Fatal(err)
		}
		before := from.Now()
		f, err := SyncLink{Packets: 3}.Failover(t.Context(), web, clients, 1, from, to)
		if err != nil || f.Known != 0 || f.Kept != 0 || f.Unknown != 10 || !from.Now().Equal(before) {
			t.Errorf("without a %s: %+v, %v", role, f, err)
		}
	}
}

func TestSyncLinkInvalid(t *testing.T) {
	from, to := syncedPair(t)
	for field, link := range map[string]SyncLink{
		"Loss": {Loss: 1.1}, "Delay": {Delay: -1}, "Packets": {Packets: -1}, "Duration": {Duration: -1},
	} {
		var bad *InvalidError
		if _, err := link.Failover(t.Context(), web, Clients{Count: 1}, 1, from, to); !errors.As(err, &bad) || bad.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}
