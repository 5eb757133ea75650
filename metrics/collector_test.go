package metrics

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"
)

// scene is a simulated host and a collector of it.
type scene struct {
	*testing.T
	sim   *lvs.Simulator
	host  *lvs.Host
	now   time.Time // of the collector
	ports uint16    // of clients
	*Collector
}

func newScene(t *testing.T, o Options) *scene {
	t.Helper()
	sim, err := lvs.NewSimulator(lvs.SimOptions{ImmediateStats: true})
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{T: t, sim: sim, host: sim.Host(), now: time.Unix(0, 0), ports: 1000}
	t.Cleanup(func() { s.host.Close() })
	o.now = func() time.Time { return s.now }
	if s.Collector, err = New(s.host, o); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *scene) do(changes ...lvs.Change) {
	s.Helper()
	if err := s.host.Client().Do(s.Context(), changes...); err != nil {
		s.Fatal(err)
	}
}

// add adds a service with real servers.
func (s *scene) add(id string, servers ...string) lvs.ServiceID {
	s.Helper()
	service := lvs.Service{ID: lvs.MustParseServiceID(id), Scheduler: lvs.RR}
	changes := []lvs.Change{lvs.AddService(service)}
	for _, server := range servers {
		changes = append(changes, lvs.AddRealServer(service.ID, lvs.NewRealServer(netip.MustParseAddrPort(server), lvs.NAT())))
	}
	s.do(changes...)
	return service.ID
}

// connect opens n connections to an address.
func (s *scene) connect(n int, vip string) {
	s.Helper()
	for range n {
		s.ports++
		f := lvs.Flow{Client: netip.AddrPortFrom(netip.MustParseAddr("10.9.0.1"), s.ports), VIP: netip.MustParseAddrPort(vip)}
		if _, err := s.sim.Connect(f); err != nil {
			s.Fatal(err)
		}
	}
}

// text returns the lines of a scrape that begin so.
func (s *scene) text(prefixes ...string) string {
	s.Helper()
	families, err := s.Gather()
	if err != nil {
		s.Fatal(err)
	}
	var b, kept strings.Builder
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			s.Fatal(err)
		}
	}
	for line := range strings.Lines(b.String()) {
		for _, p := range prefixes {
			if strings.HasPrefix(line, p) {
				kept.WriteString(line)
			}
		}
	}
	return kept.String()
}

func (s *scene) want(want string, prefixes ...string) {
	s.Helper()
	if got := s.text(prefixes...); got != strings.TrimLeft(want, "\n") {
		s.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestNamesFollowTheRules(t *testing.T) {
	for _, o := range []Options{
		{ServerCounters: true, Totals: true, CPUs: true, States: true}, {NodeExporter: true, CPUs: true},
	} {
		s := newScene(t, o)
		s.add("tcp://10.0.0.1:80", "10.1.0.1:80")
		s.connect(1, "10.0.0.1:80")
		problems, err := testutil.CollectAndLint(s.Collector)
		if err != nil || len(problems) > 0 {
			t.Error(problems, err)
		}
		s.want("lvs_up 1\n", "lvs_up")
	}
}

// A registry refuses metrics that are not as they were described, or are there twice.
func TestRegistryGathersTheSame(t *testing.T) {
	s := newScene(t, Options{ServerCounters: true, Totals: true, States: true})
	s.add("tcp://10.0.0.1:80", "10.1.0.1:80", "10.1.0.2:80")
	s.add("fwmark://7", "10.1.0.1:0")
	s.connect(3, "10.0.0.1:80")
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(s.Collector)
	ours, err := testutil.GatherAndCount(s.Collector)
	theirs, err2 := testutil.GatherAndCount(registry)
	if ours == 0 || ours != theirs || err != nil || err2 != nil {
		t.Errorf("%d metrics (%v), and a registry has %d (%v)", ours, err, theirs, err2)
	}
}

func TestServiceLabels(t *testing.T) {
	s := newScene(t, Options{})
	for _, id := range []string{"sctp://10.0.0.1:80", "udp://[2001:db8::1]:53", "fwmark://7", "fwmark6://7"} {
		s.add(id)
	}
	s.want(`
lvs_service_info{address="2001:db8::1",family="ipv6",firewall_mark="",id="udp://[2001:db8::1]:53",port="53",protocol="udp",scheduler="rr",service="udp://[2001:db8::1]:53"} 1
lvs_service_info{address="10.0.0.1",family="ipv4",firewall_mark="",id="sctp://10.0.0.1:80",port="80",protocol="sctp",scheduler="rr",service="sctp://10.0.0.1:80"} 1
lvs_service_info{address="",family="ipv4",firewall_mark="7",id="fwmark://7",port="",protocol="",scheduler="rr",service="fwmark://7"} 1
lvs_service_info{address="",family="ipv6",firewall_mark="7",id="fwmark6://7",port="",protocol="",scheduler="rr",service="fwmark6://7"} 1
`, "lvs_service_info")
}

func TestCountersNeverDecrease(t *testing.T) {
	s := newScene(t, Options{ServerCounters: true, Totals: true})
	const vip, server = "10.0.0.1:80", "10.1.0.1:80"
	id := s.add("tcp://"+vip, server)
	expect := func(n int) {
		t.Helper()
		s.want(fmt.Sprintf(`
lvs_connections_total %d
lvs_real_server_connections_total{real_server="10.1.0.1:80",service="tcp://10.0.0.1:80"} %[1]d
lvs_service_connections_total{service="tcp://10.0.0.1:80"} %[1]d
`, n), "lvs_connections_total", "lvs_real_server_connections_total", "lvs_service_connections_total")
	}
	s.connect(5, vip)
	expect(5)
	s.do(lvs.ZeroAllCounters())
	expect(5)
	s.connect(2, vip)
	expect(7)
	s.do(lvs.RemoveService(id))
	s.text()
	s.add("tcp://"+vip, server)
	s.connect(1, vip)
	expect(8)
}

func TestSameNamesAreMerged(t *testing.T) {
	s := newScene(t, Options{
		ServerCounters: true,
		ServiceName:    func(lvs.ServiceID) string { return "web\xff" },
		ServerName:     func(lvs.ServiceID, netip.AddrPort) string { return "" },
	})
	s.add("tcp://10.0.0.1:80", "10.1.0.1:80")
	other := s.add("tcp://10.0.0.2:80", "10.1.0.1:80", "10.1.0.2:80")
	s.connect(2, "10.0.0.1:80")
	s.connect(4, "10.0.0.2:80")
	check := func(active, weight int) {
		t.Helper()
		s.want(fmt.Sprintf(`
lvs_real_server_weight{real_server="10.1.0.1:80",service="web�"} %d
`, weight)+strings.Repeat("lvs_real_server_weight{real_server=\"10.1.0.2:80\",service=\"web�\"} 1\n", weight-1)+fmt.Sprintf(
			`lvs_service_active_connections{service="web�"} %d
lvs_service_connections_total{service="web�"} 6
`, active), "lvs_real_server_weight", "lvs_service_active", "lvs_service_connections_total")
		if err := prometheusAccepts(s.Collector); err != nil {
			t.Error(err)
		}
	}
	check(6, 2)
	s.do(lvs.RemoveService(other))
	check(2, 1)
}

func prometheusAccepts(c prometheus.Collector) error {
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(c); err != nil {
		return err
	}
	_, err := registry.Gather()
	return err
}

func TestNodeExporter(t *testing.T) {
	s := newScene(t, Options{NodeExporter: true})
	s.add("tcp://10.0.0.1:80", "10.1.0.1:8080")
	s.add("udp://[2001:db8::1]:53", "[2001:db8::2]:53")
	s.add("fwmark://268439552", "10.1.0.1:0")
	s.connect(3, "10.0.0.1:80")
	s.want(`
node_ipvs_backend_connections_active{local_address="10.0.0.1",local_mark="",local_port="80",proto="TCP",remote_address="10.1.0.1",remote_port="8080"} 3
node_ipvs_backend_connections_active{local_address="2001:db8::1",local_mark="",local_port="53",proto="UDP",remote_address="2001:db8::2",remote_port="53"} 0
node_ipvs_backend_connections_active{local_address="",local_mark="10001000",local_port="0",proto="FWM",remote_address="10.1.0.1",remote_port="0"} 0
node_ipvs_connections_total 3
`, "node_ipvs_backend_connections_active", "node_ipvs_connections_total")
}

func TestFailedReadingIsShown(t *testing.T) {
	var told []string
	s := newScene(t, Options{Timeout: 50 * time.Millisecond, OnError: func(r string, err error) { told = append(told, r) }})
	s.add("tcp://10.0.0.1:80", "10.1.0.1:80")
	healthy := "lvs_scrape_errors_total{reading=\"table\"} %d\nlvs_services 1\nlvs_up 1\n"
	failing := "lvs_scrape_errors_total{reading=\"table\"} %d\nlvs_up 0\n"
	families := []string{"lvs_services ", "lvs_up", "lvs_scrape_errors"}
	s.want(fmt.Sprintf(healthy, 0), families...)
	for i, f := range []lvs.SimFault{{Op: lvs.OpListServices, Errno: 1}, {Op: lvs.OpListServices, LoseReply: true}} {
		if err := s.sim.Inject(f); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		s.want(fmt.Sprintf(failing, i+1), families...)
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("a scrape that may take %s took %s", s.o.Timeout, took)
		}
	}
	if len(told) != 2 {
		t.Errorf("OnError was called for %q", told)
	}
	s.host.Close()
	s.want(fmt.Sprintf(failing, 3), families...)
}

func TestScrapesTakeTurns(t *testing.T) {
	s := newScene(t, Options{ServerCounters: true, Servers: BusiestServers(1)})
	s.add("tcp://10.0.0.1:80", "10.1.0.1:80", "10.1.0.2:80")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if err := testutil.GatherAndCompare(s.Collector, strings.NewReader("# HELP lvs_up Whether everything that was asked for was read: 1, or else 0.\n# TYPE lvs_up gauge\nlvs_up 1\n"), "lvs_up"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestBusiestServersStay(t *testing.T) {
	s := newScene(t, Options{Servers: BusiestServers(1)})
	a := lvs.TCP(netip.MustParseAddrPort("10.0.0.1:80"))
	s.add(a.String(), "10.1.0.1:80")
	s.add("tcp://10.0.0.2:80", "10.1.0.2:80")
	is := func(server string) {
		t.Helper()
		if got := s.text("lvs_real_server_weight"); strings.Count(got, "\n") != 1 || !strings.Contains(got, server) {
			t.Errorf("shown: %s, want %s", got, server)
		}
	}
	s.connect(2, "10.0.0.1:80")
	is("10.1.0.1:80")
	s.connect(3, "10.0.0.2:80")
	s.now = s.now.Add(stay)
	is("10.1.0.1:80") // 3 are not more than one and a half times 2
	s.connect(1, "10.0.0.2:80")
	is("10.1.0.2:80")
	s.connect(9, "10.0.0.1:80")
	is("10.1.0.2:80") // it has not stayed for ten minutes
	s.now = s.now.Add(stay)
	is("10.1.0.1:80")
	s.do(lvs.RemoveService(a))
	is("10.1.0.2:80")
}

func TestOptionsAreRefused(t *testing.T) {
	s := newScene(t, Options{})
	for _, o := range []Options{
		{Timeout: -1}, {Servers: BusiestServers(-1)}, {Servers: BusiestServers(0)}, {NodeExporter: true, ServerCounters: true},
		{NodeExporter: true, ServiceName: func(lvs.ServiceID) string { return "" }},
	} {
		if _, err := New(s.host, o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
	if _, err := New(nil, Options{}); err == nil {
		t.Error("no host is accepted")
	}
}

// The file of the kernel does not have the family of a firewall mark without servers
// that show it.
func TestMarksOfBothFamilies(t *testing.T) {
	s := newScene(t, Options{})
	tunnel := func(addr string) lvs.RealServer { return lvs.NewRealServer(netip.MustParseAddrPort(addr), lvs.IPIP()) }
	four, six := s.add("fwmark://7"), s.add("fwmark6://7")
	s.do(lvs.AddRealServer(four, tunnel("[2001:db8::2]:0")), lvs.AddRealServer(six, tunnel("10.1.0.1:0")))
	s.want(`
lvs_real_server_weight{real_server="[2001:db8::2]:0",service="fwmark://7"} 1
lvs_real_server_weight{real_server="10.1.0.1:0",service="fwmark6://7"} 1
`, "lvs_real_server_weight")
}
