package health

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golvs/lvs"
)

func TestPolicyJSON(t *testing.T) {
	full := Policy{
		Checks: []Check{
			{Probe: HTTP{Path: "/ready", Host: "example.org", Headers: map[string]string{"X-A": "b", "Accept": "*/*"}, TLS: &TLS{ServerName: "a", MinValidity: 36 * time.Hour}, Status: "200-299,301"},
				Path: ThroughIPVS, Interval: 2 * time.Second, Failing: time.Second, Timeout: 500 * time.Millisecond, Rise: 1, Fall: 2},
			{Probe: All{TCP{Port: 8080, Send: "hi\n", Expect: "\x00"}, Any{SMTP{Name: "me", TLS: &TLS{}}, GRPC{Service: "s"}}}},
		},
		Servers: map[netip.AddrPort][]Check{
			netip.MustParseAddrPort("10.1.0.1:80"):       {{Probe: TCP{}}},
			netip.MustParseAddrPort("[2001:db8::1]:443"): nil,
		},
		Failed:        Remove,
		FailedServers: map[netip.AddrPort]Consequence{netip.MustParseAddrPort("10.1.0.1:80"): Quiesce},
		Limit:         Limit{Share: 0.5, Hysteresis: 0.1, Then: SorryServer, Sorry: []lvs.RealServer{{Addr: netip.MustParseAddrPort("10.1.0.9:80"), Mode: lvs.DR(), Weight: 3}}},
		SlowStart:     SlowStart{Window: time.Minute, From: 0.1, Curve: 2},
		Load:          Load{DeadBand: 0.05, Slew: 0.01},
		SameContent:   true,
	}
	text := encodes(t, full)
	const want = `{"checks":[` +
		`{"probe":{"http":{"path":"/ready","host":"example.org","headers":{"Accept":"*/*","X-A":"b"},"tls":{"serverName":"a","minValidity":"36h0m0s"},"status":"200-299,301"}},` +
		`"path":"ipvs","interval":"2s","failing":"1s","timeout":"500ms","rise":1,"fall":2},` +
		`{"probe":{"all":[{"tcp":{"port":8080,"send":"hi\n","expect":"\u0000"}},{"any":[{"smtp":{"name":"me","tls":{}}},{"grpc":{"service":"s"}}]}]}}],` +
		`"servers":{"10.1.0.1:80":[{"probe":{"tcp":{}}}],"[2001:db8::1]:443":[]},"failed":"remove","failedServers":{"10.1.0.1:80":"quiesce"},` +
		`"limit":{"share":0.5,"hysteresis":0.1,"then":"sorry server","sorry":[{"addr":"10.1.0.9:80","mode":"dr","weight":3}]},` +
		`"slowStart":{"window":"1m0s","from":0.1,"curve":2},"load":{"deadBand":0.05,"slew":0.01},"sameContent":true}`
	if diff := cmp.Diff(want, text); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	var back Policy
	if err := json.Unmarshal([]byte(text), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full, back, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }), cmp.Comparer(func(a, b lvs.Mode) bool { return a == b })); diff != "" {
		t.Errorf("read back (-want +got)\n%s", diff)
	}
	if got := encodes(t, Policy{}); got != "{}" {
		t.Errorf("the zero value is %s", got)
	}
}

func encodes(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestPolicyJSONRefuses(t *testing.T) {
	deep := strings.Repeat(`{"all":[`, 100) + strings.Repeat(`]}`, 100)
	tests := []struct{ text, field, problem string }{
		{`[]`, "", "is an array, and must be an object"},
		{`{"checks": {}}`, "checks", "is an object, and must be an array"},
		{`{"check": []}`, "check", "is not a known field; want checks, servers,"},
		{`{"": []}`, `""`, "is not a known field"},
		{`{"a\n": []}`, `"a\n"`, "is not a known field"},
		{`{"failed": "remove", "failed": "quiesce"}`, "failed", "is there twice"},
		{`{"checks": [{"probe": {"http": {"page": "/"}}}]}`, "checks[0].probe.http.page", "is not a known field; want path, method,"},
		{`{"checks": [{"probe": {"http": {"Path": "/"}}}]}`, `checks[0].probe.http."Path"`, "is not a known field"},
		{`{"Checks": []}`, `"Checks"`, "is not a known field"},
		{`{"checks": [{"probe": {"http": {"headers": {"a": "1", "a": "2"}}}}]}`, "checks[0].probe.http.headers[a]", "is there twice"},
		{`{"checks": [{"probe": {"http": {"path": 5}}}]}`, "checks[0].probe.http.path", "is 5, and must be a string"},
		{`{"checks": [{"probe": {"http": {"port": 70000}}}]}`, "checks[0].probe.http.port", "is 70000, and must be a whole number from 0 to 65535"},
		{`{"checks": [{"probe": {"http": {"headers": {"a": 1}}}}]}`, "checks[0].probe.http.headers[a]", "is 1, and must be a string"},
		{`{"checks": [{"probe": {"http": {"tls": {"minValidity": 5}}}}]}`, "checks[0].probe.http.tls.minValidity", "with its unit"},
		{`{"checks": [{"probe": {"any": [{"tcp": {}}, {"tcp": {"x": 1}}]}}]}`, "checks[0].probe.any[1].tcp.x", "is not a known field"},
		{`{"checks": [{"probe": {"ftp": {}}}]}`, "checks[0].probe.ftp", "is not a kind of probe; want tcp, http,"},
		{`{"checks": [{"probe": {}}]}`, "checks[0].probe", "has 0 keys, and must have one"},
		{`{"checks": [{"probe": {"tcp": {}, "tcp": {}}}]}`, "checks[0].probe", "has 2 keys, and must have one"},
		{`{"checks": [{"probe": {"func": "x"}}]}`, "checks[0].probe.func", "is a function"},
		{`{"checks": [{"probe": "tcp"}]}`, "checks[0].probe", `is "tcp", and must be an object`},
		{`{"checks": [{"probe": ` + deep + `}]}`, "checks[0].probe" + strings.Repeat(".all[0]", 24), "is more than 50 levels deep"},
		{`{"checks": [{}, {"interval": "2"}]}`, "checks[1].interval", `is "2", and must be a duration`},
		{`{"checks": [{"rise": 1.5}]}`, "checks[0].rise", "is 1.5, and must be a whole number"},
		{`{"servers": {"10.1.0.1": []}}`, "servers[10.1.0.1]", "not an ip:port"},
		{`{"servers": {"[2001:db8::1]:80": [], "[2001:db8:0::1]:80": []}}`, "servers[[2001:db8:0::1]:80]", "is there twice"},
		{`{"servers": {"10.1.0.1:80": [{"fall": "x"}]}}`, "servers[10.1.0.1:80][0].fall", `is "x", and must be a whole number`},
		{`{"limit": {"share": "half"}}`, "limit.share", `is "half", and must be a number`},
		{`{"limit": {"sorry": [{"weight": 1, "color": 2}]}}`, "limit.sorry[0].color", "is not a known field"},
	}
	for _, test := range tests {
		was := Policy{SameContent: true}
		p := was
		err := json.Unmarshal([]byte(test.text), &p)
		var bad *InvalidError
		if !errors.As(err, &bad) || !errors.Is(err, lvs.ErrInvalid) || bad.Field != test.field || !strings.Contains(bad.Problem, test.problem) {
			t.Errorf("%s:\n got %v\nwant %s: %s", test.text, err, test.field, test.problem)
		}
		if !p.SameContent {
			t.Errorf("%s: the policy has changed", test.text)
		}
	}
}

func TestMarshalProbe(t *testing.T) {
	for _, test := range []struct {
		probe Probe
		want  string
	}{
		{TCP{}, `{"tcp":{}}`},
		{&HTTP{Path: "/a"}, `{"http":{"path":"/a"}}`},
		{&Func{Name: "mine"}, `{"func":"mine"}`},
		{All{&Func{Name: "mine"}}, `{"all":[{"func":"mine"}]}`},
		{nil, `null`},
	} {
		got, err := MarshalProbe(test.probe)
		if string(got) != test.want || err != nil {
			t.Errorf("%v: %s, %v, want %s", test.probe, got, err, test.want)
		}
	}
	if _, err := MarshalProbe(foreign{}); !errors.Is(err, lvs.ErrInvalid) {
		t.Errorf("a probe of another package: %v", err)
	}
	if p, err := UnmarshalProbe([]byte(`{"tcp": {"port": 3}}`)); p != (TCP{Port: 3}) || err != nil {
		t.Errorf("%v, %v", p, err)
	}
	if p, err := UnmarshalProbe([]byte(`{"tcp": `)); p != nil || !errors.Is(err, lvs.ErrInvalid) {
		t.Errorf("half a text: %v, %v", p, err)
	}
}

type foreign struct{}

func (foreign) Probe(context.Context, Target) (Answer, error) { return Answer{}, nil }

func FuzzPolicyJSON(f *testing.F) {
	f.Add([]byte(`{"checks":[{"probe":{"all":[{"tcp":{"port":1}},{"http":{"tls":{"minValidity":"1h"}}}]},"interval":"2s"}]}`))
	f.Add([]byte(`{"servers":{"10.1.0.1:80":[]},"limit":{"count":1,"sorry":[{"addr":"10.1.0.9:80","mode":"dr"}]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var p, again Policy
		if err := json.Unmarshal(text, &p); err != nil {
			return
		}
		once := encodes(t, p)
		if err := json.Unmarshal([]byte(once), &again); err != nil {
			t.Fatalf("%s: %v", once, err)
		}
		if twice := encodes(t, again); twice != once {
			t.Errorf("%s is written again as %s", once, twice)
		}
	})
}
