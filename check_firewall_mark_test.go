package lvs

import (
	"net/netip"
	"slices"
	"testing"
)

// A service by firewall mark that no rule marks packets for is found, with what marks
// them: as the host does it already, or else a PacketMark for the setup's VIP.
func TestCheckMarks(t *testing.T) {
	vip := Requirement{Want: vipAddress(vip4, "eth0", "")}
	wanted := Requirement{Want: PacketMark{To: hostPrefix(vip4), Protocol: ProtocolTCP, Ports: PortRange{First: 80}, Mark: 7}, Why: "web"}
	chain := FirewallChain{Family: "inet", Table: "mine", Name: "marks", Hook: "prerouting", Type: "filter", Priority: -150}
	rule := FirewallRule{Family: "inet", Table: "mine", Chain: "marks", To: []netip.Prefix{hostPrefix(vip4)}, Verdict: "mark", SetMark: 7}
	other := rule
	other.SetMark = 8
	for _, c := range []struct {
		name   string
		setup  Setup
		change func(d *HostState)
		found  bool
		fix    string // a command, or what the fix prints; "" is advice alone
	}{
		{"marked", nil, func(d *HostState) { d.Chains, d.FirewallRules = []FirewallChain{chain}, []FirewallRule{rule} }, false, ""},
		{"nothing marks", nil, func(*HostState) {}, true, ""},
		{"nothing marks packets for the setup's VIP", Setup{vip}, func(*HostState) {}, true,
			PacketMark{To: hostPrefix(vip4), Mark: 7}.String()},
		{"the setup's mark is missing", Setup{vip, wanted}, func(*HostState) {}, true, wanted.Want.String()},
		{"another mark", nil, func(d *HostState) { d.Chains, d.FirewallRules = []FirewallChain{chain}, []FirewallRule{other} }, true,
			"nft add rule inet mine marks ip daddr 10.168.0.91 meta mark set 7"},
		{"a chain that marks nothing", Setup{vip}, func(d *HostState) { d.Chains = []FirewallChain{chain} }, true,
			"nft add rule inet mine marks ip daddr 10.168.0.91 meta l4proto tcp meta mark set 7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			director, server := firewallGround(t, DR(), "")
			director.Unread, server.Unread = nil, nil
			director.Services[0].ID = FWMark(7)
			c.change(&director)
			held := make([]Resource, len(c.setup))
			for i, s := range c.setup {
				if _, ok := s.Want.(Address); ok {
					held[i] = s.Want
				}
			}
			r := judgeHosts(director, c.setup, held, []HostState{server})
			marks := slices.DeleteFunc(r.Findings, func(f Finding) bool { return f.Code != FindingMarkMissing })
			if len(marks) > 1 || (len(marks) == 1) != c.found {
				t.Fatalf("found %v", marks)
			}
			if !c.found {
				return
			}
			f, fix := marks[0], ""
			for _, command := range f.Commands {
				fix += command
			}
			for _, s := range f.Fix {
				fix += s.Want.String()
			}
			if fix != c.fix || f.Severity != SeverityBroken || fix == "" && f.Advice == "" {
				t.Errorf("the fix is %q, want %q: %s", fix, c.fix, f)
			}
		})
	}
}
