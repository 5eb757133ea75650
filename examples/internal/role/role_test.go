package role_test

import (
	"context"
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/examples/internal/role"
	"github.com/golvs/lvs/examples/internal/role/roletest"
)

var (
	vip    = netip.MustParseAddrPort("10.168.0.91:80")
	web    = lvs.TCP(vip)
	dr     = program()
	others = lvs.TCP(netip.MustParseAddrPort("10.168.0.90:443"))
)

func program() role.Program {
	return role.Program{
		Name:     "dr",
		Defaults: role.Options{VIP: vip, Scheduler: lvs.RR, Interface: "eth0"},
		Flags:    func(*flag.FlagSet) {},
		Mode:     func() (lvs.Mode, error) { return lvs.DR(), nil },
		Director: func(o role.Options) (lvs.Setup, error) {
			return lvs.DRDirector{VIP: o.VIP.Addr(), Interface: o.Interface}.Setup()
		},
		RealServer: func(o role.Options) (lvs.Setup, error) { return lvs.DRRealServer{VIP: o.VIP.Addr()}.Setup() },
	}
}

// run runs the program, expects a status, and returns what it said.
func run(t *testing.T, open role.Open, want int, args ...string) string {
	t.Helper()
	status, said := roletest.Run(t, dr, open, args...)
	if status != want {
		t.Fatalf("%q: status %d, want %d:\n%s", args, status, want, said)
	}
	return said
}

func table(t *testing.T, sim *lvs.Simulator) string {
	t.Helper()
	all, err := sim.Client().Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, e := range all.Services {
		lines = append(lines, e.Service.String())
		for _, s := range e.RealServers {
			lines = append(lines, s.RealServer.String())
		}
	}
	return strings.Join(lines, "\n")
}

func do(t *testing.T, sim *lvs.Simulator, changes ...lvs.Change) {
	t.Helper()
	if err := sim.Client().Do(context.Background(), changes...); err != nil {
		t.Fatal(err)
	}
}

// What others have in the table stays. A second run changes servers without
// removing those that stay.
func TestTable(t *testing.T) {
	sim, host := roletest.Simulated(t)
	do(t, sim, lvs.AddService(lvs.Service{ID: others, Scheduler: lvs.RR}))
	plan := filepath.Join(t.TempDir(), "plan")
	run(t, host, 0, "-plan", plan)
	run(t, host, 0, "-plan", plan, "-servers", "10.168.0.95,10.168.0.96", "-scheduler", "wrr")
	const want = `tcp://10.168.0.90:443 rr
tcp://10.168.0.91:80 wrr
10.168.0.95:80 dr weight 1
10.168.0.96:80 dr weight 1`
	if got := table(t, sim); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	run(t, host, 0, "-plan", plan, "-undo")
	if got := table(t, sim); got != "tcp://10.168.0.90:443 rr" {
		t.Errorf("after -undo there is\n%s", got)
	}
}

// A service that was there before is changed, and stays.
func TestServiceOfOthers(t *testing.T) {
	sim, host := roletest.Simulated(t)
	do(t, sim, lvs.AddService(lvs.Service{ID: web, Scheduler: lvs.LC}))
	plan := filepath.Join(t.TempDir(), "plan")
	run(t, host, 0, "-plan", plan)
	run(t, host, 0, "-plan", plan, "-undo")
	if got := table(t, sim); !strings.HasPrefix(got, "tcp://10.168.0.91:80 rr") {
		t.Errorf("after -undo there is %q", got)
	}
}

// A failure takes back what was done, and leaves no plan.
func TestFailure(t *testing.T) {
	for _, resource := range []lvs.Resource{lvs.Address{}, lvs.Route{}} {
		sim, host := roletest.Simulated(t)
		if err := sim.InjectHost(lvs.SimHostFault{Resource: resource, Errno: lvs.EPERM}); err != nil {
			t.Fatal(err)
		}
		plan := filepath.Join(t.TempDir(), "plan")
		before := run(t, host, 0, "-dry-run")
		run(t, host, 1, "-plan", plan)
		if after := run(t, host, 0, "-dry-run"); after != before {
			t.Errorf("after a failure of a %T:\n%s\nbefore:\n%s", resource, after, before)
		}
		if _, err := os.Stat(plan); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the plan: %v", err)
		}
		run(t, host, 0, "-plan", plan)
	}
	_, host := roletest.Simulated(t)
	if said := run(t, host, 1, "-interface", "eth7", "-plan", filepath.Join(t.TempDir(), "plan")); !strings.Contains(said, "eth7") {
		t.Errorf("an interface that is not there: %s", said)
	}
	run(t, roletest.NoHost, 1)
}

// A run that was cut short is finished by the next.
func TestCutShort(t *testing.T) {
	sim, host := roletest.Simulated(t)
	folder := t.TempDir()
	plan, copied := filepath.Join(folder, "plan"), filepath.Join(folder, "copy")
	run(t, host, 0, "-plan", plan)
	text, err := os.ReadFile(plan)
	if err == nil {
		err = os.WriteFile(copied, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	run(t, host, 0, "-plan", plan, "-undo")

	// The plan is saved, and nothing is done.
	run(t, host, 0, "-plan", copied)
	run(t, host, 0, "-check")
	if got := table(t, sim); !strings.HasPrefix(got, "tcp://10.168.0.91:80 rr") {
		t.Errorf("there is %q", got)
	}
}

// A plan is not overwritten, and one that cannot be read is reported.
func TestOtherPlans(t *testing.T) {
	_, host := roletest.Simulated(t)
	plan := filepath.Join(t.TempDir(), "plan")
	run(t, host, 0, "-plan", plan)
	for _, args := range [][]string{{"-role", "realserver"}, {"-vip", "10.168.0.92:80"}, {"-vip", "10.168.0.91:443"}} {
		if said := run(t, host, 1, append(args, "-plan", plan)...); !strings.Contains(said, "another setup") {
			t.Errorf("%q: %s", args, said)
		}
	}
	if err := os.WriteFile(plan, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{nil, {"-undo"}} {
		if said := run(t, host, 1, append(args, "-plan", plan)...); !strings.Contains(said, plan) {
			t.Errorf("%q: %s", args, said)
		}
	}
}

// What was changed since stays, and is listed.
func TestUndoLeaves(t *testing.T) {
	sim, host := roletest.Simulated(t)
	plan := filepath.Join(t.TempDir(), "plan")
	run(t, host, 0, "-role", "realserver", "-plan", plan)
	h := sim.Host()
	defer h.Close()
	if err := h.SetSysctl(context.Background(), "net.ipv4.conf.all.arp_ignore", "3"); err != nil {
		t.Fatal(err)
	}
	if said := run(t, host, 1, "-role", "realserver", "-check"); !strings.Contains(said, "arp-flux") {
		t.Errorf("-check says\n%s", said)
	}
	if said := run(t, host, 0, "-role", "realserver", "-plan", plan, "-undo"); !strings.Contains(said, "all.arp_ignore=1: it has been changed since") {
		t.Errorf("-undo says\n%s", said)
	}
}

func TestHelp(t *testing.T) {
	if said := run(t, roletest.NoHost, 0, "-h"); !strings.Contains(said, "-dry-run") || strings.Contains(said, "panic") {
		t.Errorf("-h says\n%s", said)
	}
}
