package lvs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// effector finds the effect of a plan on a copy of a host.
type effector struct {
	plan    *TablePlan
	made    map[ServiceID]int  // steps of each service that were made to the host already
	touched map[ServiceID]bool // services that the plan changes
	copier  *copier
	client  *Client                     // of the copy
	is      map[ServiceID]*ServiceEntry // the table of the copy
	listed  []Connection                // of the host

	asked       []asked
	templates   map[templateKey]bool // that the clients which were asked about have
	effect      TableEffect
	open        map[ServiceID]int  // clients whose next server cannot be predicted
	unsimulated map[ServiceID]bool // services about whose packets the copy cannot be asked
}

func newEffector(ctx context.Context, p *TablePlan, h *Host) (*effector, error) {
	if bad := p.validate(); bad != nil {
		return nil, bad.about(OpPlan, "effect")
	}
	table, err := h.client.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	e := &effector{
		plan: p, touched: make(map[ServiceID]bool), templates: make(map[templateKey]bool),
		open: make(map[ServiceID]int), unsimulated: make(map[ServiceID]bool),
	}
	var stale []ServiceID
	if e.made, stale = p.progress(table); len(stale) > 0 {
		return nil, staleTable(stale, table)
	}
	for i := range p.Steps {
		e.touched[p.Steps[i].Change.ServiceID()] = true
	}
	return e, e.copy(ctx, h, table)
}

func (e *effector) copy(ctx context.Context, h *Host, table Snapshot) (err error) {
	if e.copier, err = newCopier(ctx, h, SimOptions{}); err != nil {
		return err
	}
	if err = e.copier.table(ctx, table.Services); err == nil {
		e.listed, err = h.wholeTable(ctx)
	}
	if err != nil {
		return err
	}
	e.copier.restoreAll(toEntries(e.listed, nil), table.Services)
	if e.client, err = e.copier.client(ctx); err == nil {
		err = e.read(ctx)
	}
	return err
}

// read reads the table of the copy.
func (e *effector) read(ctx context.Context) error {
	now, err := e.client.Snapshot(ctx)
	e.is = now.byID()
	return err
}

// changes returns what is left to do of the plan at once, and at the ends of its drains.
func (e *effector) changes() (now, later []Change) {
	seen := make(map[ServiceID]int)
	for _, s := range e.plan.Steps {
		id := s.Change.ServiceID()
		if seen[id]++; seen[id] > e.made[id] {
			now = s.appendChanges(now)
		}
		if s.Drain > 0 {
			later = append(later, s.Change)
		}
	}
	return now, later
}

// impact makes changes to the copy, and returns what is other than at first.
func (e *effector) impact(ctx context.Context, changes []Change) (i TableImpact, err error) {
	refused, err := put(ctx, e.client, changes)
	for _, f := range refused {
		if !errors.Is(f.Err, ErrScheduler) && !errors.Is(f.Err, ErrEngine) {
			return i, f.Err
		}
		e.unseen("%s: its scheduler or engine is not simulated", changes[f.Index])
	}
	if err == nil {
		err = e.read(ctx)
	}
	clear(e.open)
	for n := range e.asked {
		if err == nil {
			err = checkNow(ctx, n)
		}
		if err != nil {
			return i, err
		}
		e.compare(&e.asked[n], &i)
	}
	e.noteOpen()
	return i, nil
}

// compare asks again, and notes what is other than at first.
func (e *effector) compare(a *asked, i *TableImpact) {
	if !a.was.IsValid() {
		return
	}
	now, _ := e.ask(a)
	isFixed := e.isFixed(&now)
	effect := ClientEffect{a.service, a.flow.Client.Addr(), a.flow.VIP, a.was, now.Server, now.Action, now.Reason}
	switch {
	case a.conn != nil:
		if now.Action != ActionForwarded || now.Reason != ReasonConnection {
			i.Broken = append(i.Broken, ConnectionEffect{a.service, *a.conn, now.Action, now.Reason})
		}
	case now.Action != ActionForwarded:
		i.Refused = append(i.Refused, effect)
	case a.fixed && isFixed:
		if now.Server != a.was {
			i.Moved = append(i.Moved, effect)
		}
	case a.fixed && !e.isUsable(now.Service, a.was):
		effect.Now = netip.AddrPort{}
		i.Moved = append(i.Moved, effect)
	default:
		e.open[now.Service]++
	}
}

// isFixed reports whether the verdict on the first packet of a connection is that on all
// of its client.
func (e *effector) isFixed(v *Verdict) bool {
	s := e.is[v.Service]
	if s == nil || v.Reason != ReasonScheduled {
		return v.Reason == ReasonPersistence
	}
	switch s.Scheduler {
	case SH:
		return s.SchedulerFlags&HashPort == 0
	case MH:
		return s.SchedulerFlags&HashPort == 0 && !slices.ContainsFunc(s.RealServers, func(r RealServerStatus) bool { return r.Weight == 0 })
	case DH, FO:
		return true
	}
	return false
}

// isUsable reports whether a server can still get new connections of a service.
func (e *effector) isUsable(id ServiceID, server netip.AddrPort) bool {
	s := e.is[id]
	return s != nil && slices.ContainsFunc(s.RealServers, func(r RealServerStatus) bool { return r.Addr == server && r.Weight > 0 })
}

func (e *effector) unseen(format string, args ...any) {
	if what := fmt.Sprintf(format, args...); !slices.Contains(e.effect.Unseen, what) {
		e.effect.Unseen = append(e.effect.Unseen, what)
	}
}

// noteOpen notes which clients have no server of their own.
func (e *effector) noteOpen() {
	for id, clients := range e.open {
		if s := e.is[id]; s != nil {
			e.unseen("%s: which servers %s picks for the next connections of %s", id, s.Scheduler, quantity(clients, "client"))
		}
	}
}

// finish returns the effect, with what could not be seen.
func (e *effector) finish() TableEffect {
	for _, missed := range e.copier.missed {
		head, _, _ := strings.Cut(missed, " ")
		if id, err := ParseServiceID(strings.TrimSuffix(head, ":")); err != nil || e.touched[id] {
			e.unseen("%s", missed)
		}
	}
	for id := range e.unsimulated {
		e.unseen("%s: what happens to its packets, because their protocol is not simulated, or a persistence engine looks at their data", id)
	}
	for id := range e.withoutClients() {
		e.unseen("%s: what happens to clients that come later, because it has none now", id)
	}
	e.noteSteps()
	slices.Sort(e.effect.Unseen)
	return e.effect
}

// withoutClients returns the services of the plan of which no client was seen.
func (e *effector) withoutClients() map[ServiceID]bool {
	none := maps.Clone(e.touched)
	for i := range e.asked {
		delete(none, e.asked[i].service)
	}
	return none
}

// noteSteps notes what is not known of single steps.
func (e *effector) noteSteps() {
	ends, _ := e.copier.to.Host().SysctlInt(context.Background(), SysctlExpireNoDestConn)
	gone := make(map[serverKey]bool)
	for i := range e.plan.Steps {
		s := &e.plan.Steps[i]
		switch ch := s.Change.get(); {
		case ch.kind == addService && ch.service.ID.FWMark() != 0:
			e.unseen("%s: which packets have its mark", ch.service.ID)
		case ch.kind == removeServer:
			gone[s.key()] = true
		case ch.kind == addServer && gone[s.key()] && ends != 0:
			e.unseen("%s: whether its connections end before it is added again", s.Change.object())
		}
	}
}
