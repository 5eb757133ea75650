package top

import (
	"fmt"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// Shares are of the last half minute to a minute.
func TestWindow(t *testing.T) {
	m := modelOf(made(lvs.RR, got(1, 100, 0, 0), got(1, 50, 0, 0)))
	for _, test := range []struct {
		after         time.Duration
		first, second uint64 // counters
		want          string
	}{
		{0, 100, 50, "[100 50] 150 0s"}, // the kernel's rates, which are equal here
		{10 * time.Second, 103, 51, "[3 1] 4 10s"},
		{29 * time.Second, 110, 52, "[10 2] 12 29s"},
		{31 * time.Second, 112, 52, "[12 2] 14 31s"},    // half a window from the first
		{62 * time.Second, 120, 60, "[8 8] 16 31s"},     // from the reading at 31 s
		{80 * time.Second, 121, 60, "[9 8] 17 49s"},     // likewise
		{95 * time.Second, 130, 61, "[10 1] 11 33s"},    // from that at 62 s
		{300 * time.Second, 140, 61, "[10 0] 10 3m25s"}, // the view was suspended
		{310 * time.Second, 5, 2, "[5 2] 7 0s"},         // zeroed
		{312 * time.Second, 8, 2, "[3 0] 3 2s"},
	} {
		at := clock.Add(test.after)
		m.SetReading(readingOf(at, made(lvs.RR, got(1, test.first, 0, 0), got(1, test.second, 0, 0))), nil)
		b := m.balance(&m.Reading.Services[0])
		if got := fmt.Sprint(b.got, b.sum, b.in); got != test.want {
			t.Errorf("after %s: %s, want %s", test.after, got, test.want)
		}
	}
}

// Services and real servers come and go.
func TestWindowChanges(t *testing.T) {
	m := modelOf(made(lvs.RR, got(1, 10, 0, 0)))
	m.SetReading(readingOf(clock.Add(time.Second), made(lvs.RR, got(1, 11, 0, 0), got(1, 4, 0, 0))), nil)
	b := m.balance(&m.Reading.Services[0])
	if got := fmt.Sprint(b.got, b.sum); got != "[1 4] 5" {
		t.Errorf("a server was added: %s", got)
	}
	m.SetReading(readingOf(clock.Add(2*time.Second)), nil)
	if len(m.windows) != 0 {
		t.Errorf("windows of services that are gone: %v", m.windows)
	}
	quick := made(lvs.RR, got(1, 10, 0, 0))
	quick.Detailed, quick.Servers[0].Details = false, nil
	m.SetReading(readingOf(clock.Add(3*time.Second), quick), nil)
	if b := m.balance(&m.Reading.Services[0]); b.got != nil || b.share(0).hasGot || len(m.windows) != 0 {
		t.Errorf("counters were not read: %+v", b)
	}
}
