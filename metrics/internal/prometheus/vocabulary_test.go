// Package prometheus tests the dashboard and the alerts of package metrics: it has tests
// alone.
package prometheus

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/director"
	"github.com/golvs/lvs/health"
	"github.com/golvs/lvs/metrics"
)

// vocabulary is the labels of each metric, without those of Prometheus.
type vocabulary map[string][]string

// exported returns all metrics that a collector has under our names.
func exported(t *testing.T) vocabulary {
	t.Helper()
	host := busyHost(t)
	c, err := metrics.New(host, metrics.Options{ServerCounters: true, Totals: true, CPUs: true, States: true, Director: draining{}})
	if err != nil {
		t.Fatal(err)
	}
	families, err := c.Gather()
	if err != nil {
		t.Fatal(err)
	}
	v := vocabulary{}
	for _, f := range families {
		for _, l := range f.Metric[0].Label {
			v[f.GetName()] = append(v[f.GetName()], l.GetName())
		}
		v[f.GetName()] = append(v[f.GetName()], "instance")
	}
	return v
}

// busyHost returns a simulated host with a service that has metrics of each kind.
func busyHost(t *testing.T) *lvs.Host {
	t.Helper()
	sim, err := lvs.NewSimulator(lvs.SimOptions{ImmediateStats: true})
	if err != nil {
		t.Fatal(err)
	}
	host := sim.Host()
	t.Cleanup(func() { host.Close() })
	service := lvs.Service{ID: lvs.MustParseServiceID("tcp://10.0.0.1:80"), Scheduler: lvs.RR, Persistence: lvs.Persistence{Timeout: time.Minute}}
	server := lvs.NewRealServer(netip.MustParseAddrPort("10.1.0.1:80"), lvs.NAT())
	server.UpperThreshold, server.LowerThreshold = 10, 5
	if err := host.Client().Do(t.Context(), lvs.AddService(service), lvs.AddRealServer(service.ID, server)); err != nil {
		t.Fatal(err)
	}
	if _, err := sim.Connect(lvs.Flow{Client: netip.MustParseAddrPort("10.9.0.1:4000"), VIP: service.ID.AddrPort()}); err != nil {
		t.Fatal(err)
	}
	return host
}

// draining is a director with a drain and a check.
type draining struct{}

func (draining) Status() director.Status {
	server := netip.MustParseAddrPort("10.1.0.1:80")
	return director.Status{
		Drains: []lvs.Drain{{Service: lvs.FWMark(1), RealServer: netip.MustParseAddrPort("10.1.0.1:0")}},
		Health: health.Status{Services: []health.ServiceStatus{{Service: lvs.FWMark(1), Then: health.KeepAll, Servers: []health.ServerStatus{
			{Server: server, State: health.Up, Checks: []health.CheckStatus{{Check: "tcp", Path: health.Direct, State: health.Up, Last: time.Now()}}},
		}}}},
		Hooks: map[string]health.HookStatus{"announce": {}},
	}
}

var (
	selector = regexp.MustCompile(`\b(lvs_\w+)(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)`)
	grouping = regexp.MustCompile(`\b(?:by|on|ignoring|without|group_left|group_right)\s*\(([^)]*)\)`)
	label    = regexp.MustCompile(`\w+`)
)

// check returns what is wrong with the names in an expression, and the labels of its
// metrics.
func (v vocabulary) check(expr string) (problems, labels []string) {
	for _, m := range selector.FindAllStringSubmatch(expr, -1) {
		of, ok := v[m[1]]
		if !ok {
			problems = append(problems, "no metric has the name "+m[1])
		}
		for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
			if !slices.Contains(of, l[1]) {
				problems = append(problems, m[1]+" lacks the label "+l[1])
			}
		}
		labels = append(labels, of...)
	}
	for _, g := range grouping.FindAllStringSubmatch(expr, -1) {
		for _, l := range label.FindAllString(g[1], -1) {
			if !slices.Contains(labels, l) {
				problems = append(problems, "no metric has the label "+l)
			}
		}
	}
	return problems, labels
}

var nameOrEnd = regexp.MustCompile("`(lvs)?(_[a-z_]+)`")

// The README has each metric, by its name or the end of it, and no others.
func TestReadme(t *testing.T) {
	v, readme := exported(t), read(t, "../../README.md")
	var ends []string
	for _, m := range nameOrEnd.FindAllStringSubmatch(readme, -1) {
		name, isEnd := m[1]+m[2], m[1] == ""
		if isEnd {
			ends = append(ends, name)
		} else if v[name] == nil {
			t.Errorf("no metric has the name %s", name)
		}
	}
	for name := range v {
		others := regexp.MustCompile(`^lvs_(real_server_|cpu_)?(incoming|outgoing)_(packets|bytes)_total$`) // "and four more"
		ok := strings.Contains(readme, "`"+name+"`") || others.MatchString(name)
		if !ok && !slices.ContainsFunc(ends, func(end string) bool { return strings.HasSuffix(name, end) }) {
			t.Errorf("the README does not have %s", name)
		}
	}
}

// The check finds names that do not exist, wherever they stand.
func TestVocabulary(t *testing.T) {
	v := exported(t)
	for expr, want := range map[string]string{
		`sum by (service) (rate(lvs_service_connections_total{service=~"a.*", instance="b"}[5m]))`: "",
		`lvs_service_connection_total`:                                      "lvs_service_connection_total",
		`lvs_up{service="a"}`:                                               "lvs_up lacks the label service",
		`lvs_up + on (real_server) lvs_services`:                            "the label real_server",
		`sum by (real_server) (lvs_service_active_connections{service=""})`: "the label real_server",
		`lvs_real_server_weight{service="", real_serer="a"}`:                "the label real_serer",
	} {
		problems, _ := v.check(expr)
		if got := strings.Join(problems, "\n"); !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("%s: %q, want %q", expr, got, want)
		}
	}
}
