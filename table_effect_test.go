package lvs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// effectOf plans a table, and returns the effect of that.
func (l *simLab) effectOf(o TableOptions, edit func(*TableService)) (TablePlan, TableEffect) {
	l.Helper()
	have, err := l.client.Snapshot(l.Context())
	must(l, err)
	want := have.Table()
	edit(&want.Services[0])
	o.Host = l.Host()
	plan, err := l.client.PlanTable(l.Context(), want, o)
	must(l, err)
	effect, err := plan.Effect(l.Context(), l.Host())
	must(l, err)
	return plan, effect
}

func (l *simLab) clients(n int) {
	l.Helper()
	for i := range n {
		f := Flow{Protocol: l.id.Protocol(), Client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 3, byte(i >> 8), byte(i)}), 5000), VIP: l.id.AddrPort()}
		_, err := l.Connect(f)
		must(l, err)
	}
}

func removeFirst(s *TableService) { s.RealServers = s.RealServers[1:] }

func TestEffect(t *testing.T) {
	l := newSimLab(t, SimOptions{})
	l.serve(Service{ID: simWeb, Scheduler: SH}, NAT(), 1, 1)
	l.clients(10)
	before := l.table()
	_, e := l.effectOf(TableOptions{Drain: time.Minute}, removeFirst)
	compare(t, "the effect", `at once: of 10 clients, 0 move and 5 are refused; of 10 connections, 0 break
    10.3.0.4 of tcp://10.1.0.1:80, now on 10.2.0.1:80, is refused: the scheduler finds no server with a weight and below its upper threshold
    10.3.0.5 of tcp://10.1.0.1:80, now on 10.2.0.1:80, is refused: the scheduler finds no server with a weight and below its upper threshold
    10.3.0.6 of tcp://10.1.0.1:80, now on 10.2.0.1:80, is refused: the scheduler finds no server with a weight and below its upper threshold
    and 2 more
at the deadline: of 10 clients, 5 move and 0 are refused; of 10 connections, 5 break
    10.3.0.4 of tcp://10.1.0.1:80, now on 10.2.0.1:80, moves to 10.2.0.2:80
    10.3.0.5 of tcp://10.1.0.1:80, now on 10.2.0.1:80, moves to 10.2.0.2:80
    10.3.0.6 of tcp://10.1.0.1:80, now on 10.2.0.1:80, moves to 10.2.0.2:80
    and 2 more
    tcp 10.3.0.4:5000 -> 10.1.0.1:80 with 10.2.0.1:80: its next packet is dropped: its connection's server was removed
    tcp 10.3.0.5:5000 -> 10.1.0.1:80 with 10.2.0.1:80: its next packet is dropped: its connection's server was removed
    tcp 10.3.0.6:5000 -> 10.1.0.1:80 with 10.2.0.1:80: its next packet is dropped: its connection's server was removed
    and 2 more`, e.String())
	compare(t, "the connections of the host", before, l.table())
	text, err := json.Marshal(e)
	must(t, err)
	var read TableEffect
	must(t, json.Unmarshal(text, &read))
	if again, err := json.Marshal(read); err != nil || string(again) != string(text) {
		t.Errorf("%s\nis read as\n%s, %v", text, again, err)
	}
}

// What cannot be predicted is said, so that nothing reads as an all-clear.
func TestEffectUnseen(t *testing.T) {
	tied := Persistence{Timeout: time.Minute}
	for _, c := range []struct {
		name    string
		service Service
		weights []int
		edit    func(*TableService)
		want    string
	}{
		{"rr", Service{ID: simWeb, Scheduler: RR}, []int{1, 1}, removeFirst, "tcp://10.1.0.1:80: where in its round rr stands\n" +
			"tcp://10.1.0.1:80: which servers rr picks for the next connections of 10 clients"},
		{"wlc", Service{ID: simWeb, Scheduler: WLC}, []int{1, 1}, removeFirst, "tcp://10.1.0.1:80: which servers wlc picks for the next connections of 10 clients"},
		{"sh with ports", Service{ID: simWeb, Scheduler: SH, SchedulerFlags: HashPort}, []int{1, 1}, removeFirst,
			"tcp://10.1.0.1:80: which servers sh picks for the next connections of 10 clients"},
		{"mh with a quiesced server", Service{ID: simWeb, Scheduler: MH, SchedulerFlags: HashFallback}, []int{1, 1, 0}, removeFirst,
			"tcp://10.1.0.1:80 -> 10.2.0.3:80: which weight it had before 0, by which mh gives it buckets\n" +
				"tcp://10.1.0.1:80: which servers mh picks for the next connections of 10 clients"},
		{"persistence that ends", Service{ID: simWeb, Scheduler: LC, Persistence: tied}, []int{1, 1}, func(s *TableService) { s.Persistence = Persistence{} },
			"tcp://10.1.0.1:80: which servers lc picks for the next connections of 10 clients"},
		{"persistence", Service{ID: simWeb, Scheduler: LC, Persistence: tied}, []int{1, 1}, func(s *TableService) { s.RealServers[0].Weight = 0 }, ""},
		{"exact order", Service{ID: simWeb, Scheduler: FO}, []int{1, 1}, func(s *TableService) { slices.Reverse(s.RealServers) },
			"tcp://10.1.0.1:80 -> 10.2.0.1:80: whether its connections end before it is added again"},
		{"no change", Service{ID: simWeb, Scheduler: RR}, []int{1, 1}, func(*TableService) {}, ""},
	} {
		l := newSimLab(t, SimOptions{})
		l.sysctl("expire_nodest_conn", "1")
		l.serve(c.service, NAT(), c.weights...)
		l.clients(10)
		_, e := l.effectOf(TableOptions{ExactOrder: true}, c.edit)
		compare(t, c.name, c.want, strings.Join(e.Unseen, "\n"))
	}
}

// Nothing is said to be safe because no client was there to be asked about.
func TestEffectWithoutClients(t *testing.T) {
	l := newSimLab(t, SimOptions{})
	l.serve(Service{ID: simWeb, Scheduler: SH}, NAT(), 1, 1)
	_, e := l.effectOf(TableOptions{Drain: time.Minute}, removeFirst)
	compare(t, "unseen", []string{"tcp://10.1.0.1:80: what happens to clients that come later, because it has none now"}, e.Unseen)
}

// A service that the plan does not change is not looked at, and one that takes clients
// from another is.
func TestEffectOfOthers(t *testing.T) {
	l := newSimLab(t, SimOptions{})
	l.serve(Service{ID: allPorts(ProtocolTCP, simWeb.AddrPort().Addr()), Scheduler: RR, Persistence: Persistence{Timeout: time.Minute}}, NAT(), 1)
	l.id = simWeb
	l.clients(3)
	have, err := l.client.Snapshot(t.Context())
	must(t, err)
	want := have.Table()
	for _, add := range []struct {
		id      ServiceID
		clients int
	}{{simWeb, 3}, {TCP(netip.MustParseAddrPort("10.1.0.9:80")), 0}} {
		plan, err := l.client.PlanTable(t.Context(), Table{append(want.Services, TableService{Service: Service{ID: add.id}})}, TableOptions{})
		must(t, err)
		e, err := plan.Effect(t.Context(), l.Host())
		must(t, err)
		if e.Clients != add.clients || len(e.AtOnce.Refused) != add.clients || len(e.AtOnce.Broken) != 0 {
			t.Errorf("adding %s: %s", add.id, e)
		}
	}
}

// Clients that have no connections now, but persistence, are asked about, too.
func TestEffectOfTemplates(t *testing.T) {
	for _, id := range []ServiceID{simWeb, FWMark(7), allPorts(ProtocolTCP, simWeb.AddrPort().Addr())} {
		l := newSimLab(t, SimOptions{})
		l.serve(Service{ID: id, Scheduler: RR, Persistence: Persistence{Timeout: time.Hour, Mask: PrefixMask(24)}}, NAT(), 1, 1)
		for i := range 4 {
			client := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 3, byte(i), 9}), 5000)
			l.wants(l.syn(Flow{Client: client, VIP: simWeb.AddrPort(), FWMark: id.FWMark()}), ActionForwarded, ReasonScheduled)
		}
		l.wait(10 * time.Minute)
		_, e := l.effectOf(TableOptions{}, removeFirst)
		if e.Connections != 0 || e.Clients != 4 || len(e.AtOnce.Moved) != 2 || e.AtOnce.Moved[0].Client != netip.MustParseAddr("10.3.1.0") {
			t.Errorf("%s: the effect is %d connections, %d clients,\n%s", id, e.Connections, e.Clients, e)
		}
	}
}

// A plan has no effect on a host that it no longer fits.
func TestEffectRefuses(t *testing.T) {
	l := newSimLab(t, SimOptions{})
	l.serve(Service{ID: simWeb, Scheduler: MH}, NAT(), 1, 1, 1)
	l.clients(20)
	plan, whole := l.effectOf(TableOptions{}, func(s *TableService) { s.RealServers = s.RealServers[2:] })
	must(t, l.client.Do(t.Context(), plan.Steps[0].Change))
	rest, err := plan.Effect(t.Context(), l.Host())
	must(t, err)
	if n := len(rest.AtOnce.Moved); n == 0 || n >= len(whole.AtOnce.Moved) {
		t.Errorf("half of the plan moves %d clients, and all of it %d", n, len(whole.AtOnce.Moved))
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := plan.Effect(canceled, l.Host()); !errors.Is(err, context.Canceled) {
		t.Errorf("in a context that has ended: %v", err)
	}
	l.setWeight(2, 7)
	_, err = plan.Effect(t.Context(), l.Host())
	ofKind(t, "a table that was changed", err, ErrStale)
	plan.Steps[0].Drain = -1
	_, err = plan.Effect(t.Context(), l.Host())
	ofKind(t, "a plan that was edited", err, ErrInvalid)
}

func BenchmarkEffect(b *testing.B) {
	for _, s := range []Scheduler{MH, WLC} {
		b.Run(string(s), func(b *testing.B) {
			l := newSimLab(b, SimOptions{})
			l.serve(Service{ID: simWeb, Scheduler: s}, NAT(), make([]int, 10)...)
			for i := range 10 {
				l.setWeight(i, 1)
			}
			for i := range 100_000 {
				_ = l.syn(Flow{Client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 3 + byte(i>>16), byte(i >> 8), byte(i)}), 5000), VIP: simWeb.AddrPort()})
			}
			b.ReportAllocs()
			for b.Loop() {
				_, e := l.effectOf(TableOptions{Drain: time.Minute}, removeFirst)
				if len(e.AtDeadline.Broken) < 5000 || strings.Contains(fmt.Sprint(e.Unseen), "connection of") {
					b.Fatal(e)
				}
			}
		})
	}
}
