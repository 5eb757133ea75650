package director

import (
	"maps"
	"reflect"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
)

// Source is where a [Director] gets the wanted table from, besides [Director.Set]:
// [Fixed], [Channel] or [File]. What comes last counts, whichever way it comes.
type Source interface {
	// open returns what a Director reads from. Nothing has been read from it yet.
	open() (*feed, error)
}

// Update is a wanted table, how its real servers are checked, and how it may be applied.
type Update struct {
	Table  lvs.Table                       // what is wanted
	Health map[lvs.ServiceID]health.Policy // the checks of services that have some

	// Hooks are programs that run for events of the checks, by names. A hook that has the
	// name of one before takes over the events that wait for it. One that is not wanted
	// any more still runs for those that wait.
	Hooks health.Hooks

	// AllowRemovals applies the table even if it removes more real servers than
	// [Options.MaxRemoval] allows. That ends when the table is in sync.
	AllowRemovals bool
}

// clone returns a copy. What policies and hooks have is not copied.
func (u Update) clone() Update {
	u.Table, u.Health, u.Hooks = cloned(u.Table), maps.Clone(u.Health), maps.Clone(u.Hooks)
	return u
}

// equal reports whether the same is wanted.
func (u Update) equal(other Update) bool {
	return u.Table.Equal(other.Table) && sameMap(u.Health, other.Health) && sameMap(u.Hooks, other.Hooks)
}

// sameMap reports whether maps have the same, whether or not an empty one is nil.
func sameMap[K comparable, V any](a, b map[K]V) bool {
	return len(a) == len(b) && (len(a) == 0 || reflect.DeepEqual(a, b))
}

// feed is an open source. Run looks at it, in its own goroutine.
type feed struct {
	first   *lvs.Table    // is wanted from the beginning; nil if that is not known yet
	updates <-chan Update // nil if nothing comes that way

	// poll looks for something new, each interval. Something new is an update, or the
	// error of a source that is broken. With neither, and recovered, the source works
	// again and has nothing new.
	poll     func() news
	interval time.Duration // 0 never polls
}

// news is what a poll found.
type news struct {
	update    *Update
	err       error
	recovered bool
}

// Fixed returns a source that has one table, which stays wanted until [Director.Set]
// replaces it. [New] fails if Set would refuse it.
func Fixed(table lvs.Table) Source { return fixed(table) }

type fixed lvs.Table

func (f fixed) open() (*feed, error) { return &feed{first: (*lvs.Table)(&f)}, nil }

// Channel returns a source whose tables come through a channel. The tables must not be
// changed after they were sent. When the channel is closed, the last one stays wanted.
// Of several tables, only the newest is applied. The Director receives between its
// attempts, so that sending may wait as long as one of them, at most [Options.Timeout],
// and for ever after Run has returned. [Director.Set] never waits.
func Channel(updates <-chan Update) Source { return channel(updates) }

type channel <-chan Update

func (c channel) open() (*feed, error) {
	if c == nil {
		return nil, invalid("Source", "the channel is nil")
	}
	return &feed{updates: c}, nil
}
