package lvs

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// One detail of the states of hosts that work is changed, and found. The states come from
// JSON. Unchanged, they have no findings.
func TestJudge(t *testing.T) {
	link := func(f *HostState, name string) *InterfaceState {
		for i := range f.Interfaces {
			if f.Interfaces[i].Name == name {
				return &f.Interfaces[i]
			}
		}
		t.Fatalf("no interface %s", name)
		return nil
	}
	set := func(f *HostState, s Sysctl) {
		f.Resources = slices.DeleteFunc(f.Resources, func(one Resource) bool { return one.key() == s.key() })
		f.Resources = append(f.Resources, s)
	}
	without := func(f *HostState, a netip.Addr) {
		f.Resources = slices.DeleteFunc(f.Resources, func(one Resource) bool {
			has, ok := one.(Address)
			return ok && has.Prefix.Addr() == a
		})
		f.Routes = slices.DeleteFunc(f.Routes, func(r RouteEntry) bool { return r.To.Addr() == a })
	}
	server := func(f *HostState) *RealServerStatus { return &f.Services[0].RealServers[0] }
	var texts strings.Builder
	for _, c := range []struct {
		name   string
		change func(director, server *HostState)
		code   string
		host   string // that the finding is about
		fixed  bool   // the finding has a fix
	}{
		{name: "nothing", change: func(_, _ *HostState) {}},
		{"VIP of the director", func(d, _ *HostState) { without(d, vip4) }, "vip-missing", "", true},
		{"VIP of the server", func(_, s *HostState) { without(s, vip4) }, "vip-missing", "server", true},
		{"weight 0", func(d, _ *HostState) { server(d).Weight = 0 }, "no-server", "", true},
		{"full", func(d, _ *HostState) { server(d).UpperThreshold, server(d).ActiveConns = 4, 4 }, "no-server", "", true},
		{"no servers", func(d, _ *HostState) { d.Services[0].RealServers = nil }, "no-server", "", true},
		{"no scheduler", func(d, _ *HostState) { d.Services[0].Scheduler = NoScheduler }, "scheduler-missing", "", true},
		{"another port", func(d, _ *HostState) { server(d).Addr = netip.AddrPortFrom(local4, 8080) }, "port-ignored", "", false},
		{"a loopback address", func(d, _ *HostState) {
			server(d).Addr, server(d).Mode = netip.MustParseAddrPort("127.0.0.1:80"), NAT()
		}, "loopback", "", false},
		{"the server answers ARP", func(_, s *HostState) { set(s, Sysctl{InterfaceSysctl("all", "arp_ignore", false), "0"}) }, "arp-flux", "server", true},
		{"the director does not", func(d, _ *HostState) { set(d, Sysctl{InterfaceSysctl("all", "arp_ignore", false), "8"}) }, "arp-silent", "", true},
		{"NOARP", func(d, _ *HostState) { link(d, "eth0").NoARP = true }, "arp-silent", "", true},
		{"the director's link", func(d, _ *HostState) { link(d, "eth0").Up, link(d, "eth0").Carrier = false, false }, "link-down", "", true},
		{"the server's link", func(_, s *HostState) { link(s, "eth0").Up, link(s, "eth0").Carrier = false, false }, "link-down", "server", true},
		{"a bridge takes the link", func(d, _ *HostState) {
			link(d, "eth0").Master = "br0"
			d.Interfaces = append(d.Interfaces, InterfaceState{Name: "br0", Kind: "bridge", Up: true, Carrier: true})
		}, "link-taken", "", true},
		{"a blackhole", func(d, _ *HostState) {
			d.Routes = append(d.Routes, RouteEntry{To: hostPrefix(local4), Table: 254, Type: "blackhole"})
		}, "route-blocked", "", true},
		{"a way by a router", func(d, _ *HostState) {
			d.Routes = append(d.Routes, RouteEntry{To: hostPrefix(local4), Table: 254, Via: netip.MustParseAddr("10.168.0.1"), Interface: "eth0"})
		}, "route-strays", "", true},
		{"a wrong neighbour", func(d, _ *HostState) {
			d.Neighbours = []Neighbour{{Interface: "eth0", Addr: local4, MAC: "02:00:00:00:00:99", State: "permanent"}}
		}, "neighbour-wrong", "", true},
		{"a silent neighbour", func(d, _ *HostState) {
			d.Neighbours = []Neighbour{{Interface: "eth0", Addr: local4, State: "failed"}}
		}, "neighbour-silent", "", false},
		{"no program", func(_, s *HostState) { s.Listeners = nil }, "program-missing", "server", false},
		{"a program of another address", func(_, s *HostState) {
			s.Listeners = []Listener{{Protocol: ProtocolTCP, Addr: netip.MustParseAddrPort("127.0.0.1:80")}}
		}, "program-missing", "server", false},
		{"drop_packet while memory is short", func(d, _ *HostState) { set(d, Sysctl{SysctlDropPacket, "2"}) }, "drops-packets", "", true},
		{"drop_packet", func(d, _ *HostState) { set(d, Sysctl{SysctlDropPacket, "3"}) }, "drops-packets", "", true},
		{"backup_only", func(d, _ *HostState) {
			set(d, Sysctl{SysctlBackupOnly, "1"})
			d.Daemons = []SyncDaemon{{Role: SyncBackup, Interface: "eth0"}}
		}, "backup-only", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			director, host := firewallGround(t, DR(), "")
			wired(&director, "02:00:00:00:00:90")
			wired(&host, "02:00:00:00:00:94")
			director.Unread, host.Unread = nil, nil
			c.change(&director, &host)
			var found []Finding
			for _, f := range judgeHosts(throughJSON(t, director), nil, nil, []HostState{throughJSON(t, host)}).Findings {
				if f.Severity == SeverityBroken && f.Code != FindingARPStale {
					found = append(found, f)
				}
			}
			i := slices.IndexFunc(found, func(f Finding) bool { return string(f.Code) == c.code && f.Host == c.host })
			switch {
			case c.code == "" && len(found) > 0, c.code != "" && i < 0:
				t.Fatalf("found %v, want %q", found, c.code)
			case c.code == "":
				return
			}
			f := found[i]
			if f.hasFix() != c.fixed || !c.fixed && f.Advice == "" {
				t.Errorf("%v, want a fix: %v", f, c.fixed)
			}
			fmt.Fprintf(&texts, "-- %s --\n%s", c.name, f)
		})
	}
	golden := filepath.Join("testdata", "findings.txt")
	if *updateFindings {
		must(t, os.WriteFile(golden, []byte(texts.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	must(t, err)
	if diff := cmp.Diff(string(want), texts.String()); diff != "" && !t.Failed() {
		t.Errorf("texts of findings differ from %s; -update.findings writes it (-want +got):\n%s", golden, diff)
	}
}

var updateFindings = flag.Bool("update.findings", false, "write the texts of findings to testdata/findings.txt")

// throughJSON sends a state to another host.
func throughJSON(t *testing.T, f HostState) (received HostState) {
	t.Helper()
	text, err := json.Marshal(f)
	must(t, err)
	must(t, json.Unmarshal(text, &received))
	return received
}

// wired gives a host's network interface a hardware address.
func wired(f *HostState, mac string) {
	for i := range f.Interfaces {
		if f.Interfaces[i].Name == "eth0" {
			f.Interfaces[i].MAC = mac
		}
	}
}
