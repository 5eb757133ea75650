package simipvs

import (
	"fmt"
	"regexp"
	"strconv"
	"sync"
)

// Release is a release of Linux, such as 6.1.176.
type Release struct{ Major, Minor, Patch int }

// releaseText is two numbers or three, and what follows them.
var releaseText = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?:(?:[-+_~a-zA-Z]|\.\d)[!-~]*)?$`)
})

// ParseRelease reads a release: two numbers or three, and what follows them,
// as in "6.12.101-amd64".
func ParseRelease(s string) (r Release, err error) {
	found := releaseText().FindStringSubmatch(s)
	if found == nil {
		return r, fmt.Errorf("%.100q is not a release of Linux, such as 6.12.101", s)
	}
	for i, number := range []*int{&r.Major, &r.Minor, &r.Patch} {
		*number, _ = strconv.Atoi(found[i+1]) // none is 0
	}
	return r, nil
}

func (r Release) String() string { return fmt.Sprintf("%d.%d.%d", r.Major, r.Minor, r.Patch) }

func (r Release) atLeast(major, minor int) bool {
	return r.Major > major || r.Major == major && r.Minor >= minor
}

// CountsTotals reports whether the kernel counts connections in the newer of two
// ways. It is that of 7.2, and came to two stable series too.
func (r Release) CountsTotals() bool {
	switch {
	case r.Major == 6 && r.Minor == 1:
		return r.Patch >= 183
	case r.Major == 6 && r.Minor == 12:
		return r.Patch >= 104
	}
	return r.atLeast(7, 2)
}

// limitsCaches tells whether the caches of lblc and lblcr have a limit.
func (r Release) limitsCaches() bool {
	switch {
	case r.Major == 6 && r.Minor == 1:
		return r.Patch >= 191
	case r.Major == 6 && r.Minor == 12:
		return r.Patch >= 113
	case r.Major == 7 && r.Minor == 2:
		return r.Patch >= 10
	}
	return r.atLeast(7, 3)
}

// ownTables tells whether each namespace has hash tables of its own.
func (r Release) ownTables() bool { return r.atLeast(7, 1) }

// dropsClashes reports whether netfilter drops a datagram whose entry another is in the
// way of. Linux 6.1 does not and 6.12 does; those between were not tried.
func (r Release) dropsClashes() bool { return r.atLeast(6, 12) }

// estimatorThreads tells whether each object's statistics are taken at a time
// of its own.
func (r Release) estimatorThreads() bool { return r.atLeast(6, 2) }
