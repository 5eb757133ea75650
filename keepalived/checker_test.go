package keepalived

import (
	"errors"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/golvs/lvs/health"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// checksOf reads the checks of the only server of a service.
func checksOf(t *testing.T, service, server string) ([]health.Check, string) {
	t.Helper()
	c, notes := read(t, "virtual_server 10.0.0.1 80 {\nprotocol TCP\n"+service+"\nreal_server 10.1.0.1 80 {\n"+server+"\n}\n}")
	return c.Policies[c.Table.Services[0].ID].Servers[netip.MustParseAddrPort("10.1.0.1:80")], notes
}

func TestCheckers(t *testing.T) {
	const second = time.Second
	plain := func(p health.Probe, fall int, failing time.Duration) health.Check {
		return health.Check{Probe: p, Interval: time.Minute, Failing: failing, Timeout: 5 * second, Rise: 1, Fall: fall}
	}
	insecure := &health.TLS{Insecure: true}
	for name, c := range map[string]struct {
		service, server string
		want            []health.Check
		notes           string
	}{
		"none":     {"", "", nil, ""},
		"TCP":      {"", "TCP_CHECK { }", []health.Check{plain(health.TCP{}, 2, second)}, ""},
		"TCP port": {"", "TCP_CHECK { connect_port 8080 }", []health.Check{plain(health.TCP{Port: 8080}, 2, second)}, ""},
		"elsewhere": {"", "TCP_CHECK {\n connect_ip 10.2.0.1\n bindto 10.2.0.9\n bind_port 9\n bind_if eth0\n fwmark 3\n}",
			[]health.Check{plain(health.At{Addr: netip.MustParseAddr("10.2.0.1"), Ask: health.From{
				Addr: netip.MustParseAddr("10.2.0.9"), Port: 9, Interface: "eth0", Mark: 3, Ask: health.TCP{}}}, 2, second)}, ""},
		"from an address": {"", "SMTP_CHECK {\n bindto 10.2.0.9\n fwmark 0\n}",
			[]health.Check{plain(health.From{Addr: netip.MustParseAddr("10.2.0.9"), Ask: health.SMTP{}}, 2, second)}, ""},
		"times of the service that mean nothing": {"retry 0", "retry 0\n TCP_CHECK { }", []health.Check{plain(health.TCP{}, 2, second)}, "3 retry\n5 retry\n"},
		"times of the service": {"delay_loop 6\n connect_timeout 3\n retry 4\n delay_before_retry 0.5", "TCP_CHECK { }",
			[]health.Check{{Probe: health.TCP{}, Interval: 6 * second, Failing: second / 2, Timeout: 3 * second, Rise: 1, Fall: 5}}, ""},
		"times of the server": {"delay_loop 6", "delay_loop 7\n TCP_CHECK { }\n retry 2",
			[]health.Check{{Probe: health.TCP{}, Interval: 7 * second, Failing: second, Timeout: 5 * second, Rise: 1, Fall: 3}}, ""},
		"times of the checker": {"delay_loop 6\n retry 1", "retry 2\n TCP_CHECK {\n delay_loop 2.5\n retry 0\n delay_before_retry 0\n warmup 3\n alpha\n log_all_failures\n}",
			[]health.Check{{Probe: health.TCP{}, Interval: 5 * second / 2, Failing: 10 * time.Millisecond, Timeout: 5 * second, Rise: 1, Fall: 1}}, "11 warmup\n13 log_all_failures\n"},
		"HTTP": {"", `HTTP_GET {
	url {
		path /a?b=1
		digest 640205b7b0fc66c1ea91c463fac6334d
	}
	url {
		path /c
		status_code 200-299 403 503
	}
}`, []health.Check{
			plain(health.HTTP{Path: "/a?b=1", MD5: "640205b7b0fc66c1ea91c463fac6334d"}, 2, 3*second),
			plain(health.HTTP{Path: "/c", Status: "200-299,403,503"}, 2, 3*second),
		}, ""},
		"hosts": {"virtualhost a", "HTTP_GET {\n url { path /\n virtualhost c }\n url { path / }\n virtualhost b\n nb_get_retry 3\n http_protocol 1.1\n fast_recovery\n}\n virtualhost x",
			[]health.Check{plain(health.HTTP{Path: "/", Host: "c"}, 4, 3*second), plain(health.HTTP{Path: "/", Host: "b"}, 4, 3*second)}, ""},
		"host of the server": {"virtualhost a", "HTTP_GET { url { path / } }\nvirtualhost b",
			[]health.Check{plain(health.HTTP{Path: "/", Host: "b"}, 2, 3*second)}, ""},
		"SSL": {"virtualhost a", "SSL_GET {\n enable_sni\n connect_port 444\n url { path / }\n}",
			[]health.Check{plain(health.HTTP{Path: "/", Host: "a", Port: 444, TLS: insecure}, 2, 3*second)}, ""},
		"SNI": {"", "SSL_GET {\n sni_name b\n tls_compliant\n url { path /\n tls_compliant }\n}",
			[]health.Check{plain(health.HTTP{Path: "/", TLS: &health.TLS{Insecure: true, ServerName: "b"}}, 2, 3*second)}, ""},
		"expressions": {"", `HTTP_GET {
	url {
		path /
		regex "^ok$"
		regex_options caseless multiline utf
		regex_stack 1 2
	}
	url {
		path /
		regex "(?<=a)b"
	}
	url {
		path /
		regex_options dotall
		regex_no_match
		regex 'a b'
	}
	url {
		path /
		regex b
		regex_min_offset 5
	}
	url {
		path /
		regex b
		regex_options ucp
	}
	url {
		path /
		regex "\\d+\.\\s\"a\""
	}
	url {
		path /
		regex_no_match
	}
}`, []health.Check{plain(health.HTTP{Path: "/", Matches: "(?im)^ok$"}, 2, 3*second), plain(health.HTTP{Path: "/"}, 2, 3*second),
			plain(health.HTTP{Path: "/", NoMatch: "(?s)a b"}, 2, 3*second), plain(health.HTTP{Path: "/"}, 2, 3*second), plain(health.HTTP{Path: "/"}, 2, 3*second),
			plain(health.HTTP{Path: "/", Matches: `\d+.\s"a"`}, 2, 3*second), plain(health.HTTP{Path: "/"}, 2, 3*second)},
			"10 regex_stack\n14 regex\n24 regex\n29 regex\n"},
		"no url":         {"", "HTTP_GET { }", nil, "5 HTTP_GET\n"},
		"no path":        {"", "HTTP_GET {\n url { digest x }\n}", nil, "5 HTTP_GET\n6 url\n"},
		"older protocol": {"", "HTTP_GET {\n http_protocol 1.0C\n url { path / } }", []health.Check{plain(health.HTTP{Path: "/"}, 2, 3*second)}, "6 http_protocol\n"},
		"SMTP":           {"", "SMTP_CHECK {\n helo_name \"me\"\n connect_port 26\n}", []health.Check{plain(health.SMTP{Name: "me", Port: 26}, 2, second)}, ""},
		"SMTP hosts": {"", "SMTP_CHECK {\n connect_timeout 3\n host {\n connect_ip 10.2.0.1\n connect_port 26\n}\n host {\n connect_ip 10.2.0.2\n connect_timeout 4\n bindto 10.2.0.3\n}\n helo_name me\n}",
			[]health.Check{
				{Probe: health.At{Addr: netip.MustParseAddr("10.2.0.1"), Ask: health.SMTP{Name: "me", Port: 26}}, Interval: time.Minute, Failing: second, Timeout: 3 * second, Rise: 1, Fall: 2},
				{Probe: health.At{Addr: netip.MustParseAddr("10.2.0.2"), Ask: health.From{Addr: netip.MustParseAddr("10.2.0.3"), Ask: health.SMTP{Name: "me"}}}, Interval: time.Minute, Failing: second, Timeout: 4 * second, Rise: 1, Fall: 2},
			}, ""},
		"MISC": {"delay_loop 6", "delay_loop 7\n MISC_CHECK {\n misc_path \"/bin/x 'a b' c\"\n delay_loop 8\n connect_ip 10.2.0.1\n}",
			[]health.Check{{Probe: health.Exec{Path: "/bin/x", Args: []string{"a b", "c"}}, Interval: 8 * second, Failing: second, Timeout: 6 * second, Rise: 1, Fall: 1}}, "9 connect_ip\n"},
		"MISC with everything": {"", "MISC_CHECK {\n misc_path /bin/x\n misc_timeout 9\n misc_dynamic\n user daemon\n retry 2\n}",
			[]health.Check{{Probe: health.Exec{Path: "/bin/x", Share: health.ByStatus, Whole: 3}, Interval: time.Minute, Failing: second, Timeout: 9 * second, Rise: 1, Fall: 3}}, "9 user\n"},
		"MISC with a weight": {"", "weight 40\n MISC_CHECK {\n misc_path /bin/x\n misc_dynamic\n}",
			[]health.Check{{Probe: health.Exec{Path: "/bin/x", Share: health.ByStatus, Whole: 42}, Interval: time.Minute, Failing: second, Timeout: time.Minute, Rise: 1, Fall: 1}}, ""},
		"MISC without a weight": {"", "weight 0\n MISC_CHECK {\n misc_path /bin/x\n misc_dynamic\n}",
			[]health.Check{{Probe: health.Exec{Path: "/bin/x", Share: health.ByStatus}, Interval: time.Minute, Failing: second, Timeout: time.Minute, Rise: 1, Fall: 1}}, "8 misc_dynamic\n"},
		"MISC without": {"", "MISC_CHECK { }", nil, "5 MISC_CHECK\n"},
		"ping":         {"", "PING_CHECK {\n retry 4\n}", []health.Check{plain(health.Ping{}, 5, second)}, ""},
		"DNS":          {"", "DNS_CHECK { }", []health.Check{plain(health.DNS{Type: "SOA", Empty: true}, 4, 0)}, ""},
		"DNS with everything": {"", "DNS_CHECK {\n type AAAA\n name example.org\n connect_port 54\n}",
			[]health.Check{plain(health.DNS{Type: "AAAA", Name: "example.org", Port: 54, Empty: true}, 4, 0)}, ""},
		"DNS of a key": {"", "DNS_CHECK { type DNSKEY }", []health.Check{plain(health.DNS{Type: "DNSKEY", Empty: true}, 4, 0)}, ""},
		"UDP":          {"", "UDP_CHECK { }", []health.Check{{Probe: health.UDP{Silence: 5 * second}, Interval: time.Minute, Failing: second, Timeout: 6 * second, Rise: 1, Fall: 2}}, ""},
		"UDP with an answer": {"", "UDP_CHECK {\n payload 41 4243 7\n require_reply \"61 62xx\"\n max_reply_length 9\n connect_port 54\n}",
			[]health.Check{plain(health.UDP{Send: "ABC\a", Expect: "ab", Port: 54}, 2, second)}, "7 require_reply\n8 max_reply_length\n"},
		"UDP with any answer":  {"", "UDP_CHECK {\n require_reply\n}", []health.Check{plain(health.UDP{}, 2, second)}, ""},
		"UDP that is not text": {"", "UDP_CHECK {\n payload ff\n require_reply\n}", []health.Check{plain(health.UDP{Send: "ff", Hex: true}, 2, second)}, ""},
		"others":               {"", "BFD_CHECK { name x }\nX_CHECK { }", nil, "5 BFD_CHECK\n6 X_CHECK\n"},
		"unknown":              {"", "TCP_CHECK {\n url { path / }\n virtualhost x\n y\n}", []health.Check{plain(health.TCP{}, 2, second)}, "6 url\n7 virtualhost\n8 y\n"},
		"several":              {"", "TCP_CHECK { }\n SMTP_CHECK { }", []health.Check{plain(health.TCP{}, 2, second), plain(health.SMTP{}, 2, second)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, notes := checksOf(t, c.service, c.server)
			if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Errorf("checks (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.notes, notes); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestIdentity(t *testing.T) {
	const server = "virtual_server 10.0.0.1 443 {\nprotocol TCP\nreal_server 10.1.0.1 443 { SSL_GET { url { path / } } }\n}\n"
	for text, want := range map[string]struct {
		tls   health.TLS
		notes string
	}{
		"SSL {\n certificate \"/a b.pem\"\n key /k.pem\n ca /c.pem\n password x\n y\n}": {health.TLS{Insecure: true, CertFile: "/a b.pem", KeyFile: "/k.pem"}, "8 ca\n9 password\n10 y\n"},
		"SSL { certificate /a.pem }": {health.TLS{Insecure: true, CertFile: "/a.pem"}, ""},
		"SSL { key /k.pem }":         {health.TLS{Insecure: true}, "5 SSL\n"},
	} {
		c, notes := read(t, server+text)
		checks := c.Policies[c.Table.Services[0].ID].Servers[netip.MustParseAddrPort("10.1.0.1:443")]
		if got := checks[0].Probe.(health.HTTP).TLS; *got != want.tls || notes != want.notes {
			t.Errorf("%s\nmeans %+v with notes %q", text, *got, notes)
		}
	}
}

func TestFileCheck(t *testing.T) {
	const files = `
track_file plain { file /run/plain }
track_file tens {
	file "/run/a b"
	weight -10
	init_file 5 overwrite
}
vrrp_track_file back { file /run/back
	weight 3 reverse }
track_file state { file /run/state
	weight 0 reverse }
track_file none { }
track_file plain { file /run/other }
track_file vrrp { file /run/vrrp }
`
	number := func(path string, step float64) health.Number { return health.Number{Path: path, Step: step} }
	for name, c := range map[string]struct {
		service, server string
		want            []health.Number
		notes           string
	}{
		"the weight of the server":  {"", "weight 4\n FILE_CHECK { track_file plain }", []health.Number{number("/run/plain", 0.25)}, ""},
		"the weight of the service": {"weight 5", "FILE_CHECK { track_file tens }", []health.Number{number("/run/a b", -2)}, ""},
		"reverse":                   {"", "FILE_CHECK { track_file back }", []health.Number{number("/run/back", -3)}, ""},
		"a state, reverse":          {"", "FILE_CHECK { track_file state }", []health.Number{{Path: "/run/state", Reverse: true}}, ""},
		"a state":                   {"", "FILE_CHECK { track_file state\n weight 0 noreverse }", []health.Number{{Path: "/run/state"}}, ""},
		"a weight of its own":       {"", "weight 2\n FILE_CHECK { weight 2147483647 reverse\n track_file tens }", []health.Number{number("/run/a b", -2147483647./2)}, ""},
		"no file":                   {"", "FILE_CHECK { weight 1 }", nil, "5 FILE_CHECK\n"},
		"times":                     {"", "FILE_CHECK { track_file plain\n delay_loop 1\n dynamic }", []health.Number{number("/run/plain", 1)}, "6 delay_loop\n7 dynamic\n"},
		"without a weight":          {"", "weight 0\n FILE_CHECK { track_file plain }", []health.Number{number("/run/plain", 1)}, "6 FILE_CHECK\n"},
		"a scheduler that looks at the greatest weight": {"lb_algo fo", "FILE_CHECK { track_file plain }", []health.Number{number("/run/plain", 1)}, "5 FILE_CHECK\n"},
		"several": {"", "FILE_CHECK { track_file plain }\n FILE_CHECK { track_file state }\n FILE_CHECK { track_file tens }",
			[]health.Number{number("/run/plain", 1), {Path: "/run/state", Reverse: true}, number("/run/a b", -10)}, "7 FILE_CHECK\n"},
	} {
		t.Run(name, func(t *testing.T) {
			text := "virtual_server 10.0.0.1 80 {\nprotocol TCP\n" + c.service + "\nreal_server 10.1.0.1 80 {\n" + c.server + "\n}\n}"
			config, notes := read(t, text+files)
			var want []health.Check
			for _, p := range c.want {
				want = append(want, health.Check{Probe: p, Interval: time.Second, Rise: 1, Fall: 1})
			}
			got := config.Policies[config.Table.Services[0].ID].Servers[netip.MustParseAddrPort("10.1.0.1:80")]
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("checks (-want +got):\n%s", diff)
			}
			ownNotes := regexp.MustCompile(`(?m)^\d+ (vrrp_)?(track|init)_file\n`).ReplaceAllString(notes, "")
			if diff := cmp.Diff(c.notes, ownNotes); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
		})
	}
	_, notes := read(t, "virtual_server 10.0.0.1 80 {\nprotocol TCP\nreal_server 10.1.0.1 80 { FILE_CHECK { track_file tens } }\n}"+files)
	// Besides files that no server is checked by, one has no path, and one a name that is there.
	if want := "5 track_file\n9 init_file\n11 vrrp_track_file\n13 track_file\n15 track_file\n16 track_file\n17 track_file\n"; notes != want {
		t.Errorf("notes %q, want %q", notes, want)
	}
}

func TestCheckerErrors(t *testing.T) {
	for text, want := range map[string]string{
		"TCP_CHECK { connect_port 65536 }":                  `2:54: connect_port: "65536" is not`,
		"TCP_CHECK { connect_port 0 }":                      `2:54: connect_port: "0" is not a number from 1`,
		"TCP_CHECK { bindto x }":                            `2:48: bindto: "x" is not an IP address`,
		"TCP_CHECK { bind_if a/b }":                         `2:29: TCP_CHECK: Interface "a/b" is not`,
		"TCP_CHECK { fwmark -1 }":                           `2:48: fwmark: "-1" is not a number from 0`,
		"FILE_CHECK { track_file x }":                       "2:53: there is no track_file x",
		"FILE_CHECK { weight }":                             "2:42: weight: want a number",
		"FILE_CHECK { weight 1 backwards }":                 `2:51: weight: "backwards" is neither reverse nor`,
		"HTTP_GET { url { path /\n regex a b } }":           "3:2: regex takes one parameter",
		"TCP_CHECK { connect_ip x }":                        `2:52: connect_ip: "x" is not an IP address`,
		"TCP_CHECK { delay_loop 0.001 }":                    "2:29: TCP_CHECK: Interval 1ms is less than 10ms",
		"TCP_CHECK x { }":                                   `2:39: TCP_CHECK: "x" is not the {`,
		"HTTP_GET { url { path a } }":                       `2:29: HTTP_GET: Path "a" is not a path`,
		"HTTP_GET { url { path /\n status_code 99 } }":      `3:14: status_code: "99" is not a number from 100 to 599`,
		"HTTP_GET { url { path /\n status_code 200-100 } }": `3:14: status_code: "100" is not a number from 200 to 599`,
		"HTTP_GET { url { path /\n digest 12 } }":           `2:29: HTTP_GET: MD5 "12" is not 32 digits`,
		"HTTP_GET { http_protocol 2 }":                      `2:54: http_protocol: "2" is not`,
		"MISC_CHECK { misc_path x }":                        `2:29: MISC_CHECK: Path "x" is not an absolute path`,
		"MISC_CHECK { misc_path \"/x 'a\" }":                "2:42: misc_path: want a program",
		"UDP_CHECK { payload 4g }":                          `2:49: payload: "4g" is not a hexadecimal`,
		"UDP_CHECK { payload }":                             `2:41: payload: want bytes`,
		"DNS_CHECK { type X }":                              `2:29: DNS_CHECK: Type "X" is not`,
		"SMTP_CHECK { helo_name \"a b\" }":                  `2:29: SMTP_CHECK: Name "a b" is not`,
	} {
		text = in("  real_server 10.1.0.1 80 { " + text + " }")
		c, err := Parse("/k", []byte(text), Options{Root: fstest.MapFS{}, ID: "here"})
		var bad *Error
		if !errors.As(err, &bad) || c != nil || !strings.HasPrefix(err.Error(), "keepalived: /k:"+want) {
			t.Errorf("%s\n%v\nwant keepalived: /k:%s", text, err, want)
		}
	}
}
