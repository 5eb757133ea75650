package lvs

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// WatchEvent is something that a [Host.Watch] saw change.
type WatchEvent struct {
	Kind       WatchEventKind // what changed
	Service    ServiceID      // the service, or that of the real server
	RealServer netip.AddrPort // the real server; the zero value for events of the service
	Fields     []WatchField   // what changed; for the changed kinds only
	Traffic    Traffic        // what was counted; for the traffic kinds only
}

// WatchEventKind is the kind of a [WatchEvent].
type WatchEventKind string

// The kinds of events. Traffic needs [WatchOptions.Counters]. There is a traffic event
// if a counter has changed.
const (
	WatchServiceAdded      WatchEventKind = "service-added" // its real servers have events of their own
	WatchServiceRemoved    WatchEventKind = "service-removed"
	WatchServiceChanged    WatchEventKind = "service-changed"
	WatchServiceTraffic    WatchEventKind = "service-traffic"
	WatchRealServerAdded   WatchEventKind = "real-server-added"
	WatchRealServerRemoved WatchEventKind = "real-server-removed"
	WatchRealServerChanged WatchEventKind = "real-server-changed"
	WatchRealServerTraffic WatchEventKind = "real-server-traffic"
)

// String returns the event in one line, such as "real server 10.168.0.94:80 of
// tcp://10.168.0.91:80: Weight 1 -> 0".
func (e WatchEvent) String() string {
	what := "service " + e.Service.String()
	if e.RealServer.IsValid() {
		what = "real server " + e.RealServer.String() + " of " + e.Service.String()
	}
	switch e.Kind {
	case WatchServiceChanged, WatchRealServerChanged:
		fields := make([]string, len(e.Fields))
		for i, f := range e.Fields {
			fields[i] = f.String()
		}
		return what + ": " + strings.Join(fields, ", ")
	case WatchServiceTraffic, WatchRealServerTraffic:
		return what + ": " + e.Traffic.String()
	}
	words := string(e.Kind)
	return what + " " + words[strings.LastIndex(words, "-")+1:]
}

// WatchField is a field of a service or real server that changed.
type WatchField struct {
	Name    string // of the field of [QuickService] and [QuickServer], or of [Service] and [RealServer]
	Was, Is string // in text form
}

// String returns the field, such as "Weight 1 -> 0".
func (f WatchField) String() string { return f.Name + " " + orNone(f.Was) + " -> " + orNone(f.Is) }

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// watchFields are the fields that differ.
type watchFields []WatchField

func addField[T comparable](all *watchFields, name string, was, is T) {
	if was != is {
		*all = append(*all, WatchField{name, fmt.Sprint(was), fmt.Sprint(is)})
	}
}

// Traffic is what counters counted between two readings. It is never negative.
type Traffic struct {
	Elapsed time.Duration // between the readings

	// Zeroed reports that the counters were zeroed between the readings, or that what
	// they belong to was removed and added again. Then the numbers below are those since
	// then. Zeroing is not noticed if every counter has passed its old value.
	Zeroed bool

	Conns      uint64 // connections that were scheduled
	InPackets  uint64 // from clients
	OutPackets uint64 // to clients
	InBytes    uint64 // of IP packets, without a tunnel's outer header
	OutBytes   uint64 // likewise
}

// TrafficRates are averages per second.
type TrafficRates struct {
	Conns      float64 // connections that were scheduled
	InPackets  float64 // from clients
	OutPackets float64 // to clients
	InBytes    float64 // of IP packets, without a tunnel's outer header
	OutBytes   float64 // likewise
}

// Since returns what was counted since an earlier reading of the same counters, and the
// time between the two. If a counter has decreased, they were zeroed.
func (s Stats) Since(earlier Stats, elapsed time.Duration) Traffic {
	t := Traffic{elapsed, false, s.Conns, s.InPackets, s.OutPackets, s.InBytes, s.OutBytes}
	if s.Conns < earlier.Conns || s.InPackets < earlier.InPackets || s.OutPackets < earlier.OutPackets ||
		s.InBytes < earlier.InBytes || s.OutBytes < earlier.OutBytes {
		t.Zeroed = true
		return t
	}
	t.Conns -= earlier.Conns
	t.InPackets -= earlier.InPackets
	t.OutPackets -= earlier.OutPackets
	t.InBytes -= earlier.InBytes
	t.OutBytes -= earlier.OutBytes
	return t
}

// PerSecond returns the averages over the time between the readings, and zero if there
// is none.
func (t Traffic) PerSecond() TrafficRates {
	s := t.Elapsed.Seconds()
	if s <= 0 {
		return TrafficRates{}
	}
	return TrafficRates{
		float64(t.Conns) / s, float64(t.InPackets) / s, float64(t.OutPackets) / s, float64(t.InBytes) / s, float64(t.OutBytes) / s,
	}
}

// String returns the numbers in one line.
func (t Traffic) String() string {
	text := counters(t.Conns, t.InPackets, t.InBytes, t.OutPackets, t.OutBytes) + " in " + t.Elapsed.String()
	if t.Zeroed {
		text += ", zeroed"
	}
	return text
}
