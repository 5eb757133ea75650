package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/golvs/lvs"
)

// rememberDrain adds a drain to a file, in place of one of the same. The weights from
// before the first one count.
func rememberDrain(path string, d lvs.Drain) error {
	return changeDrains(path, func(all []lvs.Drain) []lvs.Drain {
		if i := sameDrain(all, d); i >= 0 {
			d.Before = all[i].Before
			all = slices.Delete(all, i, i+1)
		}
		return append(all, d)
	})
}

// forgetDrain removes a drain from a file.
func forgetDrain(path string, d lvs.Drain) error {
	return changeDrains(path, func(all []lvs.Drain) []lvs.Drain {
		return slices.DeleteFunc(all, func(o lvs.Drain) bool { return o.Service == d.Service && o.RealServer == d.RealServer })
	})
}

// recallDrain returns the drain of a file that is of the same as d.
func recallDrain(path string, d lvs.Drain) (lvs.Drain, error) {
	state, err := lvs.ReadTableState(path)
	if err != nil {
		return d, err
	}
	i := sameDrain(state.Drains, d)
	if i < 0 {
		return d, fmt.Errorf("%s has no drain of %s", path, drained(d))
	}
	return state.Drains[i], nil
}

func sameDrain(all []lvs.Drain, d lvs.Drain) int {
	return slices.IndexFunc(all, func(o lvs.Drain) bool { return o.Service == d.Service && o.RealServer == d.RealServer })
}

// changeDrains changes the drains of a file, which need not exist.
func changeDrains(path string, change func([]lvs.Drain) []lvs.Drain) error {
	state, err := lvs.ReadTableState(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	state.Drains = change(state.Drains)
	return state.WriteFile(path)
}
