package health

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"
)

// watch is a check of one target. All services that want the same one share it.
type watch struct {
	key    watchKey
	probe  checkDigest // of the probe alone
	hash   uint64
	check  Check    // with its defaults
	text   string   // the probe, in words
	target Target   // what is asked
	path   PathFunc // that prepares the target; nil if it is ready
	users  []*member

	answered

	slot    time.Time // when the first probe began
	due     time.Time // when the next probe begins, or the one that is under way is given up
	place   int       // in the queue; -1 if not there
	running *attempt  // nil if no probe is under way
}

// answered is what probes have found out.
type answered struct {
	judge
	last   time.Time // when the last probe ended
	took   time.Duration
	reason string // why the last probe failed; "" if it did not
	answer Answer // of the last probe that succeeded
	broken bool   // the last probe failed by a fault of its own
}

// attempt is a probe that is under way.
type attempt struct {
	began  time.Time
	due    time.Time // when it should have begun, or began if that was later
	cancel context.CancelFunc
	socket *socket // of a probe that only connects, and is not in a goroutine; nil of others
	late   bool    // it has been given up, and has not returned
	left   bool    // its result is not wanted any more
}

func newWatch(key watchKey, c keyedCheck, t Target, path PathFunc) *watch {
	return &watch{answered: answered{judge: judge{state: Unknown}}, key: key, probe: c.probe, hash: key.hash(), check: c.Check, text: c.text, target: t, path: path, place: -1}
}

// complete returns the check with its defaults.
func (c Check) complete() Check {
	c.Path = cmp.Or(c.Path, Direct)
	c.Interval = cmp.Or(c.Interval, 2*time.Second)
	c.Failing = cmp.Or(c.Failing, c.Interval)
	c.Timeout = cmp.Or(c.Timeout, min(time.Second, c.Interval, c.Failing))
	c.Rise = cmp.Or(c.Rise, 2)
	c.Fall = cmp.Or(c.Fall, 3)
	return c
}

// interval returns the time from the beginning of a probe to that of the next one.
func (w *watch) interval() time.Duration {
	if w.state != Up || !w.ok {
		return w.check.Failing
	}
	return w.check.Interval
}

// status returns how the check is doing.
func (w *watch) status() CheckStatus {
	s := CheckStatus{Check: w.text, Path: w.check.Path, State: w.state, Last: w.last.Round(0), Took: w.took, Error: w.reason, Streak: w.streak}
	if w.running == nil {
		s.Next = w.due.Round(0)
	}
	return s
}

// describe returns a probe in words.
func describe(p Probe) string {
	if s, ok := p.(fmt.Stringer); ok {
		return s.String()
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", p), "*")
}
