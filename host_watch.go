package lvs

import (
	"context"
	"errors"
	"iter"
	"time"
)

// WatchOptions say what a [Host.Watch] reads. The zero value is a good default.
type WatchOptions struct {
	// Counters makes each reading a [Snapshot] in place of a [QuickTable]. Then there are
	// events about counters, and about all that a snapshot has. It needs the privilege of
	// a [Client], and costs many times as much.
	Counters bool
}

// WatchReading is one reading of a [Host.Watch], and what changed since the reading
// before.
type WatchReading struct {
	Time    time.Time     // at which the reading ended
	Elapsed time.Duration // since the reading before; 0 for the first

	Table    QuickTable // the table as it is; empty with [WatchOptions.Counters]
	Snapshot Snapshot   // the table as it is, with [WatchOptions.Counters]

	// Events are ordered by service. For each service, its own events come first.
	Events []WatchEvent
}

// Watch reads the table at once, and then whenever the interval has passed. It yields
// each reading, also if nothing has changed. The first one has the table as it was found,
// and no events.
//
// IPVS sends no notifications, so what comes and goes between two readings is not seen.
// A service that is removed and added again looks like one that changed, or whose
// counters were zeroed. That a service is gone is believed after a second look, because a
// [QuickTable] can lack services that are there.
//
// The kernel publishes counters about every two seconds: with a shorter interval, some
// readings find no traffic, and the next ones that of two seconds. Counts of connections
// are in the table, and cause no events.
//
// If a reading fails, Watch yields the error, and reads again when the next interval has
// passed. The next reading that succeeds is compared with the last one that did. So the
// caller decides which errors end the watch; it may wait for a module that was removed,
// or for a privilege. (Reading a snapshot makes the kernel load the module.) Watch ends
// after the error of its context, and after [ErrClosed]. The error matches [ErrInvalid]
// if the interval is not positive; otherwise it is one of [Host.QuickTable] or
// [Client.Snapshot].
func (h *Host) Watch(ctx context.Context, interval time.Duration, o WatchOptions) iter.Seq2[WatchReading, error] {
	return func(yield func(WatchReading, error) bool) {
		if interval <= 0 {
			yield(WatchReading{}, invalid("interval", "%s is not positive", interval).about(OpWatch, "table"))
			return
		}
		w := watcher{host: h, WatchOptions: o}
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			reading, err := w.read(ctx)
			if !yield(reading, err) || errors.Is(err, ErrClosed) {
				return
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			case <-h.life.Done():
			}
			if ended := h.ended(ctx); ended != nil {
				if err == nil || !errors.Is(err, ended) {
					yield(WatchReading{}, fileError(OpWatch, "table", ended))
				}
				return
			}
		}
	}
}

// watcher has the last reading.
type watcher struct {
	host *Host
	WatchOptions
	last WatchReading // zero before the first
}

func (w *watcher) read(ctx context.Context) (r WatchReading, err error) {
	isFirst := w.last.Time.IsZero()
	if w.Counters {
		r.Snapshot, err = w.host.Client().Snapshot(ctx)
	} else {
		r.Table, err = w.host.readSettled(ctx, w.last.Table)
	}
	if err != nil {
		return WatchReading{}, err
	}
	r.Time = time.Now()
	if !isFirst {
		r.Elapsed = r.Time.Sub(w.last.Time)
		r.Events = w.last.compare(&r)
	}
	w.last = r
	return r, nil
}

// readSettled reads the table, and reads it again if services are gone that the last
// reading had. One that the first look found and the second did not is still there.
func (h *Host) readSettled(ctx context.Context, last QuickTable) (QuickTable, error) {
	t, err := h.QuickTable(ctx)
	if err != nil {
		return t, err
	}
	t.adoptFamilies(last)
	isGone := false
	mergeByID(last.Services, t.Services, quickID, func(was, is *QuickService) { isGone = isGone || is == nil })
	if !isGone {
		return t, nil
	}
	again, err := h.QuickTable(ctx)
	if err != nil {
		return again, err
	}
	again.adoptFamilies(last)
	merged := again.Services[:0:0]
	mergeByID(t.Services, again.Services, quickID, func(first, second *QuickService) {
		if second == nil {
			second = first
		}
		merged = append(merged, *second)
	})
	again.Services = merged
	return again, nil
}

func quickID(s *QuickService) ServiceID { return s.ID }
