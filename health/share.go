package health

import (
	"fmt"
	"strconv"
	"strings"
)

// mostShare is the greatest share that a server can ask for, as an operator can: see
// [Override.Share].
const mostShare = 100

// parseShare reads the share that a server reports: "0.5" or "50%".
func parseShare(text string) (float64, error) {
	number, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	share, err := strconv.ParseFloat(number, 64)
	if percent {
		share /= 100
	}
	if err != nil || !(share >= 0 && share <= mostShare) { // a NaN is neither
		return 0, fmt.Errorf("%q is not a share such as 0.5 or 50%%, from 0 to %d", clip(text), mostShare)
	}
	return share, nil
}
