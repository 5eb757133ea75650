package lvs

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// noted returns the notes of changes to a service of a simulator, a step each.
func (l *simLab) noted(h *Host, changes ...Change) [][]string {
	l.Helper()
	have, err := l.client.Snapshot(l.Context())
	must(l, err)
	var p TablePlan
	for _, ch := range changes {
		p.Steps = append(p.Steps, TableStep{Change: ch})
	}
	must(l, p.annotate(l.Context(), have, h))
	var all [][]string
	for _, s := range p.Steps {
		all = append(all, s.Notes)
	}
	return all
}

// Without a host, a note names the parameter that decides.
func TestNotesWithoutHost(t *testing.T) {
	l := newSimLab(t, SimOptions{})
	l.serve(Service{ID: simWeb, Scheduler: WLC}, DR(), 1, 1)
	l.connect()
	remove := RemoveRealServer(simWeb, l.server(1))
	got := l.noted(nil, remove)[0]
	want := "While net.ipv4.vs.expire_nodest_conn is 0, packets of its 1 connection are dropped, without an error to the client; otherwise IPVS ends its 1 connection"
	if len(got) != 2 || !strings.HasPrefix(got[0], want) {
		t.Errorf("notes %q, want one that begins with %q", got, want)
	}
	l.sysctl("expire_nodest_conn", "1")
	if got := l.noted(l.Host(), remove)[0][0]; !strings.HasPrefix(got, "IPVS ends its 1 connection") {
		t.Errorf("with the host's parameters the note is %q", got)
	}
}

// Notes of a plan with thousands of steps do not fill a table for each.
func TestNotesOfManySteps(t *testing.T) {
	l := newSimLab(t, SimOptions{})
	l.serve(Service{ID: simWeb, Scheduler: MH}, DR(), 1, 1)
	all := l.noted(l.Host(), addMany(simWeb, mostTables)...)
	if first := all[0][0]; !strings.Contains(first, "% of clients") {
		t.Errorf("the first note is %q", first)
	}
	if last := all[len(all)-1][0]; last != "mh fills its table again, so some clients move." {
		t.Errorf("the last note is %q", last)
	}
}

// addMany adds real servers to a service, one by one.
func addMany(id ServiceID, servers int) (all []Change) {
	for i := range servers {
		addr := netip.AddrFrom4([4]byte{10, 4, byte(i >> 8), byte(i)})
		all = append(all, AddRealServer(id, NewRealServer(netip.AddrPortFrom(addr, 80), DR())))
	}
	return all
}

// The notes of a step cost about the same, however many real servers the service has.
func BenchmarkNotes(b *testing.B) {
	for _, s := range []Scheduler{WLC, FO, OVF, RR, MH} {
		for _, servers := range []int{1000, 10_000} {
			b.Run(fmt.Sprintf("%s/%d", s, servers), func(b *testing.B) {
				l := newSimLab(b, SimOptions{})
				l.serve(Service{ID: simWeb, Scheduler: s}, DR(), 1)
				have, err := l.client.Snapshot(b.Context())
				must(b, err)
				var p TablePlan
				for _, ch := range addMany(simWeb, servers) {
					p.Steps = append(p.Steps, TableStep{Change: ch})
				}
				for b.Loop() {
					must(b, p.annotate(b.Context(), have, nil))
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*servers), "ns/step")
			})
		}
	}
}
