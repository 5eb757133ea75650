package lvs

import (
	"context"
	"errors"
	"iter"
	"time"
)

// Watch yields what changed in the table between two readings, an interval apart. IPVS
// sends no notifications, so what comes and goes between two readings is not seen.
func (h *Host) Watch(ctx context.Context, interval time.Duration) iter.Seq2[TableChanges, error] {
	return func(yield func(TableChanges, error) bool) { yield(TableChanges{}, errors.ErrUnsupported) }
}

// TableChanges is what changed between two readings.
type TableChanges struct {
	Table Snapshot // as it was read last
}
