package keepalived

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// read reads a text, and returns the table and the notes as texts.
func read(t *testing.T, text string) (c *Config, notes string) {
	t.Helper()
	c, err := Parse("/k", []byte(text), Options{Root: fstest.MapFS{}, ID: "here"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Table.Validate(); err != nil {
		t.Error(err)
	}
	for _, n := range c.Notes {
		notes += fmt.Sprintf("%d %s\n", n.Line, n.Keyword)
	}
	return c, notes
}

// tables are configurations, what their table is, and the lines of notes.
var tables = map[string]struct{ text, want, notes string }{
	"defaults": {
		"virtual_server 10.0.0.1 80 {\n protocol TCP\n real_server 10.1.0.1 80 { }\n}",
		"tcp://10.0.0.1:80 wlc\n  -> 10.1.0.1:80 nat weight 1", "",
	},
	"everything": {
		`virtual_server 10.0.0.1 53 {
	lvs_sched mh
	mh-port
	mh-fallback
	lvs_method DR
	persistence_timeout 300
	persistence_granularity 255.255.255.0
	protocol udp
	ops
	weight 5
	real_server 10.1.0.1 53 {
		weight 3
		uthreshold 1000
		lthreshold 500
	}
	real_server 10.1.0.2 { lvs_method TUN }
	real_server 10.1.0.3 5353 { lvs_method NAT }
	real_server 10.1.0.4 53 { lvs_method TUN type gue port 6080 csum }
	real_server fd00::5 53 { lvs_method TUN type gre }
}`,
		"udp://10.0.0.1:53 mh (mh-fallback,mh-port) persistent 5m0s/24 ops\n" +
			"  -> 10.1.0.1:53 dr weight 3 thresholds 1000 500\n  -> 10.1.0.2:53 ipip weight 5\n" +
			"  -> 10.1.0.3:5353 nat weight 5\n  -> 10.1.0.4:53 gue:6080+csum weight 5\n  -> [fd00::5]:53 gre weight 5", "",
	},
	"below its servers": {
		"virtual_server 10.0.0.1 80 {\n real_server 10.1.0.1 80 { }\n lb_kind DR\n lb_algo rr\n protocol SCTP\n}",
		"sctp://10.0.0.1:80 rr\n  -> 10.1.0.1:80 dr weight 1", "",
	},
	"IPv6": {
		"virtual_server fd00::1 80 {\n lb_algo sh\n sh-port\n protocol TCP\n persistence_granularity 64\n real_server fd00::2 8080 { weight 0 }\n}",
		"tcp://[fd00::1]:80 sh (sh-port) persistent 6m0s/64\n  -> [fd00::2]:8080 nat weight 0", "",
	},
	"no port": {
		"virtual_server 10.0.0.1 {\n protocol TCP\n persistence_timeout\n real_server 10.1.0.1 { }\n}",
		"tcp://10.0.0.1:0 wlc persistent 6m0s\n  -> 10.1.0.1:0 nat weight 1", "",
	},
	"what keepalived completes": {
		"virtual_server 10.0.0.1 0 {\n persistence_timeout 0\n sh-port\n persistence_engine sip\n real_server 10.1.0.1 { }\n}",
		"udp://10.0.0.1:0 wlc persistent 6m0s pe=sip\n  -> 10.1.0.1:0 nat weight 1",
		"1 virtual_server\n1 virtual_server\n2 persistence_timeout\n3 sh-port\n",
	},
	"what keepalived leaves out": {
		`virtual_server 10.0.0.1 80 {
	protocol TCP
	ops
	lb_kind DR
	unknown 1
	persistence_engine sip
	real_server 10.1.0.1 80 { }
	real_server 10.1.0.1 { }
	real_server 10.1.0.2 8080 { unknown }
	real_server fd00::1 80 { }
}
virtual_server 10.0.0.2 80 {
	protocol TCP
}
unknown {
	x
}`,
		"tcp://10.0.0.1:80 wlc\n  -> 10.1.0.1:80 dr weight 1\n  -> 10.1.0.2:80 dr weight 1",
		"1 virtual_server\n1 virtual_server\n5 unknown\n8 real_server\n9 unknown\n9 real_server\n10 real_server\n12 virtual_server\n15 unknown\n",
	},
	"marks": {
		`virtual_server fwmark 1 {
	protocol TCP
	real_server 10.1.0.1 8080 { }
	real_server 10.1.0.2 { }
	real_server 10.1.0.3 80 { lvs_method DR }
}
virtual_server fwmark 4294967295 {
	real_server fd00::1 { }
}
virtual_server fwmark 3 {
	lvs_method TUN
	real_server fd00::1 { }
}
virtual_server fwmark 4 {
	lvs_method TUN
	real_server fd00::1 { }
	real_server 10.1.0.1 { }
}
virtual_server fwmark 5 {
	lvs_method TUN
	ip_family inet6
	real_server 10.1.0.1 { }
}`,
		"fwmark://1 wlc\n  -> 10.1.0.1:8080 nat weight 1\n  -> 10.1.0.2:0 nat weight 1\n  -> 10.1.0.3:0 dr weight 1\n" +
			"fwmark6://4294967295 wlc\n  -> [fd00::1]:0 nat weight 1\n" +
			"fwmark6://3 wlc\n  -> [fd00::1]:0 ipip weight 1\n" +
			"fwmark://4 wlc\n  -> [fd00::1]:0 ipip weight 1\n  -> 10.1.0.1:0 ipip weight 1\n" +
			"fwmark6://5 wlc\n  -> 10.1.0.1:0 ipip weight 1",
		"5 real_server\n",
	},
	"group": {
		`virtual_server group G {
	lb_algo rr
	lb_kind DR
	protocol TCP
	real_server 10.1.0.1 { }
	real_server 10.1.0.2 80 { }
	real_server 10.1.0.3 81 { lvs_method NAT }
}
virtual_server_group G {
	10.0.0.1 80
	10.0.0.254-255 81
	10.0.3.0-1 80
	fwmark 7
}`,
		strings.Join([]string{
			groupOf("10.0.0.1:80", "80"), groupOf("10.0.0.254:81", "81"), groupOf("10.0.0.255:81", "81"), groupOf("10.0.3.0:80", "80"), groupOf("10.0.3.1:80", "80"),
			strings.Replace(groupOf("7", "0"), "tcp://", "fwmark://", 1),
		}, "\n"),
		"6 real_server\n",
	},
	longRanges: {
		"virtual_server_group G {\n 10.0.1.255-10.0.2.0 80\n 10.0.3.0/31 80\n fd00::ffff-fd00::1:0 80\n}\n" +
			"virtual_server group G {\n protocol TCP\n lb_kind TUN\n real_server 10.1.0.1 { }\n}",
		"tcp://10.0.1.255:80 wlc\n  -> 10.1.0.1:80 ipip weight 1\ntcp://10.0.2.0:80 wlc\n  -> 10.1.0.1:80 ipip weight 1\n" +
			"tcp://10.0.3.0:80 wlc\n  -> 10.1.0.1:80 ipip weight 1\ntcp://10.0.3.1:80 wlc\n  -> 10.1.0.1:80 ipip weight 1\n" +
			"tcp://[fd00::ffff]:80 wlc\n  -> 10.1.0.1:80 ipip weight 1\ntcp://[fd00::1:0]:80 wlc\n  -> 10.1.0.1:80 ipip weight 1", "",
	},
	"group of tunnels": {
		"virtual_server_group G {\n fd00::1 80\n fwmark 1\n}\nvirtual_server group G {\n protocol TCP\n lb_kind TUN\n persistence_granularity 64\n real_server fd00::2 { }\n}",
		"tcp://[fd00::1]:80 wlc persistent 6m0s\n  -> [fd00::2]:80 ipip weight 1\nfwmark6://1 wlc persistent 6m0s\n  -> [fd00::2]:0 ipip weight 1", "5 virtual_server\n",
	},
	"group of IPv6": {
		"virtual_server_group G {\n fd00::fe-101 80\n fwmark 1\n fwmark 2 inet6\n}\nvirtual_server group G {\n protocol UDP\n real_server fd00::1 { }\n}",
		"udp://[fd00::fe]:80 wlc\n  -> [fd00::1]:0 nat weight 1\nudp://[fd00::ff]:80 wlc\n  -> [fd00::1]:0 nat weight 1\n" +
			"udp://[fd00::100]:80 wlc\n  -> [fd00::1]:0 nat weight 1\nudp://[fd00::101]:80 wlc\n  -> [fd00::1]:0 nat weight 1\n" +
			"fwmark6://1 wlc\n  -> [fd00::1]:0 nat weight 1\nfwmark6://2 wlc\n  -> [fd00::1]:0 nat weight 1", "",
	},
	"a service twice": {
		`virtual_server 10.0.0.1 80 {
	lb_algo rr
	protocol TCP
	real_server 10.1.0.1 80 { weight 5 }
	real_server 10.1.0.2 80 { }
}
virtual_server 10.0.0.1 80 {
	lb_algo wrr
	persistence_timeout 50
	protocol TCP
	real_server 10.1.0.2 80 { weight 7 }
	real_server 10.1.0.3 80 { weight 8 }
}
virtual_server_group G {
	10.0.0.1-2 80
	fwmark 1
}
virtual_server group G {
	protocol TCP
	real_server 10.1.0.4 80 { }
}
virtual_server group G {
	protocol UDP
	real_server 10.1.0.5 80 { }
}`,
		"tcp://10.0.0.1:80 rr\n  -> 10.1.0.1:80 nat weight 5\n  -> 10.1.0.2:80 nat weight 1\n  -> 10.1.0.3:80 nat weight 8\n  -> 10.1.0.4:80 nat weight 1\n" +
			"tcp://10.0.0.2:80 wlc\n  -> 10.1.0.4:80 nat weight 1\n" +
			"fwmark://1 wlc\n  -> 10.1.0.4:80 nat weight 1\n  -> 10.1.0.5:80 nat weight 1\n" +
			"udp://10.0.0.1:80 wlc\n  -> 10.1.0.5:80 nat weight 1\nudp://10.0.0.2:80 wlc\n  -> 10.1.0.5:80 nat weight 1",
		"7 virtual_server\n18 virtual_server\n22 virtual_server\n",
	},
	"sorry servers of another family": {
		`virtual_server 10.0.0.1 80 {
	protocol TCP
	sorry_server fd00::9 80
	real_server 10.1.0.1 80 { }
}
virtual_server fwmark 1 {
	lb_kind TUN
	sorry_server fd00::9
	sorry_server_lvs_method NAT
	real_server 10.1.0.1 { }
}
virtual_server fwmark 2 {
	lb_kind TUN
	sorry_server fd00::9
	real_server 10.1.0.1 { }
}
virtual_server 10.0.0.2 80 {
	protocol TCP
	sorry_server 10.1.0.1 80
	real_server 10.1.0.1 80 { }
}`,
		"tcp://10.0.0.1:80 wlc\n  -> 10.1.0.1:80 nat weight 1\nfwmark6://1 wlc\n  -> 10.1.0.1:0 ipip weight 1\nfwmark://2 wlc\n  -> 10.1.0.1:0 ipip weight 1\n" +
			"tcp://10.0.0.2:80 wlc\n  -> 10.1.0.1:80 nat weight 1",
		"3 sorry_server\n17 virtual_server\n",
	},
	"groups of two families": {
		`virtual_server_group both {
	10.0.0.1 80
	fd00::1 80
	fwmark 1 inet
	fwmark 1 inet6
}
virtual_server_group open {
	10.0.0.2 80
	fd00::2 80
	fwmark 2
}
virtual_server_group one {
	10.0.0.3 80
}
virtual_server_group marks {
	fwmark 4
	fwmark 5 inet6
}
virtual_server group both {
	lb_kind TUN
	protocol TCP
	real_server 10.1.0.1 { }
}
virtual_server group both {
	protocol UDP
	real_server 10.1.0.1 80 { }
}
virtual_server group open {
	lb_kind TUN
	protocol TCP
	real_server 10.1.0.1 { }
}
virtual_server group one {
	protocol TCP
	real_server fd01::1 80 { }
}
virtual_server group marks {
	lb_kind TUN
	real_server 10.1.0.1 { }
}
virtual_server group marks {
	ip_family inet
	real_server 10.1.0.1 { }
}`,
		"tcp://10.0.0.1:80 wlc\n  -> 10.1.0.1:80 ipip weight 1\ntcp://[fd00::1]:80 wlc\n  -> 10.1.0.1:80 ipip weight 1\n" +
			"fwmark://1 wlc\n  -> 10.1.0.1:0 ipip weight 1\nfwmark6://1 wlc\n  -> 10.1.0.1:0 ipip weight 1\n" +
			"fwmark6://4 wlc\n  -> 10.1.0.1:0 ipip weight 1\nfwmark6://5 wlc\n  -> 10.1.0.1:0 ipip weight 1",
		"24 virtual_server\n28 virtual_server\n33 virtual_server\n41 virtual_server\n",
	},
	"other blocks": {
		"global_defs {\n router_id x\n lvs_timeouts tcp 1\n lvs_sync_daemon eth0 VI_1\n}\nvrrp_instance VI_1 {\n priority 1\n}\nvrrp_script s { script \"x\" }\n" +
			"bfd_instance b { }\nstatic_routes { }\nnet_namespace n",
		"", "1 global_defs\n3 lvs_timeouts\n4 lvs_sync_daemon\n6 vrrp_instance\n9 vrrp_script\n10 bfd_instance\n11 static_routes\n12 net_namespace\n",
	},
	"lines that mean nothing here": {
		`virtual_server 10.0.0.1 80 {
	protocol TCP
	alpha
	omega
	ha_suspend
	warmup 5
	smtp_alert yes
	snmp_name x
	quorum_up "/bin/x up"
	real_server 10.1.0.1 80 {
		alpha on
		warmup 0
		notify_up /bin/x
		notify_down "/bin/x 'a b'"
		smtp_alert
		snmp_name x
	}
}`,
		"tcp://10.0.0.1:80 wlc\n  -> 10.1.0.1:80 nat weight 1",
		"4 omega\n5 ha_suspend\n6 warmup\n7 smtp_alert\n8 snmp_name\n12 warmup\n15 smtp_alert\n16 snmp_name\n",
	},
}

// longRanges are ranges as keepalived's manual has them; keepalived 2.2.7 goes by the last
// byte or group alone.
const longRanges = "long ranges"

func groupOf(vip, port string) string {
	return "tcp://" + vip + " rr\n  -> 10.1.0.1:" + port + " dr weight 1\n  -> 10.1.0.2:" + port + " dr weight 1\n  -> 10.1.0.3:81 nat weight 1"
}

func TestTable(t *testing.T) {
	for name, c := range tables {
		t.Run(name, func(t *testing.T) {
			got, notes := read(t, c.text)
			if diff := cmp.Diff(c.want, got.Table.String()); diff != "" {
				t.Errorf("table (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.notes, notes); diff != "" {
				t.Errorf("notes (-want +got):\n%s\n%v", diff, got.Notes)
			}
		})
	}
}

func TestLimit(t *testing.T) {
	const servers = "\n real_server 10.1.0.1 80 { weight 2 }\n real_server 10.1.0.2 80 { weight 3 }"
	sorry := lvs.NewRealServer(lvs.MustParseServiceID("tcp://10.1.0.9:80").AddrPort(), lvs.NAT())
	tunnel := lvs.NewRealServer(sorry.Addr, lvs.IPIP())
	for text, want := range map[string]health.Policy{
		"":                   {Failed: health.Remove},
		"inhibit_on_failure": {Failed: health.Quiesce},
		"real_server 10.1.0.3 80 { inhibit_on_failure\n weight 1 }": {Failed: health.Remove, FailedServers: map[netip.AddrPort]health.Consequence{
			netip.MustParseAddrPort("10.1.0.3:80"): health.Quiesce}},
		"inhibit_on_failure\n real_server 10.1.0.3 80 { inhibit_on_failure no }": {Failed: health.Quiesce, FailedServers: map[netip.AddrPort]health.Consequence{
			netip.MustParseAddrPort("10.1.0.3:80"): health.Remove}},
		"sorry_server 10.1.0.1 80":            {Failed: health.Remove, Limit: health.Limit{Weight: 1, Then: health.Report}},
		"quorum 3":                            {Failed: health.Remove, Limit: health.Limit{Weight: 3, Then: health.Report}},
		"quorum 4\n hysteresis 1":             {Failed: health.Remove, Limit: health.Limit{Weight: 3, Hysteresis: 2, Then: health.Report}},
		"quorum 9\n hysteresis 9":             {Failed: health.Remove, Limit: health.Limit{Weight: 1, Hysteresis: 8, Then: health.Report}},
		"quorum_down /bin/x":                  {Failed: health.Remove, Limit: health.Limit{Weight: 1, Then: health.Report}},
		"sorry_server 10.1.0.9 80\n quorum 2": {Failed: health.Remove, Limit: health.Limit{Weight: 2, Then: health.SorryServer, Sorry: []lvs.RealServer{sorry}}},
		"sorry_server 10.1.0.9":               {Failed: health.Remove, Limit: health.Limit{Weight: 1, Then: health.SorryServer, Sorry: []lvs.RealServer{sorry}}},
		"sorry_server 10.1.0.9 80\n sorry_server_lvs_method TUN\n sorry_server_inhibit": {Failed: health.Remove, Limit: health.Limit{Weight: 1, Then: health.SorryServer, Sorry: []lvs.RealServer{tunnel}}},
	} {
		c, _ := read(t, "virtual_server 10.0.0.1 80 {\n protocol TCP\n "+text+servers+"\n}")
		if diff := cmp.Diff(want, c.Policies[c.Table.Services[0].ID], cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestHooks(t *testing.T) {
	c, notes := read(t, `virtual_server_group G {
	10.0.0.1-2 80
}
virtual_server group G {
	protocol TCP
	quorum_up "/bin/up 'a b' \"c\"" root
	quorum_down /bin/down a
	real_server 10.1.0.1 80 {
		notify_up "/bin/x up"
		notify_down "x down"
	}
	real_server 10.1.0.1 80 { notify_up /bin/y }
}
virtual_server fd00::1 80 {
	protocol TCP
	real_server fd01::1 80 { notify_down /bin/x
		notify_down /bin/y }
}
virtual_server fd00::1 80 {
	protocol TCP
	real_server fd01::1 80 { notify_down /bin/z }
}`)
	web, web6 := lvs.MustParseServiceID("tcp://10.0.0.1:80"), lvs.MustParseServiceID("tcp://[fd00::1]:80")
	server, server6 := netip.MustParseAddrPort("10.1.0.1:80"), netip.MustParseAddrPort("[fd01::1]:80")
	changed, crossed := []health.EventKind{health.KindServerChanged}, []health.EventKind{health.KindLimitCrossed}
	want := health.Hooks{
		"quorum_up:tcp://10.0.0.1:80":   {Path: "/bin/up", Args: []string{"a b", "c"}, Events: crossed, States: []string{"above"}, Services: []lvs.ServiceID{web}},
		"quorum_down:tcp://10.0.0.1:80": {Path: "/bin/down", Events: crossed, States: []string{"below"}, Services: []lvs.ServiceID{web}},
		"notify_up:tcp://10.0.0.1:80/10.1.0.1:80": {
			Path: "/bin/x", Args: []string{"up"}, Events: changed, States: []string{"up"}, Services: []lvs.ServiceID{web}, Servers: []netip.AddrPort{server}},
		"notify_down:tcp://fd00::1:80/fd01::1:80": {
			Path: "/bin/x", Events: changed, States: []string{"down"}, Services: []lvs.ServiceID{web6}, Servers: []netip.AddrPort{server6}},
		"notify_down:tcp://fd00::1:80/fd01::1:80#2": {
			Path: "/bin/z", Events: changed, States: []string{"down"}, Services: []lvs.ServiceID{web6}, Servers: []netip.AddrPort{server6}},
	}
	if diff := cmp.Diff(want, c.Hooks, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.AddrPort{}, lvs.ServiceID{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := c.Hooks.Validate(c.Table); err != nil {
		t.Error(err)
	}
	if want := "6 quorum_up\n7 quorum_down\n10 notify_down\n12 real_server\n17 notify_down\n19 virtual_server\n"; notes != want {
		t.Errorf("notes %q, want %q", notes, want)
	}
}

// A service in two blocks has the checks of both.
func TestMergedPolicies(t *testing.T) {
	c, _ := read(t, `virtual_server 10.0.0.1 80 {
	protocol TCP
	real_server 10.1.0.1 80 { TCP_CHECK { } }
	real_server 10.1.0.2 80 { TCP_CHECK { } }
}
virtual_server 10.0.0.1 80 {
	protocol TCP
	inhibit_on_failure
	quorum 2
	real_server 10.1.0.2 80 { PING_CHECK { } }
	real_server 10.1.0.3 80 { PING_CHECK { } }
}`)
	p := c.Policies[lvs.MustParseServiceID("tcp://10.0.0.1:80")]
	got := map[string]string{}
	for addr, checks := range p.Servers {
		for _, check := range checks {
			got[addr.String()] += fmt.Sprint(check.Probe, " ")
		}
	}
	if diff := cmp.Diff(map[string]string{"10.1.0.1:80": "tcp ", "10.1.0.2:80": "tcp ping ", "10.1.0.3:80": "ping "}, got); diff != "" {
		t.Errorf("checks (-want +got):\n%s", diff)
	}
	want := map[netip.AddrPort]health.Consequence{netip.MustParseAddrPort("10.1.0.3:80"): health.Quiesce}
	if diff := cmp.Diff(want, p.FailedServers, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" || p.Failed != health.Remove || p.Limit.Weight != 2 {
		t.Errorf("%+v\n%s", p, diff)
	}
}

// A service of many blocks takes no longer than one of many servers: when each block looked
// at all that there were, this took minutes.
func TestManyBlocks(t *testing.T) {
	c, notes := read(t, `~SEQ(A,0,39) ~SEQ(B,1,250) virtual_server 10.0.0.1 80 { real_server 10.1.${A}.${B} 80 { TCP_CHECK { } } }
~SEQ(A,0,39) ~SEQ(B,1,250) virtual_server 10.0.0.1 80 { real_server 10.1.0.1 80 { TCP_CHECK { } } }`)
	id := lvs.MustParseServiceID("udp://10.0.0.1:80")
	if n, checked := len(c.Table.Services[0].RealServers), len(c.Policies[id].Servers); n != 10_000 || checked != n {
		t.Errorf("%d servers, %d of them checked", n, checked)
	}
	if n := len(c.Policies[id].Servers[netip.MustParseAddrPort("10.1.0.1:80")]); n != 1 {
		t.Errorf("a server that many blocks check in one way has %d checks", n)
	}
	if want := "1 virtual_server\n1 virtual_server\n2 virtual_server\n2 virtual_server\n"; notes != want {
		t.Errorf("notes %q, want %q", notes, want)
	}
}

func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		"virtual_server { }":                                       "1:1: want virtual_server",
		"virtual_server 10.0.0.256 80 { }":                         `1:16: virtual_server: "10.0.0.256" is not an IP address`,
		"virtual_server 10.0.0.1 65536 { }":                        `1:25: virtual_server: "65536" is not a number from 0 to 65535`,
		"virtual_server fwmark 0 { }":                              `1:23: virtual_server: "0" is not a number from 1 to 4294967295`,
		"virtual_server group G { }":                               "1:22: there is no virtual_server_group G",
		"virtual_server_group G { 10.0.0.5-4 }":                    `1:26: "10.0.0.5-4" is not an address or a range`,
		"virtual_server_group G { 10.0.0.1/24 }":                   `1:26: "10.0.0.1/24" is not an address or a range`,
		"virtual_server_group G { fwmark 1 ipv4 }":                 `1:35: "ipv4" is neither inet nor inet6`,
		"virtual_server_group G { }\nvirtual_server_group G { }":   "2:1: the virtual_server_group G is there twice",
		in("lb_algo xx"):                                           `2:9: lb_algo: "xx" is not one of`,
		in("lb_kind MASQ"):                                         `2:9: lb_kind: "MASQ" is not NAT, DR or TUN`,
		in("lb_kind TUN type gue"):                                 "2:1: lb_kind: want TUN",
		in("lb_kind TUN type gre remcsum"):                         "2:1: lb_kind: want TUN",
		in("lb_kind TUN type"):                                     "2:13: lb_kind: what follows type?",
		in("lb_kind TUN port 0"):                                   `2:18: lb_kind: "0" is not a number from 1`,
		in("lb_kind TUN checksum"):                                 `2:13: lb_kind: "checksum" is not an option`,
		in("protocol ICMP"):                                        `2:10: protocol: "ICMP" is not TCP`,
		in("delay_loop 0"):                                         `2:12: delay_loop: "0" is less than 1µs`,
		in("delay_loop 1e3"):                                       `2:12: delay_loop: "1e3" is not a number of seconds`,
		in("delay_loop -1"):                                        `2:12: delay_loop: "-1" is not`,
		in("delay_loop"):                                           "2:1: delay_loop takes one parameter, not 0",
		in("retry 1 2"):                                            "2:1: retry takes one parameter, not 2",
		in("retry -1"):                                             `2:7: retry: "-1" is not a number`,
		in("persistence_granularity 24"):                           `2:25: persistence_granularity: "24" is not a mask`,
		in("ip_family inet6"):                                      "2:11: ip_family: the service is of the other family",
		in("quorum 0"):                                             `2:8: quorum: "0" is not a number from 1`,
		in("sorry_server_lvs_method DR"):                           "2:1: sorry_server_lvs_method must stand below",
		in("real_server 10.1.0.1 80 { weight -1 }"):                `2:34: weight: "-1" is not a number from 0`,
		in("real_server 10.1.0.1 80 { TCP_CHECK }"):                "2:27: TCP_CHECK has no block",
		in("real_server 10.1.0.1 80 { inhibit_on_failure maybe }"): `2:46: inhibit_on_failure: "maybe" is not on`,
		in("real_server 10.1.0.1 80 { lthreshold 1 }"):             "2:1: add real server tcp://10.0.0.1:80 -> 10.1.0.1:80: LowerThreshold",
		in("real_server 224.0.0.1 80 { }"):                         "2:1: add real server",
		"virtual_server_group G { fd00::/64 80 }\nvirtual_server group G {\n real_server fd01::1 { }\n}": "2:1: the addresses of the group have more than",
	} {
		c, err := Parse("/k", []byte(text), Options{Root: fstest.MapFS{}, ID: "here"})
		var bad *Error
		if !errors.As(err, &bad) || c != nil || !strings.HasPrefix(err.Error(), "keepalived: /k:"+want) {
			t.Errorf("%s\n%v\nwant keepalived: /k:%s", text, err, want)
		}
	}
}

// in returns a TCP service with a line of its own, which is the second.
func in(line string) string {
	return "virtual_server 10.0.0.1 80 {\n" + line + "\nprotocol TCP\n}"
}
