package top

import (
	"fmt"
	"strconv"
	"time"
)

// count returns a number in at most five characters.
func count[N int | uint64](n N) string {
	if n < 0 {
		return "-" + count(uint64(-n))
	}
	if n < 100_000 {
		return strconv.FormatUint(uint64(n), 10)
	}
	value := float64(n)
	for _, unit := range "kMGTPE" {
		value /= 1000
		if value < 99.95 {
			return fmt.Sprintf("%.1f%c", value, unit)
		}
		if value < 999.5 {
			return fmt.Sprintf("%.0f%c", value, unit)
		}
	}
	return "lots"
}

// rate is as count, but shorter from 10,000 on.
func rate(n uint64) string {
	if n >= 10_000 && n < 100_000 {
		return fmt.Sprintf("%.1fk", float64(n)/1000)
	}
	return count(n)
}

// percent returns a share in at most four characters.
func percent(share float64) string { return fmt.Sprintf("%.0f%%", 100*share) }

// short returns a duration in its two largest units.
func short(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 100*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
