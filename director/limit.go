package director

import "github.com/golvs/lvs"

// removals is how many real servers a plan takes out of service, of how many.
type removals struct{ gone, of int }

// removalsOf counts the real servers that a plan takes out of service, with those that
// are draining. All are those in scope, with those that the plan adds, which are added
// before any is removed.
func removalsOf(plan lvs.TablePlan, have left, drains []lvs.Drain) removals {
	var r removals
	for _, s := range have {
		r.of += len(s.RealServers)
	}
	for _, s := range plan.Steps {
		switch s.Change.Op() {
		case lvs.OpAddRealServer:
			r.of++
		case lvs.OpRemoveRealServer:
			r.gone++
		case lvs.OpRemoveService:
			r.gone += len(have[s.Change.ServiceID()].RealServers)
		case lvs.OpUpdateRealServer:
			r.gone += goesOut(s)
		}
	}
	for _, d := range drains {
		r.gone += stillDraining(d, have[d.Service].RealServers)
	}
	return r
}

// goesOut returns 1 if a step sets the weight of a usable real server to 0.
func goesOut(s lvs.TableStep) int {
	was, _ := s.Was.RealServer()
	if is, _ := s.Change.RealServer(); was.Weight > 0 && is.Weight == 0 {
		return 1
	}
	return 0
}

// stillDraining returns how many real servers of a drain have weight 0.
func stillDraining(d lvs.Drain, servers []lvs.RealServer) (n int) {
	for _, s := range servers {
		if s.Weight == 0 && (!d.RealServer.IsValid() || s.Addr == d.RealServer) {
			n++
		}
	}
	return n
}

// exceed reports whether more than a share of all go.
func (r removals) exceed(share float64) bool { return float64(r.gone) > share*float64(r.of) }
