package health

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/golvs/lvs"
	"github.com/google/go-cmp/cmp"
)

var (
	pathWeb  = lvs.MustParseServiceID("tcp://10.168.0.91:80")
	pathWeb6 = lvs.MustParseServiceID("tcp://[2001:db8:a::91]:80")
	pathMark = lvs.FWMark(7)
	servers  = []netip.AddrPort{netip.MustParseAddrPort("10.168.0.94:80"), netip.MustParseAddrPort("10.168.0.95:80")}
)

// pathTable returns a table with a service of some servers.
func pathTable(id lvs.ServiceID, mode lvs.Mode, servers ...netip.AddrPort) lvs.Table {
	s := lvs.TableService{Service: lvs.Service{ID: id, Scheduler: lvs.RR}}
	for _, a := range servers {
		s.RealServers = append(s.RealServers, lvs.NewRealServer(a, mode))
	}
	return lvs.Table{Services: []lvs.TableService{s}}
}

// join returns a table with the services of all.
func join(all ...lvs.Table) (t lvs.Table) {
	for _, part := range all {
		t.Services = append(t.Services, part.Services...)
	}
	return t
}

// through is a policy of checks on the path through IPVS.
var through = Policy{Checks: []Check{{Path: ThroughIPVS}}}

func simulated(t *testing.T) *lvs.Client {
	t.Helper()
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := sim.Client()
	t.Cleanup(func() { c.Close() })
	return c
}

func newPath(t *testing.T, c *lvs.Client, o TablePathOptions) *TablePath {
	t.Helper()
	p, err := NewTablePath(c, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// probed returns the services of probes in a table, as text.
func probed(t *testing.T, c *lvs.Client) (all []string) {
	t.Helper()
	s, err := c.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range s.Services {
		if e.ID.IsProbe() {
			text := e.Service.String()
			for _, r := range e.RealServers {
				text += " -> " + r.RealServer.String()
			}
			all = append(all, text)
		}
	}
	return all
}

// Each real server gets a service for each mode and family in which it is checked
// through IPVS, whatever the number of services that share it.
func TestTablePathServices(t *testing.T) {
	six := netip.MustParseAddrPort("[2001:db8:b::94]:80")
	for name, c := range map[string]struct {
		table    lvs.Table
		policies map[lvs.ServiceID]Policy
		want     []string
	}{
		"nothing is checked": {table: pathTable(pathWeb, lvs.DR(), servers...)},
		"directly": {
			table:    pathTable(pathWeb, lvs.DR(), servers...),
			policies: map[lvs.ServiceID]Policy{pathWeb: {Checks: []Check{{Path: Direct}, {}}}},
		},
		"NAT needs no marks": {
			table:    pathTable(pathWeb, lvs.NAT(), servers...),
			policies: map[lvs.ServiceID]Policy{pathWeb: through},
		},
		"a service for each server": {
			table:    pathTable(pathWeb, lvs.DR(), servers...),
			policies: map[lvs.ServiceID]Policy{pathWeb: through},
			want: []string{
				"fwmark://1819672576 rr ops -> 10.168.0.94:0 dr weight 1",
				"fwmark://1819672577 rr ops -> 10.168.0.95:0 dr weight 1",
			},
		},
		"one server alone": {
			table:    pathTable(pathWeb, lvs.DR(), servers...),
			policies: map[lvs.ServiceID]Policy{pathWeb: {Servers: map[netip.AddrPort][]Check{servers[1]: through.Checks}}},
			want:     []string{"fwmark://1819672576 rr ops -> 10.168.0.95:0 dr weight 1"},
		},
		"all but one": {
			table:    pathTable(pathWeb, lvs.DR(), servers...),
			policies: map[lvs.ServiceID]Policy{pathWeb: {Checks: through.Checks, Servers: map[netip.AddrPort][]Check{servers[1]: {}}}},
			want:     []string{"fwmark://1819672576 rr ops -> 10.168.0.94:0 dr weight 1"},
		},
		"services share servers": {
			table:    join(pathTable(pathWeb, lvs.IPIP(), servers[0]), pathTable(pathMark, lvs.IPIP(), netip.AddrPortFrom(servers[0].Addr(), 0))),
			policies: map[lvs.ServiceID]Policy{pathWeb: through, pathMark: through},
			want:     []string{"fwmark://1819672576 rr ops -> 10.168.0.94:0 ipip weight 1"},
		},
		"modes and families apart": {
			table: join(pathTable(pathWeb, lvs.GUE(6080), six), pathTable(pathWeb6, lvs.GRE(), six),
				pathTable(pathMark, lvs.DR(), netip.AddrPortFrom(servers[0].Addr(), 0))),
			policies: map[lvs.ServiceID]Policy{pathWeb: through, pathWeb6: through, pathMark: through},
			want: []string{
				"fwmark://1819672576 rr ops -> [2001:db8:b::94]:0 gue:6080 weight 1",
				"fwmark6://1819672577 rr ops -> [2001:db8:b::94]:0 gre weight 1",
				"fwmark://1819672578 rr ops -> 10.168.0.94:0 dr weight 1",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			client := simulated(t)
			p := newPath(t, client, TablePathOptions{})
			if err := p.Set(context.Background(), c.table, c.policies); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, probed(t, client)); diff != "" {
				t.Error(diff)
			}
			if err := p.Close(context.Background()); err != nil {
				t.Error(err)
			}
			if left := probed(t, client); left != nil {
				t.Errorf("Close left %q", left)
			}
		})
	}
}

// A new process keeps the marks that it finds, replaces what is not as it should be, and
// touches no other service.
func TestTablePathConverges(t *testing.T) {
	ctx := context.Background()
	client := simulated(t)
	table := pathTable(pathWeb, lvs.DR(), servers...)
	policies := map[lvs.ServiceID]Policy{pathWeb: through}
	mark := func(n uint32) lvs.ServiceID { return lvs.FWMark(lvs.FirstProbeMark + n) }
	other := lvs.Service{ID: lvs.FWMark(lvs.FirstProbeMark - 1), Scheduler: lvs.WRR}
	rip := func(n int) netip.AddrPort { return netip.AddrPortFrom(servers[n].Addr(), 0) }
	service := func(n uint32) lvs.Service {
		return lvs.Service{ID: mark(n), Scheduler: lvs.RR, OnePacket: true}
	}
	err := client.Do(ctx,
		lvs.AddService(other),
		lvs.AddService(service(3)), lvs.AddRealServer(mark(3), lvs.NewRealServer(rip(1), lvs.DR())), // as it should be
		lvs.AddService(service(5)),                                                                    // killed before it got its server
		lvs.AddService(service(6)), lvs.AddRealServer(mark(6), lvs.NewRealServer(rip(0), lvs.IPIP())), // of another mode
		lvs.AddService(lvs.Service{ID: mark(7)}), lvs.AddRealServer(mark(7), lvs.NewRealServer(rip(0), lvs.DR())), // of another scheduler
		lvs.AddService(service(8)), lvs.AddRealServer(mark(8), lvs.NewRealServer(rip(1), lvs.DR())), // a second one
	)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"fwmark://1819672576 rr ops -> 10.168.0.94:0 dr weight 1",
		"fwmark://1819672579 rr ops -> 10.168.0.95:0 dr weight 1",
	}
	p := newPath(t, client, TablePathOptions{})
	for range 2 {
		if err := p.Set(ctx, table, policies); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, probed(t, client)); diff != "" {
			t.Error(diff)
		}
		if _, err := client.Service(ctx, other.ID); err != nil {
			t.Error(err)
		}
	}
	if err := p.Set(ctx, pathTable(pathWeb, lvs.DR(), servers[0]), policies); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want[:1], probed(t, client)); diff != "" {
		t.Error(diff)
	}
	if err := p.Set(ctx, table, policies); err != nil {
		t.Fatal(err)
	}
	want[1] = "fwmark://1819672577 rr ops -> 10.168.0.95:0 dr weight 1"
	if diff := cmp.Diff(want, probed(t, client)); diff != "" {
		t.Error(diff)
	}
}

// Marks are used again when all have been, and too few are refused before anything
// changes.
func TestTablePathMarks(t *testing.T) {
	ctx := context.Background()
	client := simulated(t)
	policies := map[lvs.ServiceID]Policy{pathWeb: through}
	first := lvs.FirstProbeMark
	p := newPath(t, client, TablePathOptions{Marks: Marks{first, first}})
	for _, s := range servers {
		if err := p.Set(ctx, pathTable(pathWeb, lvs.DR(), s), policies); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"fwmark://1819672576 rr ops -> 10.168.0.95:0 dr weight 1"}
	err := p.Set(ctx, pathTable(pathWeb, lvs.DR(), servers...), policies)
	if bad := (*InvalidError)(nil); !errors.As(err, &bad) || bad.Field != "Marks" || !errors.Is(err, lvs.ErrInvalid) {
		t.Errorf("two servers with one mark: got %v", err)
	}
	if diff := cmp.Diff(want, probed(t, client)); diff != "" {
		t.Error(diff)
	}
}

func TestTablePathPrepare(t *testing.T) {
	ctx := context.Background()
	vip := netip.MustParseAddrPort("10.168.0.92:443")
	p := newPath(t, simulated(t), TablePathOptions{VIPs: map[lvs.ServiceID]netip.AddrPort{pathMark: vip}})
	rip := netip.AddrPortFrom(servers[0].Addr(), 0)
	every := lvs.MustParseServiceID("tcp://10.168.0.93:0")
	table := join(pathTable(pathWeb, lvs.DR(), servers[0]), pathTable(pathMark, lvs.DR(), rip))
	if err := p.Set(ctx, table, map[lvs.ServiceID]Policy{pathWeb: through, pathMark: through}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		target Target
		want   netip.AddrPort
		via    string
		err    string
	}{
		"to the VIP":         {target: Target{Service: pathWeb, Server: servers[0], Mode: lvs.DR()}, want: pathWeb.AddrPort(), via: "through IPVS to 10.168.0.94 (dr)"},
		"to the VIP of mark": {target: Target{Service: pathMark, Server: rip, Mode: lvs.DR()}, want: vip, via: "through IPVS to 10.168.0.94 (dr)"},
		"to every port":      {target: Target{Service: every, Server: servers[0], Mode: lvs.DR()}, want: netip.MustParseAddrPort("10.168.0.93:80"), via: "through IPVS to 10.168.0.94 (dr)"},
		"to the server":      {target: Target{Service: pathWeb, Server: servers[1], Mode: lvs.NAT()}, want: servers[1]},
		"without a mark":     {target: Target{Service: pathWeb, Server: servers[1], Mode: lvs.DR()}, err: "call TablePath.Set"},
		"without a VIP":      {target: Target{Service: lvs.FWMark(8), Server: rip, Mode: lvs.DR()}, err: "TablePathOptions.VIPs"},
	} {
		got, err := p.Prepare(c.target)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: got the error %v, want one with %q", name, err, c.err)
			}
			continue
		}
		if err != nil || got.Addr != c.want || got.Via != c.via || (got.Network == nil) != (c.via == "") {
			t.Errorf("%s: got %+v, %v, want %s by %q", name, got, err, c.want, c.via)
		}
	}
}

func TestTablePathOptions(t *testing.T) {
	a, b := netip.MustParseAddr("10.168.0.90"), netip.MustParseAddr("10.168.0.89")
	for field, o := range map[string]TablePathOptions{
		"Marks":                      {Marks: Marks{First: 0, Last: 9}},
		"Sources[0]":                 {Sources: []netip.Addr{{}}},
		"Sources[1]":                 {Sources: []netip.Addr{a, b}},
		"VIPs[tcp://10.168.0.91:80]": {VIPs: map[lvs.ServiceID]netip.AddrPort{pathWeb: servers[0]}},
		"VIPs[fwmark6://7]":          {VIPs: map[lvs.ServiceID]netip.AddrPort{lvs.FWMark6(7): servers[0]}},
	} {
		_, err := NewTablePath(nil, o)
		if bad := (*InvalidError)(nil); !errors.As(err, &bad) || bad.Field != field {
			t.Errorf("got %v, want an error about %s", err, field)
		}
	}
}

// A probe that fails says on which path, and what a timeout on it may mean.
func TestTargetExplain(t *testing.T) {
	refused := errors.New("refused")
	through := Target{Via: "through IPVS to 10.168.0.94 (dr)"}
	for _, c := range []struct {
		target Target
		err    error
		want   string
	}{
		{Target{}, refused, "refused"},
		{through, refused, "through IPVS to 10.168.0.94 (dr): refused"},
		{through, syscall.ECONNREFUSED, "through IPVS to 10.168.0.94 (dr): connection refused: if a direct check succeeds, the server has no VIP or does not listen on it"},
		{through, context.DeadlineExceeded, "through IPVS to 10.168.0.94 (dr): context deadline exceeded: if a direct check succeeds, " +
			"the server has no VIP or no end of the tunnel, or this host drops its answers (see Checks of lvs.DRDirector)"},
	} {
		if got := c.target.explain(c.err); got.Error() != c.want || !errors.Is(got, c.err) {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	if err := through.explain(nil); err != nil {
		t.Error(err)
	}
}
