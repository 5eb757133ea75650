package metrics

import (
	"maps"
	"slices"

	"github.com/golvs/lvs/director"
	"github.com/golvs/lvs/health"
)

// hookFamily is a number of each hook.
type hookFamily struct {
	*family
	of func(h health.HookStatus) int
}

var hookFamilies = []hookFamily{
	{counter("lvs_hook_runs_total", "Runs of the hook that ended.", "hook"), func(h health.HookStatus) int { return h.Runs }},
	{counter("lvs_hook_failures_total", "Runs of the hook that failed.", "hook"), func(h health.HookStatus) int { return h.Failed }},
	{counter("lvs_hook_dropped_events_total", "Events that the hook lost, because too many were waiting.", "hook"),
		func(h health.HookStatus) int { return h.Dropped }},
	{gauge("lvs_hook_waiting_events", "Events for which the hook has not run yet.", "hook"), func(h health.HookStatus) int { return h.Waiting }},
}

// addHooks shows what the hooks of a director have done.
func (s *scrape) addHooks(is director.Status) {
	for _, f := range hookFamilies {
		for _, name := range slices.Sorted(maps.Keys(is.Hooks)) {
			s.addWith(f.family, float64(f.of(is.Hooks[name])), name)
		}
	}
}
