package health

import (
	"errors"
	"fmt"
	"strconv"
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
		percent, ok := strings.CutSuffix(word, "%")
		n, err := strconv.ParseFloat(percent, 64)
		if !ok || err != nil || !(n >= 0 && n <= 1000) {
			return Answer{}, fmt.Errorf("%q is not up, down, drain or a share such as 50%%", line)
		}
		return Answer{Share: n / 100, Reported: true}, nil
	}
}
