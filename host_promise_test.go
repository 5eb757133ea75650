package lvs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/golvs/lvs/internal/netstate"
	"github.com/golvs/lvs/internal/testbed"
	"github.com/google/go-cmp/cmp"
)

// oddResources are at the edge of what a kernel accepts, beyond it, or written in
// another way than the kernel writes them. Those that have a field are refused for it.
var oddResources = []struct {
	field    string
	resource Resource
}{
	{"Value", Sysctl{SysctlIPForward, "01"}},
	{"Value", Sysctl{SysctlIPForward, "0x1"}},
	{"Value", Sysctl{SysctlIPForward, "+1"}},
	{"Value", Sysctl{SysctlIPForward, "-0"}},
	{"Value", Sysctl{InterfaceSysctl("eth0", "rp_filter", false), "01"}},
	{"Value", Sysctl{InterfaceSysctl("eth0", "hop_limit", true), "0x40"}},
	{"Value", Sysctl{InterfaceSysctl("eth0", "hop_limit", true), "0100"}},
	{"", Sysctl{InterfaceSysctl("eth0", "hop_limit", true), "63"}},
	{"Value", Sysctl{InterfaceSysctl("eth0", "hop_limit", true), "1 2"}},
	{"", Sysctl{InterfaceSysctl("eth0", "hop_limit", true), " 61\t"}},
	{"", Sysctl{InterfaceSysctl("all", "forwarding", false), "1"}},
	{"Value", Sysctl{SysctlSyncThreshold, "4"}},
	{"Value", Sysctl{SysctlSyncThreshold, "04 50"}},
	{"Value", Sysctl{SysctlSyncThreshold, "4 50 6"}},
	{"", Sysctl{SysctlSyncThreshold, "4\t60"}},
	{"Value", Sysctl{SysctlAMDropRate, "0010"}},

	{"MTU", Link{Name: "d0", Kind: "dummy", MTU: 67}},
	{"", Link{Name: "d0", Kind: "dummy", MTU: 68}},
	{"", Link{Name: "abcdefghijklmno", Kind: "dummy", MTU: 65536, Up: true}},
	{"MTU", Link{Name: "d0", Kind: "dummy", MTU: 65537}},
	{"", Link{Name: "t0", Kind: "ipip", MTU: 65515, Local: local4}},
	{"MTU", Link{Name: "t0", Kind: "ipip", MTU: 65516, Local: local4}},
	{"MTU", Link{Name: "t0", Kind: "sit", MTU: 1279, Local: local4}},
	{"", Link{Name: "t0", Kind: "sit", MTU: 65536, Local: local4}},
	{"", Link{Name: "t0", Kind: "gre", MTU: 65511, Local: local4}},
	{"MTU", Link{Name: "t0", Kind: "gre", MTU: 65508, Local: local4, Checksum: true}},
	{"", Link{Name: "t0", Kind: "gre", MTU: 65507, Local: local4, Checksum: true}},
	{"MTU", Link{Name: "t0", Kind: "ip6tnl", MTU: 1279, Local: local6}},
	{"", Link{Name: "t0", Kind: "ip6tnl", MTU: 65535, Local: local6}},
	{"", Link{Name: "t0", Kind: "ip6tnl", MTU: 68, Local: local6, AnyProtocol: true}},
	{"", Link{Name: "t0", Kind: "ip6gre", MTU: 65400, Local: local6}},
	{"MTU", Link{Name: "t0", Kind: "ip6gre", MTU: 65535, Local: local6}},
	{"MTU", Link{Name: "eth0", MTU: 1279}},
	{"", Link{Name: "eth0", MTU: 1280}},
	{"", Link{Name: "lo", MTU: 1500}},
	{"Name", Link{Name: "eth%d", Kind: "dummy"}},
	{"Name", Link{Name: "a\u00a0b", Kind: "dummy"}},
	{"Local", Link{Name: "t0", Kind: "ipip", Local: netip.IPv4Unspecified()}},
	{"Remote", Link{Name: "t0", Kind: "gre", Local: local4, Remote: netip.MustParseAddr("224.0.0.1")}},

	{"", Address{Interface: "eth0", Prefix: netip.MustParsePrefix("10.9.0.1/1")}},
	{"", Address{Interface: "eth0", Prefix: netip.MustParsePrefix("10.9.0.1/31"), Broadcast: netip.MustParseAddr("255.255.255.255")}},
	{"", Address{Interface: "eth0", Prefix: netip.MustParsePrefix("10.168.0.95/24")}},
	{"", Address{Interface: "eth0", Prefix: netip.MustParsePrefix("10.168.0.94/24"), Label: "eth0:0"}},
	{"", Address{Interface: "eth0", Prefix: netip.MustParsePrefix("240.0.0.1/32"), Label: "eth0:abcdefghij"}},
	{"Label", Address{Interface: "eth0", Prefix: netip.MustParsePrefix("240.0.0.1/32"), Label: "eth0:abcdefghijk"}},
	{"", Address{Interface: "lo", Prefix: netip.MustParsePrefix("127.0.0.5/8"), Scope: "host"}},
	{"", Address{Interface: "eth0", Prefix: hostPrefix(vip4), Scope: "site"}},
	{"Scope", Address{Interface: "eth0", Prefix: hostPrefix(vip4), Scope: "nowhere"}},
	{"", Address{Interface: "eth0", Prefix: netip.MustParsePrefix("fe80::5/64")}},
	{"", Address{Interface: "eth0", Prefix: netip.MustParsePrefix("fec0::1/64")}},
	{"Scope", Address{Interface: "eth0", Prefix: netip.MustParsePrefix("fd00::1/64"), Scope: "link"}},
	{"", Address{Interface: "eth0", Prefix: netip.MustParsePrefix("fd00::1/127"), NoDAD: true, Deprecated: true}},
	{"", Address{Interface: "eth0", Prefix: netip.MustParsePrefix(eth0Address6), Deprecated: true}},
	{"Want", foreignResource{Address{Interface: "eth0", Prefix: hostPrefix(vip4)}}},
	{"Want", duplicateAddress{Address{Interface: "eth0", Prefix: hostPrefix(vip6)}}},

	{"", Route{To: inner5, Interface: "eth0", MTU: 65520, AdvMSS: 65495}},
	{"MTU", Route{To: inner5, Interface: "eth0", MTU: 65521}},
	{"AdvMSS", Route{To: inner5, Interface: "eth0", AdvMSS: 65496}},
	{"AdvMSS", Route{To: inner5, Interface: "eth0", AdvMSS: 70000}},
	{"", Route{To: inner5, Interface: "eth0", Metric: 1<<31 - 1, Table: 1<<31 - 1}},
	{"", Route{To: inner5, Interface: "eth0", Table: 255}},
	{"", Route{To: inner5, Interface: "eth0", Table: 256}},
	{"Want", foundRoute{Route: Route{To: inner5, Interface: "eth0"}, Protocol: 16}},
	{"Metric", Route{To: inner5, Interface: "eth0", Metric: -1}},
	{"OnLink", Route{To: inner5, Interface: "eth0", OnLink: true}},
	{"", Route{To: inner5, Via: netip.MustParseAddr("203.0.113.1"), Interface: "eth0", OnLink: true}},
	{"", Route{To: inner5, Interface: "lo", Local: true}},
	{"Via", Route{To: inner5, Via: router4, Local: true}},
	{"", Route{To: netip.MustParsePrefix("224.0.0.0/4"), Interface: "eth0"}},
	{"", Route{To: inner7, Interface: "eth0", Metric: 1}},
	{"", Route{To: inner7, Interface: "eth0", Metric: 1024, Source: local6}},
	{"", Route{To: inner7, Interface: "lo", Local: true}},
	{"", Route{To: inner7, Via: netip.MustParseAddr("fe80::1"), Interface: "eth0", MTU: 1280}},
	{"To", Route{To: netip.MustParsePrefix("::ffff:10.0.0.0/120"), Interface: "eth0"}},

	{"", Rule{Priority: 1, Table: 1, From: inner4}},
	{"", Rule{Priority: 1<<31 - 1, Table: 1<<31 - 1, Mark: 1<<32 - 1}},
	{"", Rule{Priority: 9, Table: 254, To: inner7, IPv6: true, Mark: 1}},
	{"From", Rule{Priority: 9, Table: 9, From: netip.MustParsePrefix("0.0.0.0/0")}},
	{"To", Rule{Priority: 9, Table: 9, To: netip.MustParsePrefix("10.0.0.1/24")}},
	{"Priority", Rule{Priority: -1, Table: 9}},

	{"", FOUPort{Port: 65535, IPv6: true}},

	{"", IPsecPolicy{From: hostPrefix(local4), To: inner4, SPI: 256, Protocol: 255}},
	{"", IPsecPolicy{From: hostPrefix(local6), To: hostPrefix(router6), SPI: 99_999_999, In: true}},
	{"From", IPsecPolicy{From: netip.MustParsePrefix("0.0.0.0/0"), To: inner4, SPI: 256}},
	{"SPI", IPsecPolicy{From: hostPrefix(local4), To: inner4, SPI: 255}},
	{"", IPsecAssociation{From: local6, To: router6, SPI: 99_999_999, Key: testKey(3)}},
	{"From", SourceNAT{From: netip.MustParsePrefix("0.0.0.0/0")}},
	{"Source", SourceNAT{From: inner4, Source: netip.MustParseAddr("224.0.0.1")}},
	{"Name", Module{"IPIP"}},
}

var inner5, inner7 = netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8:7::/48")

// keepsPromises plans, applies and undoes each of the odd resources. What Plan accepts
// is applied as planned, and Undo restores what was there.
func keepsPromises(t *testing.T, h *Host, dump func() string) {
	ctx := context.Background()
	before := dump()
	for _, c := range oddResources {
		t.Run(strings.ReplaceAll(c.resource.String(), "/", "|"), func(t *testing.T) {
			plan, err := h.Plan(ctx, Setup{{Want: c.resource}})
			var bad *Error
			switch {
			case c.field != "" && (!errors.As(err, &bad) || bad.Field != c.field || !errors.Is(err, ErrInvalid)):
				t.Fatalf("Plan: got %v, want ErrInvalid of %s", err, c.field)
			case c.field != "":
				return
			case err != nil:
				t.Fatal(err)
			}
			if err := h.Apply(ctx, plan); err != nil {
				t.Fatalf("Apply of what Plan took: %v", err)
			}
			if again, err := h.Plan(ctx, Setup{{Want: c.resource}}); err != nil || again.HasChanges() {
				t.Errorf("still to do, %v:\n%s", err, again)
			}
			kept, err := h.Undo(ctx, saved(t, plan))
			if err != nil || len(kept) != 0 {
				t.Errorf("Undo: %v, kept %v", err, kept)
			}
		})
	}
	if diff := cmp.Diff(before, dump()); diff != "" {
		t.Errorf("after all (-before +after):\n%s", diff)
	}
}

func TestOddSettings(t *testing.T) {
	var modules Setup
	for _, m := range []string{"ipip", "sit", "ip_gre", "ip6_tunnel", "ip6_gre", "fou"} {
		modules = append(modules, Requirement{Want: Module{m}})
	}
	g := newHostGround(t, modules)
	keepsPromises(t, g.Open(t), func() string { return g.DumpAll(t) })
}

// What the kernel wrote in another way than asked is put back.
func TestApplyPutsBackWhatItMissed(t *testing.T) {
	ctx := context.Background()
	s, h := simulatedHost(t)
	before := s.dump()
	key := InterfaceSysctl("eth0", "hop_limit", true)
	rounding := &roundingNetwork{s.network, "/proc/sys/net/ipv6/conf/eth0/hop_limit"}
	h.guard.files = rounding
	plan, err := h.Plan(ctx, Setup{forwarding(false, ""), {Want: Sysctl{key, "33"}}})
	must(t, err)
	if err := h.Apply(ctx, plan); err == nil || !strings.Contains(err.Error(), "has 32") {
		t.Errorf("got %v, want one that says what the host has", err)
	}
	if diff := cmp.Diff(before, s.dump()); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// roundingNetwork rounds a parameter.
type roundingNetwork struct {
	*simulatedNetwork
	path string
}

func (r *roundingNetwork) WriteFile(path string, text []byte) error {
	if path == r.path && string(text) == "33\n" {
		text = []byte("32\n")
	}
	return r.simulatedNetwork.WriteFile(path, text)
}

// What Apply could not take back is in its error.
func TestApplySaysWhatItLeft(t *testing.T) {
	ctx := context.Background()
	s, h := simulatedHost(t)
	plan, err := h.Plan(ctx, mustSetup(t, caseOf("DR real server")))
	must(t, err)
	arp := InterfaceSysctl("all", "arp_ignore", false)
	must(t, s.InjectHost(SimHostFault{Resource: Address{}, Errno: EINVAL, Before: func() {
		must(t, s.network.Network.WriteFile("/proc/sys/net/ipv4/conf/all/arp_ignore", []byte("8\n")))
	}}))
	err = h.Apply(ctx, plan)
	if err == nil || !strings.Contains(err.Error(), "not everything could be undone") || !strings.Contains(err.Error(), string(arp)) || !strings.Contains(err.Error(), "the host has 8") {
		t.Errorf("got %v, want one that says what was left of %s", err, arp)
	}
}

// Two setups need the same VIP's device and parameters. The one that is undone
// leaves what the other one wants; when that is gone too, all is as before.
func TestUndoKeepsForOthers(t *testing.T) {
	ctx := context.Background()
	other := netip.MustParseAddr("10.168.0.92")
	first, err := DRRealServer{VIP: vip4, Device: "vip0"}.Setup()
	must(t, err)
	second, err := DRRealServer{VIP: other, Device: "vip0"}.Setup()
	must(t, err)
	g := newHostGround(t)
	h := g.Open(t)
	before := g.Dump(t)
	firstPlan, secondPlan := mustApply(t, h, first), mustApply(t, h, second)
	kept, err := h.Undo(ctx, saved(t, firstPlan), second)
	must(t, err)
	if len(kept) != 5 {
		t.Errorf("kept %d, want the device and four parameters: %v", len(kept), kept)
	}
	for _, k := range kept {
		if !strings.Contains(k.Why, "another setup needs it") {
			t.Errorf("kept %s", k)
		}
	}
	if again, err := h.Plan(ctx, second); err != nil || again.HasChanges() {
		t.Errorf("%v, the second setup is not so any more:\n%s", err, again)
	}
	if a, err := h.find(ctx, Address{Interface: "vip0", Prefix: hostPrefix(vip4)}); a != nil || err != nil {
		t.Errorf("the first VIP is still there: %v, %v", a, err)
	}
	for _, plan := range []SetupPlan{secondPlan, firstPlan} {
		undone(t, h, plan)
	}
	testbed.Unchanged(t, "Undo of both", before, g.Dump(t))
}

// What another setup wants may disappear with what is undone: Undo makes it again, or
// leaves what it depends on.
func TestUndoMakesAgainForOthers(t *testing.T) {
	ctx := context.Background()
	eth1 := Sysctl{InterfaceSysctl("eth1", "forwarding", false), "1"}
	d0 := Address{Interface: "d0", Prefix: netip.MustParsePrefix("10.5.0.1/24")}
	for _, c := range []struct {
		name        string
		mine, other Setup
		kept        Resource
	}{
		{"by its other name", Setup{forwarding(false, "")}, Setup{{Want: Sysctl{InterfaceSysctl("all", "forwarding", false), "1"}}}, forwarding(false, "").Want},
		{"an effect", Setup{forwarding(false, "")}, Setup{{Want: eth1}}, eth1},
		{"an address on its link", Setup{{Want: Link{Name: "d0", Kind: "dummy", Up: true}, Why: ""}}, Setup{{Want: d0}}, Link{Name: "d0", Kind: "dummy", Up: true}},
		{"a route by its address", Setup{{Want: Address{Interface: "eth1", Prefix: netip.MustParsePrefix("10.5.0.1/24")}}},
			Setup{{Want: Route{To: inner5, Via: netip.MustParseAddr("10.5.0.2"), Source: netip.MustParseAddr("10.5.0.1")}}},
			Address{Interface: "eth1", Prefix: netip.MustParsePrefix("10.5.0.1/24")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHostGround(t).Open(t)
			mine := mustApply(t, h, c.mine)
			mustApply(t, h, c.other)
			kept, err := h.Undo(ctx, mine, nil, c.other)
			must(t, err)
			if len(kept) != 1 || kept[0].Want != c.kept {
				t.Errorf("kept %v, want %s", kept, c.kept)
			}
			if again, err := h.Plan(ctx, c.other); err != nil || again.HasChanges() {
				t.Errorf("%v, there is to do:\n%s", err, again)
			}
		})
	}
	_, h := simulatedHost(t)
	if _, err := h.Undo(ctx, SetupPlan{}, Setup{{Want: nil}}); !errors.Is(err, ErrInvalid) {
		t.Errorf("a setup that wants nothing: %v", err)
	}
}

// A plan is for one host, as far as the host is known.
func TestPlanOfAnotherHost(t *testing.T) {
	here := HostID{Machine: "m", Boot: "b", Namespace: "7"}
	for _, c := range []struct {
		plan HostID
		ok   bool
	}{
		{here, true}, {HostID{}, true}, {HostID{Boot: "b"}, true},
		{HostID{Machine: "m", Boot: "earlier", Namespace: "3"}, true}, // the machine has started again
		{HostID{Machine: "m", Boot: "b", Namespace: "3"}, false},
		{HostID{Machine: "another", Boot: "another", Namespace: "7"}, false},
		{HostID{Machine: "image", Boot: "b", Namespace: "7"}, true}, // a container's own number of the machine
	} {
		bad := SetupPlan{Host: c.plan}.isFor(here)
		if (bad == nil) != c.ok || bad != nil && bad.Field != "Host" {
			t.Errorf("%+v on %+v: %v", c.plan, here, bad)
		}
		if bad := (SetupPlan{Host: c.plan}).isFor(HostID{}); bad != nil {
			t.Errorf("%+v on a host that is not known: %v", c.plan, bad)
		}
	}
}

// A plan that was changed so that Plan cannot have made it is refused whole.
func TestForgedPlan(t *testing.T) {
	ctx := context.Background()
	g := newHostGround(t)
	h := g.Open(t)
	before := g.Dump(t)
	for _, forged := range []struct{ what, from, to string }{
		{"takes lo down", `"left":{"link":{"name":"lo","kind":"device","up":true`, `"left":{"link":{"name":"lo","kind":"device","up":false`},
		{"leaves another value", `"left":{"sysctl":{"key":"net.ipv4.ip_forward","value":"1"`, `"left":{"sysctl":{"key":"net.ipv4.ip_forward","value":"0"`},
		{"leaves another label", `"label":"eth0:0","broadcast":"10.168.0.91","scope"`, `"label":"eth0:9","broadcast":"10.168.0.91","scope"`},
		{"has another effect", `"left":{"key":"net.ipv4.conf.eth1.forwarding","value":"1"}`, `"left":{"key":"net.ipv4.conf.eth1.forwarding","value":"7"}`},
		{"has an effect elsewhere", "net.ipv4.conf.eth1.forwarding", "net.ipv4.conf.eth1.rp_filter"},
		{"undoes an effect otherwise", `"undone":{"key":"net.ipv4.conf.eth1.forwarding","value":"0"}`, `"undone":{"key":"net.ipv4.conf.eth1.forwarding","value":"1"}`},
	} {
		plan, err := h.Plan(ctx, mustSetup(t, caseOf("DR director")))
		must(t, err)
		text, err := json.Marshal(plan)
		must(t, err)
		changed := strings.ReplaceAll(string(text), forged.from, forged.to)
		if changed == string(text) {
			t.Fatalf("%s: %s is not in %s", forged.what, forged.from, text)
		}
		must(t, json.Unmarshal([]byte(changed), &plan))
		if err := h.Apply(ctx, plan); !errors.Is(err, ErrInvalid) {
			t.Errorf("Apply of a plan that %s: %v", forged.what, err)
		}
		if _, err := h.Undo(ctx, plan); !errors.Is(err, ErrInvalid) {
			t.Errorf("Undo of a plan that %s: %v", forged.what, err)
		}
	}
	testbed.Unchanged(t, "refusals", before, g.Dump(t))
}

// An address with a property that Undo could not restore is not replaced.
func TestPlanReplacesNoLease(t *testing.T) {
	ctx := context.Background()
	g := newHostGround(t)
	h := g.Open(t)
	g.Change(t, change{
		command: "ip addr add 10.168.0.91/32 dev eth0 valid_lft 3600 preferred_lft 1800",
		state:   netstate.Address{Interface: "eth0", Prefix: hostPrefix(vip4), Scope: "global", Other: true},
	})
	want := Address{Interface: "eth0", Prefix: hostPrefix(vip4)}
	if plan, err := h.Plan(ctx, Setup{{Want: want}}); err != nil || plan.HasChanges() {
		t.Errorf("as it is: %v, %v", plan, err)
	}
	want.Label = "eth0:0"
	if _, err := h.Plan(ctx, Setup{{Want: want}}); !errors.Is(err, ErrExists) {
		t.Errorf("with a label: got %v, want ErrExists", err)
	}
}

// Errors have kinds, and say what to do.
func TestSettingErrors(t *testing.T) {
	v6 := Address{Interface: "eth0", Prefix: hostPrefix(vip6)}
	for _, c := range []struct {
		resource Resource
		err      error
		kind     error
		says     string
	}{
		{v6, syscall.EACCES, errors.ErrUnsupported, "disable_ipv6"},
		{v6, syscall.EPERM, ErrPermission, "CAP_NET_ADMIN"},
		{v6, syscall.EAFNOSUPPORT, errors.ErrUnsupported, "no IPv6"},
		{Sysctl{SysctlIPForward, "1"}, syscall.EACCES, ErrPermission, "CAP_NET_ADMIN"},
		{Sysctl{"net.ipv4", "1"}, syscall.EISDIR, ErrInvalid, "directory of parameters"},
		{Sysctl{"net.ipv4.route.flush", "1"}, errOneWay, ErrInvalid, "cannot be set back"},
		{IPsecAssociation{}, syscall.ENOSYS, errors.ErrUnsupported, "hmac"},
		{IPsecAssociation{}, fmt.Errorf("%w: %w", netstate.ErrNoIPsec, syscall.EPROTONOSUPPORT), errors.ErrUnsupported, "esp4"},
		{FOUPort{Port: 1}, syscall.EADDRINUSE, ErrExists, "ss -lun"},
		{Link{Name: "t0"}, syscall.EEXIST, ErrExists, "another name"},
		{Link{Name: "t0"}, syscall.EBUSY, ErrBusy, "try again"},
		{Link{Name: "t0"}, syscall.ENOSPC, ErrBusy, "no room"},
		{Route{}, syscall.ENETDOWN, ErrInvalid, "down"},
	} {
		err := resourceError(OpApply, c.resource, c.err)
		var e *Error
		if !errors.As(err, &e) || e.kind != c.kind || !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%T %v: got %v, want %v that says %q", c.resource, c.err, err, c.kind, c.says)
		}
	}
	_, h := simulatedHost(t)
	for _, key := range []SysctlKey{"net.ipv4.conf", "net.ipv4.conf.eth0"} {
		if _, err := h.Sysctl(context.Background(), key); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", key, err)
		}
	}
}
