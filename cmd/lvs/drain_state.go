package main

import (
	"fmt"
	"os"
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

// forgetDrains removes drains that have ended from a file.
func forgetDrains(path string, ended []lvs.DrainEnd) error {
	return changeDrains(path, func(all []lvs.Drain) []lvs.Drain {
		return slices.DeleteFunc(all, func(o lvs.Drain) bool {
			return slices.ContainsFunc(ended, func(e lvs.DrainEnd) bool { return isSameDrain(e.Drain, o) })
		})
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
		if _, err := os.Stat(path); err != nil {
			return d, err
		}
		return d, fmt.Errorf("%s has no drain of %s", path, drained(d))
	}
	return state.Drains[i], nil
}

func sameDrain(all []lvs.Drain, d lvs.Drain) int {
	return slices.IndexFunc(all, func(o lvs.Drain) bool { return isSameDrain(o, d) })
}

func isSameDrain(a, b lvs.Drain) bool { return a.Service == b.Service && a.RealServer == b.RealServer }

// changeDrains changes the drains of a file, which need not exist.
func changeDrains(path string, change func([]lvs.Drain) []lvs.Drain) error {
	state, err := lvs.ReadTableState(path)
	if err != nil {
		return err
	}
	state.Drains = change(state.Drains)
	return state.WriteFile(path)
}
