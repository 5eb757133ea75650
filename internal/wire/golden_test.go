package wire

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// exchange is what was captured of one command: see the program capture.
type exchange struct {
	command  string
	messages [][]byte
}

// readGolden reads a captured file: a line "# command", then a message a line.
func readGolden(t testing.TB, name string) []exchange {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []exchange
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if command, ok := strings.CutPrefix(lines.Text(), "# "); ok {
			all = append(all, exchange{command: command})
			continue
		}
		msg, err := hex.DecodeString(lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		if len(msg) > 0 {
			toHostOrder(msg)
			last := &all[len(all)-1]
			last.messages = append(last.messages, msg)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

var replyFiles = []string{
	"replies-6.1.txt", "replies-6.12.txt", "replies-newest.txt", "replies-qemu-6.1.txt", "replies-qemu-6.12.txt",
}

func addGolden(f *testing.F) {
	for _, name := range append(replyFiles, "requests.txt") {
		for _, e := range readGolden(f, name) {
			for _, msg := range e.messages {
				f.Add(msg)
			}
		}
	}
}

func v4(a, b, c, d byte) [16]byte { return [16]byte{a, b, c, d} }
func v6(last byte) [16]byte       { return [16]byte{0x20, 0x01, 0x0d, 0xb8, 15: last} }

// The services and servers of the captured commands.
var (
	dr   = ServiceKey{Family: AFInet, Protocol: 6, Port: 80, Addr: v4(10, 168, 0, 91)}
	nat  = ServiceKey{Family: AFInet, Protocol: 6, Port: 80, Addr: v4(192, 168, 0, 11)}
	sip  = ServiceKey{Family: AFInet, Protocol: 17, Port: 5060, Addr: v4(192, 0, 2, 12)}
	dns  = ServiceKey{Family: AFInet, Protocol: 17, Port: 53, Addr: v4(192, 0, 2, 12)}
	sctp = ServiceKey{Family: AFInet, Protocol: 132, Port: 36412, Addr: v4(192, 0, 2, 13)}
	tls6 = ServiceKey{Family: AFInet6, Protocol: 6, Port: 443, Addr: v6(1)}

	rs94 = DestKey{Family: AFInet, Port: 80, Addr: v4(10, 168, 0, 94)}
	rs95 = DestKey{Family: AFInet, Port: 80, Addr: v4(10, 168, 0, 95)}
	rs96 = DestKey{Family: AFInet, Port: 80, Addr: v4(10, 168, 0, 96)}
	rs97 = DestKey{Family: AFInet, Port: 80, Addr: v4(10, 168, 0, 97)}
	rs6  = DestKey{Family: AFInet6, Port: 80, Addr: v6(0x94)}
)

const noMask = 0xffffffff // of IPv4, and of flags

var daemons = []Daemon{
	{
		State: DaemonMaster, Interface: "eth0", SyncID: 5, MaxLen: 1000, GroupFam: AFInet, Group: v4(224, 0, 0, 82),
		Port: 8849, TTL: 2,
	},
	{State: DaemonBackup, Interface: "eth0", SyncID: 6, GroupFam: AFInet6, Group: [16]byte{0xff, 0x02, 15: 5}},
}

// requests are ours, in the order of the captured commands. The first message
// that ipvsadm sends each time asks for information and is left out.
var requests = map[string][]byte{
	"ipvsadm -A -t 10.168.0.91:80 -s rr": AppendService(nil, CmdNewService,
		&Service{ServiceKey: dr, Scheduler: "rr", FlagsMask: noMask, Netmask: noMask}),
	"ipvsadm -A -t 192.168.0.11:80 -s lc -p 300": AppendService(nil, CmdNewService,
		&Service{ServiceKey: nat, Scheduler: "lc", Flags: FlagPersistent, FlagsMask: noMask, Timeout: 300, Netmask: noMask}),
	"ipvsadm -A -u 192.0.2.12:5060 -s wrr -p 60 -M 255.255.255.0 --pe sip": AppendService(nil, CmdNewService,
		&Service{ServiceKey: sip, Scheduler: "wrr", Engine: "sip", Flags: FlagPersistent, FlagsMask: noMask, Timeout: 60, Netmask: 0xffffff00}),
	"ipvsadm -A -u 192.0.2.12:53 -s rr -o": AppendService(nil, CmdNewService,
		&Service{ServiceKey: dns, Scheduler: "rr", Flags: FlagOnePacket, FlagsMask: noMask, Netmask: noMask}),
	"ipvsadm -A --sctp-service 192.0.2.13:36412 -s wlc": AppendService(nil, CmdNewService,
		&Service{ServiceKey: sctp, Scheduler: "wlc", FlagsMask: noMask, Netmask: noMask}),
	"ipvsadm -A -t [2001:db8::1]:443 -s mh -b mh-fallback,mh-port": AppendService(nil, CmdNewService,
		&Service{ServiceKey: tls6, Scheduler: "mh", Flags: FlagSched1 | FlagSched2, FlagsMask: noMask, Netmask: 128}),
	"ipvsadm -A -f 7 -s sh -b sh-port": AppendService(nil, CmdNewService,
		&Service{ServiceKey: ServiceKey{Family: AFInet, FWMark: 7}, Scheduler: "sh", Flags: FlagSched2, FlagsMask: noMask, Netmask: noMask}),
	"ipvsadm -A -f 8 -6 -s sh -p 300 -M 64": AppendService(nil, CmdNewService,
		&Service{ServiceKey: ServiceKey{Family: AFInet6, FWMark: 8}, Scheduler: "sh", Flags: FlagPersistent, FlagsMask: noMask, Timeout: 300, Netmask: 64}),
	"ipvsadm -E -t 10.168.0.91:80 -s wrr": AppendService(nil, CmdSetService,
		&Service{ServiceKey: dr, Scheduler: "wrr", FlagsMask: noMask, Netmask: noMask}),

	"ipvsadm -a -t 10.168.0.91:80 -r 10.168.0.94:80 -g -w 1": AppendDest(nil, CmdNewDest, &dr,
		&Dest{DestKey: rs94, Method: MethodDirect, Weight: 1}),
	"ipvsadm -a -t 10.168.0.91:80 -r 10.168.0.95:80 -g -w 1 -x 100 -y 50": AppendDest(nil, CmdNewDest, &dr,
		&Dest{DestKey: rs95, Method: MethodDirect, Weight: 1, UpperThreshold: 100, LowerThreshold: 50}),
	"ipvsadm -a -t 192.168.0.11:80 -r 10.168.0.94:8080 -m -w 1": AppendDest(nil, CmdNewDest, &nat,
		&Dest{DestKey: DestKey{Family: AFInet, Port: 8080, Addr: rs94.Addr}, Method: MethodMasq, Weight: 1}),
	"ipvsadm -a -t 192.168.0.11:80 -r 10.168.0.95 -i -w 2": AppendDest(nil, CmdNewDest, &nat,
		&Dest{DestKey: rs95, Method: MethodTunnel, Weight: 2}),
	"ipvsadm -a -t 192.168.0.11:80 -r 10.168.0.96 -i --tun-type gue --tun-port 6080 --tun-csum": AppendDest(nil, CmdNewDest, &nat,
		&Dest{DestKey: rs96, Method: MethodTunnel, Weight: 1, TunnelType: TunnelGUE, TunnelPort: 6080, TunnelFlags: TunnelChecksum}),
	"ipvsadm -a -t 192.168.0.11:80 -r 10.168.0.97 -i --tun-type gre --tun-nocsum": AppendDest(nil, CmdNewDest, &nat,
		&Dest{DestKey: rs97, Method: MethodTunnel, Weight: 1, TunnelType: TunnelGRE}),
	"ipvsadm -a -t 192.168.0.11:80 -r [2001:db8::94]:80 -i": AppendDest(nil, CmdNewDest, &nat,
		&Dest{DestKey: rs6, Method: MethodTunnel, Weight: 1}),
	"ipvsadm -a -t [2001:db8::1]:443 -r [2001:db8::94]:443 -g": AppendDest(nil, CmdNewDest, &tls6,
		&Dest{DestKey: DestKey{Family: AFInet6, Port: 443, Addr: rs6.Addr}, Method: MethodDirect, Weight: 1}),
	"ipvsadm -e -t 10.168.0.91:80 -r 10.168.0.94:80 -g -w 3": AppendDest(nil, CmdSetDest, &dr,
		&Dest{DestKey: rs94, Method: MethodDirect, Weight: 3}),
	"ipvsadm -d -t 10.168.0.91:80 -r 10.168.0.95:80":     AppendDestKey(nil, CmdDelDest, &dr, &rs95),
	"ipvsadm -d -t 192.168.0.11:80 -r [2001:db8::94]:80": AppendDestKey(nil, CmdDelDest, &nat, &rs6),

	"ipvsadm -D -u 192.0.2.12:53":  AppendServiceKey(nil, CmdDelService, &dns),
	"ipvsadm -Z -t 10.168.0.91:80": AppendServiceKey(nil, CmdZero, &dr),
	"ipvsadm -Z":                   AppendCommand(nil, CmdZero),
	"ipvsadm --set 900 120 301":    AppendConfig(nil, &Config{TCP: 900, TCPFin: 120, UDP: 301}),

	"ipvsadm --start-daemon master --mcast-interface eth0 --syncid 5 --mcast-group 224.0.0.82 --mcast-port 8849 --mcast-ttl 2 --sync-maxlen 1000": AppendDaemon(nil, CmdNewDaemon, &daemons[0]),
	"ipvsadm --start-daemon backup --mcast-interface eth0 --syncid 6 --mcast-group ff02::5":                                                       AppendDaemon(nil, CmdNewDaemon, &daemons[1]),

	"ipvsadm -L --timeout":         AppendCommand(nil, CmdGetConfig),
	"ipvsadm -L --daemon":          AppendCommand(nil, CmdGetDaemon),
	"ipvsadm -Ln":                  AppendCommand(nil, CmdGetService),
	"ipvsadm --stop-daemon backup": AppendDaemonState(nil, CmdDelDaemon, DaemonBackup),
	"ipvsadm --stop-daemon master": AppendDaemonState(nil, CmdDelDaemon, DaemonMaster),
	"ipvsadm -C":                   AppendCommand(nil, CmdFlush),
}

// Where a request names a service or a server, or stops a daemon, ipvsadm sends
// more of it than the kernel reads; ours must be the beginning of it. All else
// must be the same to the byte.
func TestRequestsAreIpvsadms(t *testing.T) {
	captured := readGolden(t, "requests.txt")
	if len(captured) != len(requests) {
		t.Errorf("%d commands were captured, %d are known here", len(captured), len(requests))
	}
	for _, e := range captured {
		ours, ok := requests[e.command]
		if !ok || len(e.messages) < 2 {
			t.Errorf("%s: %d messages captured; known here: %v", e.command, len(e.messages), ok)
			continue
		}
		theirs := e.messages[1]
		if !bytes.Equal(theirs[:headerLen], ours[:headerLen]) {
			t.Errorf("%s: header %x, want %x", e.command, ours[:headerLen], theirs[:headerLen])
		}
		compareAttributes(t, e.command, theirs[headerLen:], ours[headerLen:], prefixSuffices(Command(ours[0])))
	}
}

// prefixSuffices tells which nested attributes of a command name something.
func prefixSuffices(cmd Command) []uint16 {
	switch cmd {
	case CmdDelService, CmdZero, CmdNewDest, CmdSetDest:
		return []uint16{attrService}
	case CmdDelDest:
		return []uint16{attrService, attrDest}
	case CmdDelDaemon:
		return []uint16{attrDaemon}
	}
	return nil
}

func compareAttributes(t *testing.T, command string, theirs, ours []byte, prefixes []uint16) {
	t.Helper()
	want, got := reader{all: theirs}, reader{all: ours}
	for want.next() {
		if !got.next() || got.attr != want.attr {
			t.Errorf("%s: attribute %d, want %d", command, got.attr, want.attr)
			return
		}
		value := want.value()
		if slices.Contains(prefixes, want.attr) {
			value = value[:min(len(value), len(got.value()))]
		}
		if !bytes.Equal(value, got.value()) {
			t.Errorf("%s: attribute %d\ngot  %x\nwant %x", command, want.attr, got.value(), value)
		}
	}
	if got.next() {
		t.Errorf("%s: attribute %d is more than ipvsadm sends", command, got.attr)
	}
}

// The dump of a service's servers is asked for by each ipvsadm -Ln.
func TestServerDumpsAreIpvsadms(t *testing.T) {
	for _, e := range readGolden(t, "requests.txt") {
		if e.command != "ipvsadm -Ln" {
			continue
		}
		for i, key := range []ServiceKey{nat, dr, sip, sctp, tls6, {Family: AFInet, FWMark: 7}, {Family: AFInet6, FWMark: 8}} {
			ours := AppendServiceKey(nil, CmdGetDest, &key)
			if !slices.ContainsFunc(e.messages[2:], func(m []byte) bool { return bytes.Equal(m, ours) }) {
				t.Errorf("dump %d: ipvsadm never sent %x", i, ours)
			}
		}
		return
	}
	t.Error("no listing was captured")
}

// Every kernel's replies must read as what the commands had made.
func TestRepliesOfEachKernel(t *testing.T) {
	services := []Service{
		{ServiceKey: dr, Scheduler: "wrr", Flags: FlagHashed, Netmask: noMask},
		{ServiceKey: nat, Scheduler: "lc", Flags: FlagHashed | FlagPersistent, Timeout: 300, Netmask: noMask},
		{ServiceKey: sip, Scheduler: "wrr", Engine: "sip", Flags: FlagHashed | FlagPersistent, Timeout: 60, Netmask: 0xffffff00},
		{ServiceKey: sctp, Scheduler: "wlc", Flags: FlagHashed, Netmask: noMask},
		{ServiceKey: tls6, Scheduler: "mh", Flags: FlagHashed | FlagSched1 | FlagSched2, Netmask: 128},
		{ServiceKey: ServiceKey{Family: AFInet, FWMark: 7}, Scheduler: "sh", Flags: FlagHashed | FlagSched2, Netmask: noMask},
		{ServiceKey: ServiceKey{Family: AFInet6, FWMark: 8}, Scheduler: "sh", Flags: FlagHashed | FlagPersistent, Timeout: 300, Netmask: 64},
	}
	for i := range services {
		services[i].FlagsMask = noMask
	}
	servers := []Dest{
		{DestKey: rs94, Method: MethodDirect, Weight: 3},
		{DestKey: DestKey{Family: AFInet, Port: 8080, Addr: rs94.Addr}, Method: MethodMasq, Weight: 1},
		{DestKey: rs95, Method: MethodTunnel, Weight: 2},
		{DestKey: rs96, Method: MethodTunnel, Weight: 1, TunnelType: TunnelGUE, TunnelPort: 6080, TunnelFlags: TunnelChecksum},
		{DestKey: rs97, Method: MethodTunnel, Weight: 1, TunnelType: TunnelGRE},
		{DestKey: DestKey{Family: AFInet6, Port: 443, Addr: rs6.Addr}, Method: MethodDirect, Weight: 1},
	}
	reported := slices.Clone(daemons)
	reported[1].MaxLen, reported[1].Port, reported[1].TTL = 1452, 8848, 1 // the kernel's defaults
	for _, name := range replyFiles {
		t.Run(name, func(t *testing.T) {
			got := decodeGolden(t, readGolden(t, name))
			// Listings are unordered; every list is put in the order of the above.
			sortLike(got.services, services, func(s Service) ServiceKey { return s.ServiceKey })
			sortLike(got.servers, servers, func(d Dest) DestKey { return d.DestKey })
			for _, diff := range []string{
				cmp.Diff(services, got.services), cmp.Diff(servers, got.servers), cmp.Diff(reported, got.daemons),
				cmp.Diff(Config{TCP: 900, TCPFin: 120, UDP: 301}, got.config), cmp.Diff(uint32(0x010201), got.info.Version),
			} {
				if diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			}
		})
	}
}

type table struct {
	services []Service
	servers  []Dest
	daemons  []Daemon
	config   Config
	info     Info
}

// decodeGolden decodes every message of a file, by its command.
func decodeGolden(t *testing.T, all []exchange) (got table) {
	t.Helper()
	for _, e := range all {
		for _, msg := range e.messages {
			cmd, err := CommandOf(msg)
			switch {
			case err != nil:
			case cmd == CmdNewService:
				var s Service
				err = DecodeService(msg, &s)
				got.services = append(got.services, s)
			case cmd == CmdNewDest:
				var d Dest
				err = DecodeDest(msg, &d)
				got.servers = append(got.servers, d)
			case cmd == CmdNewDaemon:
				var d Daemon
				err = DecodeDaemon(msg, &d)
				got.daemons = append(got.daemons, d)
			case cmd == CmdSetConfig:
				err = DecodeConfig(msg, &got.config)
			case cmd == CmdSetInfo:
				err = DecodeInfo(msg, &got.info)
			default:
				t.Errorf("%s: a reply of command %d", e.command, cmd)
			}
			if err != nil {
				t.Errorf("%s: %x: %v", e.command, msg, err)
			}
		}
	}
	return got
}

func sortLike[T any, K comparable](list, model []T, key func(T) K) {
	place := func(v T) int { return slices.IndexFunc(model, func(m T) bool { return key(m) == key(v) }) }
	slices.SortStableFunc(list, func(a, b T) int { return place(a) - place(b) })
}

func BenchmarkDecode(b *testing.B) {
	for _, e := range readGolden(b, "replies-newest.txt") {
		if e.command != "ipvsadm -Ln" {
			continue
		}
		service, server := e.messages[1], e.messages[len(e.messages)-1]
		b.Run("service", func(b *testing.B) {
			b.ReportAllocs()
			var s Service
			for b.Loop() {
				_ = DecodeService(service, &s)
			}
		})
		b.Run("server", func(b *testing.B) {
			b.ReportAllocs()
			var d Dest
			for b.Loop() {
				_ = DecodeDest(server, &d)
			}
		})
	}
}
