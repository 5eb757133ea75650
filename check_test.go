package lvs

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// names reports whether a finding has a requirement as its fix.
func names(r Report, want Requirement) bool {
	for _, f := range r.Findings {
		if slices.Contains(f.Fix, want) {
			return true
		}
	}
	return false
}

// withoutService returns the findings except that no service exists yet.
func withoutService(r Report) []Finding {
	return slices.DeleteFunc(slices.Clone(r.Findings), func(f Finding) bool { return f.Code == FindingNoService })
}

// isSpare reports whether packets flow without a requirement, which is there because
// administrators look for it.
func isSpare(setup Setup, i int) bool {
	switch want := setup[i].Want.(type) {
	case Route:
		return !want.Via.IsValid() && want.To.IsSingleIP() && want.AdvMSS == 0
	case Sysctl:
		name := want.interfaceOf()
		return name != "" && findingOfSysctl(want) == "arp-flux" && slices.ContainsFunc(setup, func(s Requirement) bool {
			return s.Want == Sysctl{InterfaceSysctl("all", string(want.Key[strings.LastIndexByte(string(want.Key), '.')+1:]), false), want.Value}
		})
	case Link:
		return want.Kind == "" && want.Name == "lo" && slices.ContainsFunc(setup, func(s Requirement) bool {
			a, ok := s.Want.(Address)
			return ok && a.Interface == "lo" && a.Prefix.Addr().Is4()
		})
	}
	return false
}

// breakStep undoes one step of a plan. What the host held before is broken, too.
func breakStep(h *Host, s SetupStep) error {
	link, isLink := s.Left.(Link)
	switch {
	case isLink && !s.HasChanges():
		link.Up = false
		return h.put(link)
	case s.Found == nil, !s.HasChanges():
		return h.remove(s.Left)
	}
	return h.put(s.Found)
}

// Every requirement that is undone is named. A healthy host has no findings.
func TestCheckNamesMissingSettings(t *testing.T) {
	ctx := context.Background()
	for _, c := range setupCases {
		setup := mustSetup(t, c)
		for i := range setup {
			t.Run(fmt.Sprintf("%s %d", c.name, i), func(t *testing.T) {
				s, h := simulatedHost(t)
				for _, m := range c.modules {
					s.LoadModule(m)
				}
				plan, err := h.Plan(ctx, setup)
				if err == nil {
					err = h.Apply(ctx, plan)
				}
				if err != nil {
					t.Fatal(err)
				}
				healthy, err := h.Check(ctx, CheckOptions{Setup: setup})
				if found := withoutService(healthy); err != nil || len(found) != 0 {
					t.Fatalf("%v, on a healthy host: %v", err, found)
				}
				if _, stays := plan.Steps[i].Left.(Module); stays {
					_, h = simulatedHost(t) // which has not loaded it
				} else if err := breakStep(h, plan.Steps[i]); err != nil {
					t.Fatal(err)
				}
				report, err := h.Check(ctx, CheckOptions{Setup: setup})
				if err != nil || !names(report, setup[i]) && !isSpare(setup, i) {
					t.Errorf("%v, without %s: %v", err, setup[i].Want, report.Findings)
				}
				for _, f := range report.Findings {
					if f.Why == "" || f.Detail == "" || f.Code.Why() == "" {
						t.Errorf("not all is said: %+v", f)
					}
				}
			})
		}
	}
}

// codes returns the codes of findings, sorted.
func codes(all []Finding) (list []string) {
	for _, f := range all {
		list = append(list, string(f.Code))
	}
	slices.Sort(list)
	return list
}

func TestCheckTable(t *testing.T) {
	ctx := context.Background()
	addr := netip.MustParseAddrPort
	web := TCP(addr("10.168.0.94:80")) // an address of the host
	vip, dns := TCP(addr("10.168.0.91:80")), UDP(addr("10.168.0.94:53"))
	server := func(a string, m Mode) RealServer { return NewRealServer(addr(a), m) }
	weightless := func(a string, m Mode) RealServer { return RealServer{Addr: addr(a), Mode: m} }
	for _, c := range []struct {
		name    string
		changes []Change
		sysctls map[SysctlKey]string
		want    []string
	}{
		{"healthy", []Change{AddService(Service{ID: web, Scheduler: RR}), AddRealServer(web, server("10.168.0.95:80", DR())), AddRealServer(web, server("10.168.0.96:80", IPIP()))}, nil, nil},
		{"healthy NAT", []Change{AddService(Service{ID: web, Scheduler: MH}), AddRealServer(web, server("10.168.0.95:8080", NAT()))}, map[SysctlKey]string{SysctlIPForward: "1"}, nil},
		{"no scheduler", []Change{AddService(Service{ID: web, Scheduler: NoScheduler})}, nil, []string{"scheduler-missing"}},
		{"VIP is elsewhere", []Change{AddService(Service{ID: vip, Scheduler: RR}), AddRealServer(vip, server("10.168.0.95:80", DR()))}, nil, []string{"vip-missing"}},
		{"NAT without forwarding", []Change{AddService(Service{ID: web, Scheduler: RR}), AddRealServer(web, server("10.168.0.95:80", NAT()))}, nil, []string{"forwarding-off"}},
		{"sh without fallback", []Change{AddService(Service{ID: web, Scheduler: SH}), AddRealServer(web, weightless("10.168.0.95:80", DR())), AddRealServer(web, server("10.168.0.96:80", DR()))}, nil, []string{"hash-no-fallback", "weight-zero"}},
		{"sh with fallback", []Change{AddService(Service{ID: web, Scheduler: SH, SchedulerFlags: HashFallback}), AddRealServer(web, weightless("10.168.0.95:80", DR())), AddRealServer(web, server("10.168.0.96:80", DR()))}, nil, []string{"weight-zero"}},
		{"loopback server", []Change{AddService(Service{ID: web, Scheduler: RR}), AddRealServer(web, server("127.0.0.1:8080", NAT()))}, map[SysctlKey]string{SysctlIPForward: "1"}, []string{"loopback"}},
		{"loopback VIP", []Change{AddService(Service{ID: TCP(addr("127.0.0.1:80")), Scheduler: RR}), AddRealServer(TCP(addr("127.0.0.1:80")), server("10.168.0.95:80", DR()))}, nil, []string{"loopback"}},
		{"local node", []Change{AddService(Service{ID: web, Scheduler: RR}), AddRealServer(web, server("127.0.0.1:80", DR()))}, nil, nil},
		{"reuse", []Change{AddService(Service{ID: web, Scheduler: RR}), AddRealServer(web, server("10.168.0.95:80", DR()))}, map[SysctlKey]string{SysctlConnReuseMode: "0"}, []string{"reuse-stuck"}},
		{"UDP", []Change{AddService(Service{ID: dns, Scheduler: RR}), AddRealServer(dns, server("10.168.0.95:53", DR()))}, nil, []string{"udp-stuck"}},
		{"draining", []Change{AddService(Service{ID: web, Scheduler: RR}), AddRealServer(web, server("10.168.0.95:80", DR()))}, map[SysctlKey]string{SysctlExpireNoDestConn: "1"}, []string{"drain-breaks"}},
		{"persistence of a drained server", []Change{AddService(Service{ID: web, Scheduler: RR, Persistence: Persistence{Timeout: time.Minute}}), AddRealServer(web, weightless("10.168.0.95:80", DR())), AddRealServer(web, server("10.168.0.96:80", DR()))}, nil, []string{"persistence-sticks", "weight-zero"}},
		{"tunnel without room", []Change{AddService(Service{ID: web, Scheduler: RR}), AddRealServer(web, server("10.168.0.95:80", GUE(6080)))}, map[SysctlKey]string{SysctlPMTUDisc: "0"}, []string{"mtu"}},
		{"own backup", []Change{
			AddService(Service{ID: web, Scheduler: RR}), AddRealServer(web, server("10.168.0.95:80", DR())),
			StartSyncDaemon(SyncDaemon{Role: SyncMaster, Interface: "eth0"}), StartSyncDaemon(SyncDaemon{Role: SyncBackup, Interface: "eth0"}),
		}, nil, []string{"backup-balances", "backup-strict"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, h := simulatedHost(t)
			for key, value := range c.sysctls {
				if err := h.SetSysctl(ctx, key, value); err != nil {
					t.Fatal(err)
				}
			}
			if err := h.Client().Do(ctx, c.changes...); err != nil {
				t.Fatal(err)
			}
			report, err := h.Check(ctx, CheckOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, codes(report.Findings)); diff != "" {
				t.Errorf("(-want +got):\n%s\n%v", diff, report.Findings)
			}
			if len(report.Unchecked) == 0 {
				t.Error("all is seen")
			}
			if text, err := json.Marshal(report); err != nil || strings.Contains(string(text), "null,") && len(report.Findings) > 0 {
				t.Errorf("%v: %s", err, text)
			}
		})
	}
}

// A VIP with a network around it makes the host answer for that network.
func TestCheckMask(t *testing.T) {
	ctx := context.Background()
	setup := mustSetup(t, caseOf("DR real server"))
	s, h, _ := applied(t, setup)
	(&simulatedGround{s}).Change(t, change{put: Address{Interface: "lo", Prefix: netip.MustParsePrefix("10.168.0.91/24")}})
	report, err := h.Check(ctx, CheckOptions{Setup: setup})
	if err != nil || !slices.Equal(codes(report.Findings), []string{"vip-mask"}) {
		t.Errorf("%v: %v", err, report.Findings)
	}
}

func TestCheckParts(t *testing.T) {
	for _, c := range []struct {
		release string
		want    bool
	}{{"5.8.18", true}, {"4.19", true}, {"5.9", false}, {"6.1.0-56-amd64", false}, {"nonsense", false}, {"5", false}} {
		if got := isBefore(c.release, 5, 9); got != c.want {
			t.Errorf("%s is before 5.9: %v", c.release, got)
		}
	}
	for _, c := range []struct{ a, b, want string }{{"8", "10", "10"}, {"10", "8", "10"}, {"2", "", "2"}, {"", "0", "0"}, {"-1", "1", "1"}, {"", "", ""}} {
		if got := greaterSysctl(c.a, c.b); got != c.want {
			t.Errorf("the greater of %q and %q is %q, want %q", c.a, c.b, got, c.want)
		}
	}
	listing := fmt.Sprintf(`  sl  local_address rem_address   st tx_queue rx_queue
   0: 00000000:0050 00000000:0000 0A 00000000:00000000
   1: %s:0051 00000000:0000 0A 00000000:00000000
   2: 00000000:0052 0A0A0A0A:0001 01 00000000:00000000
   3: %s:0053 00000000000000000000000000000000:0000 0A 00000000:00000000
`, procWords("127.0.0.1"), procWords("2001:db8::1"))
	want := []Listener{
		{Protocol: ProtocolTCP, Addr: netip.MustParseAddrPort("0.0.0.0:80")}, {Protocol: ProtocolTCP, Addr: netip.MustParseAddrPort("127.0.0.1:81")},
		{Protocol: ProtocolTCP, Addr: netip.MustParseAddrPort("[2001:db8::1]:83")},
	}
	if got := parseListeners(listing, ProtocolTCP, "0A"); !slices.Equal(got, want) {
		t.Errorf("listeners: %v", got)
	}
}

// procWords formats an address as the kernel lists those of sockets: each four bytes as a
// number in the machine's byte order.
func procWords(addr string) (text string) {
	for word := range slices.Chunk(netip.MustParseAddr(addr).AsSlice(), 4) {
		text += fmt.Sprintf("%08X", binary.NativeEndian.Uint32(word))
	}
	return text
}

func caseOf(name string) setupCase {
	for _, c := range setupCases {
		if c.name == name {
			return c
		}
	}
	panic("no case " + name)
}

// An IPsec policy that is meant for a tunnel of IPVS but does not apply to it is found. One
// that applies, or is for other packets, is not.
func TestCheckClearText(t *testing.T) {
	ctx := context.Background()
	from4, from6 := hostPrefix(local4), hostPrefix(local6)
	for _, c := range []struct {
		name   string
		server RealServer
		policy IPsecPolicy
		found  bool
	}{
		{"IPIP", NewRealServer(netip.AddrPortFrom(router4, 80), IPIP()), IPsecPolicy{From: from4, To: hostPrefix(router4), Protocol: 4, SPI: 256}, true},
		{"any protocol", NewRealServer(netip.AddrPortFrom(router4, 80), GUE(6080)), IPsecPolicy{From: from4, To: inner4, SPI: 256}, true},
		{"GRE", NewRealServer(netip.AddrPortFrom(router4, 80), GRE()), IPsecPolicy{From: from4, To: hostPrefix(router4), Protocol: 47, SPI: 256}, true},
		{"another host", NewRealServer(netip.AddrPortFrom(router4, 80), IPIP()), IPsecPolicy{From: from4, To: hostPrefix(local4), Protocol: 4, SPI: 256}, false},
		{"another protocol", NewRealServer(netip.AddrPortFrom(router4, 80), IPIP()), IPsecPolicy{From: from4, To: hostPrefix(router4), Protocol: 6, SPI: 256}, false},
		{"DR", NewRealServer(netip.AddrPortFrom(router4, 80), DR()), IPsecPolicy{From: from4, To: hostPrefix(router4), Protocol: 4, SPI: 256}, false},
		{"incoming", NewRealServer(netip.AddrPortFrom(router4, 80), IPIP()), IPsecPolicy{From: from4, To: hostPrefix(router4), Protocol: 4, In: true, SPI: 256}, false},
		{"IPv6", NewRealServer(netip.AddrPortFrom(router6, 80), IPIP()), IPsecPolicy{From: from6, To: hostPrefix(router6), Protocol: 4, SPI: 256}, true},
		{"any protocol in IPv6", NewRealServer(netip.AddrPortFrom(router6, 80), IPIP()), IPsecPolicy{From: from6, To: hostPrefix(router6), SPI: 256}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			web := TCP(netip.AddrPortFrom(local4, 80))
			_, h, _ := applied(t, Setup{{Want: c.policy}})
			if err := h.Client().Do(ctx, AddService(Service{ID: web, Scheduler: RR}), AddRealServer(web, c.server)); err != nil {
				t.Fatal(err)
			}
			report, err := h.Check(ctx, CheckOptions{})
			if err != nil || slices.Contains(codes(report.Findings), "clear-text-tunnel") != c.found {
				t.Errorf("%v: %v", err, report.Findings)
			}
		})
	}
}

// A peer without interfaces is refused: it would clear doubts about a host that it does not
// describe.
func TestCheckRefusesPeers(t *testing.T) {
	_, h := simulatedHost(t)
	full, err := h.State(context.Background())
	must(t, err)
	var empty HostState
	must(t, json.Unmarshal([]byte(`{"version":1,"name":"rs2"}`), &empty))
	_, err = h.Check(context.Background(), CheckOptions{Peers: []HostState{full, empty}})
	var bad *Error
	if !errors.As(err, &bad) || !errors.Is(err, ErrInvalid) || bad.Field != "Peers[1].Interfaces" || !strings.Contains(err.Error(), "rs2") {
		t.Errorf("got %v", err)
	}
}

// One Check reads the table as often as one snapshot does, and nothing of it afterwards.
func TestCheckReadsTableOnce(t *testing.T) {
	web := TCP(netip.AddrPortFrom(local4, 80))
	count := func(op Op, call func(*Host) error) (n int) {
		s, h := simulatedHost(t)
		must(t, h.Client().Do(t.Context(), AddService(Service{ID: web}), AddRealServer(web, NewRealServer(netip.AddrPortFrom(router4, 80), DR()))))
		must(t, s.Inject(SimFault{Op: op, Times: 1000, Before: func() { n++ }}))
		must(t, call(h))
		return n
	}
	for _, op := range []Op{OpListServices, OpListRealServers} {
		once := count(op, func(h *Host) error { _, err := h.Client().Snapshot(t.Context()); return err })
		got := count(op, func(h *Host) error { _, err := h.Check(t.Context(), CheckOptions{}); return err })
		if once == 0 || got != once {
			t.Errorf("%s: %d times in a Check, %d in a snapshot", op, got, once)
		}
	}
}
