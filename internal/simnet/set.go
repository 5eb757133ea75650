package simnet

import (
	"slices"

	"github.com/golvs/lvs/internal/netstate"
)

// set is a list of resources, at most one in each place, in the order in which they
// were added.
type set[R netstate.Resource] []R

// find returns what is in the place of a resource, nil for nothing.
func (s set[R]) find(r netstate.Resource) netstate.Resource {
	if i := slices.IndexFunc(s, isInPlaceOf[R](r)); i >= 0 {
		return s[i]
	}
	return nil
}

// put adds a resource, and removes what is in its place.
func (s *set[R]) put(r R) {
	s.remove(r)
	*s = append(*s, r)
}

// remove removes what is in the place of a resource, and reports whether anything was.
func (s *set[R]) remove(r netstate.Resource) bool {
	before := len(*s)
	s.drop(isInPlaceOf[R](r))
	return len(*s) < before
}

// drop removes all resources for which is returns true.
func (s *set[R]) drop(is func(R) bool) { *s = slices.DeleteFunc(*s, is) }

func isInPlaceOf[R netstate.Resource](r netstate.Resource) func(R) bool {
	place := r.Place()
	return func(other R) bool { return other.Place() == place }
}

// ofType returns the resources of a type.
func ofType[R netstate.Resource](s set[netstate.Resource]) (all []R) {
	for _, r := range s {
		if r, ok := r.(R); ok {
			all = append(all, r)
		}
	}
	return all
}

// appendAll appends resources of one type to those of all types.
func appendAll[R netstate.Resource](all []netstate.Resource, more []R) []netstate.Resource {
	for _, r := range more {
		all = append(all, r)
	}
	return all
}
