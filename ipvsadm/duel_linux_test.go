package ipvsadm

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/testbed"
)

var (
	duelLines = flag.Int("duel.lines", 0, "how many random commands are tried by ipvsadm and by this package; 0 is a few")
	duelSeed  = flag.Uint64("duel.seed", 1, "seed of the first random commands")
)

// duel tries commands in two namespaces of a kernel: in one ipvsadm does what they say,
// in the other what this package reads. What is made must be the same, and where ipvsadm
// refuses a command, so must this package.
type duel struct {
	t            *testing.T
	theirs, ours *testbed.Namespace
	theirClient  *lvs.Client
	ourClient    *lvs.Client

	file    File     // what has been made
	flushed File     // what ipvsadm has made
	pending []string // lines that ipvsadm has yet to read, none of which ends it
	fail    int      // how many of pending the kernel must refuse
	made    []lvs.Change
	played  []string // all lines, for the report

	number                     int // of lines of the file
	accepted, refused, excused int
}

func newDuel(t *testing.T) *duel {
	testbed.InKernel(t)
	d := &duel{t: t, theirs: testbed.New(t), ours: testbed.New(t)}
	for _, side := range []struct {
		ns     *testbed.Namespace
		client **lvs.Client
	}{{d.theirs, &d.theirClient}, {d.ours, &d.ourClient}} {
		side.ns.Dummy("eth0", "192.0.2.1/24")
		c, err := lvs.Open(t.Context(), lvs.InNamespaceFile(side.ns.File))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		*side.client = c
	}
	return d
}

// exitUsage is the status with which ipvsadm refuses options, before it asks the kernel.
const exitUsage = 2

// ipvsadm runs ipvsadm and returns what it printed, and its status.
func (d *duel) ipvsadm(stdin string, args ...string) (string, int) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ipvsadm", args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out []byte
	err := d.theirs.Do(func() (err error) {
		out, err = cmd.CombinedOutput()
		return err
	})
	if cmd.ProcessState == nil || ctx.Err() != nil {
		d.fatalf("ipvsadm %q: %v", args, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// arguments returns the words of a line that a restore reads.
func arguments(line string) []string {
	return slices.DeleteFunc(strings.Fields(line), func(w string) bool { return w == "ipvsadm" })
}

func (d *duel) fatalf(format string, args ...any) {
	d.t.Helper()
	d.t.Fatalf("%s\nafter\n%s", fmt.Sprintf(format, args...), strings.Join(d.played, "\n"))
}

// play tries a line.
func (d *duel) play(line string) {
	d.t.Helper()
	d.played = append(d.played, line)
	changes, err := Parse([]byte(line))
	after, refused := d.file.After(changes...)
	switch {
	case err != nil:
		d.refuse(line, err)
	case refused != nil:
		d.refused++
		d.fail++
		d.pending = append(d.pending, line)
	case len(changes) == 0:
		d.print(line)
	case needsUnknownModule(changes[0]):
		d.refuseModule(line, changes[0])
	default:
		d.accept(line, changes, after)
	}
}

func (d *duel) refuseModule(line string, ch lvs.Change) {
	d.t.Helper()
	d.refused++
	d.flush()
	out, _ := d.ipvsadm("", arguments(line)...)
	err := d.ourClient.Do(d.t.Context(), ch)
	if out != "Scheduler or persistence engine not found\n" || !errors.Is(err, lvs.ErrScheduler) && !errors.Is(err, lvs.ErrEngine) {
		d.fatalf("a module is unknown: %v, and ipvsadm prints %s", err, out)
	}
}

func (d *duel) accept(line string, changes []lvs.Change, after File) {
	d.accepted++
	d.file = after
	d.pending = append(d.pending, line)
	d.made = append(d.made, changes...)
	switch changes[0].Op() {
	case lvs.OpStartSyncDaemon, lvs.OpStopSyncDaemon:
		d.flush()
		time.Sleep(100 * time.Millisecond) // a kernel thread that has yet to begin cannot be stopped
	}
}

// flush does what is pending.
func (d *duel) flush() {
	d.t.Helper()
	if len(d.pending) > 0 {
		lines := strings.Join(d.pending, "\n")
		out, _ := d.ipvsadm(lines, "-R")
		if failed := strings.Count(out, "\n"); failed != d.fail {
			d.fatalf("the kernel refuses %d commands of ipvsadm, and here %d: %s\n%s", failed, d.fail, out, lines)
		}
	}
	if err := d.ourClient.Do(d.t.Context(), d.made...); err != nil {
		d.fatalf("the kernel refuses what was read: %v", err)
	}
	d.pending, d.fail, d.made, d.flushed = nil, 0, nil, d.file
}

// print tries a line that changes nothing.
func (d *duel) print(line string) {
	d.accepted++
	d.flush()
	args := arguments(line)
	if out, status := d.ipvsadm("", args...); len(args) > 0 && status != 0 && out != "No such service\n" {
		d.fatalf("ipvsadm refuses what is accepted here: %s", out)
	}
}

// excuses are parts of the errors with which this package refuses what ipvsadm accepts:
// see the package comment.
var excuses = []string{
	hintNames,
	"mapped into IPv6",
	"packets cannot be sent to",
	"does nothing without persistence",
	"must have port 0",
	"is not a mask such as",
	"is not the length of a prefix",
	"ipvsadm would ignore it",
	"ends a restore",
}

func (d *duel) refuse(line string, err error) {
	d.t.Helper()
	args := arguments(line)
	out, status := d.ipvsadm("", args...)
	if status != exitUsage && len(d.pending) > 0 { // on which depends what the kernel says
		d.restore(d.flushed)
		d.flush()
		out, status = d.ipvsadm("", args...)
	}
	if status != 0 {
		d.refused++
		return
	}
	d.excused++
	if !slices.ContainsFunc(excuses, func(e string) bool { return strings.Contains(err.Error(), e) }) {
		d.t.Errorf("ipvsadm accepts what is refused here: %s: %v, %s", line, err, out)
	}
	d.restore(d.file)
}

// restore lets ipvsadm make a file, after it did more than that.
func (d *duel) restore(f File) {
	d.t.Helper()
	f.SyncDaemons = nil // which run
	text, err := f.MarshalText()
	if err != nil {
		d.fatalf("%v", err)
	}
	if out, status := d.ipvsadm("-C\n"+string(text), "-R"); status != 0 || out != "" {
		d.fatalf("ipvsadm refuses what was written: %s\n%s", out, text)
	}
}

// clear begins again, with an empty table and without sync daemons.
func (d *duel) clear() {
	d.played = nil
	for _, s := range d.file.SyncDaemons {
		d.play("--stop-daemon " + s.Role.String())
	}
	d.play("-C")
}

func (d *duel) report() {
	d.t.Logf("%d accepted, %d refused, %d refused here alone", d.accepted, d.refused, d.excused)
}

// few returns how many random commands are tried unless a flag says so, and of how many
// other things only one is: only newest starts programs fast.
func few() (lines, oneOf int) {
	switch {
	case *duelLines > 0:
		return *duelLines, 1
	case testbed.IsNewest():
		return 300, 1
	}
	return 60, 6
}

// duelRandom returns a source of random choices. They are the same in each run, so that
// none fails by bad luck; -duel.seed makes other choices.
func duelRandom() *rand.Rand { return rand.New(rand.NewPCG(*duelSeed, 2)) }

// some returns those of all that are tried.
func some[T any](all []T) (tried []T) {
	_, oneOf := few()
	for i := duelRandom().IntN(oneOf); i < len(all); i += oneOf {
		tried = append(tried, all[i])
	}
	return tried
}

// TestDuelCommands tries the commands of testdata, each in the state that stands above it.
func TestDuelCommands(t *testing.T) {
	d := newDuel(t)
	for _, c := range some(triedCommands(t)) {
		d.playAfter(c.before, c.line)
	}
	d.judgeText()
	d.report()
}

// playAfter tries a line after others. They are about a service that no line before was
// about, so that only the firewall marks need an empty table.
func (d *duel) playAfter(before []string, line string) {
	d.t.Helper()
	d.number++
	own := strings.NewReplacer("1.2.3.4", fmt.Sprintf("10.2.%d.%d", d.number/256, d.number%256), "2001:db8::1", fmt.Sprintf("2001:db8::%d:1", d.number))
	if strings.Contains(line, "-f") || strings.Contains(line, "-A") && own.Replace(line) == line {
		d.judge()
		d.play("-C")
	}
	for _, l := range append(slices.Clone(before), line) {
		d.play(own.Replace(l))
	}
}

// TestDuelSeed tries the scripts that the library began with.
func TestDuelSeed(t *testing.T) {
	d := newDuel(t)
	for _, name := range []string{"lvs_nat.sh", "lvs_dr.sh"} {
		for _, line := range seedCommands(t, name) {
			d.play(line)
		}
		d.judgeText()
	}
}

// TestDuelRestore restores a file twice by planning and applying, and once by ipvsadm.
func TestDuelRestore(t *testing.T) {
	d := newDuel(t)
	f, err := ParseFile([]byte(lossless))
	if err != nil {
		t.Fatal(err)
	}
	for _, steps := range []int{11, 0} {
		plan, err := d.ourClient.PlanTable(t.Context(), f.Table, lvs.TableOptions{})
		if err != nil || len(plan.Steps) != steps {
			t.Fatalf("%d steps, want %d: %v\n%s", len(plan.Steps), steps, err, plan)
		}
		if _, err := d.ourClient.ApplyTable(t.Context(), plan, lvs.ApplyOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	d.file.Table = f.Table
	d.restore(d.file)
	d.judgeText()
}

// TestDuelRandom tries random commands.
func TestDuelRandom(t *testing.T) {
	d := newDuel(t)
	seed := *duelSeed
	for left, _ := few(); left > 0; seed++ {
		t.Logf("seed %d", seed)
		g := newGenerator(seed)
		d.clear()
		for range min(left, 50) {
			d.play(g.line())
			left--
		}
		d.judgeText()
	}
	d.report()
}
