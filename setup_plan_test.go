package lvs

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/golvs/lvs/internal/netstate"
	"github.com/google/go-cmp/cmp"
)

// A hardened host stays hardened: what ip_forward changes by itself comes back.
func TestUndoBringsEffectsBack(t *testing.T) {
	ctx := context.Background()
	s, h := simulatedHost(t)
	accept, eth1 := InterfaceSysctl("all", "accept_redirects", false), InterfaceSysctl("eth1", "forwarding", false)
	for key, value := range map[SysctlKey]string{accept: "0", eth1: "1"} {
		if err := h.SetSysctl(ctx, key, value); err != nil {
			t.Fatal(err)
		}
	}
	before := s.dump()
	plan, err := h.Plan(ctx, Setup{forwarding(false, "")})
	if err != nil {
		t.Fatal(err)
	}
	if want := "turns net.ipv4.conf.eth0.forwarding from 0 to 1"; !strings.Contains(plan.String(), want) {
		t.Errorf("the plan does not say %q:\n%s", want, plan)
	}
	if err := h.Apply(ctx, plan); err != nil {
		t.Fatal(err)
	}
	// Undo is interrupted right after ip_forward: the next one ends it.
	dying := &dyingNetwork{s.network, 1}
	if _, err := s.hostOn(dying).Undo(ctx, plan); !errors.Is(err, errDead) {
		t.Fatal(err)
	}
	if value, _ := h.Sysctl(ctx, accept); value != "1" {
		t.Fatalf("the simulated kernel did not turn accept_redirects on: %s", value)
	}
	if kept, err := h.Undo(ctx, plan); err != nil || kept != nil {
		t.Fatalf("%v, kept %v", err, kept)
	}
	if diff := cmp.Diff(before, s.dump()); diff != "" {
		t.Errorf("after Undo (-before +after):\n%s", diff)
	}
}

// What has been changed since stays, and Undo says so.
func TestUndoKeepsOthers(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name   string
		setup  Setup
		change func(*Simulator, *Host) error
		says   string
	}{
		{"sysctl", Setup{{Want: Sysctl{"net.ipv4.conf.all.arp_ignore", "1"}}},
			func(_ *Simulator, h *Host) error { return h.SetSysctl(ctx, "net.ipv4.conf.all.arp_ignore", "2") }, "the host has 2"},
		{"effect", Setup{forwarding(false, "")},
			func(_ *Simulator, h *Host) error { return h.SetSysctl(ctx, "net.ipv4.conf.all.accept_redirects", "2") }, "accept_redirects"},
		{"address is gone", Setup{{Want: vipAddress(vip4, "eth0", "eth0:0")}},
			func(s *Simulator, _ *Host) error {
				return s.network.Remove(netstate.Address{Interface: "eth0", Prefix: hostPrefix(vip4)})
			}, ""},
		{"address has another label", Setup{{Want: vipAddress(vip4, "eth0", "eth0:0")}},
			func(s *Simulator, _ *Host) error {
				return s.network.Put(addressOfResource(vipAddress(vip4, "eth0", "eth0:7")))
			}, "eth0:7"},
		{"link is in use", Setup{{Want: Link{Name: "d0", Kind: "dummy", Up: true}}},
			func(s *Simulator, _ *Host) error { return s.network.Put(addressOfResource(vipAddress(vip4, "d0", ""))) }, "it is in use"},
		{"route", Setup{{Want: Route{To: defaultRoute(vip4), Via: router4}}},
			func(s *Simulator, _ *Host) error {
				return s.network.Put(Route{To: defaultRoute(vip4), Via: netip.MustParseAddr("10.168.0.1")}.toNetwork())
			}, "10.168.0.1"},
		{"table", Setup{{Want: SourceNAT{From: inner4}}},
			func(s *Simulator, _ *Host) error {
				nat := SourceNAT{From: inner4}.toNetwork().(netstate.SourceNAT)
				nat.Other = true
				return s.network.Put(nat)
			}, "changed since"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, h, plan := applied(t, c.setup)
			if err := c.change(s, h); err != nil {
				t.Fatal(err)
			}
			changed := s.dump()
			kept, err := h.Undo(ctx, plan)
			if err != nil {
				t.Fatal(err)
			}
			if c.says == "" {
				if len(kept) != 0 {
					t.Errorf("kept %v", kept)
				}
				return
			}
			if len(kept) != 1 || !strings.Contains(kept[0].String(), c.says) {
				t.Errorf("kept %v, want one that says %q", kept, c.says)
			}
			if after := s.dump(); c.name != "effect" && !slices.Equal(changed, after) {
				t.Errorf("it was not left alone:\n%s", cmp.Diff(changed, after))
			}
			if value, _ := h.Sysctl(ctx, "net.ipv4.conf.all.accept_redirects"); c.name == "effect" && value != "2" {
				t.Errorf("accept_redirects is %s", value)
			}
		})
	}
}

func addressOfResource(a Address) netstate.Resource {
	full, _ := a.complete(nil)
	return full.toNetwork()
}

func TestPlanRefuses(t *testing.T) {
	ctx := context.Background()
	s, h := simulatedHost(t)
	foreign := SourceNAT{From: inner4}.toNetwork().(netstate.SourceNAT)
	foreign.Other = true
	if err := s.network.Network.Put(foreign); err != nil {
		t.Fatal(err)
	}
	far := netip.MustParseAddr("203.0.113.1")
	director, _ := DRDirector{VIP: far, Interface: "eth0"}.Setup()
	for _, c := range []struct {
		name string
		want Resource
		kind error
	}{
		{"no such interface", Address{Interface: "eth7", Prefix: hostPrefix(vip4)}, ErrNotFound},
		{"no such interface to set up", Link{Name: "eth7", Up: true}, ErrNotFound},
		{"no such parameter", Sysctl{"net.ipv4.nosuch", "1"}, ErrNotFound},
		{"no such interface of a parameter", Sysctl{"net.ipv4.conf.eth7.rp_filter", "1"}, ErrNotFound},
		{"key out of its folder", Sysctl{"net.ipv4.//.//.passwd", "1"}, ErrInvalid},
		{"value out of range", Sysctl{"net.ipv4.conf.all.rp_filter", "7"}, ErrInvalid},
		{"value of IPVS out of range", Sysctl{"net.ipv4.vs.drop_entry", "9"}, ErrInvalid},
		{"value with a line end", Sysctl{"net.ipv4.ip_forward", "1\n1"}, ErrInvalid},
		{"interface of another kind", Link{Name: "eth0", Kind: "dummy"}, ErrExists},
		{"somebody's table", SourceNAT{From: inner4}, ErrExists},
		{"no module", Module{"../x"}, ErrInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := s.dump()
			_, err := h.Plan(ctx, Setup{forwarding(false, ""), {Want: c.want}})
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want.String()) {
				t.Errorf("got %v, want %v of %s", err, c.kind, c.want)
			}
			if diff := cmp.Diff(before, s.dump()); diff != "" {
				t.Errorf("the host changed:\n%s", diff)
			}
		})
	}
	t.Run("VIP outside any subnet", func(t *testing.T) {
		if _, err := h.Plan(ctx, director); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "in no network of eth0") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("contradiction", func(t *testing.T) {
		_, err := h.Plan(ctx, Setup{forwarding(false, ""), {Want: Sysctl{SysctlIPForward, "0"}}})
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("got %v", err)
		}
	})
}

// A plan whose host has changed is refused, and nothing is done.
func TestApplyStalePlan(t *testing.T) {
	ctx := context.Background()
	s, h := simulatedHost(t)
	setup := mustSetup(t, setupCases[0])
	plan, err := h.Plan(ctx, setup)
	if err != nil {
		t.Fatal(err)
	}
	route := Route{To: hostPrefix(vip4), Via: router4, Interface: "eth0"}
	if err := s.network.Put(route.toNetwork()); err != nil {
		t.Fatal(err)
	}
	before := s.dump()
	if err := h.Apply(ctx, plan); !errors.Is(err, ErrStale) {
		t.Errorf("got %v, want ErrStale", err)
	}
	if diff := cmp.Diff(before, s.dump()); diff != "" {
		t.Errorf("the host changed:\n%s", diff)
	}
}

// A second setup that fails leaves what the first one did.
func TestApplyTwiceFailsGently(t *testing.T) {
	ctx := context.Background()
	s, h, plan := applied(t, mustSetup(t, setupCases[2]))
	good := s.dump()
	if err := h.SetSysctl(ctx, "net.ipv4.conf.lo.arp_announce", "0"); err != nil { // as it was found
		t.Fatal(err)
	}
	if err := s.InjectHost(SimHostFault{Resource: Sysctl{Key: "net.ipv4.conf.lo.arp_announce"}, Errno: EACCES}); err != nil {
		t.Fatal(err)
	}
	if err := h.Apply(ctx, plan); !errors.Is(err, ErrPermission) {
		t.Errorf("got %v, want ErrPermission", err)
	}
	if err := h.Apply(ctx, plan); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(good, s.dump()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A module that the kernel does not load by itself is told with the command.
func TestModuleIsMissing(t *testing.T) {
	ctx := context.Background()
	s, h := simulatedHost(t)
	setup, err := TunnelRealServer{VIP: vip4, Mode: GUE(6080), Local: local4}.Setup()
	if err != nil {
		t.Fatal(err)
	}
	plan, err := h.Plan(ctx, setup)
	if err != nil {
		t.Fatal(err)
	}
	err = h.Apply(ctx, plan)
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "run 'modprobe fou'") {
		t.Errorf("got %v", err)
	}
	s.LoadModule("fou")
	if err := h.Apply(ctx, plan); err != nil {
		t.Fatal(err)
	}
	kept, err := h.Undo(ctx, plan)
	if err != nil || len(kept) != 2 || !strings.Contains(kept[1].Why, "modprobe -r ipip") {
		t.Errorf("%v, kept %v", err, kept)
	}
	if l, _ := h.find(ctx, Link{Name: "tunl0"}); l == nil || l.(Link).Up {
		t.Errorf("tunl0 is %v, want down", l)
	}
}

func TestApplyEndsWithContext(t *testing.T) {
	s, h := simulatedHost(t)
	before := s.dump()
	setup := mustSetup(t, setupCases[2])
	plan, err := h.Plan(context.Background(), setup)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := s.InjectHost(SimHostFault{Resource: Address{}, Before: cancel}); err != nil {
		t.Fatal(err)
	}
	if err := h.Apply(ctx, plan); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff(before, s.dump()); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// Many goroutines plan, apply and undo at once.
func TestSetupByManyGoroutines(t *testing.T) {
	ctx := context.Background()
	s, h := simulatedHost(t)
	before := s.dump()
	errs := make(chan error)
	const many = 8
	for i := range many {
		go func() {
			vip := netip.AddrFrom4([4]byte{10, 168, 0, byte(100 + i)})
			errs <- func() error {
				for range 20 {
					plan, err := h.Plan(ctx, Setup{{Want: vipAddress(vip, "eth0", "")}})
					if err == nil {
						err = h.Apply(ctx, plan)
					}
					if err != nil {
						return err
					}
					if _, err := h.Undo(ctx, plan); err != nil {
						return err
					}
				}
				return nil
			}()
		}()
	}
	for range many {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff(before, s.dump()); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// A plan from a file is checked: it must not lead elsewhere.
func TestApplyRefusesForgedPlan(t *testing.T) {
	_, h := simulatedHost(t)
	for _, text := range []string{
		`{"steps":[{"requirement":{"want":{"sysctl":{"key":"net.ipv4.ip_forward","value":"1"}}},"left":{"sysctl":{"key":"kernel.core_pattern","value":"1"}}}]}`,
		`{"steps":[{"requirement":{"want":{"sysctl":{"key":"net.//.x","value":"1"}}},"left":{"sysctl":{"key":"net.//.x","value":"1"}}}]}`,
		`{"steps":[{"requirement":{"want":{"sysctl":{"key":"net.ipv4.ip_forward","value":"1"}}},"left":{"sysctl":{"key":"net.ipv4.ip_forward","value":"1"}},"effects":[{"found":{"key":"//.x","value":"1"},"left":{"key":"//.x","value":"1"},"undone":{"key":"//.x","value":"1"}}]}]}`,
	} {
		var plan SetupPlan
		if err := json.Unmarshal([]byte(text), &plan); err != nil {
			t.Fatal(err)
		}
		if err := h.Apply(context.Background(), plan); !errors.Is(err, ErrInvalid) {
			t.Errorf("Apply: got %v of %s", err, text)
		}
		if _, err := h.Undo(context.Background(), plan); !errors.Is(err, ErrInvalid) {
			t.Errorf("Undo: got %v of %s", err, text)
		}
	}
	var step SetupStep
	for _, text := range []string{`{}`, `{"requirement":{"want":{"sysctl":{"key":"a"}}}}`, `{"requirement":{"want":{}},"left":{}}`} {
		if err := json.Unmarshal([]byte(text), &step); err == nil {
			t.Errorf("%s was read", text)
		}
		if diff := cmp.Diff(SetupStep{}, step); diff != "" {
			t.Errorf("%s left\n%s", text, diff)
		}
	}
}
