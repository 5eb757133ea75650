package lvs

import (
	"net/netip"
	"slices"
	"testing"
)

// Sync daemons that do not hear each other are found; those that do are not.
func TestCheckDaemonsHear(t *testing.T) {
	group := netip.MustParseAddr("224.0.0.81")
	master := SyncDaemon{Role: SyncMaster, Interface: "eth0", SyncID: 7, Group: group, Port: 8848}
	for _, c := range []struct {
		name   string
		backup SyncDaemon
		want   bool
	}{
		{"the same", SyncDaemon{Role: SyncBackup, Interface: "eth1", SyncID: 7, Group: group, Port: 8848}, false},
		{"any id", SyncDaemon{Role: SyncBackup, Interface: "eth0", Group: group, Port: 8848}, false},
		{"another id", SyncDaemon{Role: SyncBackup, Interface: "eth0", SyncID: 8, Group: group, Port: 8848}, true},
		{"another port", SyncDaemon{Role: SyncBackup, Interface: "eth0", SyncID: 7, Group: group, Port: 8849}, true},
		{"another group", SyncDaemon{Role: SyncBackup, Interface: "eth0", SyncID: 7, Group: netip.MustParseAddr("224.0.0.82"), Port: 8848}, true},
		{"two masters", SyncDaemon{Role: SyncMaster, Interface: "eth0", SyncID: 8, Group: group, Port: 8848}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			director, standby := firewallGround(t, DR(), "")
			standby.Services = director.Services
			director.Daemons, standby.Daemons = []SyncDaemon{master}, []SyncDaemon{c.backup}
			report := judgeHosts(director, nil, nil, []HostState{standby})
			if got := slices.ContainsFunc(report.Findings, func(f Finding) bool { return f.Code == FindingSyncMismatch }); got != c.want {
				t.Errorf("got %t, want %t: %v", got, c.want, report.Findings)
			}
		})
	}
}

// A director on which firewall rules drop ARP is found.
func TestCheckARPRules(t *testing.T) {
	director, server := firewallGround(t, DR(), "")
	director.Chains = []FirewallChain{{Family: "arp", Table: "f", Name: "in", Hook: "input", Type: "filter"}}
	for _, c := range []struct {
		rule FirewallRule
		want string // the command that fixes it
	}{
		{FirewallRule{Verdict: "drop"}, "nft insert rule arp f in accept"},
		{FirewallRule{To: []netip.Prefix{hostPrefix(vip4)}, Verdict: "drop"}, "nft insert rule arp f in arp daddr ip 10.168.0.91 accept"},
		{FirewallRule{To: []netip.Prefix{hostPrefix(local4)}, Verdict: "drop"}, ""},
	} {
		c.rule.Family, c.rule.Table, c.rule.Chain = "arp", "f", "in"
		director.FirewallRules = []FirewallRule{c.rule}
		got := ""
		for _, f := range judgeHosts(director, nil, nil, []HostState{server}).Findings {
			if f.Code == FindingARPSilent {
				got = f.Commands[0]
			}
		}
		if got != c.want {
			t.Errorf("%v: got %q, want %q", c.rule, got, c.want)
		}
	}
}
