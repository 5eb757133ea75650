// Package yamltest proves that values survive JSON and the usual YAML packages. It is
// a module of its own because package lvs does not depend on a YAML package.
package yamltest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	goccy "github.com/goccy/go-yaml"
	yaml2 "gopkg.in/yaml.v2"
	yaml3 "gopkg.in/yaml.v3"

	"github.com/golvs/lvs"
)

type format struct {
	marshal   func(any) ([]byte, error)
	unmarshal func([]byte, any) error
}

var formats = map[string]format{
	"json":    {json.Marshal, json.Unmarshal},
	"yaml.v2": {yaml2.Marshal, yaml2.Unmarshal},
	"yaml.v3": {yaml3.Marshal, yaml3.Unmarshal},
	"go-yaml": {func(v any) ([]byte, error) { return goccy.Marshal(v) }, func(b []byte, v any) error { return goccy.Unmarshal(b, v) }},
}

var (
	web    = lvs.MustParseServiceID("tcp://10.168.0.91:80")
	rip    = netip.MustParseAddrPort("10.168.0.94:80")
	rip6   = netip.MustParseAddrPort("[fd00::94]:80")
	stats  = lvs.Stats{Conns: math.MaxUint64, InPackets: 2, OutPackets: 3, InBytes: 4, OutBytes: 5, Rates: lvs.Rates{Conns: 6, InBytes: 7}}
	server = lvs.RealServerStatus{
		RealServer:  lvs.RealServer{Addr: rip, Mode: lvs.GUE(6080, lvs.TunnelChecksum), Weight: 0, UpperThreshold: 9, LowerThreshold: 8},
		ActiveConns: 1, InactiveConns: 2, PersistentConns: 3, Stats: stats,
	}
	service = lvs.ServiceStatus{Service: lvs.Service{
		ID: web, Scheduler: lvs.MH, SchedulerFlags: lvs.HashFallback | lvs.HashPort,
		Persistence: lvs.Persistence{Timeout: 5 * time.Minute, Mask: lvs.PrefixMask(24), Engine: "sip"}, OnePacket: true,
	}, Stats: stats}
)

func TestRoundTrips(t *testing.T) {
	for _, want := range []any{
		service.Service, service, server.RealServer, server, stats, stats.Rates,
		lvs.ServiceEntry{ServiceStatus: service, RealServers: []lvs.RealServerStatus{server, {RealServer: lvs.NewRealServer(rip, lvs.DR())}}},
		lvs.Table{Services: []lvs.TableService{{Service: service.Service, RealServers: []lvs.RealServer{server.RealServer, lvs.NewRealServer(rip6, lvs.DR())}},
			{Service: lvs.Service{ID: lvs.FWMark6(7)}}}},
		lvs.Table{Services: []lvs.TableService{}},
		lvs.Snapshot{Services: []lvs.ServiceEntry{{ServiceStatus: service, RealServers: []lvs.RealServerStatus{server}}}},
		lvs.Timeouts{TCP: 15 * time.Minute, UDP: time.Second},
		lvs.SyncDaemon{Role: lvs.SyncMaster, Interface: "eth0", SyncID: 5, MaxLen: 1400, Group: netip.MustParseAddr("224.0.0.81"), Port: 8848, TTL: 2},
		lvs.SyncDaemon{Role: lvs.SyncBackup, Interface: "eth0"},
		lvs.AddService(service.Service), lvs.AddRealServer(web, server.RealServer), lvs.SetTimeouts(lvs.Timeouts{UDP: time.Second}),
	} {
		for name, f := range formats {
			text, err := f.marshal(want)
			if err != nil {
				t.Errorf("%s: %T: %v", name, want, err)
				continue
			}
			for _, nested := range []string{"servicestatus:", "service:\n  id", "realserver:\n  addr"} {
				if _, isChange := want.(lvs.Change); !isChange && strings.Contains(string(text), nested) {
					t.Errorf("%s: %T is not flat:\n%s", name, want, text)
				}
			}
			got := reflect.New(reflect.TypeOf(want))
			if err := f.unmarshal(text, got.Interface()); err != nil || !reflect.DeepEqual(got.Elem().Interface(), want) {
				t.Errorf("%s: %T:\n%s\nis read back as %+v, %v", name, want, text, got.Elem(), err)
			}
		}
	}
}

const table = `version: 1
services:
- id: tcp://10.168.0.91:80
  scheduler: rr
  realServers: &both
  - addr: 10.168.0.94:80
  - addr: "[fd00::94]:80"
    mode: gue:6080+csum # a tunnel
    weight: 0x10
    upperThreshold: 1_000
- {id: udp://10.168.0.91:80, onePacket: true, realServers: *both}
- id: fwmark://7
  realServers:
`

// A table that people wrote reads as they meant it.
func TestTable(t *testing.T) {
	servers := []lvs.RealServer{lvs.NewRealServer(rip, lvs.DR()), {Addr: rip6, Mode: lvs.GUE(6080, lvs.TunnelChecksum), Weight: 16, UpperThreshold: 1000}}
	want := lvs.Table{Services: []lvs.TableService{
		{Service: lvs.Service{ID: web, Scheduler: lvs.RR}, RealServers: servers},
		{Service: lvs.Service{ID: lvs.UDP(web.AddrPort()), OnePacket: true}, RealServers: servers},
		{Service: lvs.Service{ID: lvs.FWMark(7)}},
	}}
	for name, f := range formats {
		if name == "json" {
			continue
		}
		var got lvs.Table
		if err := f.unmarshal([]byte(table), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// What is wrong with a table is named by its path, whatever the options, and nothing of
// the table is used.
func TestTableIsStrict(t *testing.T) {
	for _, tt := range []struct{ old, new, path, want string }{
		{"version: 1", "new: 1", "version", "is missing"},
		{"version: 1", "version: 2", "version", "is 2"},
		{"services:", "servces:", "servces", "is not a known field"},
		{"  scheduler:", "  sheduler:", "services[0].sheduler", "is not a known field"},
		{"    weight:", "    weigth:", "services[0].realServers[1].weigth", "is not a known field"},
		{"0x10", "ten", "services[0].realServers[1].weight", `is "ten", and must be a whole number`},
		{"10.168.0.94:80", "10.168.0.94", "services[0].realServers[0].addr", "not an ip:port"},
		{"gue:6080+csum", "gui", "services[0].realServers[1].mode", "want dr, nat, ipip, gue:PORT or gre"},
		{"fwmark://7", "fwmark://0", "services[2].id", "is not a number from 1"},
		{"  realServers:\n", "  realServers: 5\n", "services[2].realServers", "is 5, and must be an array"},
		{"- id: fwmark://7", "- 7: fwmark://7", "services[2].7", "is not a known field"},
	} {
		for name, f := range formats {
			if name == "json" {
				continue
			}
			i := strings.LastIndex(table, tt.old)
			text := table[:i] + tt.new + table[i+len(tt.old):]
			var got lvs.Table
			var bad *lvs.Error
			err := f.unmarshal([]byte(text), &got)
			if !errors.As(err, &bad) || bad.Field != tt.path || !strings.Contains(err.Error(), tt.want) || !errors.Is(err, lvs.ErrInvalid) || got.Services != nil {
				t.Errorf("%s: %q: %v, want %s: %s", name, tt.new, err, tt.path, tt.want)
			}
		}
	}
}

// A text that aliases make large, or that contains itself, needs little memory and time.
func TestAliases(t *testing.T) {
	large := "version: 1\nn0: &n0 " + strings.Repeat("x", 1000) + "\n"
	for n := 1; n < 12; n++ {
		large += fmt.Sprintf("n%d: &n%d [%s*n%d]\n", n, n, strings.Repeat(fmt.Sprintf("*n%d, ", n-1), 9), n-1)
	}
	for name, text := range map[string]string{
		"large":  large,
		"itself": "version: 1\nservices: &a [*a]\n",
		"deep":   "version: 1\nservices: " + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + "\n",
	} {
		for f := range formats {
			if f == "json" {
				continue
			}
			var got lvs.Table
			if err := formats[f].unmarshal([]byte(text), &got); err == nil && len(got.Services) > 1 {
				t.Errorf("%s: %s is a table of %d services", f, name, len(got.Services))
			} else if err == nil && name != "itself" {
				t.Errorf("%s: %s is a table", f, name)
			}
		}
	}
}

// Absent means 1 for a weight, and a typo is an error whatever the options.
func TestRealServer(t *testing.T) {
	for name, f := range formats {
		var s lvs.RealServer
		if err := f.unmarshal([]byte(`{"addr": "10.168.0.94:80"}`), &s); err != nil || s != lvs.NewRealServer(rip, lvs.DR()) {
			t.Errorf("%s: %v, %v", name, s, err)
		}
		var bad *lvs.Error
		err := f.unmarshal([]byte(`{"addr": "10.168.0.94:80", "weigth": 5}`), &s)
		if err == nil || !strings.Contains(err.Error(), "weigth") || !strings.Contains(err.Error(), "lvs.RealServer") {
			t.Errorf("%s: a typo: %v", name, err)
		}
		if !errors.As(err, &bad) || bad.Field != "weigth" {
			t.Errorf("%s: %v is not an *lvs.Error", name, err)
		}
	}
}

// A plan survives JSON and YAML with its digests, which are beyond what floating point
// holds.
func TestTablePlan(t *testing.T) {
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := sim.Client()
	defer c.Close()
	web, old := lvs.Service{ID: web, Scheduler: lvs.MH}, lvs.MustParseServiceID("udp://10.168.0.91:53")
	err = c.Do(t.Context(),
		lvs.AddService(web), lvs.AddRealServer(web.ID, lvs.NewRealServer(rip, lvs.NAT())),
		lvs.AddService(lvs.Service{ID: old}), lvs.AddRealServer(old, lvs.NewRealServer(rip, lvs.NAT())))
	if err == nil {
		web.Scheduler = lvs.WRR
		var plan lvs.TablePlan
		plan, err = c.PlanTable(t.Context(), lvs.Table{Services: []lvs.TableService{{Service: web}}},
			lvs.TableOptions{Scope: lvs.ScopeAll(), Prune: true, Drain: time.Minute})
		for name, f := range formats {
			text, err := f.marshal(plan)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			var got lvs.TablePlan
			if err := f.unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, plan) {
				t.Errorf("%s:\n%s\nis read back as\n%+v\nwant\n%+v\n%v", name, text, got, plan, err)
			}
			edited := strings.Replace(string(text), "1m0s", "-1m0s", 1)
			var bad *lvs.Error
			if err := f.unmarshal([]byte(edited), &got); !errors.As(err, &bad) || bad.Field != "steps[1].drain" {
				t.Errorf("%s: a plan that was edited: %v", name, err)
			}
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}
