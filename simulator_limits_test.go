package lvs

import (
	"context"
	"net/netip"
	"testing"
	"time"
)

// A server at its upper threshold takes new connections again below its lower
// one, by default three quarters.
func TestSimulatorThresholds(t *testing.T) {
	forEachRelease(t, func(t *testing.T, l *simLab) {
		l.serve(Service{ID: simWeb, Scheduler: RR}, DR())
		server := RealServer{Addr: l.server(0), Weight: 1, UpperThreshold: 5}
		must(t, l.client.AddRealServer(context.Background(), simWeb, server))
		var conns []*SimConn
		for range 5 {
			conns = append(conns, l.connect())
		}
		l.wants(l.syn(l.flow()), ActionRefused, ReasonNoServerUsable)
		for left := 4; left >= 3; left-- {
			must(t, conns[left].Reset())
			l.wait(10 * time.Second)
			l.counts(0, left, 0, 0)
			if left == 4 {
				l.wants(l.syn(l.flow()), ActionRefused, ReasonNoServerUsable)
			}
		}
		l.connect()
	})
}

// A lower threshold that is given is the number that a server must fall below.
func TestSimulatorLowerThreshold(t *testing.T) {
	forEachRelease(t, func(t *testing.T, l *simLab) {
		l.serve(Service{ID: simWeb, Scheduler: RR}, DR())
		server := RealServer{Addr: l.server(0), Weight: 1, UpperThreshold: 3, LowerThreshold: 2}
		must(t, l.client.AddRealServer(context.Background(), simWeb, server))
		conns := []*SimConn{l.connect(), l.connect(), l.connect()}
		for left := 2; left >= 1; left-- {
			must(t, conns[left].Reset())
			l.wait(10 * time.Second)
			l.counts(0, left, 0, 0)
			if left == 2 {
				l.wants(l.syn(l.flow()), ActionRefused, ReasonNoServerUsable)
			}
		}
		l.connect()
	})
}

// What persistence ties to a server comes although the server is at its threshold.
func TestSimulatorThresholdOfTemplates(t *testing.T) {
	forEachRelease(t, func(t *testing.T, l *simLab) {
		l.serve(Service{ID: simWeb, Scheduler: RR, Persistence: Persistence{Timeout: time.Minute}}, DR())
		must(t, l.client.AddRealServer(context.Background(), simWeb, RealServer{Addr: l.server(0), Weight: 1, UpperThreshold: 3}))
		for range 4 {
			l.connect()
		}
		l.counts(0, 4, 0, 1)
		other := l.flow()
		other.Client = netip.MustParseAddrPort("10.9.0.2:1024")
		l.wants(l.syn(other), ActionRefused, ReasonNoServerUsable)
	})
}

// Lowering a threshold below what a server has takes effect at once only in
// kernels that count all connections together.
func TestSimulatorLoweredThreshold(t *testing.T) {
	forEachRelease(t, func(t *testing.T, l *simLab) {
		l.serve(Service{ID: simWeb, Scheduler: RR}, DR(), 1)
		for range 4 {
			l.connect()
		}
		must(t, l.client.UpdateRealServer(context.Background(), simWeb, RealServer{Addr: l.server(0), Weight: 1, UpperThreshold: 3}))
		if l.kernel.Release().String() == simReleases[1] { // the newer way of counting
			l.wants(l.syn(l.flow()), ActionRefused, ReasonNoServerUsable)
		} else {
			l.wants(l.syn(l.flow()), ActionForwarded, ReasonScheduled)
			l.wants(l.syn(l.flow()), ActionRefused, ReasonNoServerUsable)
		}
	})
}

func TestSimulatorDropPacket(t *testing.T) {
	l := newSimLab(t, SimOptions{})
	l.serve(Service{ID: simWeb, Scheduler: RR}, DR(), 1)
	fares := func(about, want string) {
		t.Helper()
		var got string
		for range want {
			got += map[Action]string{ActionForwarded: "f", ActionDropped: "d"}[l.syn(l.flow()).Action]
		}
		if got != want {
			t.Errorf("%s: packets fared %s, want %s", about, got, want)
		}
	}
	l.sysctl("am_droprate", "4")
	l.sysctl("drop_packet", "3")
	fares("the mode was changed", "dfffdfffd")
	l.sysctl("am_droprate", "2")
	l.sysctl("drop_packet", "3") // as it was: the kernel looks no sooner
	fares("a new rate", "fffdfff")
	must(t, l.Advance(1100*time.Millisecond))
	fares("it has looked", "dfdf")
}

func TestSimulatorConnectionLimit(t *testing.T) {
	l := newSimLab(t, SimOptions{Kernel: "7.2.7"})
	l.serve(Service{ID: simWeb, Scheduler: RR, Persistence: Persistence{Timeout: time.Minute}}, DR(), 1)
	l.sysctl("conn_max", "3") // the template counts
	l.connect()
	l.connect()
	l.wants(l.syn(l.flow()), ActionDropped, ReasonConnectionLimit)
	l.counts(0, 2, 0, 1)
	err := newSimLab(t, SimOptions{Kernel: "7.1.8"}).Host().SetSysctl(context.Background(), "net.ipv4.vs.conn_max", "3")
	ofKind(t, "conn_max of Linux 7.1", err, ErrNotFound)
}

func TestSimulatorBackupOnly(t *testing.T) {
	l := newSimLab(t, SimOptions{Interfaces: []SimInterface{{Name: "eth0", Addresses: prefixesOf("10.1.0.1/8")}}})
	l.serve(Service{ID: simWeb, Scheduler: RR}, DR(), 1)
	l.sysctl("backup_only", "1")
	l.wants(l.syn(l.flow()), ActionForwarded, ReasonScheduled)
	must(t, l.client.StartSyncDaemon(context.Background(), SyncDaemon{Role: SyncBackup, Interface: "eth0"}))
	l.wants(l.syn(l.flow()), ActionPassed, ReasonBackupOnly)
}

// A packet of a connection needs no memory, whatever the simulator can do.
func TestDeliverAllocatesNothing(t *testing.T) {
	for _, mode := range []Mode{DR(), NAT(), IPIP()} {
		l := newSimLab(t, SimOptions{})
		l.serve(Service{ID: simWeb, Scheduler: WLC}, mode, 1)
		p := SimPacket{Protocol: ProtocolTCP, Source: netip.MustParseAddrPort("10.9.0.1:1024"), Destination: simWeb.AddrPort(), TCP: SimSYN}
		deliver := func() {
			if _, err := l.Deliver(p); err != nil {
				t.Error(err)
			}
		}
		deliver()
		p.TCP = SimACK
		if n := testing.AllocsPerRun(100, deliver); n > 0 {
			t.Errorf("%s: a packet allocates %v times", mode, n)
		}
	}
}
