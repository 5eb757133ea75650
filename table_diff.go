package lvs

import (
	"fmt"
	"net/netip"
	"slices"
)

// Diff returns the plan by which have becomes what is wanted. It reads and changes
// nothing; the same arguments give the same plan. It fails with [ErrInvalid], which
// names the service, if the wanted table is not valid or a service of it is outside
// the scope, or if have has a service or a real server twice. Otherwise have may be any
// table, such as one that the kernel has and that is not valid.
//
// The plan has no step for what the kernel sees as equal. An edit changes only the
// fields that differ, so that values of other programs remain.
func Diff(have, want Table, o TableOptions) (TablePlan, error) {
	d, err := beginDiff(want, o)
	if err != nil {
		return TablePlan{}, err
	}
	live := make([]liveService, len(have.Services))
	for i := range have.Services {
		s := &have.Services[i]
		live[i] = liveService{service: &s.Service, plain: s.RealServers}
	}
	sortIfNot(live, func(a, b liveService) int { return a.service.ID.Compare(b.service.ID) })
	if bad := refuseTwice(live); bad != nil {
		return TablePlan{}, planError(bad)
	}
	return d.plan(live), nil
}

// refuseTwice refuses a table that has a service or a real server twice, which is not
// the kernel's.
func refuseTwice(have []liveService) *Error {
	for i := range have {
		s := &have[i]
		if i > 0 && s.service.ID == have[i-1].service.ID {
			return invalid("have", "has %s twice", s.service.ID)
		}
		if again := repeated(s.plain); len(again) > 0 {
			return invalid("have", "has %s twice in %s", s.plain[again[0].at].Addr, s.service.ID)
		}
	}
	return nil
}

// liveService is a service as it is, of a [Table] or of a [Snapshot]: comparing needs
// no copy of either. The zero value is a service that does not exist.
type liveService struct {
	service *Service
	plain   []RealServer
	status  []RealServerStatus
}

func liveSnapshot(s Snapshot) []liveService {
	live := make([]liveService, len(s.Services))
	for i := range s.Services {
		e := &s.Services[i]
		live[i] = liveService{service: &e.Service, status: e.RealServers}
	}
	return live
}

func (l *liveService) exists() bool { return l.service != nil }

func (l *liveService) len() int { return len(l.plain) + len(l.status) }

func (l *liveService) server(i int) *RealServer {
	if l.plain != nil {
		return &l.plain[i]
	}
	return &l.status[i].RealServer
}

func (l *liveService) servers() []RealServer {
	all := make([]RealServer, l.len())
	for i := range all {
		all[i] = *l.server(i)
	}
	return all
}

func (l *liveService) addrs() []netip.AddrPort {
	all := make([]netip.AddrPort, l.len())
	for i := range all {
		all[i] = unmap(l.server(i).Addr)
	}
	return all
}

// quiet reports whether all weights are 0.
func (l *liveService) quiet() bool {
	for i := range l.len() {
		if l.server(i).Weight != 0 {
			return false
		}
	}
	return true
}

// equal reports whether a service is as wanted, and so are its real servers and their
// order.
func (l *liveService) equal(want *TableService) bool {
	if l.len() != len(want.RealServers) || !l.service.Equal(want.Service) {
		return false
	}
	for i := range want.RealServers {
		if is := l.server(i); *is != want.RealServers[i] && !is.Equal(want.RealServers[i]) {
			return false
		}
	}
	return true
}

// tableDiff is a comparison under way.
type tableDiff struct {
	TableOptions
	want Table
	last tableLast

	phases [tablePhases][]TableStep // the steps of all services
	found  []foundService
	state  serviceDigest // of one service, along its steps

	unwanted, misordered []ServiceID
}

// tablePhase orders the steps of a plan. In every service, real servers become usable
// before others stop being usable.
type tablePhase uint8

const (
	phaseAdd    tablePhase = iota
	phaseEdit              // weights do not fall
	phaseMove              // real servers, to get the exact order
	phaseFall              // weights fall
	phaseDrain             // weights become 0
	phaseRemove            // at once
	tablePhases
)

// beginDiff refuses options and wanted services that cannot work.
func beginDiff(want Table, o TableOptions) (*tableDiff, error) {
	d := &tableDiff{TableOptions: o, want: want, last: indexLast(o.Last)}
	if o.Drain < 0 {
		return nil, planError(invalid("Drain", "%s is negative", o.Drain))
	}
	if err := want.Validate(); err != nil {
		return nil, err
	}
	for i := range want.Services {
		if id := want.Services[i].ID; !o.Scope.Contains(id, true) {
			return nil, planError(invalid(fmt.Sprintf("services[%d]", i), "%s is outside the scope", id))
		}
	}
	return d, nil
}

// reads returns whether a plan depends on the real servers of a service.
func (d *tableDiff) reads() func(ServiceID) bool {
	wanted := make(map[ServiceID]struct{}, len(d.want.Services))
	for i := range d.want.Services {
		wanted[d.want.Services[i].ID] = struct{}{}
	}
	return func(id ServiceID) bool {
		_, known := wanted[id]
		return d.Scope.Contains(id, known || d.last.knows(id))
	}
}

// plan compares live services, ordered by ID, with what is wanted. Whatever the kernel
// has, there is a plan.
func (d *tableDiff) plan(live []liveService) TablePlan {
	wanted := make([]*TableService, len(d.want.Services))
	for i := range d.want.Services {
		wanted[i] = &d.want.Services[i]
	}
	sortIfNot(wanted, func(a, b *TableService) int { return a.ID.Compare(b.ID) })
	d.found = make([]foundService, 0, len(wanted))
	if more := objects(wanted) - liveObjects(live); more > 0 {
		d.phases[phaseAdd] = make([]TableStep, 0, more)
	}
	for len(live) > 0 || len(wanted) > 0 {
		switch order := compareFirst(live, wanted); {
		case order < 0:
			d.unwantedService(&live[0])
			live = live[1:]
		case order > 0:
			d.missingService(wanted[0])
			wanted = wanted[1:]
		default:
			d.service(&live[0], wanted[0])
			live, wanted = live[1:], wanted[1:]
		}
	}
	return TablePlan{Want: d.want, Steps: d.allSteps(), Unwanted: d.unwanted, Misordered: d.misordered, found: d.found}
}

// objects returns how many services and real servers there are.
func objects(wanted []*TableService) int {
	n := len(wanted)
	for _, s := range wanted {
		n += len(s.RealServers)
	}
	return n
}

func liveObjects(live []liveService) int {
	n := len(live)
	for i := range live {
		n += live[i].len()
	}
	return n
}

// allSteps returns the steps of all services, in order.
func (d *tableDiff) allSteps() []TableStep {
	steps, n := d.phases[phaseAdd], 0
	for _, more := range d.phases[phaseEdit:] {
		n += len(more)
	}
	steps = slices.Grow(steps, n)
	for _, more := range d.phases[phaseEdit:] {
		steps = append(steps, more...)
	}
	return steps
}

func sortIfNot[T any](all []T, compare func(a, b T) int) {
	if !slices.IsSortedFunc(all, compare) {
		slices.SortStableFunc(all, compare)
	}
}

// compareFirst orders the first services of two lists; an empty list comes last.
func compareFirst(live []liveService, wanted []*TableService) int {
	switch {
	case len(wanted) == 0:
		return -1
	case len(live) == 0:
		return 1
	}
	return live[0].service.ID.Compare(wanted[0].ID)
}

func planError(err *Error) error { return err.about(OpPlan, "table") }
