package dropin

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/testbed"
)

var (
	duelLines = flag.Int("duel.lines", 2000, "how many random command lines ipvsadm and this package do")
	duelSeed  = flag.Uint64("duel.seed", 1, "seed of the random command lines")
)

// side is a namespace, and this package on its table.
type side struct {
	t    *testing.T
	ns   *testbed.Namespace
	host *lvs.Host
}

func newSide(t *testing.T) *side {
	t.Helper()
	s := &side{t: t, ns: testbed.New(t)}
	s.ns.Dummy("eth0", "192.0.2.1/24")
	var err error
	if s.host, err = lvs.OpenHost(t.Context(), lvs.InNamespaceFile(s.ns.File)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.host.Close() })
	return s
}

// ipvsadm runs the program of another package.
func (s *side) ipvsadm(stdin string, args ...string) ran { return s.program("ipvsadm", stdin, args...) }

func (s *side) program(name, stdin string, args ...string) ran {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := s.ns.Do(func() error { return cmd.Run() })
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		s.t.Fatalf("%s %q: %v", name, args, err)
	}
	return ran{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// ours runs this package.
func (s *side) ours(stdin string, args ...string) ran {
	var out, errs strings.Builder
	env := Env{
		In: strings.NewReader(stdin), Out: &out, Err: &errs,
		Host:  func(context.Context) (*lvs.Host, error) { return s.host, nil },
		Names: NewNames(s.t.Context()),
	}
	status := Main(s.t.Context(), env, args)
	return ran{out.String(), errs.String(), status}
}

// reset removes all that a history made.
func (s *side) reset() {
	s.t.Helper()
	err := s.host.Client().Do(s.t.Context(), lvs.Flush(), lvs.StopSyncDaemon(lvs.SyncMaster), lvs.StopSyncDaemon(lvs.SyncBackup),
		lvs.SetTimeouts(lvs.Timeouts{TCP: 900 * time.Second, TCPFin: 120 * time.Second, UDP: 300 * time.Second}))
	if lvs.Ignore(err, lvs.ErrNotFound) != nil {
		s.t.Fatal(err)
	}
}

// TestDuel does random command lines by ipvsadm in one namespace and by this package in
// another. Both must say the same, with the same status, and make the same table.
func TestDuel(t *testing.T) {
	testbed.InKernel(t)
	const perHistory = 20
	theirs, ours := newSide(t), newSide(t)
	g := &generator{Rand: rand.New(rand.NewPCG(*duelSeed, 0))}
	counts := map[string]int{}
	start := time.Now()
	histories := 0
	for n := 0; n < *duelLines; {
		theirs.reset()
		ours.reset()
		g.services = nil
		var history []string
		excused := false
		for i := 0; i < perHistory && !excused; i++ {
			args := g.line()
			n++
			history = append(history, strings.Join(args, " "))
			want, got := theirs.ipvsadm("", args...), ours.ours("", args...)
			counts[fmt.Sprint("status ", want.status)]++
			if want == got {
				settle(args)
				continue
			}
			if reason := excuse(args, want, got); reason != "" {
				counts["differs: "+reason]++
				excused = true
				continue
			}
			t.Errorf("after\n%s\nipvsadm: %s\nhere:    %s", strings.Join(history, "\n"), want, got)
			excused = true
			if counts["failed"]++; counts["failed"] > 15 {
				t.FailNow()
			}
		}
		some := listings
		if histories++; histories%4 != 0 {
			some = listings[histories%4*3 : histories%4*3+3]
		}
		if !excused && !sameListings(t, theirs, ours, some) {
			t.Fatalf("after\n%s", strings.Join(history, "\n"))
		}
	}
	t.Logf("%d lines in %s: %v", *duelLines, time.Since(start).Round(time.Millisecond), counts)
}

// settle waits for a thread of the kernel that was started: one that has yet to begin
// cannot be stopped.
func settle(args []string) {
	if len(args) > 0 && strings.HasSuffix(args[0], "-daemon") {
		time.Sleep(20 * time.Millisecond)
	}
}

// excuses are the differences that random lines meet.
var excuses = []struct {
	name string
	ours *regexp.Regexp // of what this package says
	line *regexp.Regexp // of the line
}{
	{"engine-alone", regexp.MustCompile(`Persistence.Engine`), nil},
	{"mask-early", regexp.MustCompile(`stands before the IPv6 service`), nil},
	{"short-address", regexp.MustCompile(`illegal virtual server persistent mask`), regexp.MustCompile(`(-M|netmask)[ =]?\d+( |$)`)},
}

// excuse returns the name of the difference that explains what was said, or "".
func excuse(args []string, theirs, ours ran) string {
	line := strings.Join(args, " ")
	for _, e := range excuses {
		if (e.ours == nil || e.ours.MatchString(ours.errs)) && (e.line == nil || e.line.MatchString(line)) {
			return e.name
		}
	}
	return ""
}

// listings are all kinds.
var listings = []string{
	"-Ln", "-L", "-Ln --stats", "-Ln --rate", "-Ln --thresholds", "-Ln --persistent-conn", "-L --tun-info", "-Lnc", "-L --timeout", "-L --daemon", "-S -n", "-S",
	"-Ln --nosort",
}

// sameListings compares some listings of both, each on its table, and what both print of
// the same table.
func sameListings(t *testing.T, theirs, ours *side, some []string) bool {
	t.Helper()
	same := true
	for i, line := range some {
		args := strings.Fields(line)
		want := theirs.ipvsadm("", args...)
		all := []ran{ours.ours("", args...), theirs.ours("", args...)}
		if i%5 == 0 { // which says that the tables are the same
			all = append(all, ours.ipvsadm("", args...))
		}
		for _, got := range all {
			if strings.Contains(line, "nosort") {
				want, got = sorted(want), sorted(got)
			}
			if want != got {
				t.Errorf("%s: ipvsadm\n%s%s\nhere\n%s%s", line, want.out, want.errs, got.out, got.errs)
				same = false
			}
		}
	}
	return same
}

// sorted returns what was printed with its lines in order.
func sorted(r ran) ran {
	lines := strings.Split(r.out, "\n")
	slices.Sort(lines)
	r.out = strings.Join(lines, "\n")
	return r
}
