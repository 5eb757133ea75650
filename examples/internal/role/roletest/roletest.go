// Package roletest tries the examples dr, nat and tun. Only tests import it.
package roletest

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/examples/internal/role"
	"github.com/google/go-cmp/cmp"
)

// Addresses of the interfaces of a host, as the examples presume them.
var Addresses = map[string][]string{
	"eth0": {"10.168.0.90/24", "2001:db8::90/64"},
	"eth1": {"192.168.0.11/24"},
}

// Simulated returns a simulated host, and its simulator.
func Simulated(t *testing.T, modules ...string) (*lvs.Simulator, role.Open) {
	t.Helper()
	var o lvs.SimOptions
	for _, name := range []string{"eth0", "eth1"} {
		i := lvs.SimInterface{Name: name}
		for _, a := range Addresses[name] {
			i.Addresses = append(i.Addresses, netip.MustParsePrefix(a))
		}
		o.Interfaces = append(o.Interfaces, i)
	}
	sim, err := lvs.NewSimulator(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range modules {
		sim.LoadModule(m)
	}
	return sim, func(context.Context) (*lvs.Host, error) { return sim.Host(), nil }
}

// NoHost is a machine that has no IPVS.
func NoHost(context.Context) (*lvs.Host, error) { return nil, lvs.ErrUnavailable }

// Run runs a program and returns its exit status and all that it said.
func Run(t *testing.T, p role.Program, open role.Open, args ...string) (int, string) {
	t.Helper()
	var said bytes.Buffer
	status := p.Run(context.Background(), args, &said, &said, open)
	return status, said.String()
}

var reason = regexp.MustCompile(`(?m)  # .*$|^#.*\n`)

// Commands checks what -dry-run prints on a machine without IPVS, but for reasons.
func Commands(t *testing.T, p role.Program, want string, args ...string) {
	t.Helper()
	status, said := Run(t, p, NoHost, append(args, "-dry-run")...)
	got := reason.ReplaceAllString(said, "")
	if diff := cmp.Diff(strings.TrimSpace(want), strings.TrimSpace(got)); diff != "" || status != 0 {
		t.Errorf("%s %q: status %d (-want +got):\n%s", p.Name, args, status, diff)
	}
}

// Refused checks that bad arguments are, before the host is touched.
func Refused(t *testing.T, p role.Program, why string, args ...string) {
	t.Helper()
	untouched := func(context.Context) (*lvs.Host, error) { return nil, errors.New("was opened") }
	if status, said := Run(t, p, untouched, args...); status != 2 || !strings.Contains(said, why) {
		t.Errorf("%s %q: status %d, want 2 and %q in:\n%s", p.Name, args, status, why, said)
	}
}

// Cycle sets a host up, twice, and takes that back: -check finds something before
// and after, and nothing in between, and in the end all is as before.
func Cycle(t *testing.T, p role.Program, open role.Open, args ...string) {
	t.Helper()
	args = append(args, "-plan", filepath.Join(t.TempDir(), "new", "plan"))
	expect := func(want int, more ...string) string {
		t.Helper()
		status, said := Run(t, p, open, append(args, more...)...)
		if status != want {
			t.Fatalf("%s %q: status %d, want %d:\n%s", p.Name, append(args, more...), status, want, said)
		}
		return said
	}
	before := expect(0, "-dry-run")
	expect(1, "-check")
	expect(0)
	expect(0, "-check")
	expect(0)
	if done := expect(0, "-dry-run"); strings.Contains(reason.ReplaceAllString(done, ""), "ip ") {
		t.Errorf("%s %q: set up, and there is still to do:\n%s", p.Name, args, done)
	}
	if said := expect(0, "-undo"); strings.Contains(reason.ReplaceAllString(said, ""), "\n") {
		t.Errorf("%s %q -undo says\n%s", p.Name, args, said)
	}
	if diff := cmp.Diff(before, expect(0, "-dry-run")); diff != "" {
		t.Errorf("%s %q -dry-run, before and after -undo (-before +after):\n%s", p.Name, args, diff)
	}
	expect(1, "-check")
	expect(1, "-undo")
}
