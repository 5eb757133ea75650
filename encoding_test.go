package lvs

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// What is saved or sent has a version, and another one, none, or an unknown field is
// refused.
func TestVersions(t *testing.T) {
	for _, tt := range []struct {
		value any
		into  func() any
	}{
		{SetupPlan{Steps: []SetupStep{}}, func() any { return new(SetupPlan) }},
		{HostState{Name: "rs1", Services: []ServiceEntry{}}, func() any { return new(HostState) }},
		{Report{Host: "rs1", Findings: []Finding{}, Unchecked: []Finding{}}, func() any { return new(Report) }},
	} {
		text, err := json.Marshal(tt.value)
		must(t, err)
		if !strings.HasPrefix(string(text), `{"version":1,`) {
			t.Errorf("%T: %s has no version", tt.value, text)
		}
		must(t, json.Unmarshal(text, tt.into()))
		for field, edited := range map[string]string{
			"version": strings.Replace(string(text), `"version":1`, `"version":2`, 1),
			"Version": strings.Replace(string(text), `"version":1,`, "", 1),
			"new":     strings.Replace(string(text), `{"version":1`, `{"version":1,"new":0`, 1),
		} {
			err := json.Unmarshal([]byte(edited), tt.into())
			var bad *Error
			if !errors.As(err, &bad) || !errors.Is(err, ErrInvalid) || !strings.EqualFold(bad.Field, field) {
				t.Errorf("%T: %s: %v, want an error of the field %s", tt.value, edited, err, field)
			}
		}
	}
}

// A field that programs cannot set cannot be set by text either, and bytes that are not
// UTF-8 reach no error.
func TestDecodeJSONOfHiddenFields(t *testing.T) {
	type embedded struct {
		Seen   int `json:"seen"`
		Deeper int `json:"same"`
		hidden int
	}
	type value struct {
		embedded
		hidden  *int
		Skipped int `json:"-"`
		Same    int `json:"same"`
	}
	var v value
	for _, name := range []string{"hidden", "Skipped", "-", "embedded", "\xff"} {
		if bad, offset := decodeJSON([]byte(`{"seen": 1, "`+name+`": 2}`), &v); bad == nil || offset != 12 || !utf8.ValidString(bad.Error()) {
			t.Errorf("%s: %v at %d", name, bad, offset)
		}
	}
	if bad, _ := decodeJSON([]byte(`{"seen": 1, "same": 2}`), &v); bad != nil || v.Seen != 1 || v.Same != 2 || v.Deeper != 0 || v.hidden != nil || v.embedded.hidden != 0 {
		t.Errorf("%v, %+v", bad, v)
	}
}

// A newer plan is refused for its version, not for the fields that came with it.
func TestVersionIsReadFirst(t *testing.T) {
	var bad *Error
	err := json.Unmarshal([]byte(`{"new":0,"version":2}`), new(SetupPlan))
	if !errors.As(err, &bad) || bad.Field != "version" {
		t.Errorf("%v", err)
	}
}

func TestReportRoundTrip(t *testing.T) {
	want := Report{Host: "director", Findings: []Finding{{
		Code: FindingLoopback, Severity: SeverityBroken, Detail: "d", Why: "w",
		Changes: []Change{RemoveRealServer(webID, webRIP)},
	}}, Unchecked: []Finding{}}
	text, err := json.Marshal(want)
	must(t, err)
	var got Report
	must(t, json.Unmarshal(text, &got))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestDurationsInJSON(t *testing.T) {
	timeouts := Timeouts{TCP: 15 * time.Minute, TCPFin: 2 * time.Minute, UDP: 5 * time.Minute}
	text, err := json.Marshal(timeouts)
	must(t, err)
	if want := `{"tcp":"15m0s","tcpFin":"2m0s","udp":"5m0s"}`; string(text) != want {
		t.Errorf("got %s, want %s", text, want)
	}
	var got Timeouts
	must(t, json.Unmarshal(text, &got))
	if got != timeouts {
		t.Errorf("read back %v", got)
	}
	for _, wrong := range []string{`{"tcp":900000000000}`, `{"tcp":"900"}`, `{"TCPFIN2":"1s"}`} {
		if err := json.Unmarshal([]byte(wrong), &got); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
	c := Connection{Protocol: ProtocolUDP, Client: webRIP, VIP: webID.AddrPort(), Server: webRIP, State: StateUDP, Expires: 299 * time.Second}
	text, err = json.Marshal(c)
	must(t, err)
	var back Connection
	if must(t, json.Unmarshal(text, &back)); back != c || !strings.Contains(string(text), `"expires":"4m59s"`) {
		t.Errorf("%s is read back as %v", text, back)
	}
}

func TestZeroFlowInJSON(t *testing.T) {
	text, err := json.Marshal(Flow{Client: webRIP, VIP: webRIP})
	must(t, err)
	if strings.Contains(string(text), "protocol") {
		t.Errorf("%s", text)
	}
	text, err = json.Marshal(Verdict{Action: ActionForwarded})
	must(t, err)
	if !strings.Contains(string(text), `"mode":"dr"`) {
		t.Errorf("%s leaves out the mode", text)
	}
}

// A typo, or a struct that embeds RealServer, is an error that names the type.
func TestRealServerIsStrict(t *testing.T) {
	type mine struct {
		RealServer
		Zone string `json:"zone"`
	}
	for text, into := range map[string]any{
		`{"addr":"1.2.3.4:80","weigth":5}`: new(RealServer),
		`{"addr":"1.2.3.4:80","zone":"a"}`: new(mine),
	} {
		err := json.Unmarshal([]byte(text), into)
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "lvs.RealServer") {
			t.Errorf("%s: %v", text, err)
		}
	}
	yaml := func(v any) error { return json.Unmarshal([]byte(`{"addr":"1.2.3.4:80","weigth":5}`), v) }
	if err := new(RealServer).UnmarshalYAML(yaml); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "weigth") {
		t.Errorf("YAML: %v", err)
	}
}

func TestStatusTextAndEqual(t *testing.T) {
	server := RealServerStatus{RealServer: NewRealServer(webRIP, DR()), ActiveConns: 71, InactiveConns: 72, PersistentConns: 73, Stats: Stats{Conns: 74}}
	entry := ServiceEntry{ServiceStatus{Service: Service{ID: webID}, Stats: Stats{OutBytes: 75, Rates: Rates{InPackets: 76}}}, []RealServerStatus{server}}
	for _, want := range []string{webID.String(), webRIP.String(), "active 71", "inactive 72", "persistent 73", "conns 74", "out 0 packets 75 bytes", "in 76 packets"} {
		if !strings.Contains(entry.String(), want) {
			t.Errorf("%q does not show %q", entry, want)
		}
	}
	for name, edit := range map[string]func(*ServiceEntry){
		"a server's connections": func(e *ServiceEntry) { e.RealServers[0].ActiveConns++ },
		"a server's counters":    func(e *ServiceEntry) { e.RealServers[0].Stats.InBytes++ },
		"the service's counters": func(e *ServiceEntry) { e.Stats.Rates.Conns++ },
		"no server":              func(e *ServiceEntry) { e.RealServers = nil },
		"the scheduler":          func(e *ServiceEntry) { e.Scheduler = RR },
	} {
		other := entry
		other.RealServers = []RealServerStatus{server}
		if !entry.Equal(other) {
			t.Fatal("an entry does not equal its copy")
		}
		if edit(&other); entry.Equal(other) {
			t.Errorf("%s makes no difference", name)
		}
	}
}

func TestParsers(t *testing.T) {
	at := netip.MustParseAddrPort("10.0.0.1:80")
	if got := MustParseServiceID("TCP://10.0.0.1:80"); got != NewServiceID(ProtocolTCP, at) || got != TCP(at) {
		t.Errorf("got %v", got)
	}
	if got := MustParseServiceID("FWMark6://7"); got != FWMark6(7) {
		t.Errorf("got %v", got)
	}
	if got, err := ParseProtocol("SCTP"); err != nil || got != ProtocolSCTP {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := ParsePersistence("5m/24 pe=sip"); err != nil || got != (Persistence{5 * time.Minute, PrefixMask(24), "sip"}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := ParsePersistence(""); !errors.Is(err, ErrInvalid) {
		t.Errorf("an empty persistence: %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("MustParseServiceID does not panic")
		}
	}()
	MustParseServiceID("web")
}

func TestValidate(t *testing.T) {
	if err := (Service{ID: webID}).Validate(); err != nil {
		t.Error(err)
	}
	if err := NewRealServer(webRIP, DR()).Validate(webID); err != nil {
		t.Error(err)
	}
	for field, err := range map[string]error{
		"ID":               Service{}.Validate(),
		"Persistence.Mask": Service{ID: webID, Persistence: Persistence{Mask: PrefixMask(24)}}.Validate(),
		"Mode":             NewRealServer(webRIP, GUE(0)).Validate(webID),
		"Weight":           RealServer{Addr: webRIP, Weight: -1}.Validate(webID),
	} {
		var bad *Error
		if !errors.As(err, &bad) || bad.Field != field || !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", field, err)
		}
	}
}
