package lvs

import (
	"cmp"
	"fmt"
	"slices"
)

// didYouMean asks for the field that a misspelt one resembles, or returns "".
func didYouMean(name string, fields map[string]jsonField) string {
	var near []string
	for field := range fields {
		if isNear(name, field) {
			near = append(near, field)
		}
	}
	if len(near) == 0 {
		return ""
	}
	return fmt.Sprintf("did you mean %s?", slices.MinFunc(near, cmp.Compare))
}

// isNear reports whether two names differ at one place, by at most two letters, and are
// mostly the same.
func isNear(a, b string) bool {
	length := min(len(a), len(b))
	for a != "" && b != "" && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for a != "" && b != "" && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return max(len(a), len(b)) <= min(2, length/2)
}
