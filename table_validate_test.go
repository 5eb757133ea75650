package lvs

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// Each problem is reported with its path, and the rest of the table with it.
func TestTableValidate(t *testing.T) {
	vip := webID.AddrPort()
	at := netip.MustParseAddrPort
	many := largeTable(1, 20).Services[0].RealServers
	for _, tt := range []struct {
		name  string
		table Table
		want  []string // paths, in order
	}{
		{"no services", Table{}, nil},
		{"valid", wantedTable(), nil},
		{"the zero ID", Table{[]TableService{{}}}, []string{"services[0].id"}},
		{"the same service", Table{[]TableService{{Service: Service{ID: webID}}, {Service: Service{ID: dnsID}},
			{Service: Service{ID: TCP(at("[::ffff:10.1.0.1]:80"))}}}}, []string{"services[2].id"}},
		{"the zero ID twice", Table{[]TableService{{}, {}}}, []string{"services[0].id", "services[1].id"}},
		{"marks of both families", Table{[]TableService{{Service: Service{ID: FWMark(7)}}, {Service: Service{ID: FWMark6(7)}}}}, nil},
		{"a VIP that receives nothing", service(Service{ID: TCP(at("0.0.0.0:80"))}), []string{"services[0].id"}},
		{"a protocol", service(Service{ID: NewServiceID(47, vip)}), []string{"services[0].id"}},
		{"all fields of a service", service(Service{ID: webID, Scheduler: "Rr", SchedulerFlags: 1, OnePacket: true,
			Persistence: Persistence{Timeout: time.Millisecond, Mask: PrefixMask(33), Engine: "Sip"}}),
			[]string{"services[0].scheduler", "services[0].schedulerFlags", "services[0].onePacket",
				"services[0].persistence", "services[0].persistence", "services[0].persistence"}},
		{"a mask and an engine without a timeout", service(Service{ID: webID, Persistence: Persistence{Mask: PrefixMask(24), Engine: "x"}}),
			[]string{"services[0].persistence", "services[0].persistence"}},
		{"every port without persistence", service(Service{ID: TCP(at("10.1.0.1:0"))}), []string{"services[0].persistence"}},
		{"every port with persistence", service(Service{ID: TCP(at("10.1.0.1:0")), Persistence: Persistence{Timeout: time.Second}}), nil},
		{"flags of sh on rr", service(Service{ID: webID, Scheduler: RR, SchedulerFlags: HashPort}), []string{"services[0].schedulerFlags"}},
		{"flags of sh on the default", service(Service{ID: webID, SchedulerFlags: HashFallback}), []string{"services[0].schedulerFlags"}},
		{"flags of sh", service(Service{ID: webID, Scheduler: SH, SchedulerFlags: HashFallback | HashPort}), nil},
		{"flags of a scheduler that is not Linux's", service(Service{ID: webID, Scheduler: "mine", SchedulerFlags: HashPort}), nil},
		{"a flag without a name", service(Service{ID: webID, Scheduler: RR, SchedulerFlags: flag3}), nil},
		{"SIP over TCP", service(Service{ID: webID, Persistence: Persistence{Timeout: time.Second, Engine: "sip"}}), []string{"services[0].persistence"}},
		{"SIP over UDP", service(Service{ID: dnsID, Persistence: Persistence{Timeout: time.Second, Engine: "sip"}}), nil},
		{"SIP by mark", service(Service{ID: FWMark(7), Persistence: Persistence{Timeout: time.Second, Engine: "sip"}}), nil},
		{"one packet of TCP", service(Service{ID: webID, OnePacket: true}), []string{"services[0].onePacket"}},
		{"no address", service(Service{ID: webID}, RealServer{}), []string{"services[0].realServers[0].addr"}},
		{"no address twice", service(Service{ID: webID}, RealServer{}, RealServer{}),
			[]string{"services[0].realServers[0].addr", "services[0].realServers[1].addr"}},
		{"the same server", service(Service{ID: webID}, NewRealServer(webRIP, DR()), NewRealServer(webRIP2, DR()), NewRealServer(at("[::ffff:10.2.0.2]:80"), DR())),
			[]string{"services[0].realServers[2].addr"}},
		{"the same server among many", service(Service{ID: webID}, append(slices.Clone(many), many[7])...), []string{"services[0].realServers[20].addr"}},
		{"the same address, another port", service(Service{ID: webID}, NewRealServer(webRIP, NAT()), NewRealServer(at("10.2.0.2:81"), NAT())), nil},
		{"a port that DR does not rewrite", service(Service{ID: webID}, NewRealServer(at("10.2.0.2:81"), DR())), []string{"services[0].realServers[0].addr"}},
		{"a port of a mark", service(Service{ID: FWMark(1)}, NewRealServer(webRIP, IPIP())), []string{"services[0].realServers[0].addr"}},
		{"another family by DR", service(Service{ID: webID}, NewRealServer(at("[fd00::2]:80"), DR())), []string{"services[0].realServers[0].mode"}},
		{"another family by NAT", service(Service{ID: FWMark6(1)}, NewRealServer(webRIP, NAT())), []string{"services[0].realServers[0].mode"}},
		{"another family by a tunnel", service(Service{ID: webID}, NewRealServer(at("[fd00::2]:80"), GUE(6080))), nil},
		{"a tunnel without its port", service(Service{ID: webID}, NewRealServer(webRIP, GUE(0))), []string{"services[0].realServers[0].mode"}},
		{"a mode of the kernel's own", service(Service{ID: webID}, NewRealServer(webRIP, ModeLocalNode())), []string{"services[0].realServers[0].mode"}},
		{"numbers", service(Service{ID: webID}, RealServer{Addr: webRIP, Weight: -1, UpperThreshold: -2, LowerThreshold: -3}),
			[]string{"services[0].realServers[0].weight", "services[0].realServers[0].upperThreshold", "services[0].realServers[0].lowerThreshold"}},
		{"thresholds", service(Service{ID: webID}, RealServer{Addr: webRIP, UpperThreshold: 5, LowerThreshold: 6}), []string{"services[0].realServers[0].lowerThreshold"}},
		{"a server of no service", Table{[]TableService{{Service: Service{ID: webID}}, {RealServers: []RealServer{{Addr: webRIP, Mode: GUE(0)}}}}},
			[]string{"services[1].id", "services[1].realServers[0].mode"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			compare(t, "paths", tt.want, pathsOf(t, tt.table.Validate()))
		})
	}
}

// wantedTable returns a table that uses every field.
func wantedTable() Table {
	return Table{[]TableService{
		{Service{ID: webID, Scheduler: MH, SchedulerFlags: HashFallback, Persistence: Persistence{Timeout: time.Minute, Mask: PrefixMask(24)}},
			[]RealServer{NewRealServer(webRIP, DR()), {Addr: webRIP2, Mode: IPIP(), Weight: 0, UpperThreshold: 9, LowerThreshold: 3}}},
		{Service{ID: dnsID, Scheduler: RR, OnePacket: true}, nil},
	}}
}

func service(s Service, servers ...RealServer) Table { return Table{[]TableService{{s, servers}}} }

// pathsOf returns the fields of the problems of a table.
func pathsOf(t *testing.T, err error) (paths []string) {
	t.Helper()
	var bad *TableError
	if err == nil {
		return nil
	}
	if !errors.As(err, &bad) || !errors.Is(err, ErrInvalid) {
		t.Fatalf("%v (%T) is not a *TableError", err, err)
	}
	for _, p := range bad.Problems {
		ofKind(t, p.Field, p, ErrInvalid)
		if !strings.Contains(p.Error(), p.Field+": ") || p.Op != OpValidate {
			t.Errorf("%q does not say where", p)
		}
		paths = append(paths, p.Field)
	}
	return paths
}

func TestTableErrorText(t *testing.T) {
	one := service(Service{ID: webID}, NewRealServer(webRIP, GUE(0)))
	const want = "lvs: validate tcp://10.1.0.1:80 -> 10.2.0.2:80: services[0].realServers[0].mode: a GUE tunnel needs the UDP port on which the server receives it"
	if got := one.Validate().Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	var first *Error
	if err := one.Validate(); !errors.As(err, &first) || first.Object != webID.String()+" -> "+webRIP.String() {
		t.Errorf("%+v", first)
	}

	twice := service(Service{ID: webID}, NewRealServer(webRIP, DR()))
	for range 12 {
		twice.Services = append(twice.Services, twice.Services[0])
	}
	lines := strings.Split(twice.Validate().Error(), "\n")
	if len(lines) != 12 || lines[0] != "lvs: the table has 12 problems" || lines[11] != "\tand 2 more" ||
		lines[1] != "\ttcp://10.1.0.1:80: services[1].id: is already the ID of services[0]" {
		t.Errorf("%q", lines)
	}
}

// Tables of any size are validated in time in proportion.
func BenchmarkTableValidate(b *testing.B) {
	table := largeTable(10_000, 10)
	b.ReportAllocs()
	for b.Loop() {
		must(b, table.Validate())
	}
}

// largeTable returns a table of n services, each with some real servers.
func largeTable(n, servers int) (t Table) {
	for i := range n {
		s := TableService{Service: Service{ID: MustParseServiceID(fmt.Sprintf("tcp://10.1.%d.%d:80", i/250, i%250))}}
		for j := range servers {
			s.RealServers = append(s.RealServers, NewRealServer(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(2 + j), byte(i / 250), byte(i % 250)}), 80), DR()))
		}
		t.Services = append(t.Services, s)
	}
	return t
}
