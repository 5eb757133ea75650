package metrics

import (
	"time"

	"github.com/golvs/lvs/director"
)

// stateGauge is a gauge of how a director is doing.
type stateGauge struct {
	*family
	of func(s *director.Status) float64
}

var directorGauges = []stateGauge{
	{gauge("lvs_director_running", "Whether the director runs: 1, or else 0."),
		func(s *director.Status) float64 { return oneIf(s.Running) }},
	{gauge("lvs_director_in_sync", "Whether the table was as wanted at the last look: 1, or else 0."),
		func(s *director.Status) float64 { return oneIf(s.InSync) }},
	{gauge("lvs_director_in_sync_change_timestamp_seconds", "When lvs_director_in_sync changed last; 0 is never."),
		func(s *director.Status) float64 { return seconds(s.Since) }},
	{gauge("lvs_director_last_look_timestamp_seconds", "When the director looked at the table last; 0 is never."),
		func(s *director.Status) float64 { return seconds(s.Looked) }},
	{gauge("lvs_director_last_success_timestamp_seconds", "When a look last ended without a failure; 0 is never."),
		func(s *director.Status) float64 { return seconds(s.Succeeded) }},
	{gauge("lvs_director_last_apply_timestamp_seconds", "When all steps of a plan were last made; 0 is never."),
		func(s *director.Status) float64 { return seconds(s.Applied) }},
	{gauge("lvs_director_failing", "Whether the last attempt failed: 1, or else 0."),
		func(s *director.Status) float64 { return oneIf(s.Error != "") }},
	{gauge("lvs_director_retry_pending", "Whether an attempt waits, after a failure or because another program undid a repair: 1, or else 0."),
		func(s *director.Status) float64 { return oneIf(!s.Retry.IsZero()) }},
	{gauge("lvs_director_source_broken", "Whether the source of the wanted table is missing or broken: 1, or else 0."),
		func(s *director.Status) float64 { return oneIf(s.Source != "") }},
	{gauge("lvs_director_refused_steps", "Steps of the plan that is refused because it takes too many real servers out of service; 0 if none is."),
		func(s *director.Status) float64 { return float64(s.RefusedSteps) }},
	{gauge("lvs_director_refused_removals", "Real servers that would be out of service after the plan that is refused; 0 if none is."),
		func(s *director.Status) float64 { return float64(s.RefusedRemovals) }},
	{gauge("lvs_director_wanted_services", "Services of the wanted table."),
		func(s *director.Status) float64 { services, _ := wanted(s); return services }},
	{gauge("lvs_director_wanted_real_servers", "Real servers of the wanted table."),
		func(s *director.Status) float64 { _, servers := wanted(s); return servers }},
	{gauge("lvs_director_unwanted_services", "Services in scope that are not wanted and remain."),
		func(s *director.Status) float64 { return float64(len(s.Unwanted)) }},
	{gauge("lvs_director_misordered_services", "Services whose real servers are in another order than the wanted one."),
		func(s *director.Status) float64 { return float64(len(s.Misordered)) }},
}

// stateCounter is a counter of what a director did.
type stateCounter struct {
	*family
	of func(c *director.Counts) int
}

var directorCounters = []stateCounter{
	{counter("lvs_director_looks_total", "Looks at the table."), func(c *director.Counts) int { return c.Looks }},
	{counter("lvs_director_plans_applied_total", "Plans of which every step was made."), func(c *director.Counts) int { return c.Applied }},
	{counter("lvs_director_changes_total", "Changes in the kernel, without those that ended drains."), func(c *director.Counts) int { return c.Changes }},
	{counter("lvs_director_drifts_total", "Changes of other programs in scope."), func(c *director.Counts) int { return c.Drifts }},
	{counter("lvs_director_repairs_total", "Changes of other programs that were put right."), func(c *director.Counts) int { return c.Repairs }},
	{counter("lvs_director_failures_total", "Attempts that failed."), func(c *director.Counts) int { return c.Failures }},
	{counter("lvs_director_stale_plans_total", "Plans that no longer fitted when they were applied."), func(c *director.Counts) int { return c.Stale }},
	{counter("lvs_director_refusals_total", "Plans that would have taken too many real servers out of service."), func(c *director.Counts) int { return c.Refusals }},
	{counter("lvs_director_drains_begun_total", "Drains that began."), func(c *director.Counts) int { return c.Drains }},
	{counter("lvs_director_drains_ended_total", "Drains that ended, for whatever reason."), func(c *director.Counts) int { return c.Ended }},
	{counter("lvs_director_source_failures_total", "Times that the source of the wanted table was missing or broken."), func(c *director.Counts) int { return c.Unusable }},
}

// stateFamilies returns the families of a director and of drains that the options ask
// for.
func (o *Options) stateFamilies() (all []*family) {
	if o.Director != nil {
		for _, g := range directorGauges {
			all = append(all, g.family)
		}
		for _, c := range directorCounters {
			all = append(all, c.family)
		}
		all = append(all, healthFamilies...)
		for _, h := range hookFamilies {
			all = append(all, h.family)
		}
	}
	if o.Director != nil || o.StateFile != "" {
		all = append(all, drains, drainLeft)
	}
	return all
}

// readState shows the director that the options name, or the drains of the file.
func (s *scrape) readState() {
	switch {
	case s.o.Director != nil:
		s.showDirector(s.o.Director.Status())
	case s.o.StateFile != "":
		s.read(readingDrains, s.drainsOfFile)
	}
}

func (s *scrape) showDirector(is director.Status) {
	for _, g := range directorGauges {
		s.addWith(g.family, g.of(&is))
	}
	for _, c := range directorCounters {
		s.addWith(c.family, float64(c.of(&is.Counts)))
	}
	s.addDrains(is.Drains)
	s.addHealth(is)
	s.addHooks(is)
}

// wanted returns how many services and real servers are wanted.
func wanted(s *director.Status) (services, servers float64) {
	if s.Wanted == nil {
		return 0, 0
	}
	for _, service := range s.Wanted.Services {
		servers += float64(len(service.RealServers))
	}
	return float64(len(s.Wanted.Services)), servers
}

// seconds returns a time as Prometheus counts it, 0 for the zero time.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
