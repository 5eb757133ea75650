package health

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// parseShare reads the share that a server reports: "0.5" or "50%". Only percentages can
// be more than the whole weight: "50" most likely lacks its sign.
func parseShare(text string) (float64, error) {
	number, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	share, err := strconv.ParseFloat(number, 64)
	most := 1.0
	if percent {
		share, most = share/100, maxShare
	}
	if err != nil || !(share >= 0 && share <= most) { // a NaN is neither
		return 0, fmt.Errorf("%q is not a share such as 0.5, at most 1, or 50%%, at most %d%%", clip(text), 100*maxShare)
	}
	return share, nil
}

// parseState reads what a server says of its state in a line, in the words of HAProxy's
// agents: see [Agent]. Each line stands for itself, so that "up" and "ready" change nothing.
func parseState(line string) (Answer, error) {
	said, _, _ := strings.Cut(line, "#")
	var answer Answer
	down, drained := false, false
	for _, word := range strings.FieldsFunc(strings.ToLower(said), isBetweenWords) {
		switch word {
		case "up", "ready":
		case "down", "fail", "failed", "stopped":
			down = true
		case "drain", "maint":
			drained = true
		default:
			if strings.HasPrefix(word, "maxconn:") {
				continue
			}
			share, err := parseShare(word)
			if err != nil {
				return Answer{}, fmt.Errorf("%q is not up, ready, drain, maint, down, fail or stopped, and %w", clip(word), err)
			}
			answer = Answer{Share: share, Reported: true}
		}
	}
	switch {
	case down:
		return Answer{}, fmt.Errorf("it says %q", clip(line))
	case drained:
		return Answer{Reported: true}, nil
	}
	return answer, nil
}

func isBetweenWords(r rune) bool { return r == ',' || unicode.IsSpace(r) }
