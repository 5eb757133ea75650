package lvs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/golvs/lvs/internal/simipvs"
)

// unknown is something that decides what happens to a packet, and that is not known.
type unknown struct {
	name    string            // completes "it depends on"
	worlds  []simipvs.Suppose // one for each way it may be; nil: it is known
	repeats bool              // the last world asks the same question again
}

// question returns what is unknown in a world, by what happens to the packet there.
type question func(w simipvs.Suppose, found *simipvs.Explanation) unknown

// explore returns what may happen to the packet in a world, whose unknowns the
// questions name.
func (e *explainer) explore(w simipvs.Suppose, questions []question) ([]Verdict, error) {
	found, err := e.kernel.Explain(e.packet, w)
	if err != nil {
		return nil, err
	}
	e.describe(&found)
	for i, ask := range questions {
		if u := ask(w, &found); len(u.worlds) > 0 {
			return e.exploreAll(u, questions[i:])
		}
	}
	var v Verdict
	v.take(&found.Verdict)
	return []Verdict{v}, nil
}

// exploreAll returns what may happen in all worlds of an unknown, which the first of the
// questions named. An unknown that changes no verdict is not reported.
func (e *explainer) exploreAll(u unknown, questions []question) (all []Verdict, err error) {
	matters, first := false, 0
	for i, w := range u.worlds {
		rest := questions[1:]
		if u.repeats && i == len(u.worlds)-1 {
			rest = questions
		}
		some, err := e.explore(w, rest)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			first = len(some)
		}
		all = union(all, some)
		matters = matters || len(some) != first || len(all) != first
	}
	if matters {
		e.unseen("%s", u.name)
	}
	return all, nil
}

func union(all, more []Verdict) []Verdict {
	for _, v := range more {
		if !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}

// unseen notes what the answer depends on.
func (e *explainer) unseen(format string, args ...any) {
	if what := fmt.Sprintf(format, args...); !slices.Contains(e.x.Unseen, what) {
		e.x.Unseen = append(e.x.Unseen, what)
	}
}

func (e *explainer) addVerdict(v Verdict) { e.x.Verdicts = union(e.x.Verdicts, []Verdict{v}) }

// custom asks which server a custom algorithm picks, which is asked only when the packet
// comes.
func (e *explainer) custom(w simipvs.Suppose, found *simipvs.Explanation) unknown {
	if !found.Hidden {
		return unknown{}
	}
	return unknown{
		name:   fmt.Sprintf("which server the algorithm %s picks when the packet comes", found.Scheduler),
		worlds: picking(w, append(addrs(found.Pick.All), netip.AddrPort{})),
	}
}

// key asks what a persistence engine finds in a packet whose data the flow does not have.
func (e *explainer) key(w simipvs.Suppose, found *simipvs.Explanation) unknown {
	const tooLong = 256 // so that it is not one of those which are known
	if found.Unread == "" {
		return unknown{}
	}
	u := unknown{name: fmt.Sprintf("what the persistence engine %s finds in the packet: the flow has no Data", found.Unread)}
	for _, key := range append(found.Keys, "", strings.Repeat("?", tooLong)) {
		w.Key = &key
		u.worlds = append(u.worlds, w)
	}
	return u
}

// picking returns the worlds in which the scheduler picks one of the servers.
func picking(w simipvs.Suppose, servers []netip.AddrPort) (worlds []simipvs.Suppose) {
	for _, s := range servers {
		w.Server = &s
		worlds = append(worlds, w)
	}
	return worlds
}
