package lvs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/golvs/lvs/internal/hostnet"
	"github.com/golvs/lvs/internal/testbed"
)

// setupGround is a host with eth0 and eth1 in a kernel.
func setupGround(t testing.TB) (*testbed.Namespace, *Host) {
	t.Helper()
	testbed.InKernel(t)
	ns := testbed.New(t)
	ns.Dummy("eth0", eth0Address4, eth0Address6)
	ns.Dummy("eth1", eth1Address4, eth1Address6)
	h, err := OpenHost(context.Background(), InNamespaceFD(ns.File.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return ns, h
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
			if out, err := exec.Command("modprobe", append([]string{"-a"}, names...)...).CombinedOutput(); err != nil {
				t.Fatalf("modprobe %s: %v\n%s", m.Name, err, out)
			}
		}
	}
}

// Parts of a listing that differ from one to the next.
var fleeting = regexp.MustCompile(`(?m) *valid_lft .*$|expires \S+| used \d+|permaddr \S+| addrgenmode \S+| tentative| qdisc \S+| state \S+`)

// dumpKernel is all that setups may change, as other programs show it.
func dumpKernel(t testing.TB, ns *testbed.Namespace) string {
	t.Helper()
	return dumpNetwork(t, ns) + dumpFiles(t, ns, func(string) bool { return true })
}

// dumpBriefly has of the parameters only those that setups are about.
func dumpBriefly(t testing.TB, ns *testbed.Namespace) string {
	t.Helper()
	return dumpNetwork(t, ns) + dumpFiles(t, ns, func(path string) bool {
		switch filepath.Base(path) {
		case "forwarding", "ip_forward", "accept_redirects", "arp_ignore", "arp_announce", "send_redirects", "rp_filter", "conntrack":
			return true
		}
		return false
	})
}

func dumpNetwork(t testing.TB, ns *testbed.Namespace) string {
	t.Helper()
	var b strings.Builder
	for _, command := range []string{
		"xfrm policy", "xfrm state", "-d link", "addr", "-4 route show table all", "-6 route show table all", "-4 rule", "-6 rule",
	} {
		b.WriteString("== ip " + command + "\n" + fleeting.ReplaceAllString(ns.Run("ip", strings.Fields(command)...), "") + "\n")
	}
	if hasNFT() {
		b.WriteString("== nft\n" + ns.Run("nft", "list", "ruleset") + "\n")
	}
	if _, err := os.Stat("/sys/module/fou"); err == nil {
		b.WriteString("== fou\n" + ns.Run("ip", "fou", "show") + ns.Run("ip", "-6", "fou", "show") + "\n")
	}
	return b.String()
}

func dumpFiles(t testing.TB, ns *testbed.Namespace, of func(path string) bool) string {
	t.Helper()
	var b strings.Builder
	err := ns.Do(func() error {
		return filepath.WalkDir("/proc/sys/net/", func(path string, d fs.DirEntry, err error) error {
			if err != nil || fleetingFile(path) {
				return err
			}
			if d.IsDir() {
				if d.Name() == "neigh" {
					return filepath.SkipDir
				}
				return nil
			}
			if !of(path) {
				return nil
			}
			text, err := os.ReadFile(path)
			if err == nil {
				fmt.Fprintf(&b, "%s = %s", path, text)
			}
			return nil // some can only be written
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// fleetingFile tells of files that change by themselves. A tunnel that was up once
// keeps its IPv6 parameters.
func fleetingFile(path string) bool {
	return strings.HasPrefix(path, "/proc/sys/net/ipv6/conf/tunl0/") || strings.HasPrefix(path, "/proc/sys/net/ipv6/conf/gre0/") ||
		strings.Contains(path, "stable_secret") || strings.Contains(path, "netfilter/nf_conntrack_count") || strings.Contains(path, "/vs/sync_qlen_max")
}

// hasNFT tells whether the kernel has NAT by nftables: those in QEMU do.
func hasNFT() bool { return strings.HasPrefix(os.Getenv("LVS_KERNEL_NAME"), "qemu") }

func TestHostSetups(t *testing.T) {
	testbed.InKernel(t)
	ctx := context.Background()
	for _, c := range setupCases {
		t.Run(c.name, func(t *testing.T) {
			dump := dumpBriefly // a kernel takes seconds for all
			if slices.Contains([]string{"DR director", "NAT director", "NAT director IPv6", "IPIP real server 4 in 6"}, c.name) {
				dump = dumpKernel
			}
			setup := mustSetup(t, c)
			ns, h := setupGround(t)
			loadModules(t, setup)
			before := dump(t, ns)
			plan, err := h.Plan(ctx, setup)
			if err != nil {
				t.Fatal(err)
			}
			if c.nat && !hasNFT() {
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
			if err != nil || again.Changes() {
				t.Fatalf("after Apply there is still to do, %v:\n%s", err, again)
			}
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

func unchanged(t *testing.T, what, before, after string) {
	t.Helper()
	if before == after {
		return
	}
	was, is := strings.Split(before, "\n"), strings.Split(after, "\n")
	var diff strings.Builder
	for _, line := range was {
		if !slices.Contains(is, line) {
			diff.WriteString("- " + line + "\n")
		}
	}
	for _, line := range is {
		if !slices.Contains(was, line) {
			diff.WriteString("+ " + line + "\n")
		}
	}
	t.Errorf("after %s (-before +after):\n%s", what, diff.String())
}

// The commands that a setup prints do what applying it does.
func TestHostSetupCommands(t *testing.T) {
	testbed.InKernel(t)
	ctx := context.Background()
	for _, c := range setupCases {
		t.Run(c.name, func(t *testing.T) {
			setup := mustSetup(t, c)
			if c.nat && !hasNFT() {
				setup = setup[:2]
			}
			byHand, _ := setupGround(t)
			ns, h := setupGround(t)
			loadModules(t, setup)
			plan, err := h.Plan(ctx, setup)
			if err == nil {
				err = h.Apply(ctx, plan)
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, step := range plan.Steps {
				_, isModule := step.Setting.Want.(Module)
				_, isSecret := step.Setting.Want.(SecurityAssociation) // its command does not show the key
				if !isModule && !isSecret && step.Changes() {
					byHand.Run("sh", "-c", step.Setting.String())
				}
			}
			want, got := dumpBriefly(t, byHand), dumpBriefly(t, ns)
			unchanged(t, "commands and Apply", neutral(want), neutral(got))
		})
	}
}

// neutral takes out what differs between ip and this package on purpose: who made
// a route, and details of tunnels that only matter when sending.
func neutral(dump string) string {
	dump = regexp.MustCompile(` proto (static|boot)| (nopmtudisc|hoplimit \S+|encaplimit \S+|tclass \S+|flowlabel \S+|ttl \S+|\(flowlabel.*)|link/\S+ \S+ brd \S+|inet6 fe80\S+|local fe80\S+|fe80::\S*|multicast \S+`).ReplaceAllString(dump, "")
	lines := strings.Split(dump, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "\n")
}

// What is done by another process, which is killed at any of its changes, is
// undone, or done to the end.
func TestHostSetupKilled(t *testing.T) {
	testbed.InKernel(t)
	ctx := context.Background()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"NAT director", "DR real server", "IPIP real server", "IPIP real server 4 in 6"} {
		for _, end := range []string{"undo", "apply"} {
			t.Run(name+" "+end, func(t *testing.T) {
				setup := mustSetup(t, caseOf(name))
				ns, h := setupGround(t)
				loadModules(t, setup)
				before := dumpBriefly(t, ns)
				plan, err := h.Plan(ctx, setup)
				if err != nil {
					t.Fatal(err)
				}
				file := filepath.Join(t.TempDir(), "plan")
				text, err := json.Marshal(plan)
				if err == nil {
					err = os.WriteFile(file, text, 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
				for after := 0; ; after++ {
					died := applyAndDie(t, ns, self, file, after)
					if end == "apply" {
						if err := h.Apply(ctx, plan); err != nil {
							t.Fatalf("killed after %d changes: %v", after, err)
						}
						if again, err := h.Plan(ctx, setup); err != nil || again.Changes() {
							t.Fatalf("killed after %d changes, %v:\n%s", after, err, again)
						}
					}
					undoInKernel(t, h, plan)
					unchanged(t, fmt.Sprintf("death after %d changes", after), before, dumpBriefly(t, ns))
					if !died {
						break
					}
				}
			})
		}
	}
}

const (
	planEnv  = "LVS_TEST_PLAN"
	afterEnv = "LVS_TEST_DIES_AFTER"
)

// applyAndDie applies a saved plan in a process that kills itself.
func applyAndDie(t *testing.T, ns *testbed.Namespace, self, file string, after int) (died bool) {
	t.Helper()
	err := ns.Do(func() error {
		cmd := exec.Command(self, "-test.run", "^TestHostDyingProcess$")
		cmd.Env = append(os.Environ(), planEnv+"="+file, fmt.Sprintf("%s=%d", afterEnv, after))
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
			died = true
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return died
}

// TestHostDyingProcess is the other process of TestHostSetupKilled.
func TestHostDyingProcess(t *testing.T) {
	file := os.Getenv(planEnv)
	if file == "" {
		return // it is started on purpose
	}
	text, err := os.ReadFile(file)
	var plan SetupPlan
	if err == nil {
		err = json.Unmarshal(text, &plan)
	}
	if err != nil {
		t.Fatal(err)
	}
	h, err := OpenHost(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	k := &killer{network: h.network, files: h.files}
	if _, err := fmt.Sscan(os.Getenv(afterEnv), &k.left); err != nil {
		t.Fatal(err)
	}
	h.network, h.files = k, k
	if err := h.Apply(context.Background(), plan); err != nil {
		t.Fatal(err)
	}
}

// killer ends the process at a change.
type killer struct {
	network
	files
	left int
}

func (k *killer) count() {
	if k.left == 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	k.left--
}

func (k *killer) Put(f hostnet.Fact) error { k.count(); return k.network.Put(f) }

func (k *killer) WriteFile(path string, data []byte) error {
	k.count()
	return k.files.WriteFile(path, data)
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
		{Route{To: defaultRoute(vip4), Via: router4}, ""},
		{Route{To: defaultRoute(vip6), Via: router6}, ""},
		{vipAddress(vip4, "eth0", "eth0:0"), ""},
		{Link{Name: "d0", Up: true, MTU: 1400}, ""},
		{Sysctl{"net.ipv4.vs.sync_threshold", "2 40"}, ""},
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
		"ip route": "default via 10.168.0.90 dev eth0 proto dhcp", "ip -6 route": "default via 2001:db8:1::90 dev eth0",
		"ip addr show eth0": "inet 10.168.0.91/32 brd 10.168.0.91 scope global eth0:0", "ip link show d0": "mtu 1400",
	} {
		if got := ns.Run("sh", "-c", command); !strings.Contains(got, want) {
			t.Errorf("%s: want %q in\n%s", command, want, got)
		}
	}
	undoInKernel(t, h, saved(t, plan))
	unchanged(t, "Undo", before, dumpKernel(t, ns))

	if _, err := h.Plan(ctx, Setup{{Route{To: netip.MustParsePrefix("203.0.113.0/24"), Via: router4}, ""}}); !errors.Is(err, ErrExists) {
		t.Errorf("a route of several hops: got %v, want ErrExists", err)
	}
}

// What the kernel refuses is named, and the host is as before.
func TestHostRefuses(t *testing.T) {
	ctx := context.Background()
	ns, h := setupGround(t)
	before := dumpKernel(t, ns)
	for _, c := range []struct {
		name string
		want Fact
		kind error
	}{
		{"next hop that is nowhere", Route{To: defaultRoute(vip4), Via: netip.MustParseAddr("203.0.113.1")}, ErrInvalid},
		{"MTU out of range", Link{Name: "eth0", MTU: 65536}, ErrInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			plan, err := h.Plan(ctx, Setup{forwarding(false, ""), {c.want, ""}})
			if err != nil {
				t.Fatal(err)
			}
			err = h.Apply(ctx, plan)
			if c.name == "MTU out of range" && err == nil {
				undoInKernel(t, h, plan)
			} else if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want.String()) {
				t.Errorf("got %v, want %v of %s", err, c.kind, c.want)
			}
			unchanged(t, "a failure", before, dumpKernel(t, ns))
		})
	}
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
