package lvs

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/golvs/lvs/internal/testbed"
)

// A host that other programs broke is found broken, and where.
func TestHostCheck(t *testing.T) {
	testbed.InKernel(t)
	ctx := context.Background()
	for _, c := range []struct {
		setup  string
		breaks map[string]string // a command, and the code of what it breaks
	}{
		{"DR director", map[string]string{
			"ip addr del 10.168.0.91/32 dev eth0": "vip-missing",
			"ip link set lo down":                 "link-down",
		}},
		{"DR real server", map[string]string{
			"sysctl -w net.ipv4.conf.all.arp_ignore=0":   "arp-flux",
			"sysctl -w net.ipv4.conf.all.arp_announce=0": "arp-flux",
			"ip addr del 10.168.0.91/32 dev lo":          "vip-missing",
			"ip addr add 10.168.0.91/24 dev lo":          "vip-mask",
		}},
		{"NAT director", map[string]string{
			"sysctl -w net.ipv4.ip_forward=0":               "forwarding-off",
			"sysctl -w net.ipv4.conf.eth0.send_redirects=1": "send-redirects",
			"ip addr del 192.168.0.11/24 dev eth1":          "vip-missing",
		}},
		{"NAT real server", map[string]string{
			"ip route replace default via 10.168.0.1": "return-route",
			"ip route del default":                    "return-route",
		}},
		{"IPIP real server", map[string]string{
			"ip link set tunl0 down":                    "tunnel-down",
			"sysctl -w net.ipv4.conf.tunl0.rp_filter=1": "rp-filter",
			"ip rule del priority 4004":                 "mtu",
			"ip addr del 10.168.0.91/32 dev tunl0":      "vip-missing",
		}},
		{"GUE real server", map[string]string{"ip fou del port 6080": "fou-missing"}},
		{"DR real server IPv6", map[string]string{"ip -6 addr del 2001:db8:1::91/128 dev lo": "vip-missing"}},
		{"NAT director IPv6", map[string]string{"sysctl -w net.ipv6.conf.all.forwarding=0": "forwarding-off"}},
	} {
		t.Run(c.setup, func(t *testing.T) {
			setup := mustSetup(t, caseOf(c.setup))
			for command, code := range c.breaks {
				ns, h := machine(t, []string{eth0Address4, eth0Address6}, []string{eth1Address4, eth1Address6})
				loadModules(t, modulesOf(setup)...)
				plan, err := h.Plan(ctx, setup)
				if err == nil {
					err = h.Apply(ctx, plan)
				}
				if err != nil {
					t.Fatal(err)
				}
				report, err := h.Check(ctx, CheckOptions{Setup: setup})
				healthy := slices.DeleteFunc(report.Findings, func(f Finding) bool { return f.Code == FindingNoService }) // the table is empty
				if err != nil || len(healthy) != 0 {
					t.Fatalf("%v, on a healthy host: %v", err, healthy)
				}
				ns.Run(strings.Fields(command)[0], strings.Fields(command)[1:]...)
				report, err = h.Check(ctx, CheckOptions{Setup: setup})
				found := false
				for _, f := range report.Findings {
					found = found || string(f.Code) == code && len(f.Fix) > 0
				}
				if err != nil || !found {
					t.Errorf("%v, after %s: %v, want %s", err, command, report.Findings, code)
				}
			}
		})
	}
}

// machine is a host in a kernel. Of the interfaces eth0 and eth1 it has those with
// addresses, and an MTU of 1600.
func machine(t *testing.T, eth0, eth1 []string) (*testbed.Namespace, *Host) {
	t.Helper()
	ns := testbed.New(t)
	for name, addresses := range map[string][]string{"eth0": eth0, "eth1": eth1} {
		if len(addresses) == 0 {
			continue
		}
		ns.Run("ip", "link", "add", name, "mtu", "1600", "type", "veth", "peer", "name", "wire-"+name)
		ns.Run("ip", "link", "set", "wire-"+name, "arp", "off", "up") // it stands for a switch
		ns.Run("ip", "link", "set", name, "up")
		for _, a := range addresses {
			ns.Run("sh", "-c", "ip addr add "+a+" dev "+name+" nodad || ip addr add "+a+" dev "+name)
		}
	}
	h, err := OpenHost(context.Background(), InNamespaceFile(ns.File))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return ns, h
}

// serveWeb starts a program that accepts connections at port 80.
func serveWeb(t *testing.T, ns *testbed.Namespace) {
	t.Helper()
	must(t, ns.Do(func() error {
		l, err := net.Listen("tcp", ":80")
		if err == nil {
			t.Cleanup(func() { l.Close() })
		}
		return err
	}))
}

// What is broken on a real server is found on its director, from the server's state, and on
// the server, from the director's.
func TestHostCheckPeers(t *testing.T) {
	testbed.InKernel(t)
	for _, c := range []struct {
		setup  string
		mode   Mode
		breaks [][3]string // a command on the real server, what repairs it, and the code of what it breaks
	}{
		{"DR real server", DR(), [][3]string{
			{"ip addr del 10.168.0.91/32 dev lo", "ip addr add 10.168.0.91/32 dev lo", "vip-missing"},
			{"sysctl -w net.ipv4.conf.all.arp_ignore=0", "", "arp-flux"},
		}},
		{"GUE real server", GUE(6080), [][3]string{
			{"ip link set tunl0 down", "ip link set tunl0 up", "tunnel-down"},
			{"ip fou del port 6080", "ip fou add port 6080 gue", "fou-missing"},
			{"ip link set eth0 mtu 1500", "", "path-mtu"},
		}},
		{"NAT real server", NAT(), [][3]string{{"ip route replace default via 10.168.0.1", "", "return-route"}}},
	} {
		t.Run(c.setup, func(t *testing.T) {
			setup := mustSetup(t, caseOf(c.setup))
			loadModules(t, modulesOf(setup)...)
			_, director := machine(t, []string{"10.168.0.90/24"}, []string{"192.168.0.11/24"})
			ns, rs := machine(t, []string{eth0Address4}, nil)
			serveWeb(t, ns)
			vip := vip4
			if c.mode == NAT() {
				vip = netip.MustParseAddr("192.168.0.11")
				makeSo(t, director, Sysctl{SysctlIPForward, "1"})
			} else {
				makeSo(t, director, vipAddress(vip, "eth0", ""))
			}
			setUp(t, rs, setup, nil)
			web := TCP(netip.AddrPortFrom(vip, 80))
			must(t, director.Client().Do(context.Background(), AddService(Service{ID: web, Scheduler: RR}),
				AddRealServer(web, NewRealServer(netip.AddrPortFrom(local4, 80), c.mode))))
			checkPeers(t, director, "", "", resourcesOfHost(t, rs, "rs"))
			for _, b := range c.breaks {
				ns.Run("sh", "-c", b[0])
				checkPeers(t, director, b[2], "rs", resourcesOfHost(t, rs, "rs"))
				ns.Run("sh", "-c", b[1])
			}
			checkPeers(t, rs, c.breaks[len(c.breaks)-1][2], "", resourcesOfHost(t, director, "director"))
		})
	}
}
