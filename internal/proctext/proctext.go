// Package proctext reads what is written to the files of /proc/sys as Linux reads it. It
// accepts more than one would expect, such as "1 2" for 1, and less, such as not "+1".
package proctext

import (
	"math"
	"syscall"
)

const (
	page   = 4096
	digits = 21 // so long cannot be a number, with its sign and prefix
)

// Uints reads up to n unsigned numbers. Those before a mistake are returned with
// the error, which is [syscall.EINVAL]: the kernel has taken them by then. A text
// of no bytes has no numbers, and no mistake.
func Uints(text string, n int) ([]uint64, error) {
	return read(text, n, func(negative bool, u uint64) (uint64, bool) { return u, !negative })
}

// Ints reads up to n numbers of 32 bits with a sign, as [Uints] does.
func Ints(text string, n int) ([]int, error) {
	return read(text, n, func(negative bool, u uint64) (int, bool) {
		switch {
		case !negative:
			return int(u), u <= math.MaxInt32
		case u == math.MaxInt32+1:
			return math.MinInt32, true
		}
		return -int(u), u <= math.MaxInt32
	})
}

func read[T any](text string, n int, convert func(negative bool, u uint64) (T, bool)) (all []T, err error) {
	if len(text) == 0 {
		return nil, nil
	}
	text = text[:min(len(text), page-1)]
	for len(all) < n {
		for len(text) > 0 && isSpace(text[0]) {
			text = text[1:]
		}
		if len(text) == 0 {
			break
		}
		negative, u, length := number(text)
		value, ok := convert(negative, u)
		if length == 0 || !ok || length < len(text) && text[length] != ' ' && text[length] != '\t' && text[length] != '\n' {
			return all, syscall.EINVAL
		}
		all, text = append(all, value), text[length:]
	}
	if len(all) == 0 {
		return nil, syscall.EINVAL
	}
	return all, nil
}

// number reads the number at the beginning of a text, which is of length 0 if there
// is none.
func number(text string) (negative bool, value uint64, length int) {
	text = text[:min(len(text), digits)]
	if text[0] == '-' && len(text) > 1 {
		negative, length = true, 1
	}
	if text[length] < '0' || text[length] > '9' {
		return false, 0, 0
	}
	base := uint64(10)
	if text[length] == '0' {
		base = 8
		if rest := text[length:]; len(rest) > 2 && rest[1]|0x20 == 'x' && digit(rest[2]) < 16 {
			base, length = 16, length+2
		}
	}
	for ; length < len(text) && digit(text[length]) < base; length++ {
		if value > (math.MaxUint64-digit(text[length]))/base {
			return false, 0, 0
		}
		value = value*base + digit(text[length])
	}
	if length == digits {
		return false, 0, 0
	}
	return negative, value, length
}

// digit returns the value of a digit, more than any base if it is not one.
func digit(c byte) uint64 {
	switch {
	case c >= '0' && c <= '9':
		return uint64(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return uint64(c|0x20-'a') + 10
	}
	return math.MaxUint64
}

// isSpace reports whether a byte is white space. For the kernel, Latin-1's no-break space
// is.
func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' || c == 0xa0 }
