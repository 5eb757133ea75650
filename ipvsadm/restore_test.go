package ipvsadm

import (
	"bytes"
	"testing"

	"github.com/golvs/lvs"
)

// Restoring what was written, in either form, changes nothing the second time. The one
// form is restored over another table, and the other makes the very table that was written.
func TestRestoreTwice(t *testing.T) {
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		t.Fatal(err)
	}
	client := sim.Client()
	defer client.Close()
	for seed := range uint64(100) {
		f := newGenerator(seed).file()
		var saved bytes.Buffer
		if err := Save(&saved, f.Table); err != nil {
			t.Fatal(err)
		}
		lossless, err := f.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		restoreTwice(t, client, saved.Bytes())
		if err := client.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		restoreTwice(t, client, lossless)
		if have, err := client.Snapshot(t.Context()); err != nil || !have.Table().Equal(f.Table) {
			t.Fatalf("seed %d: written as\n%s\nand restored as (%v)\n%s\nwant\n%s", seed, lossless, err, have.Table(), f.Table)
		}
	}
}

func restoreTwice(t *testing.T, client *lvs.Client, text []byte) {
	t.Helper()
	file, err := ParseFile(text)
	if err != nil {
		t.Fatalf("%v, of\n%s", err, text)
	}
	options := lvs.TableOptions{Scope: lvs.ScopeAll(), Prune: true}
	plan, err := client.PlanTable(t.Context(), file.Table, options)
	if err == nil {
		_, err = client.ApplyTable(t.Context(), plan, lvs.ApplyOptions{})
	}
	if err != nil {
		t.Fatalf("%v, of\n%s", err, text)
	}
	if plan, err = client.PlanTable(t.Context(), file.Table, options); err != nil || len(plan.Steps) > 0 {
		t.Fatalf("the second time: %v\n%s\nof\n%s", err, plan, text)
	}
}
