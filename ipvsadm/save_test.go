package ipvsadm

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/google/go-cmp/cmp"
)

// saved is what ipvsadm saves of the table below.
const saved = `-A -f -6 -6 -s wlc
-A -t 192.168.0.11:80 -s lc -p 300
-a -t 192.168.0.11:80 -r 10.168.0.94:8080 -m -w 1
-A -t 10.168.0.91:80 -s sh -p 60 -M 255.0.255.0 -b sh-fallback,sh-port
-a -t 10.168.0.91:80 -r 192.168.0.96:80 -i -w 1 --tun-type ipip
-a -t 10.168.0.91:80 -r 10.168.0.94:80 -g -w 0
-a -t 10.168.0.91:80 -r 10.168.0.95:80 -i -w 5 --tun-type gue --tun-port 6080 --tun-remcsum
-A -u 10.168.0.91:53 -s wlc -p 360 --pe sip -o
-A --sctp-service [2001:db8::80]:80 -s mh -p 5 -M 64 -b mh-port
-a --sctp-service [2001:db8::80]:80 -r [::0.1.0.2]:80 -i -w 2147483647 --tun-type gre --tun-csum
-A -f 7 -s rr
`

// lossless is the same table with all that it has.
const lossless = `--set 900 0 300
--start-daemon master --mcast-interface eth1 --syncid 5 --sync-maxlen 1400 --mcast-group 239.1.2.3 --mcast-port 9000 --mcast-ttl 2
-A -f 7 -s rr
-A -t 10.168.0.91:80 -s sh -p 60 -M 255.0.255.0 -b sh-fallback,sh-port
-a -t 10.168.0.91:80 -r 10.168.0.95:80 -i -w 5 --tun-type gue --tun-port 6080 --tun-remcsum
-a -t 10.168.0.91:80 -r 192.168.0.96:80 -i -w 1
-a -t 10.168.0.91:80 -r 10.168.0.94:80 -g -w 0 -x 100 -y 75
-A -f 4294967290 -6 -s wlc
-A -t 192.168.0.11:80 -s lc -p 300
-a -t 192.168.0.11:80 -r 10.168.0.94:8080 -m -w 1
-A -u 10.168.0.91:53 -s wlc -p 360 --pe sip -o
-A --sctp-service [2001:db8::80]:80 -s mh -p 5 -M 64 -b mh-port
-a --sctp-service [2001:db8::80]:80 -r [::0.1.0.2]:80 -i -w 2147483647 --tun-type gre --tun-csum
`

func TestSave(t *testing.T) {
	f, err := ParseFile([]byte(lossless))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := Save(&b, f.Table); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(saved, b.String()); diff != "" {
		t.Errorf("Save (-want +got):\n%s", diff)
	}
	text, err := f.MarshalText()
	if diff := cmp.Diff(lossless, string(text)); err != nil || diff != "" {
		t.Errorf("MarshalText: %v (-want +got):\n%s", err, diff)
	}
	var again File
	if err := again.UnmarshalText([]byte(b.String())); err != nil {
		t.Fatal(err)
	}
	for _, s := range f.Table.Services {
		for i := range s.RealServers {
			s.RealServers[i].UpperThreshold, s.RealServers[i].LowerThreshold = 0, 0 // which Save loses
		}
	}
	b.Reset()
	if err := Save(&b, again.Table); err != nil || b.String() != saved {
		t.Errorf("saved, read and saved (%v):\n%s", err, b.String())
	}
}

func TestSaveRefuses(t *testing.T) {
	id := lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80"))
	table := lvs.Table{Services: []lvs.TableService{
		{
			Service: lvs.Service{ID: id, Scheduler: lvs.RR, SchedulerFlags: 0x100},
			RealServers: []lvs.RealServer{
				{Addr: netip.MustParseAddrPort("10.168.0.94:80"), Mode: lvs.ModeBypass()},
				{Addr: netip.MustParseAddrPort("10.168.0.95:80")},
			},
		},
		{Service: lvs.Service{ID: lvs.NewServiceID(50, id.AddrPort()), Scheduler: lvs.RR}},
	}}
	var b strings.Builder
	err := Save(&b, table)
	want := `ipvsadm: tcp://10.168.0.91:80: ipvsadm has no names for the scheduler flags 0x100
ipvsadm: tcp://10.168.0.91:80 -> 10.168.0.94:80: ipvsadm cannot set the mode bypass
ipvsadm: protocol-50://10.168.0.91:80: ipvsadm has no services of protocol-50`
	if b.Len() != 0 || !errors.Is(err, lvs.ErrInvalid) || err.Error() != want {
		t.Errorf("wrote %q, error\n%v\nwant\n%s", b.String(), err, want)
	}
	text, err := File{
		Table:       table,
		Timeouts:    lvs.Timeouts{TCP: 1000 * time.Hour},
		SyncDaemons: []lvs.SyncDaemon{{Role: lvs.SyncMaster, Interface: "eth0", MaxLen: 65535}, {Role: lvs.SyncMaster, Interface: "eth0"}},
	}.MarshalText()
	if text != nil || err == nil || strings.Count(err.Error(), "\n") != 5 {
		t.Errorf("MarshalText: %q, %v", text, err)
	}
}

// Kernels have some of what package lvs refuses, and Save writes that. What no kernel has
// would be another command.
func TestSaveImpossible(t *testing.T) {
	id := lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80"))
	of := func(p lvs.Persistence) lvs.Service { return lvs.Service{ID: id, Persistence: p} }
	for _, test := range []struct {
		service lvs.Service
		want    string
	}{
		{lvs.Service{}, ": a service needs an ID"},
		{lvs.Service{ID: lvs.TCP(netip.MustParseAddrPort("[fe80::1%eth0]:80"))}, ": fe80::1%eth0 has a zone, which IPVS does not have"},
		{lvs.Service{ID: id, Scheduler: "rr\n-C"}, `: "rr\n-C" may have only letters, digits, and -_.:@+`},
		{lvs.Service{ID: id, Scheduler: "rr -o"}, `: "rr -o" may have only letters, digits, and -_.:@+`},
		{of(lvs.Persistence{Timeout: time.Second, Engine: "sip\t-o"}), `: "sip\t-o" may have only letters, digits, and -_.:@+`},
		{of(lvs.Persistence{Timeout: time.Millisecond}), ": 1ms is not a number of seconds"},
		{of(lvs.Persistence{Timeout: -time.Second}), ": -1s is not a number of seconds"},
		{of(lvs.Persistence{Timeout: time.Second, Mask: lvs.PrefixMask(64)}), ": /64 is not a mask of the service's address family"},
		{lvs.Service{ID: lvs.FWMark6(1), Persistence: lvs.Persistence{Timeout: time.Second, Mask: lvs.DottedMask([4]byte{255, 0, 255, 0})}},
			": /255.0.255.0 is not a mask of the service's address family"},
	} {
		saveRefuses(t, lvs.TableService{Service: test.service}, test.want)
	}
	for _, test := range []struct {
		server lvs.RealServer
		want   string
	}{
		{lvs.RealServer{}, ": a real server needs an address without a zone"},
		{lvs.RealServer{Addr: netip.MustParseAddrPort("[fe80::1%eth0]:80"), Mode: lvs.IPIP()}, ": a real server needs an address without a zone"},
		{lvs.RealServer{Addr: netip.MustParseAddrPort("10.168.0.94:80"), Weight: -1}, ": the weight -1 is negative"},
	} {
		saveRefuses(t, lvs.TableService{Service: lvs.Service{ID: id}, RealServers: []lvs.RealServer{test.server}}, test.want)
	}
	var b strings.Builder
	anyAddr := lvs.Service{ID: lvs.TCP(netip.MustParseAddrPort("0.0.0.0:80"))}
	if err := Save(&b, lvs.Table{Services: []lvs.TableService{{Service: anyAddr}}}); err != nil || b.String() != "-A -t 0.0.0.0:80 -s wlc\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
}

func saveRefuses(t *testing.T, s lvs.TableService, want string) {
	t.Helper()
	var b strings.Builder
	err := Save(&b, lvs.Table{Services: []lvs.TableService{s}})
	if b.Len() != 0 || !errors.Is(err, lvs.ErrInvalid) || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("wrote %q, error\n%v\nwant\n%s", b.String(), err, want)
	}
}

func TestCommands(t *testing.T) {
	f, err := ParseFile([]byte(lossless))
	if err != nil {
		t.Fatal(err)
	}
	changes := f.changes()
	id := f.Table.Services[1].ID
	server := f.Table.Services[1].RealServers[2]
	changes = append(changes, lvs.UpdateService(f.Table.Services[1].Service), lvs.UpdateRealServer(id, server),
		lvs.RemoveRealServer(id, server.Addr), lvs.RemoveService(id), lvs.ZeroCounters(f.Table.Services[0].ID), lvs.ZeroAllCounters(),
		lvs.StopSyncDaemon(lvs.SyncMaster), lvs.Flush())
	commands, err := Commands(changes...)
	if err != nil {
		t.Fatal(err)
	}
	want := "ipvsadm " + strings.ReplaceAll(strings.TrimSuffix(lossless, "\n"), "\n", "\nipvsadm ") + `
ipvsadm -E -t 10.168.0.91:80 -s sh -p 60 -M 255.0.255.0 -b sh-fallback,sh-port
ipvsadm -e -t 10.168.0.91:80 -r 10.168.0.94:80 -g -w 0 -x 100 -y 75
ipvsadm -d -t 10.168.0.91:80 -r 10.168.0.94:80
ipvsadm -D -t 10.168.0.91:80
ipvsadm -Z -f 7
ipvsadm -Z
ipvsadm --stop-daemon master
ipvsadm -C
`
	if diff := cmp.Diff(want, commands); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	again, err := Parse([]byte(commands))
	if diff := cmp.Diff(texts(changes), texts(again)); err != nil || diff != "" {
		t.Errorf("read again: %v (-want +got):\n%s", err, diff)
	}
}

func TestCommandsRefuses(t *testing.T) {
	id := lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80"))
	rip := netip.MustParseAddrPort("10.168.0.94:80")
	for _, test := range []struct {
		change lvs.Change
		want   string
	}{
		{lvs.PutService(lvs.Service{ID: id}), "= tcp://10.168.0.91:80 wlc: ipvsadm has no command that adds or updates; use a change that does one of these"},
		{lvs.PutRealServer(id, lvs.NewRealServer(rip, lvs.DR())), "= tcp://10.168.0.91:80 -> 10.168.0.94:80 dr weight 1: ipvsadm has no command that adds or updates; use a change that does one of these"},
		{lvs.AddService(lvs.Service{ID: id, Persistence: lvs.Persistence{Timeout: 2678401 * time.Second}}),
			"+ tcp://10.168.0.91:80 wlc persistent 744h0m1s: ipvsadm accepts a timeout of at most 744h0m0s, and not 744h0m1s"},
		{lvs.AddService(lvs.Service{ID: id, Scheduler: "ipvsadm"}), `+ tcp://10.168.0.91:80 ipvsadm: "ipvsadm" is a word that ipvsadm leaves out`},
		{lvs.StartSyncDaemon(lvs.SyncDaemon{Role: lvs.SyncMaster, Interface: "$(reboot)"}),
			`+ daemon master on $(reboot) syncid 0: "$(reboot)" may have only letters, digits, and -_.:@+`},
		{lvs.StartSyncDaemon(lvs.SyncDaemon{Role: lvs.SyncMaster, Interface: "a#\xff"}),
			"+ daemon master on a#\xff syncid 0: \"a#\\xff\" may have only letters, digits, and -_.:@+"},
		{lvs.Change{}, "nothing: make changes: the zero Change does nothing"},
	} {
		text, err := Commands(lvs.Flush(), test.change)
		if text != "" || !errors.Is(err, lvs.ErrInvalid) || err.Error() != "ipvsadm: "+test.want {
			t.Errorf("got %q, error\n%v\nwant\nipvsadm: %s", text, err, test.want)
		}
	}
}

// ipvsadm compares only 32 bits when the first of two addresses is an IPv4 one.
func TestSaveOrder(t *testing.T) {
	const first, second = "-a -f 1 -r 32.1.13.184:0 -i -w 1 --tun-type ipip\n", "-a -f 1 -r [2001:db8::8000:1]:0 -i -w 1 --tun-type ipip\n"
	for _, test := range []struct{ added, want string }{
		{second + first, first + second},
		{first + second, second + first},
	} {
		f, err := ParseFile([]byte("-A -f 1\n" + test.added))
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := Save(&b, f.Table); err != nil || b.String() != "-A -f 1 -s wlc\n"+test.want {
			t.Errorf("%v, %s", err, b.String())
		}
	}
}
