package lvs

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/testbed"
)

// The scripts in testdata/seed are those that this library began with, verbatim. A
// setup and a few changes do to a host what each of them does.

// seedCase is a script, and what stands for it in Go.
type seedCase struct {
	script    string
	addresses map[string]string // by interface: the script presumes them, and sets none
	slips     []replacement     // what keeps the script from running
	setup     func() (Setup, error)
	table     []Change
	differs   []replacement // where the hosts differ afterwards: theirs, then ours
	nat       []replacement // likewise in a kernel that has NAT by nftables; none is a script without NAT
}

type replacement struct{ was, is, why string }

const (
	seedProtocol = "ip(8) and this package mark the routes of an administrator, route(8) does not; the kernel does not look at it"
	seedSource   = "route(8) makes the alias the source of packets to itself; packets to an address of the host's own take its local route"
)

var seedCases = []seedCase{
	{
		script:    "lvs_nat.sh",
		addresses: map[string]string{"eth0": "10.168.0.90/24", "eth1": "192.168.0.11/24"},
		slips:     []replacement{{"10.168.0.0/24-j", "10.168.0.0/24 -j", "a blank is missing: iptables knows no mask 24-j"}},
		setup: NATDirector{
			VIP: netip.MustParseAddr("192.168.0.11"), Interface: "eth1", Inside: "eth0", Network: inner4, Masquerade: true,
		}.Setup,
		table: []Change{
			Flush(),
			AddService(Service{ID: TCP(netip.MustParseAddrPort("192.168.0.11:80")), Scheduler: LC, Persistence: Persistence{Timeout: 300 * time.Second}}),
			AddRealServer(TCP(netip.MustParseAddrPort("192.168.0.11:80")), NewRealServer(netip.MustParseAddrPort("10.168.0.94:80"), NAT())),
			AddRealServer(TCP(netip.MustParseAddrPort("192.168.0.11:80")), NewRealServer(netip.MustParseAddrPort("10.168.0.95:80"), NAT())),
		},
		nat: []replacement{
			{"table ip nat {", "table ip lvs_nat_from_10_168_0_0_24 {", "a table of our own: what others have in theirs stays"},
			{"chain POSTROUTING {", "chain postrouting {", "iptables has its own names for chains"},
			{"counter packets 0 bytes 0 ", "", "iptables counts, though the script did not ask for it"},
			{"# Warning: table ip nat is managed by iptables-nft, do not touch!\n", "", "nft says so of tables of iptables"},
		},
	},
	{
		script:    "lvs_dr.sh",
		addresses: map[string]string{"eth0": "10.168.0.90/24"},
		setup:     DRDirector{VIP: vip4, Interface: "eth0", Forwarding: true}.Setup,
		table: []Change{
			Flush(),
			AddService(Service{ID: TCP(netip.MustParseAddrPort("10.168.0.91:80")), Scheduler: RR}),
			AddRealServer(TCP(netip.MustParseAddrPort("10.168.0.91:80")), NewRealServer(netip.MustParseAddrPort("10.168.0.94:80"), DR())),
			AddRealServer(TCP(netip.MustParseAddrPort("10.168.0.91:80")), NewRealServer(netip.MustParseAddrPort("10.168.0.95:80"), DR())),
		},
		differs: []replacement{
			{"10.168.0.91 dev eth0 scope link src 10.168.0.91 \n", "10.168.0.91 dev eth0 proto static scope link \n", seedProtocol + "; " + seedSource},
		},
	},
	{
		script:    "lvs_dr_rs.sh",
		addresses: map[string]string{"eth0": "10.168.0.94/24"},
		setup:     DRRealServer{VIP: vip4}.Setup,
		differs: []replacement{
			{"10.168.0.91 dev lo scope link src 10.168.0.91 \n", "10.168.0.91 dev lo proto static scope link \n", seedProtocol + "; " + seedSource},
		},
	},
}

// replace makes replacements, each of which must have something to replace.
func replace(t *testing.T, text string, all []replacement) string {
	t.Helper()
	for _, r := range all {
		if !strings.Contains(text, r.was) {
			t.Errorf("there is no %q (%s)", r.was, r.why)
		}
		text = strings.ReplaceAll(text, r.was, r.is)
	}
	return text
}

// The seed's scripts and what stands for them in Go leave the same host.
func TestSeedScripts(t *testing.T) {
	testbed.InKernel(t)
	hasTables := useKernelsIptables(t)
	for _, c := range seedCases {
		t.Run(c.script, func(t *testing.T) {
			theirs, ours := c.ground(t), c.ground(t)
			theirs.Run("sh", "-ec", c.runnable(t))
			c.apply(t, ours)
			differs := c.differs
			if testbed.HasNFT() {
				differs = append(differs, c.nat...)
			} else if c.nat != nil && hasTables {
				c.compareRules(t, theirs)
			}
			want, got := replace(t, dumpSeed(t, theirs), differs), dumpSeed(t, ours)
			compare(t, "the hosts", strings.Split(want, "\n"), strings.Split(got, "\n"))
		})
	}
}

// useKernelsIptables lets the scripts find an iptables that works in the kernel, or one
// that does nothing. It reports whether it makes rules of its own
// kind, which nft does not show.
func useKernelsIptables(t *testing.T) bool {
	t.Helper()
	if testbed.HasNFT() {
		return false // Debian's iptables makes nftables rules
	}
	program := "/usr/sbin/iptables-legacy"
	hasTables := exec.Command("modprobe", "iptable_nat").Run() == nil
	if !hasTables {
		program = "/bin/true" // the newest kernel in User-Mode Linux has no NAT at all
	}
	folder := t.TempDir()
	must(t, os.Symlink(program, filepath.Join(folder, "iptables")))
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
	return hasTables
}

// ground is a host as a script presumes it. It has no IPv6, whose addresses and
// routes appear automatically, and late.
func (c seedCase) ground(t *testing.T) *testbed.Namespace {
	t.Helper()
	ns := testbed.New(t)
	ns.Run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
	for _, name := range []string{"eth0", "eth1"} {
		if a := c.addresses[name]; a != "" {
			ns.NIC(name, a)
		}
	}
	return ns
}

// runnable is the script without its slips.
func (c seedCase) runnable(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata/seed", c.script))
	if err != nil {
		t.Fatal(err)
	}
	return replace(t, string(text), c.slips)
}

// apply does what the script does. Source NAT by nftables is left out where the
// kernel has none.
func (c seedCase) apply(t *testing.T, ns *testbed.Namespace) {
	t.Helper()
	ctx := context.Background()
	h, err := OpenHost(ctx, InNamespaceFile(ns.File))
	must(t, err)
	t.Cleanup(func() { h.Close() })
	setup, err := c.setup()
	must(t, err)
	if !testbed.HasNFT() {
		setup = slices.DeleteFunc(setup, func(s Requirement) bool { _, is := s.Want.(SourceNAT); return is })
	}
	plan, err := h.Plan(ctx, setup)
	must(t, err)
	must(t, h.Apply(ctx, plan))
	must(t, h.Client().Do(ctx, c.table...))
	if report, err := h.Check(ctx, CheckOptions{Setup: setup}); err != nil || len(report.Findings) > 0 {
		t.Errorf("Check: %v, %v", err, report.Findings)
	}
}

// ownMAC is what two hosts never share.
var ownMAC = regexp.MustCompile(`link/ether \S+`)

// dumpSeed is what the scripts may change, and more.
func dumpSeed(t *testing.T, ns *testbed.Namespace) string {
	t.Helper()
	commands := "ip -d link; ip addr; ip route show table all; ip rule; ipvsadm -S -n; grep -rs '' /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf /proc/sys/net/ipv4/vs"
	if testbed.HasNFT() {
		commands = "nft list ruleset; " + commands
	}
	dump := ns.Run("sh", "-c", commands+"; true")
	return ownMAC.ReplaceAllString(testbed.Steady(dump), "")
}

// compareRules compares the rules of iptables with the source NAT that the setup
// asks for, where the kernel does not have what it takes to make it.
func (c seedCase) compareRules(t *testing.T, theirs *testbed.Namespace) {
	t.Helper()
	setup, err := c.setup()
	must(t, err)
	var want []string
	for _, s := range setup {
		if nat, ok := s.Want.(SourceNAT); ok && nat == (SourceNAT{From: nat.From}) {
			want = append(want, "-A POSTROUTING -s "+nat.From.String()+" -j MASQUERADE")
		}
	}
	rules := strings.Split(theirs.Run("iptables", "-t", "nat", "-S"), "\n")
	rules = slices.DeleteFunc(rules, func(rule string) bool { return !strings.HasPrefix(rule, "-A") })
	compare(t, "iptables -t nat -S", want, rules)
}
