package lvs

import (
	"context"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/testbed"
	"github.com/vishvananda/netlink"
)

// Clients reach a service by firewall mark, on its ports only, and real servers see the
// director in its packets. Packets that the director forwards past IPVS keep their
// source.
func TestHostMarksPackets(t *testing.T) {
	testbed.InKernel(t)
	if !testbed.HasNFT() {
		t.Log("this kernel has no nftables: TestHostSetups shows the error")
		return
	}
	ctx := context.Background()
	client, director, server := testbed.New(t), testbed.New(t), testbed.New(t)
	connect(t, client, "eth0", director, "eth0")
	connect(t, director, "eth1", server, "eth0")
	client.Run("sh", "-c", "ip link set eth0 up; ip addr add 10.9.0.2/24 dev eth0; ip route add default via 10.9.0.1")
	director.Run("sh", "-c", "ip link set eth0 up; ip link set eth1 up; ip addr add 10.9.0.1/24 dev eth0; ip addr add 10.8.0.1/24 dev eth1")
	server.Run("sh", "-c", "ip link set eth0 up; ip addr add 10.8.0.2/24 dev eth0; ip route add default via 10.8.0.1")
	sayWho(t, server, "10.8.0.2:80")
	sayWho(t, server, "10.8.0.2:81")

	h, err := OpenHost(ctx, InNamespaceFile(director.File))
	must(t, err)
	defer h.Close()
	setup, err := NATDirector{
		VIP: netip.MustParseAddr("10.9.0.91"), Interface: "eth0", Inside: "eth1", Network: netip.MustParsePrefix("10.8.0.0/24"), FullNAT: true,
		Marks: []PacketMark{{Protocol: ProtocolTCP, Ports: PortRange{80, 81}, Mark: 7}},
	}.Setup()
	must(t, err)
	plan, err := h.Plan(ctx, setup)
	must(t, err)
	web := FWMark(7)
	must(t, h.Client().Do(ctx, AddService(Service{ID: web, Scheduler: RR}), AddRealServer(web, NewRealServer(netip.MustParseAddrPort("10.8.0.2:0"), NAT()))))
	must(t, h.Apply(ctx, plan))
	report, err := h.Check(ctx, CheckOptions{Setup: setup})
	must(t, err)
	for _, f := range report.Findings {
		if f.Severity == SeverityBroken {
			t.Errorf("Check: %v", f)
		}
	}
	for to, want := range map[string]string{
		"10.9.0.91:80": "10.8.0.1", // as the director
		"10.9.0.91:81": "10.8.0.1",
		"10.9.0.91:82": "",         // it has no mark
		"10.8.0.2:80":  "10.9.0.2", // forwarded past IPVS
	} {
		if got := whoAmI(t, client, to); got != want {
			t.Errorf("%s sees %q, want %q", to, got, want)
		}
	}
	undone(t, h, plan)
	if tables := director.Run("nft", "list", "tables"); tables != "" {
		t.Errorf("after Undo there are\n%s", tables)
	}
}

// connect connects interfaces of two namespaces.
func connect(t *testing.T, a *testbed.Namespace, aName string, b *testbed.Namespace, bName string) {
	t.Helper()
	must(t, a.Do(func() error {
		return netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: aName}, PeerName: bName, PeerNamespace: netlink.NsFd(b.File.Fd())})
	}))
}

// sayWho tells everyone who connects to an address of a namespace their address.
func sayWho(t *testing.T, ns *testbed.Namespace, at string) {
	t.Helper()
	var l net.Listener
	must(t, ns.Do(func() (err error) {
		l, err = net.Listen("tcp", at)
		return err
	}))
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, c.RemoteAddr().(*net.TCPAddr).IP.String())
			_ = c.Close()
		}
	}()
}

// whoAmI returns the address that a server sees when a namespace connects to it, ""
// if it cannot.
func whoAmI(t *testing.T, ns *testbed.Namespace, to string) (addr string) {
	t.Helper()
	_ = ns.Do(func() error {
		c, err := net.DialTimeout("tcp", to, 5*time.Second)
		if err != nil {
			return err
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		text, err := io.ReadAll(c)
		addr = string(text)
		return err
	})
	return addr
}
