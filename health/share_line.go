package health

import (
	"errors"
	"fmt"
	"strings"
)

// errDown is the failure of a server that says so itself.
var errDown = errors.New("it says that it is down")

// shareOfLine reads what a server says of itself in one line: "up", "down", "drain", or a
// share such as "50%". An empty line says nothing.
func shareOfLine(line string) (Answer, error) {
	switch word := strings.ToLower(strings.TrimSpace(line)); word {
	case "", "up":
		return Answer{}, nil
	case "down":
		return Answer{}, errDown
	case "drain":
		return Answer{Reported: true}, nil
	default:
		share, err := parseShare(word)
		if err != nil {
			return Answer{}, fmt.Errorf("%q is not up, down or drain, and %w", clip(line), err)
		}
		return Answer{Share: share, Reported: true}, nil
	}
}
