package lvs

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/golvs/lvs/internal/testbed"
	"github.com/vishvananda/netlink"
)

// What a kernel writes in another way than asked, which Plan cannot know, is put
// back when Apply fails.
func TestHostPutsBackRounded(t *testing.T) {
	ctx := context.Background()
	ns, h := setupGround(t)
	before := ns.DumpAll()
	for _, want := range []Sysctl{
		{"net.ipv4.neigh.eth0.base_reachable_time_ms", "30001"},
		{"net.ipv4.ip_local_reserved_ports", "8081,8080"},
	} {
		plan, err := h.Plan(ctx, Setup{forwarding(false, ""), {Want: want}})
		must(t, err)
		if err := h.Apply(ctx, plan); err == nil || !strings.Contains(err.Error(), "the kernel accepted it, but has") {
			t.Errorf("%s: got %v", want, err)
		}
		testbed.Unchanged(t, "a failed Apply of "+want.String(), before, ns.DumpAll())
	}
	for _, key := range []SysctlKey{"net.ipv4.route.flush", "net.ipv4.conf.eth0", "net.ipv4.conf.eth0.mc_forwarding"} {
		plan, err := h.Plan(ctx, Setup{{Want: Sysctl{key, "1"}}})
		if err == nil {
			err = h.Apply(ctx, plan)
		}
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", key, err)
		}
	}
}

// A resource with properties that its type does not have is left alone, or is as wanted.
func TestHostReplacesNothingItCannotTell(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		commands string
		want     Resource
		isSo     bool
	}{
		{"ip addr add 10.168.0.91/32 dev eth0 valid_lft 3600 preferred_lft 1800", vipAddress(vip4, "eth0", "eth0:0"), false},
		{"ip addr add 10.168.0.91/32 dev eth0 valid_lft 3600 preferred_lft 1800", Address{Interface: "eth0", Prefix: hostPrefix(vip4)}, true},
		{"ip addr add 10.168.0.91/24 dev eth0 noprefixroute", Address{Interface: "eth0", Prefix: inner4At(vip4), Label: "eth0:0"}, false},
		{"ip addr add 10.168.0.91/24 dev eth0 metric 77", Address{Interface: "eth0", Prefix: inner4At(vip4), Label: "eth0:0"}, false},
		{"ip addr add 10.168.0.91 peer 10.168.0.200/32 dev eth0", vipAddress(vip4, "eth0", "eth0:0"), false},
		{"ip -6 addr add 2001:db8:1::91/128 dev eth0 home nodad; sleep 0.2", vipAddress(vip6, "eth0", ""), false},
		{"ip -6 addr add 2001:db8:1::91/128 dev eth0 valid_lft 3600 preferred_lft 1800 nodad; sleep 0.2", vipAddress(vip6, "eth0", ""), false},
		{"ip -6 addr add 2001:db8:1::91/64 dev eth0 mngtmpaddr nodad; sleep 0.2", Address{Interface: "eth0", Prefix: inner6At(vip6), Deprecated: true}, false},
		{"ip rule add from 10.168.0.0/24 iif eth0 lookup 77 priority 77", Rule{Priority: 77, Table: 77, From: inner4}, false},
		{"ip rule add fwmark 5/15 lookup 77 priority 77", Rule{Priority: 77, Table: 77, Mark: 5}, false},
		{"modprobe fou; ip fou add port 6080 ipproto 4", FOUPort{Port: 6080}, false},
		{"modprobe fou; ip fou add port 6080 gue", FOUPort{Port: 6080}, true},
		{"ip xfrm policy add src 10.168.0.94/32 dst 10.168.0.90/32 dir out priority 9 tmpl src 10.168.0.94 dst 10.168.0.90 proto esp reqid 256 mode transport",
			IPsecPolicy{From: hostPrefix(local4), To: hostPrefix(router4), SPI: 256}, false},
		{"ip xfrm policy add src 10.168.0.94/32 dst 10.168.0.90/32 dir out mark 7 tmpl src 10.168.0.94 dst 10.168.0.90 proto esp reqid 256 mode transport",
			IPsecPolicy{From: hostPrefix(local4), To: hostPrefix(router4), SPI: 256}, false},
		{"ip -6 route add default via 2001:db8:1::1 dev eth0 metric 1024 proto ra expires 600", Route{To: defaultRoute(vip6), Via: router6}, false},
		{"ip -6 route add default via 2001:db8:1::1 dev eth0 metric 1024 pref high", Route{To: defaultRoute(vip6), Via: router6}, false},
		{"ip route add 203.0.113.0/24 dev eth0 initcwnd 20", Route{To: inner5, Interface: "eth0", MTU: 1400}, false},
	} {
		t.Run(strings.ReplaceAll(c.commands, "/", "|"), func(t *testing.T) {
			ns, h := setupGround(t)
			ns.Run("sh", "-c", c.commands)
			before := ns.Dump()
			plan, err := h.Plan(ctx, Setup{{Want: c.want}})
			switch {
			case c.isSo && (err != nil || plan.HasChanges()):
				t.Errorf("got %v, want nothing to do:\n%s", err, plan)
			case !c.isSo && !errors.Is(err, ErrExists):
				t.Errorf("got %v, want ErrExists:\n%s", err, plan)
			}
			testbed.Unchanged(t, "Plan", before, ns.Dump())
		})
	}
}

// When the first IPv4 address of a network is replaced or removed, the addresses that
// the kernel removes with it come back, with all their properties.
func TestHostKeepsSecondaries(t *testing.T) {
	ctx := context.Background()
	ns, h := setupGround(t)
	ns.Run("sysctl", "-qw", "net.ipv4.conf.all.promote_secondaries=0", "net.ipv4.conf.eth0.promote_secondaries=0")
	ns.Run("sh", "-c", "ip addr add 10.168.0.95/24 dev eth0 label eth0:5; ip addr add 10.168.0.96/24 dev eth0 noprefixroute metric 7")
	before := ns.Dump()
	others := func() string {
		return fmt.Sprint(strings.Count(ns.Run("ip", "addr", "show", "dev", "eth0"), "10.168.0.9"))
	}
	plan, err := h.Plan(ctx, Setup{{Want: Address{Interface: "eth0", Prefix: inner4At(local4), Label: "eth0:1"}}})
	must(t, err)
	must(t, h.Apply(ctx, plan))
	if n := others(); n != "3" {
		t.Errorf("%s addresses are left of 3:\n%s", n, ns.Run("ip", "addr", "show", "dev", "eth0"))
	}
	undone(t, h, plan)
	testbed.Unchanged(t, "Undo", before, ns.Dump())

	plan, err = h.Plan(ctx, Setup{{Want: Address{Interface: "eth1", Prefix: inner4At(vip4)}}})
	must(t, err)
	must(t, h.Apply(ctx, plan))
	ns.Run("ip", "addr", "add", "10.168.0.99/24", "dev", "eth1")
	undone(t, h, plan)
	if after := ns.Run("ip", "addr", "show", "dev", "eth1"); !strings.Contains(after, "10.168.0.99/24") || strings.Contains(after, "10.168.0.91") {
		t.Errorf("after Undo:\n%s", after)
	}
}

// Another host on the link has the address: Apply says so, and takes it back. One
// that is there and not in use is fixed when the other host gave it up.
func TestHostDuplicateAddress(t *testing.T) {
	testbed.InKernel(t)
	ctx := context.Background()
	here, there := testbed.New(t), testbed.New(t)
	cable(t, here, there)
	there.Run("sh", "-c", "ip link set eth0 up && ip -6 addr add 2001:db8:1::91/128 dev eth0 nodad")
	here.Run("sh", "-c", "ip link set eth0 up && ip -6 addr add 2001:db8:1::1/64 dev eth0 nodad")
	h, err := OpenHost(ctx, InNamespaceFile(here.File))
	must(t, err)
	defer h.Close()
	awaitRoutes(t, h, 4) // those of lo, its own, and that of the link
	before := here.Dump()
	setup := Setup{forwarding(true, ""), {Want: vipAddress(vip6, "eth0", "")}}
	plan, err := h.Plan(ctx, setup)
	must(t, err)
	if err := h.Apply(ctx, plan); !errors.Is(err, ErrExists) || !strings.Contains(err.Error(), "another host") {
		t.Errorf("got %v, want ErrExists", err)
	}
	testbed.Unchanged(t, "a failed Apply", before, here.Dump())

	failed := vipAddress(vip6, "eth0", "")
	must(t, h.put(completed(t, failed)))
	must(t, h.settle(ctx, failed))
	there.Run("ip", "-6", "addr", "del", "2001:db8:1::91/128", "dev", "eth0")
	plan, err = h.Plan(ctx, setup)
	must(t, err)
	if !plan.Steps[1].HasChanges() {
		t.Errorf("an address that failed is taken for good:\n%s", plan)
	}
	must(t, h.Apply(ctx, plan))
	if text := here.Run("ip", "-6", "addr", "show", "dev", "eth0"); strings.Contains(text, "dadfailed") || strings.Contains(text, "::91/128 scope global tentative") {
		t.Errorf("after Apply:\n%s", text)
	}
}

// cable connects the interfaces eth0 of two namespaces.
func cable(t *testing.T, a, b *testbed.Namespace) {
	t.Helper()
	must(t, a.Do(func() error {
		return netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "eth0", PeerNamespace: netlink.NsFd(b.File.Fd())})
	}))
}

func inner4At(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, inner4.Bits()) }
func inner6At(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, inner6.Bits()) }

// completed is an address as the seam has it.
func completed(t *testing.T, a Address) Resource {
	t.Helper()
	full, bad := a.complete(nil)
	if bad != nil {
		t.Fatal(bad)
	}
	return full
}

// The errors of an address where IPv6 is switched off, and of another namespace's plan,
// say why.
func TestHostSaysWhy(t *testing.T) {
	ctx := context.Background()
	ns, h := setupGround(t)
	_, other := setupGround(t)
	ns.Run("sysctl", "-qw", "net.ipv6.conf.eth1.disable_ipv6=1")
	plan, err := h.Plan(ctx, Setup{{Want: vipAddress(vip6, "eth1", "")}})
	must(t, err)
	if err := h.Apply(ctx, plan); !errors.Is(err, errors.ErrUnsupported) || errors.Is(err, ErrPermission) || !strings.Contains(err.Error(), "disable_ipv6") {
		t.Errorf("got %v, want ErrUnsupported with the parameter", err)
	}
	err = other.Apply(ctx, saved(t, plan))
	var bad *Error
	if !errors.As(err, &bad) || bad.Field != "Host" || !errors.Is(err, ErrInvalid) {
		t.Errorf("Apply of another namespace's plan: %v", err)
	}
	if _, err := other.Undo(ctx, plan); !errors.Is(err, ErrInvalid) {
		t.Errorf("Undo of another namespace's plan: %v", err)
	}
	plan.Host.Boot, plan.Host.Namespace = "earlier", "1" // the machine has started again
	if _, err := other.Undo(ctx, plan); err != nil {
		t.Errorf("Undo after a restart: %v", err)
	}
}
