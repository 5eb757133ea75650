package lab

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
	"github.com/golvs/lvs/internal/testbed"
)

const checkedPort = 8088 // of the service that is checked

// A real server is broken in six ways. A check through IPVS notices each one. A check of
// the server's own address misses those on the way to the VIP. The other real servers stay
// up, their connections go on, and no probe counts as a client of the service.
func TestChecksNoticeFaults(t *testing.T) {
	testbed.InKernel(t)
	for _, o := range checkedLabs() {
		t.Run(o.title(), func(t *testing.T) {
			c := newCheckedLab(t, o)
			f := newTraffic(t, c.Lab, c.echo)
			long := 2 * len(c.Servers) // connections, by rr two to each real server
			f.talk(long, c.echo, func() time.Duration { return time.Hour })
			f.await(t, "echoes", func() bool { return f.heard == long })
			c.run(t)
			for _, fault := range faults(c) {
				t.Run(fault.name, func(t *testing.T) { c.suffers(t, fault) })
			}
			f.end()
			for _, b := range f.broken {
				if b.server != 0 {
					t.Errorf("a connection of a server that works broke: %v", b.err)
				}
			}
			c.mustNotCount(t)
		})
	}
}

var everyLab = flag.Bool("checks.all", false, "check through IPVS in the labs of all modes and families")

// checkedLabs are the labs of every mode: those of IPv6 in the newest kernel
// and those of IPv4 in the others.
// Left out are full NAT, which needs nftables, and encrypted tunnels, because a check of a
// server's own address does not lead into them.
func checkedLabs() (all []Options) {
	for _, o := range labs() {
		if o.Mode == "fullnat" || o.Encrypt {
			continue
		}
		if o.Checks = true; *everyLab || testbed.IsNewest() == (o.Family != "4") {
			all = append(all, o)
		}
	}
	return all
}

// checkTimeout is how long a probe may take. Two that take longer make a server fail, so it
// is long enough for a busy machine.
const checkTimeout = 3 * impatience

// checkedLab is a lab with web servers that can be broken, and a path through IPVS to them.
type checkedLab struct {
	*Lab
	web, echo lvs.ServiceID
	sites     []*site
	path      *health.TablePath
	monitor   *health.Monitor // checks each server on both paths
}

func newCheckedLab(t *testing.T, o Options) *checkedLab {
	t.Helper()
	ctx := context.Background()
	c := &checkedLab{Lab: newLab(t, o)}
	vip := c.VIP().Addr()
	c.web, c.echo = lvs.TCP(netip.AddrPortFrom(vip, checkedPort)), lvs.TCP(netip.AddrPortFrom(vip, checkedPort+1))
	if err := c.SetUp(ctx); err != nil {
		t.Fatal(err)
	}
	client := c.Director.Client()
	var changes []lvs.Change
	for _, s := range c.wanted().Services {
		changes = append(changes, lvs.AddService(s.Service))
		for _, r := range s.RealServers {
			changes = append(changes, lvs.AddRealServer(s.ID, r))
		}
	}
	if err := client.Do(ctx, changes...); err != nil {
		t.Fatal(err)
	}
	for _, h := range c.Servers {
		s := &site{host: h}
		s.listen(t, "")
		t.Cleanup(s.close)
		c.sites = append(c.sites, s)
	}
	var err error
	if c.path, err = health.NewTablePath(client, health.TablePathOptions{}); err != nil {
		t.Fatal(err)
	}
	check := health.Check{Probe: health.HTTP{}, Interval: 50 * time.Millisecond, Timeout: checkTimeout, Rise: 1, Fall: 2}
	direct := check
	check.Path = health.ThroughIPVS
	policies := map[lvs.ServiceID]health.Policy{c.web: {Checks: []health.Check{check, direct}}}
	if err := c.path.Set(ctx, c.wanted(), policies); err != nil {
		t.Fatal(err)
	}
	c.monitor, err = health.New(health.Options{
		Network: fromHost{c.Director, nil},
		Paths: map[health.Path]health.PathFunc{health.ThroughIPVS: func(target health.Target) (health.Target, error) {
			target, err := c.path.Prepare(target)
			target.Network = fromHost{c.Director, target.Network}
			return target, err
		}},
	})
	if err == nil {
		err = c.monitor.Set(c.wanted(), policies)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.path.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return c
}

// wanted is the table of the services that the test adds.
func (c *checkedLab) wanted() (table lvs.Table) {
	for _, id := range []lvs.ServiceID{c.web, c.echo} {
		s := lvs.TableService{Service: lvs.Service{ID: id, Scheduler: lvs.RR}}
		for _, r := range c.table {
			r.Addr = netip.AddrPortFrom(r.Addr.Addr(), id.AddrPort().Port())
			s.RealServers = append(s.RealServers, r)
		}
		table.Services = append(table.Services, s)
	}
	return table
}

// check probes a real server once on a path.
func (c *checkedLab) check(path health.Path, server int) error {
	return c.checkFor(checkTimeout, path, server)
}

// checkFor is check with a time that the probe may take.
func (c *checkedLab) checkFor(timeout time.Duration, path health.Path, server int) error {
	target, err := c.target(path, server)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	_, err = health.HTTP{}.Probe(ctx, target)
	return err
}

// target returns what a probe of a real server asks on a path, from the director.
func (c *checkedLab) target(path health.Path, server int) (health.Target, error) {
	r := c.wanted().Services[0].RealServers[server]
	target := health.Target{Service: c.web, Server: r.Addr, Mode: r.Mode, Addr: r.Addr}
	if path == health.ThroughIPVS {
		var err error
		if target, err = c.path.Prepare(target); err != nil {
			return target, err
		}
	}
	target.Network = fromHost{c.Director, target.Network}
	return target, nil
}

// fromHost opens the connections of a network in the namespace of a host.
type fromHost struct {
	host    *Host
	network health.Network // nil: the host's
}

func (f fromHost) DialContext(ctx context.Context, network, address string) (conn net.Conn, err error) {
	if f.network == nil {
		f.network = &net.Dialer{}
	}
	err = f.host.Run(func() error {
		conn, err = f.network.DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// run checks until the test ends.
func (c *checkedLab) run(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- c.monitor.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// mustNotCount holds that no probe was counted by the service, and that the services of
// probes are there.
func (c *checkedLab) mustNotCount(t *testing.T) {
	t.Helper()
	s, err := c.Director.Client().Service(context.Background(), c.web)
	if err != nil || s.Stats != (lvs.Stats{}) {
		t.Errorf("the service counted probes: %s, %v", s, err)
	}
}

// site is a web server that can be broken.
type site struct {
	host   *Host
	server *http.Server
	status atomic.Int32
}

// listen starts the server at an address of the host, "" for all.
func (s *site) listen(t *testing.T, address string) {
	t.Helper()
	s.status.Store(http.StatusOK)
	s.server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(int(s.status.Load()))
	})}
	listener := s.socket(t, address)
	go func() { _ = s.server.Serve(listener) }()
}

func (s *site) socket(t *testing.T, address string) (listener net.Listener) {
	t.Helper()
	err := s.host.Run(func() (err error) {
		listener, err = net.Listen("tcp", fmt.Sprintf("%s:%d", address, checkedPort))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

func (s *site) close() { s.server.Close() }

// fault is something that breaks a real server.
type fault struct {
	name    string
	onWay   bool // to the VIP, where a check of the server's own address does not look
	breaks  func(t *testing.T)
	repairs func(t *testing.T)
}

// faults are those that the first real server of a lab can have.
func faults(c *checkedLab) []fault {
	s, ctx := c.sites[0], context.Background()
	restart := func(t *testing.T) { s.listen(t, "") }
	var deaf net.Listener
	all := []fault{
		{"process gone", false, func(*testing.T) { s.close() }, restart},
		{"port refused", false,
			func(t *testing.T) { s.close(); s.listen(t, "127.0.0.1") },
			func(t *testing.T) { s.close(); restart(t) }},
		{"hangs", false, func(t *testing.T) {
			s.close()
			deaf = s.socket(t, "") // connections are never accepted
		}, func(t *testing.T) { deaf.Close(); restart(t) }},
		{"answers 500", false,
			func(*testing.T) { s.status.Store(http.StatusInternalServerError) },
			func(*testing.T) { s.status.Store(http.StatusOK) }},
	}
	again := func(t *testing.T) {
		t.Helper()
		plan, err := s.host.Plan(ctx, s.host.Setup)
		if err == nil {
			err = s.host.Apply(ctx, plan)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range s.host.applied.Steps {
		switch want := step.Requirement.Want.(type) {
		case lvs.Address:
			all = append(all, fault{"VIP missing", true, func(t *testing.T) { s.host.takeBack(t, step) }, again})
		case lvs.Link:
			if want.Name != "lo" {
				all = append(all, fault{"tunnel down", true, func(t *testing.T) { s.host.takeBack(t, step) }, again})
			}
		}
	}
	return all
}

// suffers breaks the first real server, and repairs it.
func (c *checkedLab) suffers(t *testing.T, f fault) {
	t.Helper()
	c.await(t, "all work", func(status []health.ServerStatus) bool {
		return !slices.ContainsFunc(status, func(s health.ServerStatus) bool { return s.State != health.Up })
	})
	others := since(c.monitor.Status().Services[0].Servers[1:])
	f.breaks(t)
	through, direct := c.await(t, "the check through IPVS notices it", func(status []health.ServerStatus) bool {
		through, direct := status[0].Checks[0], status[0].Checks[1]
		return through.State == health.Down && (f.onWay || direct.State == health.Down)
	})
	t.Logf("%s: %s; %s: %s", through.Path, through.Error, direct.Path, cmp.Or(direct.Error, string(direct.State)))
	if c.table[0].Mode != lvs.NAT() && !strings.HasPrefix(through.Error, "through IPVS to ") {
		t.Errorf("the check through IPVS does not say so: %s", through.Error)
	}
	if missed := direct.State == health.Up; missed != f.onWay || direct.Path != health.Direct {
		t.Errorf("the direct check says %+v", direct)
	}
	f.repairs(t)
	c.await(t, "the server works again", func(status []health.ServerStatus) bool { return status[0].State == health.Up })
	if now := since(c.monitor.Status().Services[0].Servers[1:]); !slices.Equal(now, others) {
		t.Error("other servers failed")
	}
}

func since(all []health.ServerStatus) (times []time.Time) {
	for _, s := range all {
		times = append(times, s.Since)
	}
	return times
}

// await waits until the checks have come to something, and returns those of the first
// server.
func (c *checkedLab) await(t *testing.T, what string, come func(status []health.ServerStatus) bool) (through, direct health.CheckStatus) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(echoPause) {
		status := c.monitor.Status()
		servers := status.Services[0].Servers
		if come(servers) {
			return servers[0].Checks[0], servers[0].Checks[1]
		}
		if time.Now().After(end) {
			t.Fatalf("%s: not in %s:\n%s", what, patience, status)
		}
	}
}

// IPVS remembers for a minute that a probe without an answer was for one server. A later
// probe that comes from the same port must reach its own server nevertheless.
func TestChecksKeepApart(t *testing.T) {
	testbed.InKernel(t)
	c := newCheckedLab(t, Options{Mode: "dr", Checks: true})
	err := c.Director.Run(func() error { // so that ports are used again soon
		return os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte("40000 40255"), 0)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults(c) {
		if f.name == "VIP missing" {
			f.breaks(t)
		}
	}
	for range 200 {
		if c.checkFor(2*time.Millisecond, health.ThroughIPVS, 0) == nil {
			t.Fatal("a server without the VIP answers")
		}
	}
	for n := range 100 {
		if err := c.checkFor(patience, health.ThroughIPVS, 1); err != nil {
			t.Fatalf("probe %d of a server that works: %v", n, err)
		}
	}
}

// A director that has the VIP drops IPv4 answers to its own checks unless its setup says
// that it checks. That can be undone. A backup, which lacks the VIP, needs nothing.
func TestChecksNeedSetup(t *testing.T) {
	testbed.InKernel(t)
	ctx := context.Background()
	c := newCheckedLab(t, Options{Mode: "dr"})
	answers := func() (err error) {
		for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(echoPause) {
			if err = c.check(health.ThroughIPVS, 0); err == nil {
				return nil
			}
		}
		return err
	}
	h, vip := c.Director, c.VIP().Addr()
	checks, err := lvs.DRDirector{VIP: vip, Interface: "eth0", Checks: "eth0"}.Setup()
	if err != nil {
		t.Fatal(err)
	}
	missing := func() bool {
		report, err := h.Check(ctx, lvs.CheckOptions{Setup: checks})
		if err != nil {
			t.Fatal(err)
		}
		if names(report.Findings, lvs.Sysctl{Key: lvs.InterfaceSysctl("eth0", "accept_local", false), Value: "1"}) {
			return true
		}
		for _, f := range report.Findings {
			t.Errorf("Check says about probes: %s", f)
		}
		return false
	}
	drops := func() {
		t.Helper()
		if err := c.check(health.ThroughIPVS, 0); err == nil {
			t.Error("a director with the VIP gets answers, although its setup does not ask for them")
		}
		if !missing() {
			t.Error("Check does not say that accept_local is missing")
		}
	}
	drops()
	plan, err := h.Plan(ctx, checks)
	if err == nil {
		err = h.Apply(ctx, plan)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := answers(); err != nil {
		t.Error(err)
	}
	if missing() {
		t.Error("Check says that accept_local is missing")
	}
	if kept, err := h.Undo(ctx, plan); err != nil || len(kept) > 0 {
		t.Fatalf("%v, %v", kept, err)
	}
	drops()
	if kept, err := h.Undo(ctx, h.applied); err != nil || len(kept) > 0 {
		t.Fatalf("%v, %v", kept, err)
	}
	if err := answers(); err != nil {
		t.Errorf("without the VIP: %v", err)
	}
}
