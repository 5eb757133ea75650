package dropin

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/testbed"
)

var (
	duelLines = flag.Int("duel.lines", 1000, "how many random command lines ipvsadm and this package do")
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
	counts := map[string]int{}
	d := &duel{t: t, theirs: theirs, ours: ours, counts: counts}
	g := &generator{Rand: rand.New(rand.NewPCG(*duelSeed, 0))}
	start := time.Now()
	histories := 0
	for d.compared < *duelLines {
		theirs.reset()
		ours.reset()
		g.services = nil
		history := make([][]string, perHistory)
		for i := range history {
			history[i] = g.line()
		}
		some := listings
		if histories++; histories%4 != 0 {
			some = listings[histories%4*3 : histories%4*3+3]
		}
		said := theirs.script(slices.Concat(history, some)...)
		if d.history(history, said) {
			d.listings(some, said[perHistory:])
		}
	}
	t.Logf("%d lines in %s: %v", d.compared, time.Since(start).Round(time.Millisecond), counts)
}

// duel compares what two sides say.
type duel struct {
	t            *testing.T
	theirs, ours *side
	compared     int // lines
	counts       map[string]int
}

// history does lines here, and compares them with what ipvsadm said. It reports whether
// the tables must be the same.
func (d *duel) history(lines [][]string, said []ran) bool {
	for i, args := range lines {
		want, got := said[i], d.ours.ours("", args...)
		d.compared++
		d.counts[fmt.Sprint("status ", want.status)]++
		if want == got {
			settle(args)
			continue
		}
		if reason := excuse(args, want, got); reason != "" {
			d.counts["differs: "+reason]++
			return false
		}
		var before strings.Builder
		for _, l := range lines[:i+1] {
			before.WriteString(strings.Join(l, " ") + "\n")
		}
		d.t.Errorf("after\n%sipvsadm: %s\nhere:    %s", before.String(), want, got)
		if d.counts["failed"]++; d.counts["failed"] > 15 {
			d.t.FailNow()
		}
		return false
	}
	return true
}

const settleTime = 20 * time.Millisecond

// settle waits for a thread of the kernel that was started: one that has yet to begin
// cannot be stopped.
func settle(args []string) {
	if changesDaemon(args) {
		time.Sleep(settleTime)
	}
}

func changesDaemon(args []string) bool { return len(args) > 0 && strings.HasSuffix(args[0], "-daemon") }

// script runs ipvsadm with the arguments of each line. One shell starts all: to start
// programs takes long in some kernels.
func (s *side) script(lines ...[]string) []ran {
	s.t.Helper()
	folder := s.t.TempDir()
	var b strings.Builder
	for i, args := range lines {
		b.WriteString("ipvsadm")
		for _, a := range args {
			b.WriteString(" '" + a + "'")
		}
		fmt.Fprintf(&b, " </dev/null >%[1]d.out 2>%[1]d.err; echo $?\n", i)
		if changesDaemon(args) {
			fmt.Fprintf(&b, "sleep %g\n", settleTime.Seconds())
		}
	}
	all := s.program("sh", "cd '"+folder+"'\n"+b.String())
	statuses := strings.Fields(all.out)
	if len(statuses) != len(lines) || all.errs != "" {
		s.t.Fatalf("%d of %d commands ran: %s", len(statuses), len(lines), all.errs)
	}
	said := make([]ran, len(lines))
	for i := range said {
		said[i] = ran{s.read(folder, i, "out"), s.read(folder, i, "err"), s.number(statuses[i])}
	}
	return said
}

func (s *side) read(folder string, i int, kind string) string {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("%s/%d.%s", folder, i, kind))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

func (s *side) number(digits string) int {
	s.t.Helper()
	n, err := strconv.Atoi(digits)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
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
var listings = fields(
	"-Ln", "-L", "-Ln --stats", "-Ln --rate", "-Ln --thresholds", "-Ln --persistent-conn", "-L --tun-info", "-Lnc", "-L --timeout", "-L --daemon", "-S -n", "-S",
	"-Ln --nosort",
)

func fields(lines ...string) (all [][]string) {
	for _, l := range lines {
		all = append(all, strings.Fields(l))
	}
	return all
}

// listings compares what ipvsadm said of its table with what is said here of both tables,
// and, of the first listing, with what ipvsadm says of the table made here.
func (d *duel) listings(some [][]string, said []ran) {
	for i, args := range some {
		all := []ran{d.ours.ours("", args...), d.theirs.ours("", args...)}
		if i == 0 {
			all = append(all, d.ours.ipvsadm("", args...))
		}
		for _, got := range all {
			want := said[i]
			if slices.Contains(args, "--nosort") {
				want, got = sorted(want), sorted(got)
			}
			if want != got {
				d.t.Errorf("%s: ipvsadm: %s\nhere: %s", args, want, got)
			}
		}
	}
}

// sorted returns what was printed with its lines in order.
func sorted(r ran) ran {
	lines := strings.Split(r.out, "\n")
	slices.Sort(lines)
	r.out = strings.Join(lines, "\n")
	return r
}
