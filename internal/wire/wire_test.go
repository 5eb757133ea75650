package wire

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func genKey(t *rapid.T) ServiceKey {
	k := ServiceKey{Family: rapid.SampledFrom([]uint16{AFInet, AFInet6}).Draw(t, "family")}
	if k.FWMark = rapid.Uint32().Draw(t, "mark"); k.FWMark != 0 && rapid.Bool().Draw(t, "marked") {
		return k
	}
	k.FWMark = 0
	k.Protocol = rapid.Uint16().Draw(t, "protocol")
	k.Port = rapid.Uint16().Draw(t, "port")
	copy(k.Addr[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "addr"))
	return k
}

func genName(t *rapid.T, label string, least, most int) string {
	return rapid.StringOfN(rapid.RuneFrom([]rune("abcz09_-")), least, most, -1).Draw(t, label)
}

func genService(t *rapid.T) Service {
	return Service{
		ServiceKey: genKey(t),
		Scheduler:  genName(t, "scheduler", 0, MaxSchedulerName),
		Engine:     genName(t, "engine", 0, MaxEngineName),
		Flags:      rapid.Uint32().Draw(t, "flags"),
		FlagsMask:  rapid.Uint32().Draw(t, "mask"),
		Timeout:    rapid.Uint32().Draw(t, "timeout"),
		Netmask:    rapid.Uint32().Draw(t, "netmask"),
	}
}

func genDest(t *rapid.T) Dest {
	var d Dest
	d.Family = rapid.SampledFrom([]uint16{0, AFInet, AFInet6}).Draw(t, "family")
	d.Port = rapid.Uint16().Draw(t, "port")
	copy(d.Addr[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "addr"))
	d.Method = rapid.Uint32().Draw(t, "method")
	d.Weight = rapid.Int32().Draw(t, "weight")
	d.UpperThreshold = rapid.Uint32().Draw(t, "upper")
	d.LowerThreshold = rapid.Uint32().Draw(t, "lower")
	d.TunnelType = rapid.Uint8().Draw(t, "tunnel")
	d.TunnelPort = rapid.Uint16().Draw(t, "tunnel port")
	d.TunnelFlags = rapid.Uint16().Draw(t, "tunnel flags")
	return d
}

func genDaemon(t *rapid.T) Daemon {
	d := Daemon{
		State:     rapid.Uint32().Draw(t, "state"),
		Interface: genName(t, "interface", 0, MaxInterfaceName),
		SyncID:    rapid.Uint32().Draw(t, "id"),
		MaxLen:    rapid.Uint16().Draw(t, "maxlen"),
		GroupFam:  rapid.SampledFrom([]uint16{0, AFInet, AFInet6}).Draw(t, "group family"),
		Port:      rapid.Uint16().Draw(t, "port"),
		TTL:       rapid.Uint8().Draw(t, "ttl"),
	}
	n := map[uint16]int{AFInet: 4, AFInet6: 16}[d.GroupFam]
	copy(d.Group[:], rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "group"))
	return d
}

// What a request says, a reply of the same attributes says too.
func TestServiceRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := genService(t)
		var got Service
		if err := DecodeService(AppendService(nil, CmdNewService, &want), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-want +got)\n%s", diff)
		}
	})
}

func TestDestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key, want := genKey(t), genDest(t)
		var got Dest
		if err := DecodeDest(AppendDest(nil, CmdNewDest, &key, &want), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-want +got)\n%s", diff)
		}
	})
}

func TestDaemonRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := genDaemon(t)
		var got Daemon
		if err := DecodeDaemon(AppendDaemon(nil, CmdNewDaemon, &want), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-want +got)\n%s", diff)
		}
	})
}

func TestConfigRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Config{rapid.Uint32().Draw(t, "tcp"), rapid.Uint32().Draw(t, "fin"), rapid.Uint32().Draw(t, "udp")}
		var got Config
		if err := DecodeConfig(AppendConfig(nil, &want), &got); err != nil || got != want {
			t.Fatalf("got %+v, %v, want %+v", got, err, want)
		}
	})
}

func TestMarkZeroIsTheKernelsTCPZero(t *testing.T) {
	msg := AppendCommand(nil, CmdNewService)
	msg, nest := openNest(msg, attrService)
	msg = appendU16(msg, svcFamily, AFInet)
	msg = closeNest(appendU32(msg, svcFWMark, 0), nest)
	var got Service
	if err := DecodeService(msg, &got); err != nil {
		t.Fatal(err)
	}
	if want := (ServiceKey{Family: AFInet, Protocol: 6}); got.ServiceKey != want {
		t.Errorf("got %+v, want %+v", got.ServiceKey, want)
	}
}

func TestUnknownAttributesAreSkipped(t *testing.T) {
	want := Service{ServiceKey: ServiceKey{Family: AFInet, FWMark: 7}, Scheduler: "rr"}
	msg := AppendCommand(nil, CmdNewService)
	msg = appendU32(msg, 6, 1)
	msg, nest := openNest(msg, attrService|1<<15) // with NLA_F_NESTED
	msg = appendString(msg, 77, "new")
	msg = appendServiceKey(msg, &want.ServiceKey)
	msg = appendString(msg, svcScheduler, want.Scheduler)
	msg = closeNest(appendU8(msg, 4000, 1), nest)
	var got Service
	if err := DecodeService(msg, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestStatsPreferTheWideContainer(t *testing.T) {
	narrow := appendU32(nil, 1, 1)
	narrow = appendBytes(narrow, 4, host.AppendUint64(nil, 2))
	wide := appendBytes(nil, 1, host.AppendUint64(nil, 1+1<<32))
	wide = appendBytes(wide, 11, nil) // padding
	var s Stats
	if err := s.decode(narrow, nil, "statistics"); err != nil || s != (Stats{Conns: 1, InBytes: 2}) {
		t.Errorf("the narrow container alone: %+v, %v", s, err)
	}
	s = Stats{}
	if err := s.decode(narrow, wide, "statistics"); err != nil || s != (Stats{Conns: 1 + 1<<32}) {
		t.Errorf("both: %+v, %v", s, err)
	}
}

func TestWrongLengthsAreErrors(t *testing.T) {
	key := ServiceKey{Family: AFInet, Protocol: 6, Port: 80}
	service := func(attr uint16, payload []byte) []byte {
		msg := AppendServiceKey(nil, CmdNewService, &key)
		msg = appendBytes(msg, attr, payload)
		host.PutUint16(msg[headerLen:], uint16(len(msg)-headerLen)) // the nest
		return msg
	}
	for _, tt := range []struct {
		name string
		msg  []byte
		want string
	}{
		{"empty", nil, "service: generic netlink header: 0 bytes, want 4"},
		{"other command", AppendCommand(nil, CmdFlush), "service: command 17, want 1"},
		{"no service", AppendCommand(nil, CmdNewService), "service: attribute 1 is missing"},
		{"short port", service(svcPort, []byte{1}), "service: attribute 4 has 1 bytes, want 2"},
		{"long timeout", service(svcTimeout, make([]byte, 8)), "service: attribute 8 has 8 bytes, want 4"},
		{"no NUL", service(svcScheduler, []byte("rr")), "service: attribute 6: the string has no closing NUL"},
		{"short address", service(svcAddr, make([]byte, 4)), "service: attribute 3 has 4 bytes, want 16"},
		{"strange family", service(svcFamily, []byte{9, 9}), "service: address family 2313 is neither IPv4 nor IPv6"},
		{"short counter", service(svcStats64, appendU16(nil, 1, 1)), "service statistics: attribute 1 has 2 bytes, want 4 or 8"},
		{"cut short", host.AppendUint16([]byte{1, 1, 0, 0}, 9), "service: 2 bytes left where an attribute should start"},
		{"too long", appendHeader([]byte{1, 1, 0, 0}, 1, 5), "service: attribute 1 says it is 9 bytes long, and 4 are left"},
	} {
		var s Service
		if err := DecodeService(tt.msg, &s); err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
}

func TestNamesCostOneAllocationAtMost(t *testing.T) {
	for _, tt := range []struct {
		scheduler, engine string
		allocs            float64
	}{
		{"wlc", "", 0}, {"mh", "sip", 0}, {"none", "", 0}, {"custom", "", 1}, {"custom", "sip", 1}, {"rr", "own", 1},
		{"custom", "own", 1},
	} {
		want := Service{ServiceKey: ServiceKey{Family: AFInet, FWMark: 1}, Scheduler: tt.scheduler, Engine: tt.engine}
		msg := AppendService(nil, CmdNewService, &want)
		var got Service
		if n := testing.AllocsPerRun(100, func() { _ = DecodeService(msg, &got) }); n > tt.allocs {
			t.Errorf("%q and %q: %v allocations, want at most %v", tt.scheduler, tt.engine, n, tt.allocs)
		}
		if got.Scheduler != tt.scheduler || got.Engine != tt.engine {
			t.Errorf("got %q and %q, want %q and %q", got.Scheduler, got.Engine, tt.scheduler, tt.engine)
		}
	}
}

func TestRequestsCostNoAllocation(t *testing.T) {
	key := ServiceKey{Family: AFInet6, Protocol: 6, Port: 80}
	s := Service{ServiceKey: key, Scheduler: "wrr", Engine: "sip"}
	d := Dest{DestKey: DestKey{Family: AFInet6, Port: 80}, Method: MethodTunnel, TunnelType: TunnelGUE, TunnelPort: 6080}
	daemon := Daemon{State: DaemonMaster, Interface: "eth0", GroupFam: AFInet6}
	buf := make([]byte, 0, 1024)
	for name, request := range map[string]func(){
		"command": func() { AppendCommand(buf, CmdFlush) },
		"service": func() { AppendService(buf, CmdNewService, &s) },
		"key":     func() { AppendServiceKey(buf, CmdDelService, &key) },
		"dest":    func() { AppendDest(buf, CmdNewDest, &key, &d) },
		"destkey": func() { AppendDestKey(buf, CmdDelDest, &key, &d.DestKey) },
		"daemon":  func() { AppendDaemon(buf, CmdNewDaemon, &daemon) },
		"state":   func() { AppendDaemonState(buf, CmdDelDaemon, DaemonBackup) },
		"config":  func() { AppendConfig(buf, &Config{TCP: 1}) },
	} {
		if n := testing.AllocsPerRun(100, request); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// The fuzz targets share a property: what decodes, encodes to something that
// decodes to the same.

func FuzzDecodeService(f *testing.F) {
	addGolden(f)
	f.Fuzz(func(t *testing.T, msg []byte) {
		var first, second Service
		if DecodeService(msg, &first) != nil {
			return
		}
		first.Stats = Stats{} // requests carry none
		if err := DecodeService(AppendService(nil, CmdNewService, &first), &second); err != nil || first != second {
			t.Errorf("%v\nfirst  %+v\nsecond %+v", err, first, second)
		}
	})
}

func FuzzDecodeDest(f *testing.F) {
	addGolden(f)
	f.Fuzz(func(t *testing.T, msg []byte) {
		var first, second Dest
		if DecodeDest(msg, &first) != nil {
			return
		}
		first.ActiveConns, first.InactiveConns, first.PersistentConns, first.Stats = 0, 0, 0, Stats{}
		key := ServiceKey{Family: AFInet, FWMark: 1}
		if err := DecodeDest(AppendDest(nil, CmdNewDest, &key, &first), &second); err != nil || first != second {
			t.Errorf("%v\nfirst  %+v\nsecond %+v", err, first, second)
		}
	})
}

func FuzzDecodeDaemon(f *testing.F) {
	addGolden(f)
	f.Fuzz(func(t *testing.T, msg []byte) {
		var first, second Daemon
		if DecodeDaemon(msg, &first) != nil {
			return
		}
		if err := DecodeDaemon(AppendDaemon(nil, CmdNewDaemon, &first), &second); err != nil || first != second {
			t.Errorf("%v\nfirst  %+v\nsecond %+v", err, first, second)
		}
	})
}

func FuzzDecodeConfig(f *testing.F) {
	addGolden(f)
	f.Fuzz(func(t *testing.T, msg []byte) {
		var first, second Config
		if DecodeConfig(msg, &first) != nil {
			return
		}
		if err := DecodeConfig(AppendConfig(nil, &first), &second); err != nil || first != second {
			t.Errorf("%v\nfirst  %+v\nsecond %+v", err, first, second)
		}
	})
}

func FuzzDecodeInfo(f *testing.F) {
	addGolden(f)
	f.Fuzz(func(t *testing.T, msg []byte) {
		before := bytes.Clone(msg)
		var first, second Info
		if DecodeInfo(msg, &first) == nil && (DecodeInfo(msg, &second) != nil || first != second) {
			t.Error("two readings differ")
		}
		if !bytes.Equal(before, msg) {
			t.Error("decoding changed the message")
		}
	})
}

func BenchmarkAppendDest(b *testing.B) {
	key := ServiceKey{Family: AFInet, Protocol: 6, Port: 80}
	d := Dest{DestKey: DestKey{Family: AFInet, Port: 80}, Method: MethodDirect, Weight: 1}
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		AppendDest(buf, CmdNewDest, &key, &d)
	}
}
