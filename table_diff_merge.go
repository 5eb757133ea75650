package lvs

import "github.com/golvs/lvs/internal/wire"

// mergeService returns the service that is to be: as it is, with the fields that
// differ from what is wanted.
func (d *tableDiff) mergeService(is, want Service, last *lastService) Service {
	if is.Equal(want) {
		return is
	}
	old, wanted, before := is.normal(), want.normal(), last.service.Service
	// others reports whether a field is left to other programs: it is zero in what is
	// wanted, and was zero in what was applied last.
	others := func(zero bool) bool { return d.last.given && zero }
	if old.Scheduler != wanted.Scheduler && !others(want.Scheduler == "" && before.Scheduler == "") {
		is.Scheduler = want.Scheduler
		is.SchedulerFlags = want.SchedulerFlags // those of another scheduler mean something else
	}
	if !others(want.SchedulerFlags == 0 && before.SchedulerFlags == 0) {
		is.SchedulerFlags = want.SchedulerFlags
	}
	if old.Persistence != wanted.Persistence && !others(want.Persistence == Persistence{} && before.Persistence == Persistence{}) {
		is.Persistence = want.Persistence
	}
	if is.Persistence.Timeout != 0 {
		is.SchedulerFlags &^= wire.FlagPersistent // it had this one with a timeout of 0
	}
	if !others(!want.OnePacket && !before.OnePacket) {
		is.OnePacket = want.OnePacket
	}
	return is
}

// mergeServer returns the real server that is to be: as it is, with the fields that
// differ from what is wanted. The mode and the weight are never left to others, and the
// thresholds are one field, because each limits the other.
func (d *tableDiff) mergeServer(is, want RealServer, last *lastService) RealServer {
	weight := want.Weight
	if d.KeepWeights {
		weight = last.weightOf(&is, weight)
	}
	before, _ := last.applied(unmap(want.Addr))
	zero := want.UpperThreshold == 0 && want.LowerThreshold == 0 && before.UpperThreshold == 0 && before.LowerThreshold == 0
	if !d.last.given || !zero {
		is.UpperThreshold, is.LowerThreshold = want.UpperThreshold, want.LowerThreshold
	}
	is.Mode, is.Weight = want.Mode, weight
	return is
}
