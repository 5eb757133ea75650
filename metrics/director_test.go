package metrics

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/director"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// reported is a director that reports a status.
type reported director.Status

func (r *reported) Status() director.Status { return director.Status(*r) }

// drainOf returns a drain that lasts for so long from time 0; with "" as the server, that
// of a service.
func drainOf(id lvs.ServiceID, server string, lasts time.Duration) lvs.Drain {
	d := lvs.Drain{Service: id, Began: time.Unix(0, 0), Deadline: time.Unix(0, 0).Add(lasts)}
	if server != "" {
		d.RealServer = netip.MustParseAddrPort(server)
	}
	return d
}

var (
	web = lvs.MustParseServiceID("tcp://10.0.0.1:80")
	dns = lvs.MustParseServiceID("udp://[2001:db8::1]:53")
)

func TestDirectorState(t *testing.T) {
	d := &reported{}
	s := newScene(t, Options{Director: d})
	none := s.text("lvs_director_", "lvs_drain")
	for line := range strings.Lines(none) {
		if !strings.HasSuffix(line, " 0\n") {
			t.Errorf("of a director that has done nothing: %s", line)
		}
	}
	if problems, err := testutil.CollectAndLint(s.Collector); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
	at := func(seconds int) time.Time { return time.Unix(int64(seconds), 5e8) }
	*d = reported{
		Running: true, InSync: true, Since: at(1), Looked: at(2), Succeeded: at(3), Applied: at(4),
		Error: "failed", Retry: at(5), Source: "broken", Refused: "refused", RefusedSteps: 6, RefusedRemovals: 7,
		Wanted:   &lvs.Table{Services: []lvs.TableService{{RealServers: make([]lvs.RealServer, 2)}, {RealServers: make([]lvs.RealServer, 3)}, {}}},
		Unwanted: make([]lvs.ServiceID, 8), Misordered: make([]lvs.ServiceID, 9),
	}
	s.want(`
lvs_director_failing 1
lvs_director_in_sync 1
lvs_director_in_sync_change_timestamp_seconds 1.5
lvs_director_last_apply_timestamp_seconds 4.5
lvs_director_last_look_timestamp_seconds 2.5
lvs_director_last_success_timestamp_seconds 3.5
lvs_director_misordered_services 9
lvs_director_refused_removals 7
lvs_director_refused_steps 6
lvs_director_retry_pending 1
lvs_director_running 1
lvs_director_source_broken 1
lvs_director_unwanted_services 8
lvs_director_wanted_real_servers 5
lvs_director_wanted_services 3
`, namesOf(directorGauges, func(g stateGauge) string { return g.name + " " })...)
}

func namesOf[T any](all []T, name func(T) string) (names []string) {
	for _, one := range all {
		names = append(names, name(one))
	}
	return names
}

// Each field of Counts is one counter, in the same order.
func TestDirectorCounts(t *testing.T) {
	d := &reported{}
	fields := reflect.ValueOf(&d.Counts).Elem()
	for i := range fields.NumField() {
		fields.Field(i).SetInt(int64(100 + i))
	}
	if got := fields.NumField(); got != len(directorCounters) {
		t.Fatalf("%d counts have %d counters", got, len(directorCounters))
	}
	s := newScene(t, Options{Director: d})
	for i, c := range directorCounters {
		s.want(fmt.Sprintf("%s %d\n", c.name, 100+i), c.name+" ")
	}
}

// Drains have the names that services and real servers have, as few as these, and the
// longest of those that share a name.
func TestDrains(t *testing.T) {
	d := &reported{Drains: []lvs.Drain{
		drainOf(web, "10.1.0.1:80", time.Minute), drainOf(web, "10.1.0.2:80", 2*time.Minute),
		drainOf(dns, "[2001:db8::2]:53", -30*time.Second), drainOf(lvs.FWMark6(7), "", time.Hour),
	}}
	for _, test := range []struct {
		o    Options
		want string
	}{
		{Options{}, `
lvs_drain_remaining_seconds{real_server="",service="fwmark6://7"} 3600
lvs_drain_remaining_seconds{real_server="10.1.0.2:80",service="tcp://10.0.0.1:80"} 120
lvs_drain_remaining_seconds{real_server="10.1.0.1:80",service="tcp://10.0.0.1:80"} 60
lvs_drain_remaining_seconds{real_server="[2001:db8::2]:53",service="udp://[2001:db8::1]:53"} -30
lvs_drains 4
`},
		{Options{Servers: NoServers()}, `
lvs_drain_remaining_seconds{real_server="",service="fwmark6://7"} 3600
lvs_drain_remaining_seconds{real_server="",service="tcp://10.0.0.1:80"} 120
lvs_drain_remaining_seconds{real_server="",service="udp://[2001:db8::1]:53"} -30
lvs_drains 4
`},
		{Options{Servers: BusiestServers(2)}, `
lvs_drain_remaining_seconds{real_server="",service="fwmark6://7"} 3600
lvs_drain_remaining_seconds{real_server="10.1.0.2:80",service="tcp://10.0.0.1:80"} 120
lvs_drains 4
`},
		{Options{
			ServiceName: func(id lvs.ServiceID) string { return map[lvs.ServiceID]string{web: "web", lvs.FWMark6(7): "web"}[id] },
			ServerName:  func(_ lvs.ServiceID, server netip.AddrPort) string { return server.Addr().String()[:4] },
		}, `
lvs_drain_remaining_seconds{real_server="",service="web"} 3600
lvs_drain_remaining_seconds{real_server="10.1",service="web"} 120
lvs_drain_remaining_seconds{real_server="2001",service="udp://[2001:db8::1]:53"} -30
lvs_drains 4
`},
	} {
		test.o.Director = d
		s := newScene(t, test.o)
		s.want(test.want, "lvs_drain_", "lvs_drains")
		if err := prometheusAccepts(s.Collector); err != nil {
			t.Error(err)
		}
	}
}

// A state file is read again when it has changed, and what is wrong with it is counted.
func TestDrainsOfStateFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	s := newScene(t, Options{StateFile: path})
	expect := func(drains, failed, up int) {
		t.Helper()
		want := fmt.Sprintf("lvs_drains %d\n", drains)
		if up == 0 {
			want = ""
		}
		s.want(want+fmt.Sprintf("lvs_scrape_errors_total{reading=\"drains\"} %d\nlvs_up %d\n", failed, up),
			"lvs_drains", `lvs_scrape_errors_total{reading="drains"}`, "lvs_up")
	}
	expect(0, 0, 1)
	write := func(drains ...lvs.Drain) {
		t.Helper()
		if err := (lvs.TableState{Drains: drains}).WriteFile(path); err != nil {
			t.Fatal(err)
		}
	}
	write(drainOf(web, "10.1.0.1:80", time.Minute))
	expect(1, 0, 1)
	s.want(`lvs_drain_remaining_seconds{real_server="10.1.0.1:80",service="tcp://10.0.0.1:80"} 60`+"\n", "lvs_drain_remaining")
	expect(1, 0, 1)
	was, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	unseen := []byte(strings.Repeat(" ", int(was.Size()))) // which nothing reads if it looks the same
	if err := errors.Join(os.WriteFile(path, unseen, 0o600), os.Chtimes(path, was.ModTime(), was.ModTime())); err != nil {
		t.Fatal(err)
	}
	expect(1, 0, 1)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	write(drainOf(web, "10.1.0.1:80", time.Minute), drainOf(dns, "", time.Minute))
	expect(2, 0, 1)
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(0, 1, 0)
	expect(0, 2, 0)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	expect(0, 2, 1)
}

func TestStateOptionsAreRefused(t *testing.T) {
	s := newScene(t, Options{})
	for _, o := range []Options{{Director: (*director.Director)(nil)}, {Director: &reported{}, StateFile: "state.json"}} {
		if _, err := New(s.host, o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}

// What a Director does is seen: here in a simulated host, from which a table takes a real
// server.
func TestDirectorIsScraped(t *testing.T) {
	s := newScene(t, Options{})
	s.add("tcp://10.0.0.1:80", "10.1.0.1:80", "10.1.0.2:80")
	now, err := s.host.Client().Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := now.Table()
	want.Services[0].RealServers = want.Services[0].RealServers[:1]
	s.connect(2, "10.0.0.1:80")
	applied := make(chan bool, 1)
	d, err := director.New(s.host.Client(), director.Options{
		Source: director.Fixed(want), Table: lvs.TableOptions{Drain: time.Hour},
		OnEvent: func(e director.Event) {
			if _, ok := e.(director.DrainBegan); ok {
				applied <- true
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.o.Director = d
	ended := make(chan error)
	go func() { ended <- d.Run(t.Context()) }()
	t.Cleanup(func() { <-ended })
	<-applied
	s.now = time.Now()
	text := s.text("lvs_director_", "lvs_drain")
	for _, want := range []string{
		"lvs_director_running 1\n", "lvs_director_in_sync 1\n", "lvs_director_plans_applied_total 1\n",
		"lvs_director_drains_begun_total 1\n", "lvs_drains 1\n", `lvs_drain_remaining_seconds{real_server="10.1.0.2:80",service="tcp://10.0.0.1:80"} 3`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("want %s:\n%s", want, text)
		}
	}
}
