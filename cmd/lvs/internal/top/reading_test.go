package top

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// newLarge returns a director with so many services of ten real servers each, and services
// of a mark in both families.
func newLarge(t testing.TB, services int) *lvs.Host {
	sim, err := lvs.NewSimulator(lvs.SimOptions{Kernel: "6.12.113", Seed: 1})
	must(t, err)
	host := sim.Host()
	t.Cleanup(func() { host.Close() })
	fill(t, host, services)
	tunnel := server("10.3.0.1:0", 1)
	tunnel.Mode = lvs.IPIP()
	must(t, host.Client().Do(t.Context(), lvs.AddService(lvs.Service{ID: lvs.FWMark(7), Scheduler: lvs.RR}),
		lvs.AddService(lvs.Service{ID: lvs.FWMark6(7), Scheduler: lvs.RR}), lvs.AddRealServer(lvs.FWMark6(7), server("[2001:db8::7]:80", 1)),
		lvs.AddService(lvs.Service{ID: lvs.FWMark(8), Scheduler: lvs.RR}), lvs.AddRealServer(lvs.FWMark(8), tunnel)))
	return host
}

// fill adds services, of which one real server has weight 0.
func fill(t testing.TB, host *lvs.Host, services int) {
	var changes []lvs.Change
	for i := range services {
		id := lvs.MustParseServiceID(fmt.Sprintf("tcp://10.1.%d.%d:80", i/250, i%250))
		changes = append(changes, lvs.AddService(lvs.Service{ID: id, Scheduler: lvs.WLC}))
		for j := range 10 {
			changes = append(changes, lvs.AddRealServer(id, server(fmt.Sprintf("10.2.%d.%d:%d", i/250, j+1, 1000+i%250), j)))
		}
	}
	must(t, host.Client().Do(t.Context(), changes...))
}

// Of a large table, the details of wanted services are read, and weights and connections of
// all, the same as by a snapshot.
func TestReadLarge(t *testing.T) {
	r := Reader{Host: newLarge(t, 60)}
	all, err := r.Read(t.Context(), nil)
	must(t, err)
	wanted := lvs.MustParseServiceID("tcp://10.1.0.7:80")
	some, err := r.Read(t.Context(), map[lvs.ServiceID]bool{wanted: true})
	must(t, err)
	if len(all.Services) != 63 || len(some.Services) != 63 {
		t.Fatalf("%d and %d services", len(all.Services), len(some.Services))
	}
	for i := range some.Services {
		s, want := &some.Services[i], &all.Services[i]
		if !s.ServiceStatus.Equal(want.ServiceStatus) || !want.Detailed {
			t.Errorf("%s, want %s", s.ServiceStatus, want.ServiceStatus)
		}
		// The file does not have the family of a mark without real servers, or behind tunnels.
		isUnknown := s.ID == lvs.FWMark(8)
		if s.Detailed != (s.ID == wanted || isUnknown) && s.ID != lvs.FWMark(7) {
			t.Errorf("%s: detailed %t", s.ID, s.Detailed)
		}
		for j := range want.Servers {
			s, want := s.Servers[j], want.Servers[j]
			if (s.Details != nil) != some.Services[i].Detailed {
				t.Errorf("%s: details %v", s.Addr, s.Details)
			}
			if s.Details, want.Details = nil, nil; s != want {
				t.Errorf("%+v, want %+v", s, want)
			}
		}
	}
}

// A small table is read in full, whatever is wanted.
func TestReadSmall(t *testing.T) {
	r := Reader{Host: newLarge(t, 40)}
	reading, err := r.Read(t.Context(), map[lvs.ServiceID]bool{})
	must(t, err)
	if i := slices.IndexFunc(reading.Services, func(s Service) bool { return !s.Detailed }); i >= 0 {
		t.Errorf("%s is not read in full", reading.Services[i].ID)
	}
}

// What is on the screen is wanted, and lacks until it is read.
func TestWanted(t *testing.T) {
	r := Reader{Host: newLarge(t, 200)}
	m := NewModel("lvs top", time.Second)
	read := func() {
		t.Helper()
		reading, err := r.Read(t.Context(), m.Wanted())
		must(t, err)
		m.SetReading(reading, nil)
	}
	m.Sort = ByAddress
	read()
	for _, test := range []struct {
		keys  string
		lacks bool
		want  string // of the services, in order
	}{
		{"", true, "10.1.0.0"}, // so many services are folded, and the cursor is at the first
		{"jj", true, "10.1.0.2"},
		{"<enter>", false, "10.1.0.2"},
		{"<down><down>", false, "10.1.0.2"},
		{"F", false, "10.1.0.2"}, // folds the only one that is not
		{"F", true, "10.1.0.1 10.1.0.2"},
		{"g", false, "10.1.0.0 10.1.0.1"},
		{"G", true, "tcp://10.1.0.198:80 tcp://10.1.0.199:80"},
	} {
		press(m, test.keys)
		if got := m.Lacks(); got != test.lacks {
			t.Errorf("%q: lacks %t", test.keys, got)
		}
		var wanted []string
		for id := range m.Wanted() {
			wanted = append(wanted, id.String())
		}
		slices.Sort(wanted)
		if got := strings.Join(wanted, " "); !containsAll(got, test.want) {
			t.Errorf("%q wants %s", test.keys, got)
		}
		drawn := screenText(m)
		if read(); m.Lacks() {
			t.Errorf("%q: lacks what was read", test.keys)
		}
		if test.keys == "F" && test.lacks && (!strings.Contains(drawn, "..") || strings.Contains(screenText(m), " .. ")) {
			t.Errorf("before\n%s\nafter\n%s", drawn, screenText(m))
		}
	}
}

func containsAll(text, words string) bool {
	for word := range strings.FieldsSeq(words) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}
