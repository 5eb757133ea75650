package lvs

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/golvs/lvs/internal/netstate"
	"github.com/golvs/lvs/internal/testbed"
)

// A hardened host stays hardened: what ip_forward changes automatically comes back.
func TestUndoBringsEffectsBack(t *testing.T) {
	ctx := context.Background()
	g := newHostGround(t)
	h := g.Open(t)
	accept, eth1 := InterfaceSysctl("all", "accept_redirects", false), InterfaceSysctl("eth1", "forwarding", false)
	g.Change(t, change{put: Sysctl{accept, "0"}}, change{put: Sysctl{eth1, "1"}})
	before := g.Dump(t)
	plan, err := h.Plan(ctx, Setup{forwarding(false, "")})
	must(t, err)
	if want := "turns net.ipv4.conf.eth0.forwarding from 0 to 1"; !strings.Contains(plan.String(), want) {
		t.Errorf("the plan does not say %q:\n%s", want, plan)
	}
	must(t, h.Apply(ctx, plan))
	// Undo is interrupted right after ip_forward: the next one finishes it.
	dying := g.Open(t)
	failAfter(dying, 1, func() error { return errDead }, false)
	if _, err := dying.Undo(ctx, plan); !errors.Is(err, errDead) {
		t.Fatal(err)
	}
	if value, _ := h.Sysctl(ctx, accept); value != "1" {
		t.Fatalf("the kernel did not turn accept_redirects on: %s", value)
	}
	undone(t, h, plan)
	testbed.Unchanged(t, "Undo", before, g.Dump(t))
}

// What another program has changed since Apply stays, Undo reports it, and puts the
// rest back.
func TestUndoKeepsOthers(t *testing.T) {
	vip, other := vipAddress(vip4, "eth0", "eth0:0"), vipAddress(vip4, "eth0", "eth0:7")
	put := func(r Resource) []change { return []change{{put: r}} }
	sysctl := func(key SysctlKey, value string) []change { return put(Sysctl{key, value}) }
	want := func(r Resource) Setup { return Setup{{Want: r}} }
	director, real, tunnel := mustSetup(t, caseOf("NAT director")), mustSetup(t, caseOf("DR real server")), mustSetup(t, caseOf("IPIP real server 4 in 6"))
	for _, c := range []struct {
		name    string
		setup   Setup
		changes []change
		says    string // about what is left; "" if nothing is
	}{
		{"a parameter is as it was", director, sysctl("net.ipv4.conf.all.send_redirects", "1"), ""},
		{"an effect is as it was", director, sysctl("net.ipv4.conf.eth0.accept_redirects", "0"), ""},
		{"an effect", director, sysctl("net.ipv4.conf.all.accept_redirects", "2"), "accept_redirects"},
		{"the effect alone", Setup{forwarding(false, "")}, sysctl("net.ipv4.conf.all.accept_redirects", "2"), "accept_redirects"},
		{"a parameter", real, sysctl("net.ipv4.conf.all.arp_ignore", "2"), "the host has 2"},
		{"a parameter alone", want(Sysctl{"net.ipv4.conf.all.arp_ignore", "1"}), sysctl("net.ipv4.conf.all.arp_ignore", "2"), "the host has 2"},
		{"an address is gone", want(vip), []change{{remove: vip}}, ""},
		{"an address has another label", want(vip), []change{{remove: vip}, {put: other}}, "eth0:7"},
		{"a link is in use", want(Link{Name: "d0", Kind: "dummy", Up: true}), put(vipAddress(vip4, "d0", "")), "it is in use"},
		{"a tunnel is in use", tunnel, put(Address{Interface: "lvs-tun6", Prefix: netip.MustParsePrefix("10.9.9.9/32")}), "it is in use"},
		{"a route", want(Route{To: defaultRoute(vip4), Via: router4}), put(Route{To: defaultRoute(vip4), Via: netip.MustParseAddr("10.168.0.1")}), "10.168.0.1"},
		{
			"the route of a VIP", mustSetup(t, caseOf("DR director")),
			put(Route{To: hostPrefix(vip4), Via: netip.MustParseAddr("10.168.0.1"), Interface: "eth0"}), "10.168.0.1",
		},
		{"a table", want(SourceNAT{From: inner4}), []change{foreignNAT}, "changed since"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := context.Background()
			g := newHostGround(t, c.setup)
			if c.name == "a table" && !g.HasNAT() {
				return // nothing to keep
			}
			h := g.Open(t)
			plan := mustApply(t, h, c.setup)
			g.Change(t, c.changes...)
			left, err := h.Undo(ctx, saved(t, plan))
			must(t, err)
			left = besidesModules(left)
			if c.says == "" && len(left) != 0 || c.says != "" && (len(left) != 1 || !strings.Contains(left[0].String(), c.says)) {
				t.Errorf("%v is left, want what says %q", left, c.says)
			}
			if c.says == "" {
				c.changes = nil // nothing of another program is left
			}
			if c.says != "it is in use" { // then what is on it stays too
				wantsAgain(t, h, c.setup, plan, c.changes)
			}
			for _, m := range c.changes {
				if m.put != nil {
					isStill(t, h, m.put)
				}
			}
		})
	}
}

// wantsAgain reports an error unless a setup that was undone has as much to do as
// before, besides what another program has changed.
func wantsAgain(t *testing.T, h *Host, setup Setup, before SetupPlan, changes []change) {
	t.Helper()
	again, err := h.Plan(context.Background(), setup)
	if len(changes) == 0 {
		must(t, err)
	}
	for i, s := range again.Steps {
		isOfOther := slices.ContainsFunc(changes, func(m change) bool { return m.put != nil && m.put.key() == s.Requirement.Want.key() })
		if before.Steps[i].HasChanges() != s.HasChanges() && !isOfOther {
			t.Errorf("after Undo: %s", s.Requirement.Want)
		}
	}
}

// isStill reports an error unless a host has a resource.
func isStill(t *testing.T, h *Host, r Resource) {
	t.Helper()
	if s, ok := r.(Sysctl); ok { // whose value may be one that no setup may want
		value, err := h.Sysctl(context.Background(), s.Key)
		must(t, err)
		compare(t, string(s.Key), s.Value, value)
		return
	}
	if plan, err := h.Plan(context.Background(), Setup{{Want: r}}); err != nil || plan.HasChanges() {
		t.Errorf("Undo did not leave %s alone, %v:\n%s", r, err, plan)
	}
}

// foreignNAT changes the table of a SourceNAT.
var foreignNAT = change{
	state: func() netstate.Resource {
		table := SourceNAT{From: inner4}.toNetwork().(netstate.SourceNAT)
		table.Other = true
		return table
	}(),
	command: "nft 'table ip lvs_nat_from_10_168_0_0_24 { chain postrouting { type nat hook postrouting priority 100; ip saddr 10.9.0.0/24 masquerade; }; }'",
}

// What the host cannot have is refused by name, when it is planned or when it is
// applied, and the host is as before.
func TestPlanRefuses(t *testing.T) {
	ctx := context.Background()
	g := newHostGround(t)
	h := g.Open(t)
	if g.HasNAT() {
		g.Change(t, foreignNAT)
	}
	before, all := g.Dump(t), g.DumpAll(t)
	far := netip.MustParseAddr("203.0.113.1")
	for _, c := range []struct {
		name string
		want Resource
		kind error
	}{
		{"interface that does not exist", Address{Interface: "eth7", Prefix: hostPrefix(vip4)}, ErrNotFound},
		{"interface that does not exist to set up", Link{Name: "eth7", Up: true}, ErrNotFound},
		{"interface of another kind", Link{Name: "eth0", Kind: "ipip"}, ErrExists},
		{"MTU out of range", Link{Name: "eth0", MTU: 70000}, ErrInvalid},
		{"label in IPv6", Address{Interface: "eth0", Prefix: hostPrefix(vip6), Label: "eth0:0"}, ErrInvalid},
		{"parameter that does not exist", Sysctl{"net.ipv4.nosuch", "1"}, ErrNotFound},
		{"parameter of an interface that does not exist", Sysctl{"net.ipv4.conf.eth7.rp_filter", "1"}, ErrNotFound},
		{"key out of its folder", Sysctl{"net.ipv4.//.//.passwd", "1"}, ErrInvalid},
		{"value out of range", Sysctl{"net.ipv4.conf.all.rp_filter", "7"}, ErrInvalid},
		{"value of IPVS out of range", Sysctl{"net.ipv4.vs.drop_entry", "9"}, ErrInvalid},
		{"value with a line end", Sysctl{"net.ipv4.ip_forward", "1\n1"}, ErrInvalid},
		{"next hop that is nowhere", Route{To: defaultRoute(vip4), Via: far}, ErrInvalid},
		{"next hop of the other family", Route{To: defaultRoute(vip4), Via: router6}, ErrInvalid},
		{"address where a network is due", Route{To: netip.MustParsePrefix("10.168.0.94/24"), Via: router4}, ErrInvalid},
		{"a foreign table", SourceNAT{From: inner4}, ErrExists},
		{"no module", Module{"../x"}, ErrInvalid},
		{"contradiction", Sysctl{SysctlIPForward, "0"}, ErrInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "a foreign table" && !g.HasNAT() {
				c.kind = errors.ErrUnsupported
			}
			plan, err := h.Plan(ctx, Setup{forwarding(false, ""), {Want: c.want}})
			if err == nil {
				err = h.Apply(ctx, plan)
			}
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want.String()) {
				t.Errorf("got %v, want %v of %s", err, c.kind, c.want)
			}
			testbed.Unchanged(t, "a refusal", before, g.Dump(t))
		})
	}
	director, err := DRDirector{VIP: far, Interface: "eth0"}.Setup()
	must(t, err)
	if _, err := h.Plan(ctx, director); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "in no network of eth0") {
		t.Errorf("a VIP outside any network: got %v, want ErrInvalid", err)
	}
	testbed.Unchanged(t, "refusals", all, g.DumpAll(t))
}

// Resources that exist are changed, and come back.
func TestSetupReplaces(t *testing.T) {
	ctx := context.Background()
	g := newHostGround(t)
	h := g.Open(t)
	const main, dhcp, ra = 254, 16, 9
	hop4, hop6 := netip.MustParseAddr("10.168.0.1"), netip.MustParseAddr("2001:db8:1::1")
	g.Change(t,
		change{
			command: "ip route add default via 10.168.0.1 dev eth0 src 10.168.0.94 mtu 1400 proto dhcp",
			state:   netstate.Route{To: defaultRoute(vip4), Table: main, Via: hop4, Interface: "eth0", Source: local4, MTU: 1400, Scope: "global", Protocol: dhcp},
		},
		change{
			command: "ip -6 route add default via 2001:db8:1::1 dev eth0 metric 1024 proto ra",
			state:   netstate.Route{To: defaultRoute(vip6), Table: main, Via: hop6, Interface: "eth0", Metric: 1024, Protocol: ra},
		},
		change{put: Address{Interface: "eth0", Prefix: hostPrefix(vip4), Scope: "link"}},
		change{put: Link{Name: "d0", Kind: "dummy", MTU: 1280}},
		change{
			command: "ip route add 203.0.113.0/24 nexthop via 10.168.0.1 nexthop via 10.168.0.2",
			state:   netstate.Route{To: inner5, Table: main, Via: hop4, Interface: "eth0", Scope: "global", Other: true},
		},
	)
	before := g.DumpAll(t)
	plan := mustApply(t, h, Setup{
		{Want: Route{To: defaultRoute(vip4), Via: router4}},
		{Want: Route{To: defaultRoute(vip6), Via: router6}},
		{Want: vipAddress(vip4, "eth0", "eth0:0")},
		{Want: Link{Name: "d0", Up: true, MTU: 1400}},
		{Want: Sysctl{"net.ipv4.vs.sync_threshold", "2 40"}},
	})
	must(t, h.Apply(ctx, plan))
	for _, want := range []Resource{
		Route{To: defaultRoute(vip4), Via: router4, Interface: "eth0"},
		Route{To: defaultRoute(vip6), Via: router6, Interface: "eth0"},
		Address{Interface: "eth0", Prefix: hostPrefix(vip4), Broadcast: vip4, Label: "eth0:0", Scope: "global"},
		Link{Name: "d0", Up: true, MTU: 1400},
	} {
		if as, err := h.Plan(ctx, Setup{{Want: want}}); err != nil || as.HasChanges() {
			t.Errorf("after Apply, %v:\n%s", err, as)
		}
	}
	undone(t, h, saved(t, plan))
	testbed.Unchanged(t, "Undo", before, g.DumpAll(t))

	if _, err := h.Plan(ctx, Setup{{Want: Route{To: inner5, Via: router4}}}); !errors.Is(err, ErrExists) {
		t.Errorf("a route of several hops: got %v, want ErrExists", err)
	}
}

// A plan whose host has changed is refused, and nothing is done.
func TestApplyStalePlan(t *testing.T) {
	ctx := context.Background()
	g := newHostGround(t)
	h := g.Open(t)
	plan, err := h.Plan(ctx, mustSetup(t, caseOf("DR director")))
	must(t, err)
	g.Change(t, change{put: Route{To: hostPrefix(vip4), Via: router4, Interface: "eth0"}})
	before := g.Dump(t)
	if err := h.Apply(ctx, plan); !errors.Is(err, ErrStale) {
		t.Errorf("got %v, want ErrStale", err)
	}
	testbed.Unchanged(t, "a refusal", before, g.Dump(t))
}

// A module that the kernel does not load automatically is named with the command that
// does, and modules stay loaded.
func TestModuleIsMissing(t *testing.T) {
	ctx := context.Background()
	g := newHostGround(t)
	h := g.Open(t)
	g.Unload(t, "fou6", "fou")
	plan, err := h.Plan(ctx, mustSetup(t, caseOf("GUE real server")))
	must(t, err)
	if err := h.Apply(ctx, plan); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "run 'modprobe fou'") {
		t.Errorf("got %v, want ErrUnavailable with the command", err)
	}
	g.Load(t, "fou")
	must(t, h.Apply(ctx, plan))
	left, err := h.Undo(ctx, plan)
	must(t, err)
	for _, l := range left {
		if m, ok := l.Want.(Module); !ok || !strings.Contains(l.Why, "modprobe -r "+m.Name) {
			t.Errorf("%s is left", l)
		}
	}
	if !testbed.Inside() && len(left) != 2 { // other tests may have loaded ipip
		t.Errorf("%v is left, want two modules", left)
	}
	if l, _ := h.find(ctx, Link{Name: "tunl0"}); l == nil || l.(Link).Up {
		t.Errorf("tunl0 is %v, want down", l)
	}
}
