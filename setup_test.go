package lvs

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

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

// hasKeys reports whether a plan can be applied only with its keys, which are not saved.
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
			_, h := simulatedHost(t)
			plan, err := h.Plan(t.Context(), setup)
			must(t, err)
			golden(t, "testdata/setups/"+strings.ReplaceAll(c.name, " ", "-")+".txt", setup.String()+"\nOn a host with eth0 and eth1:\n\n"+plan.String())
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
		{"mark of the other family", "Marks", DRDirector{VIP: vip4, Interface: "eth0", Marks: []PacketMark{{To: inner6, Mark: 7}}}.Setup},
		{"mark 0", "Marks", TunnelDirector{VIP: vip4, Interface: "eth0", Marks: []PacketMark{{Protocol: ProtocolTCP}}}.Setup},
		{"ports without a protocol", "Marks", NATDirector{VIP: vip4, Interface: "eth0", Marks: []PacketMark{{Ports: PortRange{First: 80}, Mark: 7}}}.Setup},
		{"ports in the wrong order", "Marks", NATDirector{VIP: vip4, Interface: "eth0", Marks: []PacketMark{{Protocol: ProtocolTCP, Ports: PortRange{80, 79}, Mark: 7}}}.Setup},
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

// A plan from a file is checked: it must not lead elsewhere.
func TestApplyRefusesForgedPlan(t *testing.T) {
	_, h := simulatedHost(t)
	for _, text := range []string{
		`{"version":1,"steps":[{"requirement":{"want":{"sysctl":{"key":"net.ipv4.ip_forward","value":"1"}}},"left":{"sysctl":{"key":"kernel.core_pattern","value":"1"}}}]}`,
		`{"version":1,"steps":[{"requirement":{"want":{"sysctl":{"key":"net.//.x","value":"1"}}},"left":{"sysctl":{"key":"net.//.x","value":"1"}}}]}`,
		`{"version":1,"steps":[{"requirement":{"want":{"sysctl":{"key":"net.ipv4.ip_forward","value":"1"}}},"left":{"sysctl":{"key":"net.ipv4.ip_forward","value":"1"}},"effects":[{"found":{"key":"//.x","value":"1"},"left":{"key":"//.x","value":"1"},"undone":{"key":"//.x","value":"1"}}]}]}`,
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
