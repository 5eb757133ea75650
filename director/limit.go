package director

import "github.com/golvs/lvs"

// removals is how many real servers a plan takes out of service.
type removals struct {
	begun int // by its steps
	gone  int // with those that are draining
	of    int // in scope, with those that the plan adds
}

// removalsOf counts the real servers that a plan takes out of service: removed, drained
// or with a weight that becomes 0, but for those that stand in when others fail.
// Additions are made before, so they count among all.
func (r *run) removalsOf(a attempt) removals {
	of := 0
	for _, s := range a.have {
		of += len(s.RealServers)
	}
	gone := map[driftKey]bool{}
	for _, step := range a.plan.Steps {
		id := step.Change.ServiceID()
		switch step.Change.Op() {
		case lvs.OpAddRealServer:
			of++
		case lvs.OpRemoveRealServer:
			if addr := step.Change.RealServerAddr(); !a.target.standsIn(id, addr) {
				gone[driftKey{id, addr}] = true
			}
		case lvs.OpRemoveService:
			for _, s := range step.RealServers {
				gone[driftKey{id, s.Addr}] = true
			}
		case lvs.OpUpdateRealServer:
			was, _ := step.Was.RealServer()
			if is, _ := step.Change.RealServer(); was.Weight > 0 && is.Weight == 0 {
				gone[driftKey{id, is.Addr}] = true
			}
		}
	}
	begun := len(gone)
	want := leftOf(a.plan.Want)
	for _, d := range r.state.Drains {
		for _, s := range a.have[d.Service].RealServers {
			if s.Weight == 0 && (!d.RealServer.IsValid() || s.Addr == d.RealServer) && !want.wants(d) {
				gone[driftKey{d.Service, s.Addr}] = true
			}
		}
	}
	return removals{begun, len(gone), of}
}

// exceed reports whether the plan takes any out of service, and more than a share of
// all are then.
func (r removals) exceed(share float64) bool {
	return r.begun > 0 && float64(r.gone) > share*float64(r.of)
}
