package health

import (
	"fmt"
	"strconv"
	"strings"
)

// statuses are ranges of HTTP's status codes.
type statuses [][2]int

// parseStatuses reads statuses such as "200-299,301"; "" is "200-299".
func parseStatuses(text string) (statuses, error) {
	if text == "" {
		return statuses{{200, 299}}, nil
	}
	var all statuses
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			to = from
		}
		first, err1 := strconv.Atoi(from)
		last, err2 := strconv.Atoi(to)
		if err1 != nil || err2 != nil || first < 100 || last > 999 || first > last {
			return nil, fmt.Errorf("%q is not a list of statuses such as \"200-299,301\"", clip(text))
		}
		all = append(all, [2]int{first, last})
	}
	return all, nil
}

func (s statuses) has(code int) bool {
	for _, r := range s {
		if r[0] <= code && code <= r[1] {
			return true
		}
	}
	return false
}

// String returns the text that parseStatuses reads.
func (s statuses) String() string {
	all := make([]string, len(s))
	for i, r := range s {
		if all[i] = strconv.Itoa(r[0]); r[0] != r[1] {
			all[i] += "-" + strconv.Itoa(r[1])
		}
	}
	return strings.Join(all, ",")
}
