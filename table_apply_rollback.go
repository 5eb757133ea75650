package lvs

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// rollBackTime is how long taking back may last.
const rollBackTime = 10 * time.Second

// rollBack takes back what was made, or may have been, the last change first. It returns
// an error of what could not be taken back.
func (a *tableApply) rollBack(ctx context.Context) error {
	a.isBack, a.halfBack = true, map[int]bool{}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollBackTime)
	defer cancel()
	now, err := a.client.settledSnapshot(ctx)
	if err != nil {
		return notBack(err)
	}
	b := tableBack{before: a.before, now: now.byID()}
	for _, i := range slices.Backward(a.touched) {
		b.takeBack(&a.requests[i])
	}
	s := tableSender{client: a.client, requests: b.requests, together: mostRequests}
	failed := failures(b.requests, s.run(ctx))
	for _, f := range failed {
		a.halfBack[f.Index] = true
	}
	left := append(failed, b.kept...)
	err = a.plan.batchError(left)
	a.noteBack(left)
	if err != nil {
		return notBack(err)
	}
	return nil
}

func notBack(err error) error { return fmt.Errorf("lvs: not everything could be taken back: %w", err) }

// settledSnapshot reads the table when the kernel will make no more changes of calls that
// have ended.
func (c *Client) settledSnapshot(ctx context.Context) (Snapshot, error) {
	if err := c.conn.Settle(ctx); err != nil {
		return Snapshot{}, call{op: OpSnapshot}.explain(err)
	}
	return c.Snapshot(ctx)
}

// noteBack notes which steps were taken back: those without something that is left.
func (a *tableApply) noteBack(left []Failure) {
	for i, o := range a.outcomes {
		if !hasIndex(left, i) && (o == StepMade || o == StepUnknown) {
			a.outcomes[i] = StepTakenBack
		}
	}
	a.touched = slices.DeleteFunc(a.touched, func(i int) bool { return !hasIndex(left, a.requests[i].step) })
}

// tableBack finds the changes that take others back.
type tableBack struct {
	before   map[ServiceID]*ServiceEntry
	now      map[ServiceID]*ServiceEntry // as it will be after the requests
	requests []tableRequest
	kept     []Failure // what stays, because another program has changed it
}

// takeBack takes a request back, unless it was not made or another program has changed
// what it left.
func (b *tableBack) takeBack(r *tableRequest) {
	switch {
	case !r.isServer():
		b.takeBackService(r)
	case r.change.get().kind == addServer:
		b.takeBackAddition(r)
	default:
		b.takeBackServer(r)
	}
}

func (b *tableBack) takeBackService(r *tableRequest) {
	id := r.change.ServiceID()
	was, is := b.before[id], b.now[id]
	switch {
	case is == nil && was == nil, is != nil && was != nil && is.Service.Equal(was.Service):
	case is == nil && r.change.get().kind == removeService:
		b.addService(r, was)
	case is == nil || r.change.get().kind == removeService || !is.Service.Equal(r.change.get().service):
		b.keep(r, is.existing())
	case r.change.get().kind == updateService:
		b.request(r, UpdateService(was.Service), false)
		is.Service = was.Service
	case len(is.RealServers) > 0:
		b.keep(r, &Error{kind: ErrExists, detail: "it has real servers of another program"})
	default:
		b.request(r, RemoveService(id), false)
		delete(b.now, id)
	}
}

// addService adds a service again, with its real servers in their order.
func (b *tableBack) addService(r *tableRequest, was *ServiceEntry) {
	b.request(r, AddService(was.Service), false)
	for _, s := range was.RealServers {
		b.request(r, AddRealServer(was.ID, s.RealServer), false)
	}
	b.now[was.ID] = &ServiceEntry{was.ServiceStatus, slices.Clone(was.RealServers)}
}

// takeBackAddition removes a real server that was added. If it was there before, a step
// removed it, which is taken back next.
func (b *tableBack) takeBackAddition(r *tableRequest) {
	id, addr := r.change.ServiceID(), r.change.RealServerAddr()
	switch is := b.now[id].server(addr); {
	case is == nil:
	case is.Equal(r.change.get().server):
		b.request(r, RemoveRealServer(id, addr), true)
		b.now[id].RealServers = slices.DeleteFunc(b.now[id].RealServers, func(s RealServerStatus) bool { return s.Addr == unmap(addr) })
	default:
		b.keep(r, existing(is))
	}
}

// takeBackServer takes back an edit or a removal.
func (b *tableBack) takeBackServer(r *tableRequest) {
	id, addr := r.change.ServiceID(), r.change.RealServerAddr()
	is, was := b.now[id].server(addr), b.before[id].server(addr)
	switch isRemoval := r.change.get().kind == removeServer; {
	case was == nil || is != nil && is.Equal(*was):
	case isRemoval && is == nil && b.now[id] != nil:
		b.request(r, AddRealServer(id, *was), false)
		b.now[id].RealServers = append(b.now[id].RealServers, RealServerStatus{RealServer: *was})
	case is == nil && b.now[id] == nil:
		b.keep(r, &Error{kind: ErrNoService, detail: detailGone})
	case is == nil:
		b.keep(r, &Error{kind: ErrNoRealServer, detail: detailGone})
	case isRemoval || !is.Equal(r.change.get().server):
		b.keep(r, existing(is))
	default:
		b.request(r, UpdateRealServer(id, *was), was.Weight < is.Weight)
		*is = *was
	}
}

func (b *tableBack) request(r *tableRequest, ch Change, lowers bool) {
	b.requests = append(b.requests, tableRequest{r.step, ch, lowers})
}

// keep notes why a request is not taken back.
func (b *tableBack) keep(r *tableRequest, why *Error) {
	what := r.change.call()
	b.kept = append(b.kept, Failure{r.step, r.change, why.about(what.op, what.object)})
}

const detailGone = "another program has removed it since"

// existing returns the error of what another program has put in the place of what a step
// left.
func existing(now fmt.Stringer) *Error {
	return &Error{kind: ErrExists, detail: fmt.Sprintf("another program has changed it since, to %s", now)}
}

// existing returns the error of a service that is not as a step left it.
func (e *ServiceEntry) existing() *Error {
	if e == nil {
		return &Error{kind: ErrNoService, detail: detailGone}
	}
	return existing(e.Service)
}

// server returns a real server, or nil if the service or the real server does not exist.
func (e *ServiceEntry) server(addr netip.AddrPort) *RealServer {
	if e == nil {
		return nil
	}
	for i := range e.RealServers {
		if e.RealServers[i].Addr == unmap(addr) {
			return &e.RealServers[i].RealServer
		}
	}
	return nil
}
