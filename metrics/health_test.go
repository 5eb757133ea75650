package metrics

import (
	"net/netip"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// What checks and overrides say is shown by service and real server. Those that share a
// name are as well as the worst of them.
func TestHealth(t *testing.T) {
	server := func(addr string, state health.State, weight int) health.ServerStatus {
		s := health.ServerStatus{Server: netip.MustParseAddrPort(addr), State: state, Weight: health.Weight{Effective: weight, Operator: 1, Reported: 0.5, Ramp: 1}}
		s.Checks = []health.CheckStatus{{Check: "tcp", Path: health.Direct, State: state}}
		if state != health.Unknown {
			s.Checks[0].Last, s.Checks[0].Took = time.Unix(1, 0), 250*time.Millisecond
		}
		return s
	}
	d := &reported{
		Health: health.Status{Services: []health.ServiceStatus{
			{Service: web, Then: health.KeepAll, Below: true, Servers: []health.ServerStatus{
				server("10.1.0.1:80", health.Up, 3), server("10.1.0.2:80", health.Down, 0), server("10.1.0.3:80", health.Unknown, 7)}},
			{Service: dns, Servers: []health.ServerStatus{server("[2001:db8::2]:53", health.Up, 1)}},
		}},
		Overrides: make([]health.Override, 2), OverridesError: "broken",
	}
	parts := []string{"lvs_service_below", "lvs_real_server_up", "lvs_real_server_effective", "lvs_real_server_weight_share{", "lvs_check", "lvs_overrides"}
	for _, test := range []struct {
		o    Options
		want string
	}{
		{Options{Servers: NoServers()}, `
lvs_overrides 2
lvs_overrides_broken 1
lvs_service_below_limit{service="tcp://10.0.0.1:80"} 1
`},
		{Options{}, `
lvs_check_duration_seconds{check="tcp",path="direct",real_server="10.1.0.1:80",service="tcp://10.0.0.1:80"} 0.25
lvs_check_duration_seconds{check="tcp",path="direct",real_server="10.1.0.2:80",service="tcp://10.0.0.1:80"} 0.25
lvs_check_duration_seconds{check="tcp",path="direct",real_server="[2001:db8::2]:53",service="udp://[2001:db8::1]:53"} 0.25
lvs_check_up{check="tcp",path="direct",real_server="10.1.0.1:80",service="tcp://10.0.0.1:80"} 1
lvs_check_up{check="tcp",path="direct",real_server="10.1.0.2:80",service="tcp://10.0.0.1:80"} 0
lvs_check_up{check="tcp",path="direct",real_server="[2001:db8::2]:53",service="udp://[2001:db8::1]:53"} 1
lvs_overrides 2
lvs_overrides_broken 1
lvs_real_server_effective_weight{real_server="10.1.0.1:80",service="tcp://10.0.0.1:80"} 3
lvs_real_server_effective_weight{real_server="10.1.0.2:80",service="tcp://10.0.0.1:80"} 0
lvs_real_server_effective_weight{real_server="10.1.0.3:80",service="tcp://10.0.0.1:80"} 7
lvs_real_server_effective_weight{real_server="[2001:db8::2]:53",service="udp://[2001:db8::1]:53"} 1
lvs_real_server_up{real_server="10.1.0.1:80",service="tcp://10.0.0.1:80"} 1
lvs_real_server_up{real_server="10.1.0.2:80",service="tcp://10.0.0.1:80"} 0
lvs_real_server_up{real_server="[2001:db8::2]:53",service="udp://[2001:db8::1]:53"} 1
lvs_service_below_limit{service="tcp://10.0.0.1:80"} 1
`},
		{Options{
			ServiceName: func(lvs.ServiceID) string { return "all" },
			ServerName:  func(lvs.ServiceID, netip.AddrPort) string { return "one" },
		}, `
lvs_check_duration_seconds{check="tcp",path="direct",real_server="one",service="all"} 0.25
lvs_check_up{check="tcp",path="direct",real_server="one",service="all"} 0
lvs_overrides 2
lvs_overrides_broken 1
lvs_real_server_effective_weight{real_server="one",service="all"} 11
lvs_real_server_up{real_server="one",service="all"} 0
lvs_real_server_weight_share{real_server="one",reason="operator",service="all"} 1
lvs_real_server_weight_share{real_server="one",reason="report",service="all"} 0.5
lvs_real_server_weight_share{real_server="one",reason="slow start",service="all"} 1
lvs_service_below_limit{service="all"} 1
`},
	} {
		test.o.Director = d
		s := newScene(t, test.o)
		parts := parts
		if test.o.ServerName == nil {
			parts = append(parts[:3:3], parts[4:]...)
		}
		s.want(test.want, parts...)
		if problems, err := testutil.CollectAndLint(s.Collector); err != nil || len(problems) > 0 {
			t.Error(problems, err)
		}
		if err := prometheusAccepts(s.Collector); err != nil {
			t.Error(err)
		}
	}
}

// Of the busiest real servers, those that the table shows have these metrics as well.
func TestHealthOfTheBusiest(t *testing.T) {
	d := &reported{Health: health.Status{Services: []health.ServiceStatus{{Service: web, Servers: []health.ServerStatus{
		{Server: netip.MustParseAddrPort("10.1.0.1:80"), State: health.Up}, {Server: netip.MustParseAddrPort("10.1.0.2:80"), State: health.Up}}}}}}
	s := newScene(t, Options{Director: d, Servers: BusiestServers(1)})
	s.add("tcp://10.0.0.1:80", "10.1.0.1:80", "10.1.0.2:80")
	s.connect(1, "10.0.0.1:80")
	s.want(`lvs_real_server_up{real_server="10.1.0.2:80",service="tcp://10.0.0.1:80"} 1`+"\n", "lvs_real_server_up")
}

// What each hook has done is shown by its name.
func TestHooks(t *testing.T) {
	d := &reported{Hooks: map[string]health.HookStatus{
		"announce": {Runs: 5, Failed: 2, Waiting: 3, Dropped: 1, Error: "broken"}, "mail": {},
	}}
	s := newScene(t, Options{Director: d})
	s.want(`
lvs_hook_dropped_events_total{hook="announce"} 1
lvs_hook_dropped_events_total{hook="mail"} 0
lvs_hook_failures_total{hook="announce"} 2
lvs_hook_failures_total{hook="mail"} 0
lvs_hook_runs_total{hook="announce"} 5
lvs_hook_runs_total{hook="mail"} 0
lvs_hook_waiting_events{hook="announce"} 3
lvs_hook_waiting_events{hook="mail"} 0
`, "lvs_hook")
	if problems, err := testutil.CollectAndLint(s.Collector); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}
