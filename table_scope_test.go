package lvs

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"
)

func TestScopes(t *testing.T) {
	mark, mark6, web6 := FWMark(7), FWMark6(9), TCP(netip.MustParseAddrPort("[fd00::1]:80"))
	all := []ServiceID{webID, dnsID, web6, mark, mark6}
	for _, test := range []struct {
		name  string
		scope Scope
		known bool
		want  []ServiceID
	}{
		{"the zero value, of others", Scope{}, false, nil},
		{"the zero value, of what is wanted", Scope{}, true, all},
		{"all", ScopeAll(), false, all},
		{"services", ScopeServices(dnsID, mark), false, []ServiceID{dnsID, mark}},
		{"no services", ScopeServices(), true, nil},
		{"VIPs", ScopeVIPs(netip.MustParsePrefix("10.1.0.0/16")), false, []ServiceID{webID, dnsID}},
		{"VIPs of IPv6", ScopeVIPs(netip.MustParsePrefix("fd00::/8"), netip.Prefix{}), false, []ServiceID{web6}},
		{"every VIP of IPv4", ScopeVIPs(netip.MustParsePrefix("0.0.0.0/0")), false, []ServiceID{webID, dnsID}},
		{"marks", ScopeMarks(7, 8), false, []ServiceID{mark}},
		{"every mark", ScopeMarks(0, 1<<32-1), false, []ServiceID{mark, mark6}},
		{"any of none", ScopeAny(), true, nil},
		{"any, of others", ScopeAny(ScopeMarks(7, 7), Scope{}), false, []ServiceID{mark}},
		{"any, of what is wanted", ScopeAny(ScopeMarks(7, 7), Scope{}), true, all},
	} {
		var got []ServiceID
		for _, id := range all {
			if test.scope.Contains(id, test.known) {
				got = append(got, id)
			}
		}
		compare(t, test.name, test.want, got)
	}
}

// Whoever prunes all of a table leaves the services of health checks, which another
// program made, unless it wanted them itself.
func TestScopesLeaveProbes(t *testing.T) {
	probe, beside := FWMark6(LastProbeMark), FWMark6(LastProbeMark+1)
	if !probe.IsProbe() || !FWMark(FirstProbeMark).IsProbe() || FWMark(FirstProbeMark-1).IsProbe() || beside.IsProbe() || webID.IsProbe() {
		t.Error("IsProbe does not hold for the reserved range alone")
	}
	have := Table{Services: []TableService{{Service: Service{ID: beside}}, {Service: Service{ID: probe}}}}
	all := TableOptions{Scope: ScopeAll(), Prune: true}
	for _, test := range []struct {
		name string
		last TableState
		want []ServiceID
	}{
		{"of others", TableState{}, []ServiceID{beside}},
		{"its own", TableState{Applied: have}, []ServiceID{probe, beside}},
	} {
		o := all
		if len(test.last.Applied.Services) > 0 {
			o.Last = &test.last
		}
		plan, err := Diff(have, Table{}, o)
		if err != nil {
			t.Fatal(err)
		}
		var removed []ServiceID
		for _, step := range plan.Steps {
			removed = append(removed, step.Change.ServiceID())
		}
		slices.SortFunc(removed, ServiceID.Compare)
		compare(t, test.name, test.want, removed)
		if len(plan.Unwanted) > 0 {
			t.Errorf("%s: %v are reported", test.name, plan.Unwanted)
		}
	}
}

func TestDiffRefuses(t *testing.T) {
	twice := Table{Services: []TableService{{Service: Service{ID: webID}}, {Service: Service{ID: webID}}}}
	server := RealServer{Addr: webRIP}
	serverTwice := Table{Services: []TableService{{Service: Service{ID: webID}, RealServers: []RealServer{server, server}}}}
	one := Table{Services: []TableService{{Service: Service{ID: dnsID}}, {Service: Service{ID: webID}}}}
	for _, test := range []struct {
		name       string
		have, want Table
		o          TableOptions
		field      string
	}{
		{"a wanted service twice", Table{}, twice, TableOptions{}, "services[1].id"},
		{"a wanted service outside the scope", Table{}, one, TableOptions{Scope: ScopeServices(dnsID)}, "services[1]"},
		{"a negative drain", Table{}, one, TableOptions{Drain: -time.Second}, "Drain"},
		{"a service twice", twice, one, TableOptions{}, "have"},
		{"a real server twice", serverTwice, one, TableOptions{}, "have"},
	} {
		plan, err := Diff(test.have, test.want, test.o)
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, ErrInvalid) || e.Field != test.field || plan.HasChanges() {
			t.Errorf("%s: %v, %s, want the field %q", test.name, err, plan, test.field)
		}
	}
}
