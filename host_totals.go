package lvs

import (
	"context"
	"errors"
)

// Totals returns the counters and rates of all services together, from
// /proc/net/ip_vs_stats.
func (h *Host) Totals(ctx context.Context) (Stats, error) { return Stats{}, errors.ErrUnsupported }

// CPUTotals returns the counters of each CPU, from /proc/net/ip_vs_stats_percpu. These
// are current, and no zeroing sets them back. They have no rates.
func (h *Host) CPUTotals(ctx context.Context) ([]CPUStats, error) {
	return nil, errors.ErrUnsupported
}

// CPUStats are the counters of one CPU.
type CPUStats struct {
	CPU   int   // its number
	Stats Stats // without rates
}
