package lvs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// moody is an algorithm that panics on demand, and picks the first server else.
type moody struct {
	service       *SimService
	pick, changed any // to panic with; nil: does not
}

func (m *moody) Pick(Flow) SimServer {
	if m.pick != nil {
		panic(m.pick)
	}
	for s := range m.service.Servers() {
		return s
	}
	return SimServer{}
}

func (m *moody) Changed() {
	if m.changed != nil {
		panic(m.changed)
	}
}

// panicOf returns what delivering a packet panics with.
func (l *simLab) panicOf(f Flow) (v any) {
	defer func() { v = recover() }()
	l.syn(f)
	return nil
}

func moodyLab(t *testing.T) (l *simLab, m *moody) {
	m = new(moody)
	return newSimLab(t, SimOptions{Algorithms: map[Scheduler]SimAlgorithm{
		"moody": func(s *SimService) SimPicker { m.service = s; return m },
	}}), m
}

func TestAlgorithmPanicsInPick(t *testing.T) {
	for name, s := range map[string]Service{
		"plain":      {ID: simWeb, Scheduler: "moody"},
		"persistent": {ID: simWeb, Scheduler: "moody", Persistence: Persistence{Timeout: 60e9}},
	} {
		t.Run(name, func(t *testing.T) {
			l, m := moodyLab(t)
			l.serve(s, DR(), 1, 1)
			f := l.flow()
			m.pick = "pick"
			if got := l.panicOf(f); got != "pick" {
				t.Errorf("it panics with %v", got)
			}
			l.counts(0, 0, 0, 0)
			l.counts(1, 0, 0, 0)
			if rows := l.table(); len(rows) != 0 {
				t.Errorf("connections: %v", rows)
			}
			m.pick = nil
			l.wants(l.syn(f), ActionForwarded, ReasonScheduled)
			l.counts(1, 1, 0, l.status(1).PersistentConns)
		})
	}
}

// A connection that has ended stays when the next one's pick panics.
func TestAlgorithmPanicsInPickOfAnEndedConnection(t *testing.T) {
	l, m := moodyLab(t)
	l.serve(Service{ID: simWeb, Scheduler: "moody"}, DR(), 1)
	f := l.flow()
	c, err := l.Connect(f)
	must(t, err)
	must(t, c.Reset())
	m.pick = "pick"
	if got := l.panicOf(f); got != "pick" {
		t.Errorf("it panics with %v", got)
	}
	l.counts(0, 0, 1, 0)
	m.pick = nil
	l.wants(l.syn(f), ActionForwarded, ReasonScheduled)
	l.counts(0, 1, 0, 0)
}

func TestAlgorithmPanicsInChanged(t *testing.T) {
	ctx := context.Background()
	l, m := moodyLab(t)
	l.serve(Service{ID: simWeb, Scheduler: "moody"}, DR(), 1)
	cause := errors.New("cause")
	m.changed = cause
	// Each kind of change is made, and only the first panic is reported.
	must(t, l.client.AddRealServer(ctx, simWeb, NewRealServer(l.server(1), DR())))
	m.changed = "second"
	l.setWeight(0, 5)
	must(t, l.client.RemoveRealServer(ctx, simWeb, l.server(1)))
	if servers, err := l.client.RealServers(ctx, simWeb); err != nil || len(servers) != 1 || servers[0].Weight != 5 {
		t.Errorf("servers %v, %v", servers, err)
	}
	m.changed = nil
	f := l.flow()
	var told *SimPanicError
	err, _ := l.panicOf(f).(error)
	if !errors.As(err, &told) || told.Value != cause || !errors.Is(err, cause) || !strings.Contains(string(told.Stack), "Changed") {
		t.Errorf("it panics with %v", err)
	}
	l.counts(0, 0, 0, 0)
	l.wants(l.syn(f), ActionForwarded, ReasonScheduled)
	must(t, l.client.RemoveService(ctx, simWeb))
}

func TestAlgorithmWithoutPicker(t *testing.T) {
	ctx := context.Background()
	l := newSimLab(t, SimOptions{Algorithms: map[Scheduler]SimAlgorithm{
		"nil":    func(*SimService) SimPicker { return nil },
		"panics": func(*SimService) SimPicker { panic("algorithm") },
	}})
	l.serve(Service{ID: simWeb, Scheduler: "nil"}, DR(), 1)
	f := l.flow()
	for scheduler, want := range map[Scheduler]string{"nil": "it returned no picker", "panics": "algorithm"} {
		must(t, l.client.UpdateService(ctx, Service{ID: simWeb, Scheduler: scheduler}))
		l.setWeight(0, 1)
		for range 2 {
			if p, ok := l.panicOf(f).(*SimPanicError); !ok || p.Value != want || p.Unwrap() != nil || !strings.Contains(p.Error(), want) {
				t.Errorf("%s: it panics with %v", scheduler, p)
			}
		}
	}
	must(t, l.client.UpdateService(ctx, Service{ID: simWeb, Scheduler: RR}))
	l.wants(l.syn(f), ActionForwarded, ReasonScheduled)
}

// A server that was forgotten, and another simulator's, are not the service's.
func TestAlgorithmPicksWhatIsGone(t *testing.T) {
	ctx := context.Background()
	var picker *elsewhere
	o := SimOptions{Algorithms: map[Scheduler]SimAlgorithm{
		"elsewhere": func(s *SimService) SimPicker { picker = &elsewhere{}; return picker },
		"spy":       func(s *SimService) SimPicker { return &spy{s, func(server SimServer) { picker.server = server }} },
	}}
	l := newSimLab(t, o)
	l.serve(Service{ID: simWeb, Scheduler: "elsewhere"}, DR(), 1)
	l.serve(Service{ID: UDP(simWeb.AddrPort()), Scheduler: "spy"}, DR(), 1, 1)
	l.syn(l.flow())
	must(t, l.client.RemoveService(ctx, l.id))
	l.id = simWeb
	l.wants(l.syn(l.flow()), ActionRefused, ReasonNoServerUsable)
	l.wait(10 * 60e9) // its connection is over, and the trash was emptied
	l.wants(l.syn(l.flow()), ActionRefused, ReasonNoServerUsable)
	must(t, l.client.AddRealServer(ctx, simWeb, NewRealServer(l.server(7), DR()))) // gets its number
	l.wants(l.syn(l.flow()), ActionRefused, ReasonNoServerUsable)

	there := newSimLab(t, o)
	there.serve(Service{ID: UDP(simWeb.AddrPort()), Scheduler: "spy"}, DR(), 1, 1, 1, 1, 1)
	kept := picker
	there.syn(there.flow())
	picker = kept
	l.wants(l.syn(l.flow()), ActionRefused, ReasonNoServerUsable)
}

// flagged notes what an algorithm knows of its service.
type flagged struct {
	service *SimService
	notes   []string
}

func (p *flagged) note(when string) {
	p.notes = append(p.notes, fmt.Sprintf("%s %s flags=%q seed=%d servers=%d", when, p.service.ID(), p.service.SchedulerFlags(), p.service.Seed(), p.service.Len()))
}

func (p *flagged) Pick(Flow) SimServer {
	p.note("pick")
	for s := range p.service.Servers() {
		return s
	}
	return SimServer{}
}

// An algorithm knows its service, the flags as they are, and the seed. Pickers need no
// method Changed.
func TestAlgorithmKnowsItsService(t *testing.T) {
	ctx := context.Background()
	var p *flagged
	l := newSimLab(t, SimOptions{Seed: 42, Algorithms: map[Scheduler]SimAlgorithm{
		"flagged": func(s *SimService) SimPicker {
			p = &flagged{service: s}
			p.note("made")
			return p
		},
	}})
	l.serve(Service{ID: simWeb, Scheduler: RR, Persistence: Persistence{Timeout: 60e9}}, DR(), 1)
	must(t, l.client.UpdateService(ctx, Service{ID: simWeb, Scheduler: "flagged", SchedulerFlags: HashPort, Persistence: Persistence{Timeout: 60e9}}))
	l.syn(l.flow())
	must(t, l.client.UpdateService(ctx, Service{ID: simWeb, Scheduler: "flagged", SchedulerFlags: HashFallback}))
	l.syn(l.flow())
	web := simWeb.String()
	want := []string{
		"made " + web + ` flags="port" seed=42 servers=1`, "pick " + web + ` flags="port" seed=42 servers=1`, "pick " + web + ` flags="fallback" seed=42 servers=1`,
	}
	if !slices.Equal(p.notes, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(p.notes, "\n"), strings.Join(want, "\n"))
	}
	made := p
	must(t, l.client.AddService(ctx, Service{ID: FWMark(7), Scheduler: "flagged"}))
	if p == made || p.service.ID() != FWMark(7) || p.service.SchedulerFlags() != 0 {
		t.Errorf("the algorithm of a second service got %s", p.notes)
	}
}
