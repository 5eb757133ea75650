package director

import (
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
)

// Options configures a [Director]. The zero value keeps the wanted services exactly as
// [Director.Set] says, looks every 30 seconds, and forgets everything when it ends.
type Options struct {
	// Table is how the table is compared with the wanted one: scope, pruning, weights,
	// order and drains. With Host, the plans in events have notes, which say what their
	// steps do to clients on that host; for that the table is read once more. Last is the
	// Director's, and must be nil.
	Table lvs.TableOptions

	// Shared lets other programs add real servers to the services, and set the fields
	// that the wanted table leaves zero. What they did survives, and only what the
	// Director applied is ever removed. Without it the services in scope become exactly
	// what is wanted. Shared needs a StateFile, without which a new run would not know
	// what is the Director's.
	Shared bool

	// StateFile is the path of a file with what was applied last and the drains that are
	// under way, of which a new run needs to know. It belongs to this Director alone,
	// and is written, atomically, before the kernel's table is changed. It should be in
	// a folder that survives the process, and need not survive a reboot. With "", the
	// real servers that are draining when the process ends stay, with weight 0, until
	// the next run begins to drain them.
	StateFile string

	// Source is where the wanted table comes from, besides [Director.Set]. It may be
	// nil. Before the first table comes, the Director changes nothing, and only goes on
	// with drains.
	Source Source

	// Health is how real servers are checked that have checks: see [Update.Health]. What
	// they lead to is done at once, and [health.Limit] guards it, not MaxRemoval. OnEvent
	// and OnChange are the Director's, and must be nil.
	Health health.Options

	// Path is how checks on the path [health.ThroughIPVS] go there. Their services are
	// made when a policy asks for that path, and removed when Run ends. Another path of
	// that name in Health.Paths takes its place.
	Path health.TablePathOptions

	// OverridesFile is the path of a file with what operators have decided about real
	// servers: see [Director.Override]. It is read again when it changes, and other
	// programs change it with [PutOverride] and [RemoveOverride], or whatever else writes
	// it. It need not exist: no file is one without overrides, and removing it ends all.
	// While it is broken or cannot be read, the last overrides hold: see
	// [OverridesBroken]. With "", overrides end with the Director.
	OverridesFile string

	// MaxRemoval is the share of the real servers in scope that may go out of service at
	// once: more than 0, and 1 for all. 0 is half. Real servers that are removed, begin
	// to drain or get weight 0 count, and so do those that are still draining; those
	// that are added count among all. So a table in which each real server is replaced
	// by another one is within a share of half, and an empty one is not.
	//
	// A table that exceeds it is refused, and the table that was applied last stays
	// wanted, until another one comes, enough drains have ended, or the table is allowed
	// by [Director.Allow] or [Update.AllowRemovals].
	MaxRemoval float64

	// Resync is the time between two looks at the table if nothing else makes the
	// Director look; 0 is 30 seconds. The kernel does not report what other programs
	// change, so this is how long a drift may last.
	Resync time.Duration

	// Backoff is how long the Director waits after a failure, or after it has put right
	// what another program changed, before it does so again: about this long at first,
	// and twice as long each time, up to MaxBackoff. It draws between half and all of
	// that. 0 is a second, and a minute. A new wanted table is tried at once.
	Backoff, MaxBackoff time.Duration

	// Timeout is how long one attempt may take, so that a call from which the kernel does
	// not return does not stop the Director; 0 is a minute.
	Timeout time.Duration

	// OnEvent is called for each event, in order, in Run's goroutine: the Director does
	// nothing until it returns. It may call the Director's methods, except Run.
	OnEvent func(Event)

	// Logger logs each event, those that need attention at level Warn and the others at
	// level Info. With nil, nothing is logged.
	Logger *slog.Logger

	random func() float64 // for back-off; nil is rand.Float64
}

// complete returns the options with their defaults, or an error that matches
// [lvs.ErrInvalid].
func (o Options) complete() (Options, error) {
	for _, d := range []struct {
		name     string
		value    *time.Duration
		fallback time.Duration
	}{
		{"Resync", &o.Resync, 30 * time.Second},
		{"Backoff", &o.Backoff, time.Second},
		{"MaxBackoff", &o.MaxBackoff, time.Minute},
		{"Timeout", &o.Timeout, time.Minute},
	} {
		if *d.value < 0 {
			return o, invalid(d.name, "%s is negative", *d.value)
		}
		if *d.value == 0 {
			*d.value = d.fallback
		}
	}
	switch {
	case o.MaxRemoval == 0:
		o.MaxRemoval = 0.5
	case !(o.MaxRemoval > 0 && o.MaxRemoval <= 1): // a NaN is neither
		return o, invalid("MaxRemoval", "%g is out of range [0, 1]", o.MaxRemoval)
	}
	switch {
	case o.Table.Last != nil:
		return o, invalid("Table.Last", "must be nil: the Director remembers what it applied, in StateFile")
	case o.Shared && o.StateFile == "":
		return o, invalid("Shared", "needs a StateFile, without which a new run would not know what is the Director's")
	}
	switch {
	case o.Health.OnEvent != nil, o.Health.OnChange != nil:
		return o, invalid("Health", "OnEvent and OnChange must be nil: the Director's own OnEvent gets these events")
	case o.OverridesFile != "" && o.Table.KeepWeights:
		return o, invalid("OverridesFile", "cannot work with Table.KeepWeights, which leaves weights to other programs")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.random == nil {
		o.random = rand.Float64
	}
	if _, err := lvs.Diff(lvs.Table{}, lvs.Table{}, o.Table); err != nil {
		return o, err
	}
	return o, nil
}
