// Package release parses and compares releases of Linux, and knows how they differ.
package release

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Release is a release of Linux, such as 6.1.176.
type Release struct{ Major, Minor, Patch int }

// Parse reads a release: two or three numbers and a suffix, as in "6.12.101-amd64". A
// patch that is missing is 0.
func Parse(s string) (r Release, err error) {
	rest, ok := number(s, &r.Major)
	if ok {
		rest, ok = strings.CutPrefix(rest, ".")
	}
	if ok {
		rest, ok = number(rest, &r.Minor)
	}
	if !ok {
		return Release{}, notRelease(s)
	}
	if after, dot := strings.CutPrefix(rest, "."); dot {
		if rest, ok = number(after, &r.Patch); !ok {
			return Release{}, notRelease(s)
		}
	}
	if !isSuffix(rest) {
		return Release{}, notRelease(s)
	}
	return r, nil
}

func notRelease(s string) error {
	return fmt.Errorf("%.100q is not a release of Linux, such as 6.12.101", s)
}

// number reads a number of at most four digits.
func number(s string, n *int) (rest string, ok bool) {
	rest = strings.TrimLeft(s, "0123456789")
	digits := s[:len(s)-len(rest)]
	if digits == "" || len(digits) > 4 {
		return s, false
	}
	*n, _ = strconv.Atoi(digits)
	return rest, true
}

// isSuffix reports whether a text can follow the numbers.
func isSuffix(s string) bool {
	if s == "" {
		return true
	}
	isLetter := 'a' <= s[0]|0x20 && s[0]|0x20 <= 'z'
	isNumber := len(s) > 1 && s[0] == '.' && '0' <= s[1] && s[1] <= '9'
	isHidden := func(r rune) bool { return r <= ' ' || r > '~' }
	return (isLetter || isNumber || strings.Contains("-+_~", s[:1])) && !strings.ContainsFunc(s, isHidden)
}

// OfKernel returns the release of a running kernel, by its release and its version as
// uname shows them. The release of Debian's kernels names the ABI, as in 6.1.0-56-amd64,
// and the version has the release: "#1 SMP Debian 6.1.176-1".
func OfKernel(osrelease, version string) string {
	if _, after, found := strings.Cut(version, "Debian "); found {
		text, _, _ := strings.Cut(after, " ")
		if r, err := Parse(text); err == nil && strings.HasPrefix(text, r.String()) {
			return r.String()
		}
	}
	return strings.TrimSpace(osrelease)
}

func (r Release) String() string { return fmt.Sprintf("%d.%d.%d", r.Major, r.Minor, r.Patch) }

// AtLeast reports whether the release is one of a series, or of a later one.
func (r Release) AtLeast(major, minor int) bool {
	return cmp.Or(cmp.Compare(r.Major, major), cmp.Compare(r.Minor, minor)) >= 0
}

// CountsTotals reports whether the kernel counts all connections of a server together,
// which came in 7.2 and in two stable series. Such kernels refuse thresholds that do not
// fit an int.
func (r Release) CountsTotals() bool {
	switch {
	case r.Major == 6 && r.Minor == 1:
		return r.Patch >= 183
	case r.Major == 6 && r.Minor == 12:
		return r.Patch >= 104
	}
	return r.AtLeast(7, 2)
}

// LimitsCaches reports whether the caches of lblc and lblcr have a limit.
func (r Release) LimitsCaches() bool {
	switch {
	case r.Major == 6 && r.Minor == 1:
		return r.Patch >= 191
	case r.Major == 6 && r.Minor == 12:
		return r.Patch >= 113
	case r.Major == 7 && r.Minor == 2:
		return r.Patch >= 10
	}
	return r.AtLeast(7, 3)
}

// ChecksICMP reports whether IPVS reads ICMP errors with the care that came in 2026.
// Linux 6.1.192, 6.12.113 and 7.2.7 do, and 6.1.176 does not; those between were not
// tried, and count with CountsTotals.
func (r Release) ChecksICMP() bool { return r.CountsTotals() }

// ChecksFTPNumbers reports whether the helper for FTP refuses numbers that are too large
// for an address or a port, and does not take them modulo their size. 6.1.176 does not;
// 6.12.113 and 7.2.7 do.
func (r Release) ChecksFTPNumbers() bool {
	switch {
	case r.Major == 6 && r.Minor == 1:
		return r.Patch > 176
	case r.Major == 6 && r.Minor == 12:
		return r.Patch >= 113
	}
	return r.AtLeast(7, 2)
}

// OwnTables reports whether each namespace has its own hash tables.
func (r Release) OwnTables() bool { return r.AtLeast(7, 1) }

// DropsClashes reports whether netfilter drops a datagram whose entry clashes with
// another one. Linux 6.1 does not and 6.12 does; those between were not tried.
func (r Release) DropsClashes() bool { return r.AtLeast(6, 12) }

// EstimatorThreads reports whether each object's statistics are taken at its own time.
func (r Release) EstimatorThreads() bool { return r.AtLeast(6, 2) }

// HasTwos reports whether the scheduler twos exists.
func (r Release) HasTwos() bool { return r.AtLeast(6, 2) }

// HasConnMax reports whether the number of connections can be limited.
func (r Release) HasConnMax() bool { return r.AtLeast(7, 2) }

// ChecksSyncTemplates reports whether a sync daemon ignores templates in a state that does
// not exist. Linux 6.1.192, 6.12.113 and 7.2.7 do, and 6.1.176 does not; those between were
// not tried.
func (r Release) ChecksSyncTemplates() bool { return r.AtLeast(7, 1) || r.LimitsCaches() }

// RefusesSyncedOnePacket reports whether a sync daemon ignores entries with the flag of
// one-packet scheduling. Linux 6.1.192 and 6.12.113 do, 6.1.176 and 7.2.7 do not; those
// between were not tried, and count with LimitsCaches.
func (r Release) RefusesSyncedOnePacket() bool { return r.LimitsCaches() }
