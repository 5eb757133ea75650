package ipvsadm

import (
	"bytes"
	"slices"
	"strings"

	"github.com/golvs/lvs"
	"github.com/google/go-cmp/cmp"
)

// judge compares what has been made.
func (d *duel) judge() {
	d.t.Helper()
	d.flush()
	theirs, ours := d.snapshot(d.theirClient), d.snapshot(d.ourClient)
	for _, have := range []lvs.Table{theirs.Table(), ours.Table()} {
		if !have.Equal(d.file.Table) {
			d.fatalf("got\n%s\nwant\n%s", d.file.Table, have)
		}
	}
	d.judgeRest()
}

func (d *duel) snapshot(c *lvs.Client) lvs.Snapshot {
	d.t.Helper()
	s, err := c.Snapshot(d.t.Context())
	if err != nil {
		d.fatalf("%v", err)
	}
	return s
}

// judgeRest compares timeouts and sync daemons.
func (d *duel) judgeRest() {
	d.t.Helper()
	for _, c := range []*lvs.Client{d.theirClient, d.ourClient} {
		have, err := c.Timeouts(d.t.Context())
		if err != nil {
			d.fatalf("%v", err)
		}
		after, err := File{Timeouts: have}.After(lvs.SetTimeouts(d.file.Timeouts))
		if err != nil || after.Timeouts != have {
			d.fatalf("got %s, want %s (%v)", d.file.Timeouts, have, err)
		}
		daemons, err := c.SyncDaemons(d.t.Context())
		if err != nil || len(daemons) != len(d.file.SyncDaemons) {
			d.fatalf("got %v, want %v (%v)", d.file.SyncDaemons, daemons, err)
		}
		for _, want := range daemons {
			i := slices.IndexFunc(d.file.SyncDaemons, func(s lvs.SyncDaemon) bool { return s.Role == want.Role })
			if i < 0 || !sameDaemon(d.file.SyncDaemons[i], want) {
				d.fatalf("got %v, want %v", d.file.SyncDaemons, want)
			}
		}
	}
}

// sameDaemon reports whether a running daemon is as it was started: the kernel chooses
// what was left open.
func sameDaemon(started, runs lvs.SyncDaemon) bool {
	if started.MaxLen == 0 {
		started.MaxLen = runs.MaxLen
	}
	if !started.Group.IsValid() {
		started.Group = runs.Group
	}
	if started.Port == 0 {
		started.Port = runs.Port
	}
	if started.TTL == 0 {
		started.TTL = runs.TTL
	}
	return started == runs
}

// judgeText compares what is printed, and reads it again.
func (d *duel) judgeText() {
	d.t.Helper()
	d.judge()
	d.judgePrinted()
	text, err := d.file.MarshalText()
	if err != nil {
		d.fatalf("%v", err)
	}
	again, err := ParseFile(text)
	if err != nil || !again.Table.Equal(d.file.Table) || again.Timeouts != d.file.Timeouts || !slices.Equal(again.SyncDaemons, d.file.SyncDaemons) {
		d.fatalf("written and read (%v):\n%s", err, text)
	}
	plan, err := d.ourClient.PlanTable(d.t.Context(), again.Table, lvs.TableOptions{Scope: lvs.ScopeAll(), Prune: true})
	if again.Table.Validate() == nil && (err != nil || len(plan.Steps) > 0) {
		d.fatalf("restored twice: %v\n%s", err, plan)
	}
	d.restore(d.file)
	if have := d.snapshot(d.theirClient).Table(); !have.Equal(d.file.Table) {
		d.fatalf("restored by ipvsadm:\n%s\nwant\n%s", have, d.file.Table)
	}
}

// judgePrinted compares what Save and List print with what ipvsadm prints.
func (d *duel) judgePrinted() {
	d.t.Helper()
	have, theirSaved, theirListed := d.printed()
	var saved, listed bytes.Buffer
	if err := Save(&saved, have.Table()); err != nil {
		d.fatalf("%v", err)
	}
	d.compare("Save", theirSaved, saved.String())
	info, err := d.theirClient.Info(d.t.Context())
	if err == nil {
		err = List(&listed, info, have, ListOptions{})
	}
	if err != nil {
		d.fatalf("%v", err)
	}
	d.compare("List", theirListed, listed.String())
}

// printed returns what ipvsadm saves and lists, and the table with its services in the
// order of the kernel's hash table, which Save and List begin with as ipvsadm does. A
// table that grows may change its order a little later, and then all is read again.
func (d *duel) printed() (have lvs.Snapshot, saved, listed string) {
	d.t.Helper()
	have = d.snapshot(d.theirClient)
	unsorted, _ := d.ipvsadm("", "-Ln", "--nosort")
	for before := ""; before != unsorted; {
		before = unsorted
		saved, _ = d.ipvsadm("", "-S", "-n")
		listed, _ = d.ipvsadm("", "-Ln")
		unsorted, _ = d.ipvsadm("", "-Ln", "--nosort")
	}
	at := func(e lvs.ServiceEntry) int {
		return strings.Index(unsorted, "\n"+ListOptions{}.listedService(e.Service)+"\n")
	}
	slices.SortFunc(have.Services, func(a, b lvs.ServiceEntry) int { return at(a) - at(b) })
	return have, saved, listed
}

// compare compares texts to the byte.
func (d *duel) compare(what, theirs, ours string) {
	d.t.Helper()
	if diff := cmp.Diff(theirs, ours); diff != "" {
		d.fatalf("%s (-ipvsadm +here):\n%s", what, diff)
	}
}
