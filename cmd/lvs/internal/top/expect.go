package top

import (
	"github.com/golvs/lvs"
)

// expectation is what share of a service's new connections each server should get.
type expectation struct {
	known  bool      // shares can be predicted
	about  bool      // only if connections last equally long
	shares []float64 // from 0 to 1, in the order of the servers
	why    string    // why they cannot be predicted, or what they depend on
}

// expect predicts the shares by the scheduler, weights and thresholds.
func expect(s *Service) expectation {
	if s.Persistence.Timeout != 0 {
		return expectation{why: "not predictable: persistence sends clients to the server they had"}
	}
	switch s.Scheduler {
	case lvs.RR:
		return expectation{known: true, shares: divide(s, func(int) int { return 1 })}
	case lvs.WRR:
		return expectation{known: true, shares: divide(s, byWeight)}
	case lvs.LC:
		return expectation{known: true, about: true, shares: divide(s, func(int) int { return 1 }),
			why: "if connections last equally long on all servers"}
	case lvs.WLC, lvs.SED, lvs.NQ, lvs.TWOS:
		return expectation{known: true, about: true, shares: divide(s, byWeight),
			why: "if connections last equally long on all servers"}
	case lvs.FO:
		return expectation{known: true, shares: highest(s)}
	case lvs.NoScheduler:
		return expectation{known: true, shares: make([]float64, len(s.Servers))}
	case lvs.OVF:
		return expectation{why: "not predictable: ovf fills one server after the other"}
	case lvs.SH, lvs.MH:
		return expectation{why: "not predictable: " + string(s.Scheduler) + " picks by the address of the client"}
	case lvs.DH, lvs.LBLC, lvs.LBLCR:
		return expectation{why: "not predictable: " + string(s.Scheduler) + " picks by the destination address"}
	}
	return expectation{why: "not predictable: this scheduler is not known"}
}

func byWeight(weight int) int { return weight }

// isUsable reports whether the scheduler may pick a server, as far as can be seen.
func isUsable(s *Server) bool { return s.Weight > 0 && !isFull(s) }

// isFull reports whether a server has reached its upper threshold, as far as that is known.
func isFull(s *Server) bool {
	return s.Details != nil && s.Details.UpperThreshold > 0 && s.conns() >= s.Details.UpperThreshold
}

// divide gives each usable server its part.
func divide(s *Service, part func(weight int) int) []float64 {
	shares := make([]float64, len(s.Servers))
	sum := 0.0
	for i := range s.Servers {
		if isUsable(&s.Servers[i]) {
			shares[i] = float64(part(s.Servers[i].Weight))
			sum += shares[i]
		}
	}
	for i := range shares {
		if sum > 0 {
			shares[i] /= sum
		}
	}
	return shares
}

// highest gives all to the usable server of the highest weight. Of equals, which one gets
// it depends on the order in which the kernel has them: that which was added last.
func highest(s *Service) []float64 {
	shares := make([]float64, len(s.Servers))
	best := -1
	for i := range s.Servers {
		if isUsable(&s.Servers[i]) && (best < 0 || s.Servers[i].Weight >= s.Servers[best].Weight) {
			best = i
		}
	}
	if best >= 0 {
		shares[best] = 1
	}
	return shares
}
