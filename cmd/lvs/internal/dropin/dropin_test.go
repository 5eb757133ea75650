package dropin

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/golvs/lvs"
)

// ran is what a run printed and its exit status.
type ran struct {
	out, errs string
	status    int
}

func (r ran) String() string { return fmt.Sprintf("status %d\n%s%s", r.status, r.out, r.errs) }

// run runs a program of this package on a simulator.
func run(t *testing.T, host *lvs.Host, stdin string, main func(context.Context, Env) int) ran {
	t.Helper()
	var out, errs strings.Builder
	env := Env{In: strings.NewReader(stdin), Out: &out, Err: &errs, Host: func(context.Context) (*lvs.Host, error) {
		if host == nil {
			return nil, fmt.Errorf("no kernel: %w", lvs.ErrUnavailable)
		}
		return host, nil
	}}
	status := main(t.Context(), env)
	return ran{out.String(), errs.String(), status}
}

func ipvsadmArgs(args ...string) func(context.Context, Env) int {
	return func(ctx context.Context, env Env) int { return Main(ctx, env, args) }
}

func newHost(t *testing.T) *lvs.Host {
	t.Helper()
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		t.Fatal(err)
	}
	host := sim.Host()
	t.Cleanup(func() { host.Close() })
	return host
}

const savedText = `-A -t 10.1.0.1:80 -s rr
-a -t 10.1.0.1:80 -r 10.2.0.1:80 -m -w 1
`

// Restoring clears the table, but only if all lines can be read.
func TestSaveRestore(t *testing.T) {
	host := newHost(t)
	steps := []struct {
		stdin string
		main  func(context.Context, Env) int
		want  ran
	}{
		{savedText, Restore, ran{}},
		{"", ipvsadmArgs("-S", "-n"), ran{out: savedText}},
		{"-A -t 10.9.9.9:80\n-q\n", Restore, ran{errs: "ipvsadm: line 2, column 1: \"-q\" is not an option; long options cannot be abbreviated, and begin with two dashes\nNothing was changed.\n", status: exitUsage}},
		{"", func(ctx context.Context, env Env) int { return Save(ctx, env, []string{"-n", "x"}) }, ran{out: savedText}},
		{"", func(ctx context.Context, env Env) int { return Save(ctx, env, []string{"-x"}) }, ran{errs: saveUsage + "\n", status: 1}},
		{"-a -t 10.1.0.1:80 -r 10.2.0.1:80 -m\n-D -t 10.1.0.1:80\n", ipvsadmArgs("-R"),
			ran{errs: "Destination already exists: ipvsadm -a -t 10.1.0.1:80 -r 10.2.0.1:80 -m -w 1\n", status: exitFailed}},
		{"# all lines\n-A -f 0x10\n", Restore, ran{}},
		{"", ipvsadmArgs("-S", "-n"), ran{out: "-A -f 16 -s wlc\n"}},
		{"", ipvsadmArgs("-S", "--full"), ran{out: "--set 900 120 300\n-A -f 16 -s wlc\n"}},
	}
	for i, s := range steps {
		if got := run(t, host, s.stdin, s.main); got != s.want {
			t.Errorf("%d: got %swant %s", i, got, s.want)
		}
	}
}

// Help, the version, and what is wrong with options need no kernel.
func TestNoKernel(t *testing.T) {
	for _, c := range []struct {
		args []string
		want ran
	}{
		{[]string{"-h"}, ran{out: usage}},
		{[]string{"-v"}, ran{out: version}},
		{[]string{"-A"}, ran{errs: "You need to supply the 'service-address' option for the 'add-service' command\n", status: exitUsage}},
		{[]string{"-A", "-t"}, ran{errs: "-t: missing argument\n", status: exitFailed}},
		{[]string{"-Ln"}, ran{errs: "Can't initialize ipvs: Protocol not available\nAre you sure that IP Virtual Server is built in the kernel or as module?\nno kernel: lvs: IPVS is not available\n", status: exitUsage}},
	} {
		if got := run(t, nil, "", ipvsadmArgs(c.args...)); got != c.want {
			t.Errorf("%q: got %swant %s", c.args, got, c.want)
		}
	}
}

func TestServices(t *testing.T) {
	s := parseServices("http 80/tcp www # WWW\nbad\nworse x/tcp\nhttp-alt 80/tcp\ndomain\t53/udp\n")
	if s.ports[service{"tcp", "www", 0}] != 80 || s.names[service{"tcp", "", 80}] != "http" || s.ports[service{"tcp", "domain", 0}] != 0 || len(s.names) != 2 {
		t.Error(s)
	}
}
