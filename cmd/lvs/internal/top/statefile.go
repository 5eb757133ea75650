package top

import (
	"fmt"
	"os"

	"github.com/golvs/lvs"
)

// stateFile is what was read of a state file, which is read again after it has changed.
type stateFile struct {
	info   os.FileInfo // nil: not read
	drains []lvs.Drain
	err    error
}

func (f *stateFile) read(path string) ([]lvs.Drain, error) {
	info, err := os.Stat(path)
	if err != nil {
		*f = stateFile{}
		return nil, fmt.Errorf("%w; lvs apply, run and drain write the file, with -state", err)
	}
	if f.info != nil && os.SameFile(info, f.info) && info.ModTime().Equal(f.info.ModTime()) && info.Size() == f.info.Size() {
		return f.drains, f.err
	}
	var state lvs.TableState
	state, f.err = lvs.ReadTableState(path)
	f.info, f.drains = info, state.Drains
	return f.drains, f.err
}
