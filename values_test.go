package lvs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/golvs/lvs/internal/wire"
)

func tcp(t testing.TB, vip string) ServiceID {
	t.Helper()
	return TCP(netip.MustParseAddrPort(vip))
}

func TestServiceIDText(t *testing.T) {
	for _, tt := range []struct {
		id   ServiceID
		text string
	}{
		{tcp(t, "10.168.0.91:80"), "tcp://10.168.0.91:80"},
		{tcp(t, "[::ffff:10.168.0.91]:80"), "tcp://10.168.0.91:80"},
		{UDP(netip.MustParseAddrPort("[2001:db8::1]:53")), "udp://[2001:db8::1]:53"},
		{SCTP(netip.MustParseAddrPort("192.0.2.1:0")), "sctp://192.0.2.1:0"},
		{FWMark(7), "fwmark://7"},
		{FWMark6(math.MaxUint32), "fwmark6://4294967295"},
		{NewServiceID(99, netip.MustParseAddrPort("192.0.2.1:1")), "protocol-99://192.0.2.1:1"},
	} {
		if got := tt.id.String(); got != tt.text {
			t.Errorf("%q, want %q", got, tt.text)
		}
		if got, err := ParseServiceID(tt.text); err != nil || got != tt.id {
			t.Errorf("%q parses as %v, %v", tt.text, got, err)
		}
	}
	if FWMark(0).IsValid() || (TCP(netip.AddrPort{})).IsValid() || (ServiceID{}).String() != "<no service>" {
		t.Error("what names no service is not the zero value")
	}
}

func TestTextThatIsRefused(t *testing.T) {
	for _, tt := range []struct {
		into interface{ UnmarshalText([]byte) error }
		text string
		want string
	}{
		{new(ServiceID), "10.0.0.1:80", `want a form like "tcp://10.0.0.1:80"`},
		{new(ServiceID), "icmp://10.0.0.1:80", `Protocol: "icmp" is not tcp`},
		{new(ServiceID), "tcp://10.0.0.1", `AddrPort: "10.0.0.1" is not an address and a port`},
		{new(ServiceID), "fwmark://0", `FWMark: "0" is not a number from 1`},
		{new(ServiceID), "fwmark://4294967296", "FWMark:"},
		{new(Mode), "gue:70000", "Mode: want dr, nat"},
		{new(Mode), "masked", "Mode: want dr, nat"},
		{new(Mode), "dr/what", "Mode: want"},
		{new(Mode), "what/ipip", "Mode: want"},
		{new(Mask), "/129", "Mask:"},
		{new(Mask), "::1", "Mask:"},
		{new(Persistence), "300", `"300" is not a duration such as 5m or 300s`},
		{new(Persistence), "5m/33.0.0", "Mask:"},
		{new(Persistence), "5m sip", `"sip" is not pe=NAME`},
		{new(SchedulerFlags), "fast", `SchedulerFlags: "fast" is not`},
		{new(SyncRole), "slave", "want master or backup"},
	} {
		err := tt.into.UnmarshalText([]byte(tt.text))
		if !errors.Is(err, ErrInvalid) || !strings.Contains(fmt.Sprint(err), tt.want) {
			t.Errorf("%T %q: %v, want %s", tt.into, tt.text, err, tt.want)
		}
	}
}

// Every mode that the kernel can report, and every flag, survives its text.
func TestTextRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mode := newMode(rapid.Uint32Range(0, 7).Draw(t, "method"), rapid.Uint8().Draw(t, "tunnel"),
			rapid.Uint16().Draw(t, "port"), rapid.Uint16().Draw(t, "flags"))
		if got, err := ParseMode(mode.String()); err != nil || got != mode {
			t.Fatalf("%s parses as %v, %v", mode, got, err)
		}
		flags := SchedulerFlags(rapid.Uint32().Draw(t, "scheduler flags"))
		var gotFlags SchedulerFlags
		if err := gotFlags.UnmarshalText([]byte(flags.String())); err != nil || gotFlags != flags {
			t.Fatalf("%s parses as %v, %v", flags, gotFlags, err)
		}
		p := Persistence{
			Timeout: time.Duration(rapid.Uint32().Draw(t, "timeout")) * time.Second,
			Engine:  rapid.StringMatching("[a-z]{0,8}").Draw(t, "engine"),
		}
		if mask := rapid.Uint32().Draw(t, "mask"); mask != math.MaxUint32 {
			p.Mask = maskFromWire(FWMark(1), mask)
		}
		var gotP Persistence
		if err := gotP.UnmarshalText([]byte(p.String())); err != nil || gotP != p {
			t.Fatalf("%s parses as %v, %v", p, gotP, err)
		}
	})
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"tcp://10.0.0.1:80", "fwmark6://7", "gue:6080+csum", "5m0s/24 pe=sip", "/255.0.255.0", "fallback,port", "protocol-99://[::1]:0", "method-7/tunnel-9:1+0x10"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if id, err := ParseServiceID(text); err == nil {
			if again, err := ParseServiceID(id.String()); err != nil || again != id {
				t.Errorf("%q is %v, which is %v, %v", text, id, again, err)
			}
		}
		if m, err := ParseMode(text); err == nil {
			if again, err := ParseMode(m.String()); err != nil || again != m {
				t.Errorf("%q is %v, which is %v, %v", text, m, again, err)
			}
		}
		var p, p2 Persistence
		if p.UnmarshalText([]byte(text)) == nil && (p2.UnmarshalText([]byte(p.String())) != nil || p != p2) {
			t.Errorf("%q is %v, which is %v", text, p, p2)
		}
		var flags, flags2 SchedulerFlags
		if flags.UnmarshalText([]byte(text)) == nil && (flags2.UnmarshalText([]byte(flags.String())) != nil || flags != flags2) {
			t.Errorf("%q is %v, which is %v", text, flags, flags2)
		}
	})
}

func TestEqualIsWhatTheKernelSees(t *testing.T) {
	id := tcp(t, "10.0.0.1:80")
	for _, tt := range []struct {
		a, b Service
		want bool
	}{
		{Service{ID: id}, Service{ID: id, Scheduler: WLC}, true},
		{Service{ID: id}, Service{ID: id, Scheduler: RR}, false},
		{Service{ID: id, Persistence: Persistence{Timeout: 1, Mask: PrefixMask(32)}}, Service{ID: id, Persistence: Persistence{Timeout: 1}}, true},
		{Service{ID: id, Persistence: Persistence{Mask: PrefixMask(24)}}, Service{ID: id}, true},
		{Service{ID: id, Persistence: Persistence{Timeout: 1, Mask: PrefixMask(24)}}, Service{ID: id, Persistence: Persistence{Timeout: 1}}, false},
	} {
		if got := tt.a.Equal(tt.b); got != tt.want || got != tt.b.Equal(tt.a) {
			t.Errorf("%v and %v: %v", tt.a, tt.b, got)
		}
	}
	a := NewRealServer(netip.MustParseAddrPort("10.0.0.1:80"), NAT())
	b := NewRealServer(netip.MustParseAddrPort("[::ffff:10.0.0.1]:80"), NAT())
	if !a.Equal(b) || cmp.Diff(a, b) != "" {
		t.Error("a mapped address is another server")
	}
}

func TestGoCmpWorksOnEveryValue(t *testing.T) {
	status := ServiceStatus{Service: Service{ID: FWMark(1)}, Stats: Stats{Conns: 1}}
	server := RealServerStatus{RealServer: NewRealServer(netip.MustParseAddrPort("10.0.0.1:80"), GRE())}
	for _, v := range []any{
		status, server, ServiceEntry{status, []RealServerStatus{server}}, AddService(status.Service),
		SyncDaemon{Group: netip.MustParseAddr("224.0.0.81")}, Timeouts{TCP: 1}, Info{Version: "1.2.1"},
	} {
		if diff := cmp.Diff(v, v); diff != "" {
			t.Errorf("%T differs from itself: %s", v, diff)
		}
	}
	other := status
	other.Stats.Conns++
	if cmp.Diff(status, other) == "" {
		t.Error("different counters compare as equal")
	}
}

func TestJSON(t *testing.T) {
	service := Service{
		ID: tcp(t, "192.168.0.11:80"), Scheduler: MH, SchedulerFlags: HashFallback | HashPort,
		Persistence: Persistence{Timeout: 5 * time.Minute, Mask: PrefixMask(24)},
	}
	text, err := json.Marshal(service)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"id":"tcp://192.168.0.11:80","scheduler":"mh","schedulerFlags":"fallback,port","persistence":"5m0s/24"}`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	var got Service
	if err := json.Unmarshal(text, &got); err != nil || got != service {
		t.Errorf("read back %v, %v", got, err)
	}

	var server RealServer
	if err := json.Unmarshal([]byte(`{"addr":"10.168.0.94:80","mode":"gue:6080"}`), &server); err != nil {
		t.Fatal(err)
	}
	if want := NewRealServer(netip.MustParseAddrPort("10.168.0.94:80"), GUE(6080)); server != want {
		t.Errorf("got %v, want %v", server, want)
	}
	if err := json.Unmarshal([]byte(`{"addr":"10.168.0.94:80","weight":0}`), &server); err != nil || server.Weight != 0 {
		t.Errorf("a weight that is 0 is read as %d, %v", server.Weight, err)
	}

	status := RealServerStatus{RealServer: server, ActiveConns: 1, InactiveConns: 2, PersistentConns: 3, Stats: Stats{Conns: 4}}
	text, err = json.Marshal(status)
	if err != nil {
		t.Fatal(err)
	}
	var gotStatus RealServerStatus
	if err := json.Unmarshal(text, &gotStatus); err != nil || gotStatus != status {
		t.Errorf("%s read back as %+v, %v", text, gotStatus, err)
	}
}

// YAML packages hand a function that decodes what they have read; so does this.
func TestYAMLHookTakesAnAbsentWeightAsOne(t *testing.T) {
	var server RealServer
	err := server.UnmarshalYAML(func(v any) error { return json.Unmarshal([]byte(`{"addr":"10.0.0.1:80"}`), v) })
	if err != nil || server.Weight != 1 {
		t.Errorf("got %v, %v", server, err)
	}
	if err := server.UnmarshalYAML(func(any) error { return io.ErrUnexpectedEOF }); err != io.ErrUnexpectedEOF || server.Weight != 1 {
		t.Errorf("after an error: %v, %v", server, err)
	}
}

func TestValuesThatAreRefused(t *testing.T) {
	vip, rip := netip.MustParseAddrPort("10.0.0.1:80"), netip.MustParseAddrPort("10.0.0.2:80")
	rip6 := netip.MustParseAddrPort("[2001:db8::2]:80")
	id := TCP(vip)
	server := func(mode Mode) RealServer { return NewRealServer(rip, mode) }
	persist := func(p Persistence) Change { return AddService(Service{ID: id, Persistence: p}) }
	for _, tt := range []struct {
		change Change
		field  string
	}{
		{Change{}, ""},
		{AddService(Service{}), "ID"},
		{AddService(Service{ID: FWMark(0)}), "ID"},
		{AddService(Service{ID: NewServiceID(99, vip)}), "ID"},
		{AddService(Service{ID: tcp(t, "0.0.0.0:80")}), "ID"},
		{AddService(Service{ID: tcp(t, "[fe80::1%eth0]:80")}), "ID"},
		{AddService(Service{ID: tcp(t, "10.0.0.1:0")}), "Persistence"},
		{AddService(Service{ID: id, Scheduler: "sixteen-letters-"}), "Scheduler"},
		{AddService(Service{ID: id, Scheduler: "../x"}), "Scheduler"},
		{AddService(Service{ID: id, SchedulerFlags: 1}), "SchedulerFlags"},
		{AddService(Service{ID: id, OnePacket: true}), "OnePacket"},
		{persist(Persistence{Mask: PrefixMask(24)}), "Persistence.Mask"},
		{persist(Persistence{Timeout: -time.Second}), "Persistence.Timeout"},
		{persist(Persistence{Timeout: 1500 * time.Millisecond}), "Persistence.Timeout"},
		{persist(Persistence{Timeout: MaxPersistence + time.Second}), "Persistence.Timeout"},
		{persist(Persistence{Engine: "sip"}), "Persistence.Engine"},
		{persist(Persistence{Timeout: time.Second, Engine: "seventeen-letters"}), "Persistence.Engine"},
		{persist(Persistence{Timeout: time.Second, Engine: "../x"}), "Persistence.Engine"},
		{persist(Persistence{Timeout: time.Second, Engine: "s\xffp"}), "Persistence.Engine"},
		{persist(Persistence{Timeout: time.Second, Mask: PrefixMask(33)}), "Persistence.Mask"},
		{AddService(Service{ID: FWMark6(1), Persistence: Persistence{Timeout: time.Second, Mask: PrefixMask(0)}}), "Persistence.Mask"},
		{AddService(Service{ID: FWMark6(1), Persistence: Persistence{Timeout: time.Second, Mask: DottedMask([4]byte{1})}}), "Persistence.Mask"},
		{AddRealServer(ServiceID{}, server(DR())), "ID"},
		{AddRealServer(id, RealServer{}), "Addr"},
		{AddRealServer(id, NewRealServer(netip.MustParseAddrPort("0.0.0.0:80"), DR())), "Addr"},
		{AddRealServer(id, NewRealServer(netip.MustParseAddrPort("224.0.0.1:80"), DR())), "Addr"},
		{AddRealServer(id, NewRealServer(netip.MustParseAddrPort("255.255.255.255:80"), NAT())), "Addr"},
		{AddRealServer(id, NewRealServer(netip.MustParseAddrPort("[::ffff:0.0.0.0]:80"), DR())), "Addr"},
		{AddRealServer(id, NewRealServer(netip.MustParseAddrPort("[fe80::1%eth0]:80"), IPIP())), "Addr"},
		{AddRealServer(id, NewRealServer(netip.MustParseAddrPort("10.0.0.2:8080"), DR())), "Addr"},
		{AddRealServer(id, NewRealServer(netip.MustParseAddrPort("10.0.0.2:8080"), IPIP())), "Addr"},
		{AddRealServer(FWMark(1), server(DR())), "Addr"},
		{AddRealServer(id, NewRealServer(rip6, DR())), "Mode"},
		{AddRealServer(id, NewRealServer(rip6, NAT())), "Mode"},
		{AddRealServer(id, server(GUE(0))), "Mode"},
		{AddRealServer(id, server(GRE(TunnelRemoteChecksum))), "Mode"},
		{AddRealServer(id, server(GUE(1, TunnelChecksum, TunnelRemoteChecksum))), "Mode"},
		{AddRealServer(id, server(GUE(1, 4))), "Mode"},
		{AddRealServer(id, server(newMode(7, 0, 0, 0))), "Mode"},
		{AddRealServer(id, server(newMode(wire.MethodTunnel, 9, 0, 0))), "Mode"},
		{AddRealServer(id, server(newMode(wire.MethodTunnel, 0, 0, 1))), "Mode"},
		{AddRealServer(id, server(newMode(wire.MethodTunnel, 2, 1, 0))), "Mode"},
		{AddRealServer(id, server(newMode(wire.MethodMasq, 1, 1, 0))), "Mode"},
		{AddRealServer(id, RealServer{Addr: rip, Weight: -1}), "Weight"},
		{AddRealServer(id, RealServer{Addr: rip, LowerThreshold: 1}), "LowerThreshold"},
		{AddRealServer(id, RealServer{Addr: rip, UpperThreshold: -1}), "UpperThreshold"},
		{RemoveRealServer(id, netip.AddrPort{}), "Addr"},
		{RemoveService(ServiceID{}), "ID"},
		{ZeroCounters(ServiceID{}), "ID"},
		{SetTimeouts(Timeouts{TCP: -1}), "TCP"},
		{SetTimeouts(Timeouts{TCPFin: time.Millisecond}), "TCPFin"},
		{SetTimeouts(Timeouts{UDP: math.MaxInt64}), "UDP"},
		{StartSyncDaemon(SyncDaemon{Interface: "eth0"}), "Role"},
		{StartSyncDaemon(SyncDaemon{Role: SyncMaster}), "Interface"},
		{StartSyncDaemon(SyncDaemon{Role: SyncMaster, Interface: "../etc"}), "Interface"},
		{StartSyncDaemon(SyncDaemon{Role: SyncMaster, Interface: "eth0", SyncID: 256}), "SyncID"},
		{StartSyncDaemon(SyncDaemon{Role: SyncMaster, Interface: "eth0", Group: netip.MustParseAddr("10.0.0.1")}), "Group"},
		{StopSyncDaemon(3), "Role"},
	} {
		err := tt.change.validate()
		if err == nil || err.Field != tt.field || !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v, want the field %q", tt.change, err, tt.field)
		}
	}
}

func TestValuesThatAreTaken(t *testing.T) {
	vip, rip6 := netip.MustParseAddrPort("10.0.0.1:80"), netip.MustParseAddrPort("[2001:db8::2]:80")
	for _, ch := range []Change{
		AddService(Service{ID: TCP(vip)}), UpdateService(Service{ID: TCP(vip)}),
		AddService(Service{ID: tcp(t, "10.0.0.1:0"), Persistence: Persistence{Timeout: time.Second}}),
		AddService(Service{ID: FWMark(1), OnePacket: true}),
		AddService(Service{ID: UDP(vip), OnePacket: true, Scheduler: NoScheduler}),
		AddRealServer(TCP(vip), NewRealServer(rip6, IPIP())),
		AddRealServer(TCP(vip), NewRealServer(netip.MustParseAddrPort("10.0.0.2:8080"), NAT())),
		AddRealServer(TCP(vip), RealServer{Addr: vip, UpperThreshold: 5, LowerThreshold: 5, Weight: math.MaxInt32}),
		RemoveService(NewServiceID(99, vip)), // whatever can be listed can be removed
		Flush(), ZeroAllCounters(), SetTimeouts(Timeouts{}), StopSyncDaemon(SyncBackup),
	} {
		if err := ch.validate(); err != nil {
			t.Errorf("%s: %v", ch, err)
		}
	}
}

func TestChangeText(t *testing.T) {
	id, rip := tcp(t, "10.168.0.91:80"), netip.MustParseAddrPort("10.168.0.94:80")
	for _, tt := range []struct {
		change Change
		want   string
	}{
		{AddService(Service{ID: id, Scheduler: RR}), "+ tcp://10.168.0.91:80 rr"},
		{UpdateService(Service{ID: id, Scheduler: SH, SchedulerFlags: HashFallback | 0x40}), "~ tcp://10.168.0.91:80 sh (sh-fallback,0x40)"},
		{AddRealServer(id, NewRealServer(rip, DR())), "+ tcp://10.168.0.91:80 -> 10.168.0.94:80 dr weight 1"},
		{RemoveRealServer(id, rip), "- tcp://10.168.0.91:80 -> 10.168.0.94:80"},
		{RemoveService(id), "- tcp://10.168.0.91:80"},
		{ZeroCounters(id), "zero tcp://10.168.0.91:80"},
		{ZeroAllCounters(), "zero everything"},
		{Flush(), "flush"},
		{SetTimeouts(Timeouts{TCP: time.Minute}), "set timeouts tcp 1m0s tcpfin 0s udp 0s"},
		{StartSyncDaemon(SyncDaemon{Role: SyncMaster, Interface: "eth0", SyncID: 5, TTL: 2}), "+ daemon master on eth0 syncid 5 ttl 2"},
		{StopSyncDaemon(SyncBackup), "- daemon backup"},
	} {
		if got := tt.change.String(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// What another tool left is read, and written back by an edit, without loss.
func TestStrangeServicesSurvive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := wire.Service{
			ServiceKey: wire.ServiceKey{Family: wire.AFInet, Protocol: rapid.Uint16().Draw(t, "protocol"), Port: rapid.Uint16().Draw(t, "port")},
			Scheduler:  "rr",
			Engine:     rapid.SampledFrom([]string{"", "sip", "own"}).Draw(t, "engine"),
			Flags:      rapid.Uint32().Draw(t, "flags") &^ wire.FlagHashed,
			FlagsMask:  math.MaxUint32,
			Netmask:    math.MaxUint32,
		}
		if w.Flags&wire.FlagPersistent != 0 {
			w.Timeout, w.Netmask = rapid.Uint32().Draw(t, "timeout"), rapid.Uint32().Draw(t, "mask")
		}
		status := serviceFromWire(&w)
		if diff := cmp.Diff(w, status.Service.toWire()); diff != "" {
			t.Fatalf("(-want +got)\n%s", diff)
		}
		edited := status.Service
		edited.Scheduler = WRR
		if err := edited.validate(&status.Service); err != nil {
			t.Fatalf("an edit of the scheduler tripped: %v", err)
		}
	})
}
