package keepalived

import (
	"errors"
	"net/netip"
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
			[]health.Check{plain(health.At{Addr: netip.MustParseAddr("10.2.0.1"), Ask: health.TCP{}}, 2, second)},
			"7 bindto\n8 bind_port\n9 bind_if\n10 fwmark\n"},
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
		regex b
		regex_no_match
	}
	url {
		path /
		regex b
		regex_min_offset 5
	}
}`, []health.Check{plain(health.HTTP{Path: "/", Matches: "(?im)^ok$"}, 2, 3*second), plain(health.HTTP{Path: "/"}, 2, 3*second),
			plain(health.HTTP{Path: "/"}, 2, 3*second), plain(health.HTTP{Path: "/"}, 2, 3*second)}, "10 regex_stack\n14 regex\n18 regex\n23 regex\n"},
		"no url":         {"", "HTTP_GET { }", nil, "5 HTTP_GET\n"},
		"no path":        {"", "HTTP_GET {\n url { digest x }\n}", nil, "5 HTTP_GET\n6 url\n"},
		"older protocol": {"", "HTTP_GET {\n http_protocol 1.0C\n url { path / } }", []health.Check{plain(health.HTTP{Path: "/"}, 2, 3*second)}, "6 http_protocol\n"},
		"SMTP":           {"", "SMTP_CHECK {\n helo_name \"me\"\n connect_port 26\n}", []health.Check{plain(health.SMTP{Name: "me", Port: 26}, 2, second)}, ""},
		"SMTP hosts": {"", "SMTP_CHECK {\n connect_timeout 3\n host {\n connect_ip 10.2.0.1\n connect_port 26\n}\n host {\n connect_ip 10.2.0.2\n connect_timeout 4\n bindto 10.2.0.3\n}\n helo_name me\n}",
			[]health.Check{
				{Probe: health.At{Addr: netip.MustParseAddr("10.2.0.1"), Ask: health.SMTP{Name: "me", Port: 26}}, Interval: time.Minute, Failing: second, Timeout: 3 * second, Rise: 1, Fall: 2},
				{Probe: health.At{Addr: netip.MustParseAddr("10.2.0.2"), Ask: health.SMTP{Name: "me"}}, Interval: time.Minute, Failing: second, Timeout: 4 * second, Rise: 1, Fall: 2},
			}, "14 bindto\n"},
		"MISC": {"delay_loop 6", "MISC_CHECK {\n misc_path \"/bin/x 'a b' c\"\n}",
			[]health.Check{{Probe: health.Exec{Path: "/bin/x", Args: []string{"a b", "c"}}, Interval: 6 * second, Failing: second, Timeout: 6 * second, Rise: 1, Fall: 1}}, ""},
		"MISC with everything": {"", "MISC_CHECK {\n misc_path /bin/x\n misc_timeout 9\n misc_dynamic\n user daemon\n retry 2\n}",
			[]health.Check{{Probe: health.Exec{Path: "/bin/x", Share: health.ByStatus}, Interval: time.Minute, Failing: second, Timeout: 9 * second, Rise: 1, Fall: 3}}, "8 misc_dynamic\n9 user\n"},
		"MISC without": {"", "MISC_CHECK { }", nil, "5 MISC_CHECK\n"},
		"ping":         {"", "PING_CHECK {\n retry 4\n}", []health.Check{plain(health.Ping{}, 5, second)}, ""},
		"DNS":          {"", "DNS_CHECK { }", []health.Check{plain(health.DNS{Type: "SOA"}, 4, 0)}, "5 DNS_CHECK\n"},
		"DNS with everything": {"", "DNS_CHECK {\n type AAAA\n name example.org\n connect_port 54\n}",
			[]health.Check{plain(health.DNS{Type: "AAAA", Name: "example.org", Port: 54}, 4, 0)}, "5 DNS_CHECK\n"},
		"DNS of a type that cannot be asked for": {"", "DNS_CHECK { type DNSKEY }", nil, "5 DNS_CHECK\n"},
		"UDP":                                    {"", "UDP_CHECK { }", []health.Check{{Probe: health.UDP{Silence: 5 * second}, Interval: time.Minute, Failing: second, Timeout: 6 * second, Rise: 1, Fall: 2}}, ""},
		"UDP with an answer": {"", "UDP_CHECK {\n payload 41 4243 7\n require_reply \"61 62xx\"\n max_reply_length 9\n connect_port 54\n}",
			[]health.Check{plain(health.UDP{Send: "ABC\a", Expect: "ab", Port: 54}, 2, second)}, "7 require_reply\n8 max_reply_length\n"},
		"UDP with any answer":  {"", "UDP_CHECK {\n require_reply\n}", []health.Check{plain(health.UDP{}, 2, second)}, ""},
		"UDP that is not text": {"", "UDP_CHECK {\n payload ff\n require_reply\n}", []health.Check{plain(health.UDP{Send: "ff", Hex: true}, 2, second)}, ""},
		"others":               {"", "FILE_CHECK { track_file x }\nBFD_CHECK { name x }\nX_CHECK { }", nil, "5 FILE_CHECK\n6 BFD_CHECK\n7 X_CHECK\n"},
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

func TestCheckerErrors(t *testing.T) {
	for text, want := range map[string]string{
		"TCP_CHECK { connect_port 65536 }":                  `2:54: connect_port: "65536" is not`,
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
