package lvs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
)

// tableRequest is a change that a step needs. Most steps need one.
type tableRequest struct {
	step   int // of the plan
	change Change
	lowers bool // it removes something, or lowers a weight
}

// isServer reports whether the change is of a real server.
func (r *tableRequest) isServer() bool { return r.change.get().server.Addr.IsValid() }

func (r *tableRequest) key() serverKey {
	ch := r.change.get()
	return serverKey{ch.service.ID, unmap(ch.server.Addr)}
}

// appendRequests appends what the step changes at once.
func (s *TableStep) appendRequests(all []tableRequest, step int) []tableRequest {
	if s.Drain > 0 {
		for _, ch := range s.appendChanges(nil) {
			all = append(all, tableRequest{step, ch, true})
		}
		return all
	}
	ch, was := s.Change.get(), s.Was.get()
	lowers := s.removes() || ch.kind == updateServer && ch.server.Weight < was.server.Weight
	return append(all, tableRequest{step, s.Change, lowers})
}

// mostRequests is how many changes are sent together. More would need more memory, and
// gain nothing.
const mostRequests = 4096

// tableSender makes requests in order, as many with one system call as it may.
type tableSender struct {
	client   *Client
	requests []tableRequest
	together int  // how many may be sent with one call
	stop     bool // whether one that fails ends the work

	failed map[int]*Error     // why requests were not made
	raised map[ServiceID]bool // services with real servers that are being added or edited by the current call
	held   map[ServiceID]bool // services that lose no capacity, because they did not get what they should
	absent map[ServiceID]bool // services that could not be added
	stays  map[serverKey]bool // real servers whose removal was not sent
}

// run returns why requests were not made, by their index.
func (s *tableSender) run(ctx context.Context) map[int]*Error {
	s.failed = map[int]*Error{}
	s.raised, s.held, s.absent = map[ServiceID]bool{}, map[ServiceID]bool{}, map[ServiceID]bool{}
	s.stays = map[serverKey]bool{}
	for from := 0; from < len(s.requests); {
		if s.stop && len(s.failed) > 0 {
			s.skipFrom(from)
			break
		}
		to := s.end(from)
		s.send(ctx, from, to)
		from = to
	}
	return s.failed
}

// end returns the first request that must not be sent together with the one at from: one
// by which a service loses capacity before it is known whether it got other, or any loses
// something before it is known whether the work ends.
func (s *tableSender) end(from int) int {
	clear(s.raised)
	adds, to := false, from
	for ; to < len(s.requests) && to-from < s.together; to++ {
		r := &s.requests[to]
		id := r.change.ServiceID()
		if r.lowers && (s.raised[id] || s.stop && adds) {
			break
		}
		if adds = adds || !r.lowers; r.isServer() && !r.lowers {
			s.raised[id] = true
		}
	}
	return to
}

// send sends the requests in [from, to) together.
func (s *tableSender) send(ctx context.Context, from, to int) {
	changes := make([]Change, 0, to-from)
	at := make([]int, 0, to-from)
	for i := from; i < to; i++ {
		r := &s.requests[i]
		switch id := r.change.ServiceID(); {
		case s.absent[id]:
			s.fail(i, skipped("%s could not be added", id))
		case r.lowers && s.held[id]:
			s.fail(i, skipped("not all of the wanted real servers of %s could be added or edited", id))
			s.stays[r.key()] = r.change.get().kind == removeServer
		case !r.lowers && s.stays[r.key()]:
			s.fail(i, skipped("it was not removed before"))
		default:
			changes, at = append(changes, r.change), append(at, i)
		}
	}
	if len(changes) == 0 {
		return
	}
	var batch *BatchError
	if errors.As(s.client.send(ctx, changes), &batch) {
		for _, f := range batch.Failures {
			s.fail(at[f.Index], f.Err)
		}
	}
}

// fail notes why a request was not made, and what that means for others.
func (s *tableSender) fail(i int, err *Error) {
	r := &s.requests[i]
	id := r.change.ServiceID()
	switch {
	case r.change.Op() == OpAddService:
		s.absent[id] = true
	case r.isServer() && !r.lowers:
		s.held[id] = true
	}
	if s.absent[id] && r.isServer() && errors.Is(err, ErrNoService) {
		err = &Error{Errno: err.Errno, kind: ErrSkipped, detail: fmt.Sprintf("%s could not be added", id)}
	}
	what := r.change.call()
	s.failed[i] = err.about(what.op, what.object)
}

// skipFrom notes that the requests from one on are not sent.
func (s *tableSender) skipFrom(from int) {
	for i := from; i < len(s.requests); i++ {
		s.fail(i, skipped("an earlier step failed"))
	}
}

func skipped(format string, args ...any) *Error {
	return &Error{Outcome: OutcomeNotSent, kind: ErrSkipped, detail: "it was not sent: " + fmt.Sprintf(format, args...)}
}

// send makes the changes of the steps, and returns why some were not made.
func (a *tableApply) send(ctx context.Context) error {
	s := tableSender{client: a.client, requests: a.requests, together: mostRequests, stop: a.o.Stop || a.o.RollBack}
	if a.o.Stop {
		s.together = 1
	}
	failed := s.run(ctx)
	a.noteOutcomes(failed)
	return a.plan.batchError(failures(a.requests, failed))
}

// noteOutcomes notes how the steps ended. The worst of the requests of one counts.
func (a *tableApply) noteOutcomes(failed map[int]*Error) {
	for i, r := range a.requests {
		outcome := StepMade
		if err := failed[i]; err != nil {
			outcome = [...]StepOutcome{OutcomeRefused: StepRefused, OutcomeNotSent: StepNotSent, OutcomeUnknown: StepUnknown}[err.Outcome]
		}
		if outcome == StepMade || outcome == StepUnknown {
			a.touched = append(a.touched, i)
		}
		isFirst := i == 0 || a.requests[i-1].step != r.step
		if isFirst || outcome.isWorse(a.outcomes[r.step]) {
			a.outcomes[r.step] = outcome
		}
	}
}

// failures returns the failures of requests, with the steps as their indexes.
func failures(requests []tableRequest, failed map[int]*Error) (all []Failure) {
	for i := range requests {
		if err := failed[i]; err != nil {
			all = append(all, Failure{requests[i].step, requests[i].change, err})
		}
	}
	return all
}

// batchError returns the error of the steps that failed, or nil.
func (p *TablePlan) batchError(failed []Failure) error {
	if len(failed) == 0 {
		return nil
	}
	slices.SortStableFunc(failed, func(a, b Failure) int { return cmp.Compare(a.Index, b.Index) })
	return &BatchError{Total: len(p.Steps), Failures: failed}
}
