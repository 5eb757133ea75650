package lvs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/golvs/lvs/internal/genl"
	"github.com/golvs/lvs/internal/netstate"
	"github.com/google/go-cmp/cmp"
)

// forgotten is a setting as it comes back from where it was saved.
func forgotten(f Resource) Resource {
	if a, ok := f.(IPsecAssociation); ok {
		a.Key = IPsecKey{}
		return a
	}
	return f
}

// hasKeys tells whether a plan can be applied only by who has the keys.
func hasKeys(p SetupPlan) bool {
	return slices.ContainsFunc(p.Steps, func(s SetupStep) bool { return s.Left != forgotten(s.Left) })
}

func TestSetups(t *testing.T) {
	for _, c := range setupCases {
		t.Run(c.name, func(t *testing.T) {
			setup, err := c.setup()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, commands(setup)); diff != "" {
				t.Errorf("commands (-want +got):\n%s", diff)
			}
			for _, s := range setup {
				if s.Why == "" || strings.Contains(s.Why, "\n") {
					t.Errorf("%s has no reason, or one of several lines", s.Want)
				}
			}
			text, err := json.Marshal(setup)
			if err != nil {
				t.Fatal(err)
			}
			var back Setup
			if err := json.Unmarshal(text, &back); err != nil {
				t.Fatal(err)
			}
			want := slices.Clone(setup)
			for i, s := range want {
				want[i].Want = forgotten(s.Want)
			}
			if diff := cmp.Diff(want, back); diff != "" {
				t.Errorf("by JSON and back (-want +got):\n%s\n%s", diff, text)
			}
		})
	}
}

func TestSetupRefused(t *testing.T) {
	network := netip.MustParsePrefix("10.168.0.90/24")
	for _, c := range []struct {
		name, field string
		setup       func() (Setup, error)
	}{
		{"no VIP", "VIP", DRDirector{Interface: "eth0"}.Setup},
		{"mapped VIP", "VIP", DRDirector{VIP: netip.MustParseAddr("::ffff:10.168.0.91"), Interface: "eth0"}.Setup},
		{"VIP with a zone", "VIP", DRDirector{VIP: netip.MustParseAddr("fe80::1%eth0"), Interface: "eth0"}.Setup},
		{"multicast VIP", "VIP", DRRealServer{VIP: netip.MustParseAddr("224.0.0.1")}.Setup},
		{"unspecified VIP", "VIP", DRRealServer{VIP: netip.MustParseAddr("::")}.Setup},
		{"no interface", "Interface", DRDirector{VIP: vip4}.Setup},
		{"interface out of its folder", "Interface", DRDirector{VIP: vip4, Interface: "../all"}.Setup},
		{"interface ..", "Device", DRRealServer{VIP: vip4, Device: ".."}.Setup},
		{"interface all", "Interface", DRDirector{VIP: vip4, Interface: "all"}.Setup},
		{"interface too long", "Interface", DRDirector{VIP: vip4, Interface: "averylongname123"}.Setup},
		{"inside out of its folder", "Inside", NATDirector{VIP: vip4, Interface: "eth0", Inside: "a/b"}.Setup},
		{"masquerade without a network", "Network", NATDirector{VIP: vip4, Interface: "eth0", Masquerade: true}.Setup},
		{"an address where a network is due", "Network", NATDirector{VIP: vip4, Interface: "eth0", Network: network}.Setup},
		{"network of the other family", "Network", NATDirector{VIP: vip4, Interface: "eth0", FullNAT: true, Network: inner6}.Setup},
		{"source of the other family", "Source", NATDirector{VIP: vip4, Interface: "eth0", FullNAT: true, Network: inner4, Source: vip6}.Setup},
		{"source without full NAT", "Source", NATDirector{VIP: vip4, Interface: "eth0", Source: local4}.Setup},
		{"no director", "Director", NATRealServer{}.Setup},
		{"clients beside the director", "Clients", NATRealServer{Director: router4, Clients: []netip.Prefix{inner4}}.Setup},
		{"clients of the other family", "Clients", NATRealServer{Director: router4, Clients: []netip.Prefix{inner6}}.Setup},
		{"negative metric", "Metric", NATRealServer{Director: router4, Metric: -1}.Setup},
		{"servers without a next hop", "Via", TunnelDirector{VIP: vip4, Interface: "eth0", Servers: []netip.Addr{local4}}.Setup},
		{"servers of another family than the next hop", "Servers", TunnelDirector{VIP: vip4, Interface: "eth0", Servers: []netip.Addr{local6}, Via: router4}.Setup},
		{"no tunnel", "Mode", TunnelRealServer{VIP: vip4, Local: local4, Mode: NAT()}.Setup},
		{"GUE without a port", "Mode", TunnelRealServer{VIP: vip4, Local: local4, Mode: GUE(0)}.Setup},
		{"no address of its own", "Local", TunnelRealServer{VIP: vip4, Mode: IPIP()}.Setup},
		{"MTU too small", "MTU", TunnelRealServer{VIP: vip4, Mode: IPIP(), Local: local4, MTU: 5}.Setup},
		{"MSS without a gateway", "Gateway", TunnelRealServer{VIP: vip4, Mode: IPIP(), Local: local4, MSS: 1400}.Setup},
		{"MSS with a gateway of the other family", "Gateway", TunnelRealServer{VIP: vip4, Mode: IPIP(), Local: local4, MSS: 1400, Gateway: router6, Interface: "eth0"}.Setup},
		{"MSS without an interface", "Interface", TunnelRealServer{VIP: vip4, Mode: IPIP(), Local: local4, MSS: 1400, Gateway: router4}.Setup},
		{"encrypted without a key", "IPsec.Key", TunnelDirector{VIP: vip4, Interface: "eth0", IPsec: []IPsecTunnel{{Director: local4, Server: router4, Inner: inner4.Addr(), SPI: 256}}}.Setup},
		{"encrypted from nowhere", "IPsec.Director", TunnelDirector{VIP: vip4, Interface: "eth0", IPsec: []IPsecTunnel{{Server: router4, Key: testKey(1)}}}.Setup},
		{"encrypted between families", "IPsec.Server", TunnelRealServer{VIP: vip4, IPsec: IPsecTunnel{Director: local4, Server: router6}}.Setup},
		{"encrypted to an inner address of the other family", "IPsec.Inner", TunnelRealServer{VIP: vip6, IPsec: tunnel4}.Setup},
		{"encrypted to the real server's own address", "IPsec.Inner", TunnelRealServer{VIP: vip4, IPsec: IPsecTunnel{Director: router4, Server: local4, Inner: local4, SPI: 256, Key: testKey(1)}}.Setup},
		{"encrypted by a reserved number", "IPsec.SPI", TunnelRealServer{VIP: vip4, IPsec: IPsecTunnel{Director: router4, Server: local4, Inner: vip4, SPI: 255, Key: testKey(1)}}.Setup},
		{"encrypted twice", "IPsec", TunnelDirector{VIP: vip4, Interface: "eth0", IPsec: []IPsecTunnel{tunnel4, tunnel4}}.Setup},
		{"encrypted in another mode", "Mode", TunnelRealServer{VIP: vip4, Mode: IPIP(), IPsec: tunnel4}.Setup},
		{"encrypted with an address of its own", "Local", TunnelRealServer{VIP: vip4, Local: local4, IPsec: tunnel4}.Setup},
		{"MSS too great", "MSS", TunnelRealServer{VIP: vip4, Mode: IPIP(), Local: local4, MSS: 1 << 20}.Setup},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.setup()
			var e *Error
			if !errors.As(err, &e) || e.Field != c.field || !errors.Is(err, ErrInvalid) {
				t.Errorf("got %v, want ErrInvalid of the field %s", err, c.field)
			}
		})
	}
}

// simulatedHost returns a host with eth0 and eth1, and its simulator.
func simulatedHost(t testing.TB) (*Simulator, *Host) {
	t.Helper()
	s, h := briefHost(t)
	t.Cleanup(func() { h.Close() })
	return s, h
}

// briefHost is one that the caller closes: a test of thousands cannot keep them all.
func briefHost(t testing.TB) (*Simulator, *Host) {
	t.Helper()
	s, err := NewSimulator(SimOptions{Interfaces: []SimInterface{
		{Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix(eth0Address4), netip.MustParsePrefix(eth0Address6)}},
		{Name: "eth1", Addresses: []netip.Prefix{netip.MustParsePrefix(eth1Address4), netip.MustParsePrefix(eth1Address6)}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return s, s.Host()
}

func (s *Simulator) dump() []string {
	all := s.network.Dump()
	for _, path := range s.kernel.Sysctls() {
		text, _ := s.kernel.ReadFile(path)
		all = append(all, path+" = "+string(text))
	}
	return all
}

func mustSetup(t testing.TB, c setupCase) Setup {
	t.Helper()
	setup, err := c.setup()
	if err != nil {
		t.Fatal(err)
	}
	return setup
}

// saved returns a plan as a later process reads it.
func saved(t testing.TB, p SetupPlan) (back SetupPlan) {
	t.Helper()
	text, err := json.Marshal(p)
	if err == nil {
		err = json.Unmarshal(text, &back)
	}
	if err != nil {
		t.Fatal(err)
	}
	want := SetupPlan{p.Host, slices.Clone(p.Steps)}
	for i, s := range want.Steps {
		want.Steps[i].Requirement.Want, want.Steps[i].Left = forgotten(s.Requirement.Want), forgotten(s.Left)
	}
	if diff := cmp.Diff(want, back); diff != "" {
		t.Fatalf("saved and read (-want +got):\n%s", diff)
	}
	return back
}

func TestSetupApplyAndUndo(t *testing.T) {
	ctx := context.Background()
	for _, c := range setupCases {
		t.Run(c.name, func(t *testing.T) {
			s, h := simulatedHost(t)
			for _, m := range c.modules {
				s.LoadModule(m)
			}
			setup := mustSetup(t, c)
			for _, requirement := range setup { // modules stay
				if m, ok := requirement.Want.(Module); ok {
					s.LoadModule(m.Name)
				}
			}
			before := s.dump()
			plan, err := h.Plan(ctx, setup)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, s.dump()); diff != "" {
				t.Fatalf("planning changed the host:\n%s", diff)
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
			later := s.Host()
			defer later.Close()
			for range 2 {
				kept, err := later.Undo(ctx, saved(t, plan))
				if err != nil || len(kept) != 0 {
					t.Fatalf("Undo: %v, kept %v", err, kept)
				}
			}
			if diff := cmp.Diff(before, s.dump()); diff != "" {
				t.Errorf("after Undo (-before +after):\n%s", diff)
			}
		})
	}
}

// dyingNetwork dies after a number of changes: nothing works any more.
type dyingNetwork struct {
	*simulatedNetwork
	left int
}

var errDead = errors.New("the process is dead")

func (d *dyingNetwork) live() bool { d.left--; return d.left >= 0 }

func (d *dyingNetwork) Put(f netstate.Resource) error {
	if !d.live() {
		return errDead
	}
	return d.simulatedNetwork.Put(f)
}

func (d *dyingNetwork) Remove(f netstate.Resource) error {
	if !d.live() {
		return errDead
	}
	return d.simulatedNetwork.Remove(f)
}

func (d *dyingNetwork) WriteFile(path string, data []byte) error {
	if !d.live() {
		return errDead
	}
	return d.simulatedNetwork.WriteFile(path, data)
}

// hostOn returns a host whose network is another one.
func (s *Simulator) hostOn(n interface {
	files
	network
}) *Host {
	g := s.guard()
	g.files, g.network = n, n
	return newHost(s.Client(), g)
}

// A process can die at any change: another one undoes what it did, or ends it.
func TestSetupKilled(t *testing.T) {
	ctx := context.Background()
	for _, c := range setupCases {
		for _, end := range []string{"undo", "apply"} {
			t.Run(c.name+" "+end, func(t *testing.T) {
				for after := 0; ; after++ {
					s, h := simulatedHost(t)
					setup := mustSetup(t, c)
					for _, requirement := range setup {
						if m, ok := requirement.Want.(Module); ok {
							s.LoadModule(m.Name)
						}
					}
					before := s.dump()
					plan, err := h.Plan(ctx, setup)
					if err != nil {
						t.Fatal(err)
					}
					dying := &dyingNetwork{s.network, after}
					died := s.hostOn(dying).Apply(ctx, plan)
					if end == "apply" {
						again := saved(t, plan)
						if hasKeys(plan) {
							again = plan
						}
						if err := h.Apply(ctx, again); err != nil {
							t.Fatalf("killed after %d changes, then applied: %v", after, err)
						}
						if again, err := h.Plan(ctx, setup); err != nil || again.HasChanges() {
							t.Fatalf("killed after %d changes, there is still to do, %v:\n%s", after, err, again)
						}
					}
					if kept, err := h.Undo(ctx, saved(t, plan)); err != nil || len(kept) != 0 {
						t.Fatalf("killed after %d changes: %v, kept %v", after, err, kept)
					}
					if diff := cmp.Diff(before, s.dump()); diff != "" {
						t.Fatalf("killed after %d changes (-before +after):\n%s", after, diff)
					}
					if died == nil {
						break
					}
				}
			})
		}
	}
}

// When any setting fails, the error names it, and the host is as before.
func TestSetupFails(t *testing.T) {
	ctx := context.Background()
	kinds := []struct {
		errno Errno
		kind  error
	}{{EPERM, ErrPermission}, {EROFS, ErrPermission}, {EINVAL, ErrInvalid}}
	for _, c := range setupCases {
		setup := mustSetup(t, c)
		for i, requirement := range setup {
			t.Run(fmt.Sprintf("%s %d", c.name, i), func(t *testing.T) {
				s, h := simulatedHost(t)
				for _, m := range c.modules {
					s.LoadModule(m)
				}
				for _, other := range setup {
					if m, ok := other.Want.(Module); ok {
						s.LoadModule(m.Name)
					}
				}
				plan, err := h.Plan(ctx, setup)
				if err != nil {
					t.Fatal(err)
				}
				if !plan.Steps[i].HasChanges() {
					return
				}
				before := s.dump()
				k := kinds[i%len(kinds)]
				// The command of a new device's state begins as the wanted one's.
				command, _, _ := strings.Cut(requirement.Want.String(), " up")
				if err := s.InjectHost(SimHostFault{Resource: plan.Steps[i].Left, Errno: k.errno}); err != nil {
					t.Fatal(err)
				}
				err = h.Apply(ctx, plan)
				if !errors.Is(err, k.kind) || !strings.Contains(err.Error(), command) {
					t.Fatalf("got %v, want %v of %s", err, k.kind, command)
				}
				if diff := cmp.Diff(before, s.dump()); diff != "" {
					t.Errorf("after the failure (-before +after):\n%s", diff)
				}
			})
		}
	}
}

// planned returns a simulated host on which a setup has been applied.
func applied(t *testing.T, setup Setup) (*Simulator, *Host, SetupPlan) {
	t.Helper()
	s, h := simulatedHost(t)
	plan, err := h.Plan(context.Background(), setup)
	if err == nil {
		err = h.Apply(context.Background(), plan)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s, h, plan
}

// A real server takes no IPVS: its host is set up, checked and set back without.
func TestHostWithoutIPVS(t *testing.T) {
	ctx := context.Background()
	s, other := simulatedHost(t)
	none := func() (genl.Socket, error) { return nil, genl.ErrNoFamily }
	h := newHost(lateClient(none, slog.New(slog.DiscardHandler)), s.guard())
	defer h.Close()
	setup := mustSetup(t, caseOf("DR real server"))
	before := s.dump()
	plan, err := h.Plan(ctx, setup)
	if err == nil {
		err = h.Apply(ctx, plan)
	}
	if err != nil {
		t.Fatal(err)
	}
	if report, err := h.Check(ctx, CheckOptions{Setup: setup}); err != nil || len(report.Findings) != 0 {
		t.Errorf("Check: %v, %v", report.Findings, err)
	}
	state, err := h.State(ctx)
	if err != nil || len(state.Services) != 0 {
		t.Errorf("Facts: %v, %v", state, err)
	}
	if _, err := other.Check(ctx, CheckOptions{Peers: []HostState{state}}); err != nil {
		t.Error(err)
	}
	if _, err := h.Client().Services(ctx); !errors.Is(err, ErrUnavailable) {
		t.Errorf("its services: got %v, want ErrUnavailable", err)
	}
	if kept, err := h.Undo(ctx, plan); err != nil || len(kept) != 0 {
		t.Errorf("Undo: %v, %v", kept, err)
	}
	if diff := cmp.Diff(before, s.dump()); diff != "" {
		t.Errorf("after Undo (-before +after):\n%s", diff)
	}
}

// IPVS on a simulated host knows the interfaces that setups add and remove.
func TestSimulatedInterfaces(t *testing.T) {
	ctx := context.Background()
	s, h := simulatedHost(t)
	plan, err := h.Plan(ctx, mustSetup(t, caseOf("DR real server on a dummy")))
	must(t, err)
	daemon := SyncDaemon{Role: SyncBackup, Interface: "vip.0"}
	starts := func(when string, want bool) {
		t.Helper()
		err := h.Client().StartSyncDaemon(ctx, daemon)
		if (err == nil) != want {
			t.Errorf("a daemon %s: %v", when, err)
		}
		if err == nil {
			must(t, h.Client().StopSyncDaemon(ctx, SyncBackup))
		}
	}
	starts("without its interface", false)
	must(t, h.Apply(ctx, plan))
	starts("on a new interface", true)
	_, err = h.Undo(ctx, plan)
	must(t, err)
	starts("after Undo", false)
	daemon.Interface = "tunl0"
	starts("on a tunnel without its module", false)
	s.LoadModule("ipip")
	starts("on a module's interface", true)
}
