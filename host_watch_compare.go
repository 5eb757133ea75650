package lvs

import (
	"net/netip"
	"slices"
	"time"
)

// compare returns what changed up to another reading.
func (was *WatchReading) compare(is *WatchReading) []WatchEvent {
	d := watchDiff{elapsed: is.Elapsed}
	mergeByID(was.Table.Services, is.Table.Services, quickID, d.quick)
	mergeByID(was.Snapshot.Services, is.Snapshot.Services, entryID, d.full)
	return d.events
}

func entryID(e *ServiceEntry) ServiceID { return e.ID }

// mergeByID calls visit for each element of two lists in order, with nil for one that a
// list lacks.
func mergeByID[T any](a, b []T, id func(*T) ServiceID, visit func(a, b *T)) {
	mergeSorted(a, b, func(x, y *T) int { return id(x).Compare(id(y)) }, visit)
}

func mergeSorted[T any](a, b []T, compare func(x, y *T) int, visit func(a, b *T)) {
	for len(a) > 0 || len(b) > 0 {
		order := 0
		switch {
		case len(b) == 0:
			order = -1
		case len(a) == 0:
			order = 1
		default:
			order = compare(&a[0], &b[0])
		}
		var x, y *T
		if order <= 0 {
			x, a = &a[0], a[1:]
		}
		if order >= 0 {
			y, b = &b[0], b[1:]
		}
		visit(x, y)
	}
}

// watchDiff collects the events between two readings.
type watchDiff struct {
	elapsed time.Duration
	events  []WatchEvent
}

// found adds an event if something was added or removed, and reports whether it was there
// both times.
func (d *watchDiff) found(was, is bool, e WatchEvent, added, removed WatchEventKind) bool {
	switch {
	case !was:
		e.Kind = added
	case !is:
		e.Kind = removed
	default:
		return true
	}
	d.events = append(d.events, e)
	return false
}

func (d *watchDiff) changed(e WatchEvent, kind WatchEventKind, fields watchFields) {
	if len(fields) > 0 {
		e.Kind, e.Fields = kind, fields
		d.events = append(d.events, e)
	}
}

func (d *watchDiff) traffic(e WatchEvent, kind WatchEventKind, was, is Stats) {
	was.Rates, is.Rates = Rates{}, Rates{}
	if was != is {
		e.Kind, e.Traffic = kind, is.Since(was, d.elapsed)
		d.events = append(d.events, e)
	}
}

// quick compares a service of two quick tables.
func (d *watchDiff) quick(was, is *QuickService) {
	e, before, after := WatchEvent{}, []QuickServer(nil), []QuickServer(nil)
	if was != nil {
		e.Service, before = was.ID, was.RealServers
	}
	if is != nil {
		e.Service, after = is.ID, is.RealServers
	}
	if d.found(was != nil, is != nil, e, WatchServiceAdded, WatchServiceRemoved) {
		var f watchFields
		addField(&f, "Scheduler", was.Scheduler, is.Scheduler)
		addField(&f, "OnePacket", was.OnePacket, is.OnePacket)
		addField(&f, "Persistent", was.Persistent, is.Persistent)
		addField(&f, "PersistenceTicks", was.PersistenceTicks, is.PersistenceTicks)
		if was.FamilyUnknown == is.FamilyUnknown {
			addField(&f, "PersistenceMask", was.PersistenceMask, is.PersistenceMask)
		}
		d.changed(e, WatchServiceChanged, f)
	}
	mergeServers(before, after, func(s *QuickServer) netip.AddrPort { return s.Addr }, func(addr netip.AddrPort, was, is *QuickServer) {
		e.RealServer = addr
		if d.found(was != nil, is != nil, e, WatchRealServerAdded, WatchRealServerRemoved) {
			var f watchFields
			addField(&f, "Method", was.Method, is.Method)
			addField(&f, "Weight", was.Weight, is.Weight)
			d.changed(e, WatchRealServerChanged, f)
		}
	})
}

// full compares a service of two snapshots.
func (d *watchDiff) full(was, is *ServiceEntry) {
	e, before, after := WatchEvent{}, []RealServerStatus(nil), []RealServerStatus(nil)
	if was != nil {
		e.Service, before = was.ID, was.RealServers
	}
	if is != nil {
		e.Service, after = is.ID, is.RealServers
	}
	if d.found(was != nil, is != nil, e, WatchServiceAdded, WatchServiceRemoved) {
		var f watchFields
		addField(&f, "Scheduler", was.Scheduler, is.Scheduler)
		addField(&f, "SchedulerFlags", was.SchedulerFlags, is.SchedulerFlags)
		addField(&f, "Persistence", was.Persistence, is.Persistence)
		addField(&f, "OnePacket", was.OnePacket, is.OnePacket)
		d.changed(e, WatchServiceChanged, f)
		d.traffic(e, WatchServiceTraffic, was.Stats, is.Stats)
	}
	mergeServers(before, after, func(s *RealServerStatus) netip.AddrPort { return s.Addr }, func(addr netip.AddrPort, was, is *RealServerStatus) {
		e.RealServer = addr
		if d.found(was != nil, is != nil, e, WatchRealServerAdded, WatchRealServerRemoved) {
			var f watchFields
			addField(&f, "Mode", was.Mode, is.Mode)
			addField(&f, "Weight", was.Weight, is.Weight)
			addField(&f, "UpperThreshold", was.UpperThreshold, is.UpperThreshold)
			addField(&f, "LowerThreshold", was.LowerThreshold, is.LowerThreshold)
			d.changed(e, WatchRealServerChanged, f)
			d.traffic(e, WatchRealServerTraffic, was.Stats, is.Stats)
		}
	})
}

// mergeServers calls visit for each real server of two lists, ordered by address unless
// both lists have the same ones in the same order.
func mergeServers[T any](a, b []T, addr func(*T) netip.AddrPort, visit func(addr netip.AddrPort, a, b *T)) {
	if haveSameServers(a, b, addr) {
		for i := range a {
			visit(addr(&a[i]), &a[i], &b[i])
		}
		return
	}
	sorted := func(all []T) []T {
		return slices.SortedFunc(slices.Values(all), func(x, y T) int { return addr(&x).Compare(addr(&y)) })
	}
	mergeSorted(sorted(a), sorted(b), func(x, y *T) int { return addr(x).Compare(addr(y)) }, func(x, y *T) {
		if x != nil {
			visit(addr(x), x, y)
		} else {
			visit(addr(y), x, y)
		}
	})
}

func haveSameServers[T any](a, b []T, addr func(*T) netip.AddrPort) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if addr(&a[i]) != addr(&b[i]) {
			return false
		}
	}
	return true
}
