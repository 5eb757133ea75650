package lvs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/golvs/lvs/internal/seam"
)

// While a plan is being applied with a state file, no other is, and nothing is changed.
// Programs with other files do not wait, and a link to the file is the file.
func TestStateFileIsLocked(t *testing.T) {
	l := newApplyLab(t, SimOptions{})
	folder := t.TempDir()
	file, link, other := filepath.Join(folder, "state.json"), filepath.Join(folder, "link"), filepath.Join(folder, "other.json")
	must(t, TableState{}.WriteFile(file))
	must(t, os.Symlink(file, link))
	mine, theirs := weightTable([]int{1}), weightTable([]int{1}, []int{2})
	theirs.Services = theirs.Services[1:]
	apply := func(want Table, file string) error {
		plan, err := l.other.PlanTable(t.Context(), want, TableOptions{})
		must(t, err)
		_, err = l.other.ApplyTable(t.Context(), plan, ApplyOptions{StateFile: file})
		return err
	}
	steps := 0
	ctx := seam.WithStep(t.Context(), func(step string) {
		steps++
		for _, path := range []string{file, link} {
			err := apply(theirs, path)
			if ofKind(t, step, err, ErrBusy); err != nil && !strings.Contains(err.Error(), path+": ") {
				t.Errorf("%v does not name %s", err, path)
			}
		}
		if step == "the kernel is changed" {
			l.has(step, Table{})
		}
		if step == "the kernel was changed" {
			l.has(step, mine)
			must(t, apply(mine, other))
		}
	})
	_, err := l.client.ApplyTable(ctx, l.plan(mine, TableOptions{}), ApplyOptions{StateFile: link})
	must(t, err)
	if steps < 5 {
		t.Errorf("%d steps", steps)
	}
	must(t, apply(theirs, file))
	s, err := ReadTableState(file)
	must(t, err)
	if both := append(mine.Services, theirs.Services...); !s.Applied.Equal(Table{both}) {
		t.Errorf("the state is\n%v", s.Applied)
	}

	for _, bad := range []string{folder, filepath.Join(folder, "none", "state.json")} {
		if err := apply(Table{}, bad); err == nil {
			t.Errorf("%s was used", bad)
		}
	}
	if _, err := os.Stat(folder + ".lock"); err == nil {
		t.Error("what is not a file was locked")
	}
	must(t, os.WriteFile(file, []byte("{}"), 0o600))
	for range 2 { // an error releases the file
		ofKind(t, "a damaged state", apply(mine, file), ErrInvalid)
	}
}
