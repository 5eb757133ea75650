package lvs

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/testbed"
)

// setupGround is a host with eth0 and eth1 in a kernel.
func setupGround(t testing.TB) (*testbed.Namespace, *Host) {
	t.Helper()
	testbed.InKernel(t)
	ns := testbed.New(t)
	ns.Dummy("eth0", eth0Address4, eth0Address6)
	ns.Dummy("eth1", eth1Address4, eth1Address6)
	h, err := OpenHost(context.Background(), InNamespaceFile(ns.File))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	awaitRoutes(t, h, 8) // two of each device's own, and one of its link
	return ns, h
}

// awaitRoutes waits for the routes to the host's own IPv6 addresses, which the kernel
// makes a moment after them.
func awaitRoutes(t testing.TB, h *Host, addresses int) {
	t.Helper()
	areThere := func() bool {
		all, err := h.network.Addresses()
		must(t, err)
		for _, a := range all {
			if r, err := h.network.Lookup(a.Prefix.Addr(), netip.Addr{}); a.Prefix.Addr().Is6() && (err != nil || !r.Local) {
				return false
			}
		}
		return len(all) >= addresses
	}
	for range 1000 {
		if areThere() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the host's own addresses have no routes")
}

// loadModules loads what a setup needs, so that dumps do not differ by what a
// module brings.
func loadModules(t testing.TB, setup Setup) {
	t.Helper()
	for _, s := range setup {
		if m, ok := s.Want.(Module); ok {
			names := []string{m.Name}
			if m.Name == "fou" {
				names = append(names, "fou6")
			}
			if _, err := os.Stat("/sys/module/" + names[len(names)-1]); err == nil {
				continue
			}
			if out, err := exec.Command("modprobe", append([]string{"-a"}, names...)...).CombinedOutput(); err != nil {
				t.Fatalf("modprobe %s: %v\n%s", m.Name, err, out)
			}
		}
	}
}

// A setup is applied, twice, does what its commands do, and is undone.
func TestHostSetups(t *testing.T) {
	testbed.InKernel(t)
	ctx := context.Background()
	for _, c := range setupCases {
		t.Run(c.name, func(t *testing.T) {
			dump := dumpBriefly // a kernel takes seconds for all parameters
			if slices.Contains([]string{"DR director", "NAT director", "NAT director IPv6", "IPIP real server 4 in 6"}, c.name) {
				dump = dumpKernel
			}
			setup := mustSetup(t, c)
			loadModules(t, setup) // first: they make devices in namespaces to come
			ns, h := setupGround(t)
			before := dump(t, ns)
			plan, err := h.Plan(ctx, setup)
			if err != nil {
				t.Fatal(err)
			}
			if c.nat && !testbed.HasNFT() {
				if err := h.Apply(ctx, plan); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "nft_chain_nat") {
					t.Errorf("without nftables: got %v, want ErrUnsupported with what to do", err)
				}
				unchanged(t, "a setup that failed", before, dump(t, ns))
				return
			}
			for range 2 {
				if err := h.Apply(ctx, plan); err != nil {
					t.Fatal(err)
				}
			}
			again, err := h.Plan(ctx, setup)
			if err != nil || again.HasChanges() {
				t.Fatalf("after Apply there is still to do, %v:\n%s", err, again)
			}
			unchanged(t, "the commands, and after Apply", neutral(byHand(t, plan)), neutral(shown(t, ns)))
			undoInKernel(t, h, saved(t, plan))
			unchanged(t, "Undo", before, dump(t, ns))
		})
	}
}

// undoInKernel undoes a plan and expects nothing kept but modules.
func undoInKernel(t *testing.T, h *Host, plan SetupPlan) {
	t.Helper()
	kept, err := h.Undo(context.Background(), plan)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kept {
		if _, ok := k.Want.(Module); !ok {
			t.Errorf("Undo kept %s", k)
		}
	}
}

// byHand returns what the commands of a plan make of a host. That of an association
// does not show the key: it is made in another way.
func byHand(t *testing.T, plan SetupPlan) string {
	t.Helper()
	ns, h := setupGround(t)
	var c commandLines
	for _, step := range plan.Steps {
		switch step.Requirement.Want.(type) {
		case Module:
		case IPsecAssociation:
			must(t, h.put(step.Left))
		default:
			if step.HasChanges() {
				c.add(step.Requirement.Want.String())
			}
		}
	}
	c.run(t, ns)
	return shown(t, ns)
}

// Facts that are there already are changed, and come back.
func TestHostReplaces(t *testing.T) {
	ctx := context.Background()
	ns, h := setupGround(t)
	ns.Run("ip", "route", "add", "default", "via", "10.168.0.1", "src", "10.168.0.94", "mtu", "1400", "proto", "dhcp")
	ns.Run("ip", "-6", "route", "add", "default", "via", "2001:db8:1::1", "metric", "1024", "proto", "ra")
	ns.Run("ip", "addr", "add", "10.168.0.91/32", "dev", "eth0", "scope", "link")
	ns.Run("ip", "link", "add", "d0", "mtu", "1280", "type", "dummy")
	ns.Run("ip", "route", "add", "203.0.113.0/24", "nexthop", "via", "10.168.0.1", "nexthop", "via", "10.168.0.2")
	before := dumpKernel(t, ns)
	plan, err := h.Plan(ctx, Setup{
		{Want: Route{To: defaultRoute(vip4), Via: router4}},
		{Want: Route{To: defaultRoute(vip6), Via: router6}},
		{Want: vipAddress(vip4, "eth0", "eth0:0")},
		{Want: Link{Name: "d0", Up: true, MTU: 1400}},
		{Want: Sysctl{"net.ipv4.vs.sync_threshold", "2 40"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := h.Apply(ctx, plan); err != nil {
			t.Fatal(err)
		}
	}
	for command, want := range map[string]string{
		"ip route": "default via 10.168.0.90 dev eth0 proto static", "ip -6 route": "default via 2001:db8:1::90 dev eth0",
		"ip addr show eth0": "inet 10.168.0.91/32 brd 10.168.0.91 scope global eth0:0", "ip link show d0": "mtu 1400",
	} {
		if got := ns.Run("sh", "-c", command); !strings.Contains(got, want) {
			t.Errorf("%s: want %q in\n%s", command, want, got)
		}
	}
	undoInKernel(t, h, saved(t, plan))
	unchanged(t, "Undo", before, dumpKernel(t, ns))

	if _, err := h.Plan(ctx, Setup{{Want: Route{To: netip.MustParsePrefix("203.0.113.0/24"), Via: router4}}}); !errors.Is(err, ErrExists) {
		t.Errorf("a route of several hops: got %v, want ErrExists", err)
	}
}

// What the host cannot have is refused by name, when it is planned or when it is
// applied, and the host is as before.
func TestHostRefuses(t *testing.T) {
	ctx := context.Background()
	ns, h := setupGround(t)
	before, all := dumpBriefly(t, ns), dumpKernel(t, ns)
	far := netip.MustParseAddr("203.0.113.1")
	for _, c := range []struct {
		name string
		want Resource
		kind error
	}{
		{"next hop that is nowhere", Route{To: defaultRoute(vip4), Via: far}, ErrInvalid},
		{"next hop of the other family", Route{To: defaultRoute(vip4), Via: router6}, ErrInvalid},
		{"interface that is not there", Address{Interface: "eth7", Prefix: hostPrefix(vip4)}, ErrNotFound},
		{"parameter of an interface that is not there", Sysctl{InterfaceSysctl("eth7", "rp_filter", false), "0"}, ErrNotFound},
		{"MTU out of range", Link{Name: "eth0", MTU: 70000}, ErrInvalid},
		{"kind of another interface", Link{Name: "eth0", Kind: "ipip"}, ErrExists},
		{"address where a network is due", Route{To: netip.MustParsePrefix("10.168.0.94/24"), Via: router4}, ErrInvalid},
		{"label in IPv6", Address{Interface: "eth0", Prefix: hostPrefix(vip6), Label: "eth0:0"}, ErrInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			plan, err := h.Plan(ctx, Setup{forwarding(false, ""), {Want: c.want}})
			if err == nil {
				err = h.Apply(ctx, plan)
			}
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want.String()) {
				t.Errorf("got %v, want %v of %s", err, c.kind, c.want)
			}
			unchanged(t, "a refusal", before, dumpBriefly(t, ns))
		})
	}
	director, err := DRDirector{VIP: far, Interface: "eth0"}.Setup()
	must(t, err)
	if _, err := h.Plan(ctx, director); !errors.Is(err, ErrInvalid) {
		t.Errorf("a VIP outside any network: got %v, want ErrInvalid", err)
	}
	unchanged(t, "refusals", all, dumpKernel(t, ns))
}

// fou is a module that the kernel does not load by itself.
func TestHostModuleIsMissing(t *testing.T) {
	ctx := context.Background()
	_, h := setupGround(t)
	if out, err := exec.Command("modprobe", "-r", "fou6", "fou").CombinedOutput(); err != nil {
		t.Fatalf("modprobe -r fou: %v\n%s", err, out)
	}
	plan, err := h.Plan(ctx, mustSetup(t, caseOf("GUE real server")))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Apply(ctx, plan); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "run 'modprobe fou'") {
		t.Errorf("got %v, want ErrUnavailable with the command", err)
	}
}

// What has been changed since stays, and Undo says so, and sets the rest back.
func TestHostUndoKeeps(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct{ setup, command, kept, now string }{
		{"NAT director", "sysctl -w net.ipv4.conf.all.send_redirects=1", "", ""}, // as it was
		{"NAT director", "sysctl -w net.ipv4.conf.eth0.accept_redirects=0", "", ""},
		{"NAT director", "sysctl -w net.ipv4.conf.all.accept_redirects=2", "accept_redirects", "all.accept_redirects = 2"},
		{"DR real server", "sysctl -w net.ipv4.conf.all.arp_ignore=2", "the host has 2", "all.arp_ignore = 2"},
		{"DR director", "ip route replace 10.168.0.91/32 via 10.168.0.1 dev eth0", "10.168.0.1", "10.168.0.91 via 10.168.0.1"},
		{"IPIP real server 4 in 6", "ip addr add 10.9.9.9/32 dev lvs-tun6", "it is in use", "10.9.9.9"},
	} {
		t.Run(c.setup+" "+c.command, func(t *testing.T) {
			setup := mustSetup(t, caseOf(c.setup))
			ns, h := setupGround(t)
			loadModules(t, setup)
			plan, err := h.Plan(ctx, setup)
			must(t, err)
			must(t, h.Apply(ctx, plan))
			ns.Run("sh", "-c", c.command)
			kept, err := h.Undo(ctx, saved(t, plan))
			must(t, err)
			kept = slices.DeleteFunc(kept, func(k Leftover) bool { _, ok := k.Want.(Module); return ok })
			switch {
			case c.kept == "" && len(kept) != 0:
				t.Errorf("kept %v", kept)
			case c.kept != "" && (len(kept) != 1 || !strings.Contains(kept[0].String(), c.kept)):
				t.Errorf("kept %v, want one that says %q", kept, c.kept)
			}
			after := ns.Run("sh", "-c", "ip addr; ip route; sysctl net.ipv4.conf.all.accept_redirects net.ipv4.conf.all.arp_ignore")
			if !strings.Contains(after, c.now) {
				t.Errorf("%q is gone:\n%s", c.now, after)
			}
			if c.setup != "DR director" && strings.Contains(after, "10.168.0.91") {
				t.Errorf("the VIP is still there:\n%s", after)
			}
		})
	}
}

// Many goroutines set hosts in other namespaces up at once, and no thread of the
// process stays in one.
func TestHostLeavesNoThread(t *testing.T) {
	ctx := context.Background()
	setup := mustSetup(t, caseOf("DR real server"))
	var all []*Host
	for range 2 {
		_, h := setupGround(t)
		all = append(all, h)
	}
	before := threadsAway(t)
	errs := make(chan error)
	const each = 2
	for _, h := range all {
		for range each {
			go func() { errs <- planApplyUndo(ctx, h, setup) }()
		}
	}
	for range len(all) * each {
		must(t, <-errs)
	}
	var left []string
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		left = slices.DeleteFunc(threadsAway(t), func(thread string) bool { return slices.Contains(before, thread) })
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("threads were left in namespaces: %q", left)
		}
	}
}

// planApplyUndo takes any plan that others have just applied or undone for stale.
func planApplyUndo(ctx context.Context, h *Host, setup Setup) error {
	for range 2 {
		plan, err := h.Plan(ctx, setup)
		if err != nil {
			return err
		}
		if err := h.Apply(ctx, plan); err != nil && !errors.Is(err, ErrStale) {
			return err
		}
		if _, err := h.Undo(ctx, plan); err != nil {
			return err
		}
	}
	return nil
}

// threadsAway lists the threads of the process that are in other network
// namespaces than the first process: some tests leave theirs there.
func threadsAway(t *testing.T) (away []string) {
	t.Helper()
	home, err := os.Readlink("/proc/1/ns/net")
	must(t, err)
	links, err := filepath.Glob("/proc/self/task/*/ns/net")
	must(t, err)
	for _, l := range links {
		if there, err := os.Readlink(l); err == nil && there != home {
			away = append(away, l+" "+there)
		}
	}
	return away
}
