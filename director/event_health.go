package director

import (
	"fmt"
	"log/slog"

	"github.com/golvs/lvs/health"
)

// Health is an event of the checks: what they found out of a real server, or that too
// few of them work.
type Health struct{ health.Event }

// Overridden is what an operator decided about a real server.
type Overridden struct {
	Override health.Override // what holds now
}

// TakenBack is an override that was taken back before its time. One whose time has passed
// is a [health.OverrideEnded].
type TakenBack struct {
	Override health.Override // what does not hold any more
}

// OverridesBroken is a file of overrides that cannot be used. The last ones hold.
type OverridesBroken struct {
	Err error // what is wrong, a [*FileError]
}

// OverridesRecovered is a file of overrides that was broken and is in order again.
type OverridesRecovered struct{}

func (Health) event()             {}
func (Overridden) event()         {}
func (TakenBack) event()          {}
func (OverridesBroken) event()    {}
func (OverridesRecovered) event() {}

// String returns what was decided, who did it and why.
func (e Overridden) String() string { return "an operator decided: " + e.Override.String() }

// String returns what does not hold any more.
func (e TakenBack) String() string { return "an operator took back: " + e.Override.String() }

// String returns what is wrong.
func (e OverridesBroken) String() string {
	return fmt.Sprintf("the last overrides hold, because the file of new ones cannot be used: %v", e.Err)
}

// String returns that the file is in order again.
func (OverridesRecovered) String() string { return "the file of overrides is in order again" }

// level returns how a check's event is logged: what went wrong needs attention.
func (e Health) level() slog.Level {
	switch e := e.Event.(type) {
	case health.ServerChanged:
		if e.Is == health.Down {
			return slog.LevelWarn
		}
	case health.LimitCrossed:
		if e.Below {
			return slog.LevelWarn
		}
	case health.ContentDiffers:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}
