package ipvsadm

import (
	"bytes"
	"regexp"
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
	var saved, listed bytes.Buffer
	if err := Save(&saved, d.file.Table); err != nil {
		d.fatalf("%v", err)
	}
	out, _ := d.ipvsadm("", "-S", "-n")
	d.compare("Save", out, saved.String())
	info, err := d.theirClient.Info(d.t.Context())
	if err == nil {
		err = List(&listed, info, d.snapshot(d.theirClient))
	}
	if err != nil {
		d.fatalf("%v", err)
	}
	out, _ = d.ipvsadm("", "-Ln")
	d.compare("List", out, listed.String())
	text, err := d.file.MarshalText()
	if err != nil {
		d.fatalf("%v", err)
	}
	again, err := ParseFile(text)
	if err != nil || !again.Table.Equal(d.file.Table) || again.Timeouts != d.file.Timeouts || !slices.Equal(again.SyncDaemons, d.file.SyncDaemons) {
		d.fatalf("written and read (%v):\n%s", err, text)
	}
	d.restore(d.file)
	if have := d.snapshot(d.theirClient).Table(); !have.Equal(d.file.Table) {
		d.fatalf("restored by ipvsadm:\n%s\nwant\n%s", have, d.file.Table)
	}
}

// compare compares texts to the byte, or without the order of services if that depends
// on the kernel's hash table.
func (d *duel) compare(what, theirs, ours string) {
	d.t.Helper()
	if !hasOrder(d.file.Table.Services) {
		d.unordered++
		theirs, ours = inSomeOrder(theirs), inSomeOrder(ours)
	}
	if diff := cmp.Diff(theirs, ours); diff != "" {
		d.fatalf("%s (-ipvsadm +here):\n%s", what, diff)
	}
}

// hasOrder reports whether ipvsadm's comparison orders the services.
func hasOrder(all []lvs.TableService) bool {
	all = sortServices(all, func(s lvs.TableService) lvs.ServiceID { return s.ID })
	for i, a := range all {
		for _, b := range all[i+1:] {
			if compareIDs(a.ID, b.ID) >= 0 || compareIDs(b.ID, a.ID) <= 0 {
				return false
			}
		}
	}
	return true
}

// inSomeOrder returns a save file or a listing with its services, each with its real
// servers, in an order of their text.
func inSomeOrder(text string) string {
	services := regexp.MustCompile(`(?m)^(-A|TCP|UDP|SCTP|FWM) `).ReplaceAllString(text, "\x00$0")
	parts := strings.Split(services, "\x00")
	slices.Sort(parts[1:])
	return strings.Join(parts, "")
}
