package workload

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/testbed"
	"github.com/vishvananda/netlink"
)

// Two directors of a real kernel whose sync daemons talk over a wire, and two simulators,
// get the same traffic and the same failover. As many connections survive, but for 1 %.
func TestSyncLinkInKernel(t *testing.T) {
	testbed.InKernel(t)
	persistent := lvs.Persistence{Timeout: time.Minute}
	for i, c := range []struct {
		about     string
		service   lvs.Service
		threshold string
		sloppy    string
		link      SyncLink
		clients   Clients
	}{
		{"as the kernel sets it", lvs.Service{Scheduler: lvs.RR}, "3 50", "0", SyncLink{Packets: 1, Duration: 8 * time.Second}, Clients{Count: 3000}},
		{"unknown ones are scheduled again", lvs.Service{Scheduler: lvs.RR}, "3 50", "1", SyncLink{Packets: 1, Duration: 8 * time.Second}, Clients{Count: 3000}},
		{"each packet", lvs.Service{Scheduler: lvs.WLC}, "0 1", "0", SyncLink{Duration: 8 * time.Second}, Clients{Count: 3000}},
		{"too late for the threshold", lvs.Service{Scheduler: lvs.RR}, "5 50", "0", SyncLink{Packets: 2, Duration: 6 * time.Second}, Clients{Count: 1000}},
		{"persistence", lvs.Service{Scheduler: lvs.RR, Persistence: persistent}, "3 50", "1", SyncLink{Packets: 1, Duration: 8 * time.Second}, Clients{Count: 3000, PerAddress: 3}},
	} {
		t.Run(c.about, func(t *testing.T) {
			t.Parallel() // most of it waits
			c.service.ID = serviceAt(i, 0)
			c.clients.From = netip.MustParsePrefix("10.64.0.0/10")
			first, second := wiredDirectors(t, c.service, c.threshold, c.sloppy)
			copies := copyOf(t, first, second)
			startDaemons(t, "lo", copies.first.(*lvs.Simulator).Host(), copies.host) // a copy has no other interface
			predicted, err := c.link.Failover(t.Context(), c.service.ID, c.clients, 1, copies.first.(*lvs.Simulator), copies.second.(*lvs.Simulator))
			if err != nil {
				t.Fatal(err)
			}
			a, err := newAsker(c.service.ID, c.clients)
			if err != nil {
				t.Fatal(err)
			}
			happened, err := a.takeover(t.Context(), 1, first, second, c.link.Packets, &wire{link: c.link, service: c.service.ID, to: second.host})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("predicted %+v\nhappened  %+v", *predicted, *happened)
			for what, n := range map[string][2]int{
				"open":  {predicted.Connections, happened.Connections},
				"known": {predicted.Known, happened.Known},
				"kept":  {predicted.Kept, happened.Kept},
				"moved": {predicted.Moved, happened.Moved},
			} {
				if most := max(1, happened.Connections/100); n[0]-n[1] > most || n[1]-n[0] > most {
					t.Errorf("%d connections are %s, predicted %d", n[1], what, n[0])
				}
			}
		})
	}
}

// wiredDirectors are two directors with the same service, joined by a wire on which their
// sync daemons talk.
func wiredDirectors(t *testing.T, s lvs.Service, threshold, sloppy string) (first, second *kernelDirector) {
	t.Helper()
	first, second = newKernelDirector(t), newKernelDirector(t)
	err := first.ns.Do(func() error {
		return netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: wireName}, PeerName: wireName, PeerNamespace: netlink.NsFd(second.ns.File.Fd())})
	})
	if err != nil {
		t.Fatal(err)
	}
	const servers = 8
	for i, d := range []*kernelDirector{first, second} {
		d.ns.Run("ip", "addr", "add", []string{"192.168.9.1/24", "192.168.9.2/24"}[i], "dev", wireName)
		d.ns.Run("ip", "link", "set", wireName, "up")
		d.serve(t, s, countup(servers))
		for _, value := range []lvs.Sysctl{{Key: lvs.SysctlSyncThreshold, Value: threshold}, {Key: lvs.SysctlSloppyTCP, Value: sloppy}} {
			if err := d.host.SetSysctl(t.Context(), value.Key, value.Value); err != nil {
				t.Fatal(err)
			}
		}
	}
	startDaemons(t, wireName, first.host, second.host)
	time.Sleep(time.Second) // until the wire carries packets
	return first, second
}

const wireName = "wire0"

func startDaemons(t *testing.T, iface string, master, backup *lvs.Host) {
	t.Helper()
	for role, host := range map[lvs.SyncRole]*lvs.Host{lvs.SyncMaster: master, lvs.SyncBackup: backup} {
		if err := host.Client().StartSyncDaemon(t.Context(), lvs.SyncDaemon{Role: role, Interface: iface, SyncID: 7}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = host.Client().StopSyncDaemon(context.Background(), role) })
	}
}

// wire is a carrier of the kernel's: what daemons tell each other arrives without help.
type wire struct {
	link    SyncLink
	service lvs.ServiceID
	to      *lvs.Host
	steps   int
	began   time.Time
}

func (w *wire) pass(steps int) error {
	if w.steps == 0 {
		w.began = time.Now()
	}
	w.steps++
	time.Sleep(time.Until(w.began.Add(time.Duration(float64(w.link.Duration) * float64(w.steps) / float64(steps)))))
	return nil
}

// known waits until what was sent has arrived: on a busy machine daemons are late. What
// waits for a full message leaves after two seconds, and is not awaited.
func (w *wire) known(ctx context.Context) (map[netip.AddrPort]bool, error) {
	time.Sleep(time.Second)
	return knownTo(ctx, w.to, w.service)
}
