//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// work is what the contenders are compared at.
type work struct {
	name       string
	job        job
	contenders []contender
	measure    func(j job, contenders []contender, rounds int) (results, error)
	against    []string // the contenders that the others are set in relation to
}

var works = []work{
	{"adding", small, []contender{
		oursAdding(), mobyAdding(), cloudflareAdding(), ipvsadmAdding(), rawAdding(),
	}, measureAdding, []string{"lvs", "raw"}},
	{"reading", small, []contender{
		oursReading(), oursSnapshot(), mobyReading(), cloudflareReading(), ipvsadmReading(), rawReading(),
	}, measureReading, []string{"lvs-snapshot", "raw"}},
	{"planning", many, planning, measureReading, []string{"lvs-snapshot", "lvs"}},
	{"planning-edits", edited, planning, measureReading, []string{"lvs-snapshot", "lvs"}},
	{"applying", edited, []contender{oursApplying(), mobyApplying()}, measureApplying, []string{"lvs"}},
	{"diffing", large, []contender{oursDiffing(), mobyDiffing()}, measureDiffing, []string{"lvs"}},
	{"diffing-edits", largeEdited, []contender{oursDiffing(), mobyDiffing()}, measureDiffing, []string{"lvs"}},
}

var (
	small       = job{services: 500, servers: 10}
	many        = job{services: 5000, servers: 2}
	edited      = job{services: 5000, servers: 2, edited: 100}
	large       = job{services: 10_000, servers: 10}
	largeEdited = job{services: 10_000, servers: 10, edited: 100}

	planning = []contender{oursPlanning(), oursSnapshot(), mobyPlanning(), rawReading()}
)

// only keeps the contenders that are named, or all of them.
func only(all []contender, names []string) []contender {
	if len(names) == 0 {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(c contender) bool { return !slices.Contains(names, c.name) })
}

// measureAdding gives each contender a network namespace of its own in every
// round. A table that was emptied is not a fresh one: the kernel keeps removed
// servers for minutes and looks through them whenever one is added.
func measureAdding(j job, contenders []contender, rounds int) (results, error) {
	return interleave(contenders, rounds, func(c contender) (time.Duration, error) {
		ns, err := newNamespace()
		if err != nil {
			return 0, err
		}
		took, err := c.once(ns, j)
		if err != nil {
			return 0, err
		}
		if err := j.verify(ns); err != nil {
			return 0, fmt.Errorf("%s: %w", c.name, err)
		}
		// Counting in the table would go on, beside the next contender.
		return took, flush(ns)
	})
}

// measureReading has all contenders read one table, in which nothing is edited, and
// looks whether they have left it as it was.
func measureReading(j job, contenders []contender, rounds int) (results, error) {
	ns, err := j.unedited().newTable()
	if err != nil {
		return nil, err
	}
	all, err := interleave(contenders, rounds, func(c contender) (time.Duration, error) { return c.once(ns, j) })
	if err == nil {
		err = j.unedited().verify(ns)
	}
	return all, err
}

// newTable makes a namespace with the table.
func (j job) newTable() (*namespace, error) {
	ns, err := newNamespace()
	if err != nil {
		return nil, err
	}
	if _, err := oursAdding().once(ns, j); err != nil {
		return nil, err
	}
	return ns, j.verify(ns)
}

// measureApplying gives each contender a table of its own, which it edits in every
// round: there and back.
func measureApplying(j job, contenders []contender, rounds int) (results, error) {
	tables := map[string]*namespace{}
	is := map[string]job{}
	for _, c := range contenders {
		ns, err := j.unedited().newTable()
		if err != nil {
			return nil, err
		}
		tables[c.name], is[c.name] = ns, j.unedited()
	}
	return interleave(contenders, rounds, func(c contender) (time.Duration, error) {
		want := j
		if is[c.name] == j {
			want = j.unedited()
		}
		is[c.name] = want
		took, err := c.once(tables[c.name], want)
		if err != nil {
			return 0, err
		}
		return took, want.verify(tables[c.name])
	})
}

// measureDiffing needs no kernel.
func measureDiffing(j job, contenders []contender, rounds int) (results, error) {
	return interleave(contenders, rounds, func(c contender) (time.Duration, error) { return c.once(nil, j) })
}

// pause lets the kernel finish in the background what the last contender left
// it to do.
const pause = 100 * time.Millisecond

// interleave measures the contenders in turn, round after round, so that a slow
// while of the machine meets all of them. Their order changes from round to
// round, so that none always follows the same one. The first round is not counted,
// because it loads modules.
func interleave(contenders []contender, rounds int, measure func(contender) (time.Duration, error)) (results, error) {
	all := make(results, len(contenders))
	for i, c := range contenders {
		all[i].name = c.name
	}
	order := rand.New(rand.NewPCG(0, 0)) // the same in every run
	for round := range rounds + 1 {
		for _, i := range order.Perm(len(contenders)) {
			time.Sleep(pause)
			took, err := measure(contenders[i])
			if err != nil {
				return nil, err
			}
			if round > 0 {
				all[i].took = append(all[i].took, took)
			}
		}
	}
	return all, nil
}

// names lists what -only can name, and workNames what -work can.
func names() string {
	var all []string
	for _, w := range works {
		for _, c := range w.contenders {
			if !slices.Contains(all, c.name) {
				all = append(all, c.name)
			}
		}
	}
	return strings.Join(all, ", ")
}

func workNames() string {
	var all []string
	for _, w := range works {
		all = append(all, w.name)
	}
	return strings.Join(all, ", ")
}
