package lvs

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

const tableText = `{
  "version": 1,
  "services": [
    {
      "id": "tcp://10.1.0.1:80", "scheduler": "mh", "schedulerFlags": "fallback", "persistence": "1m/24",
      "realServers": [
        {"addr": "10.2.0.2:80"},
        {"addr": "10.2.0.3:80", "mode": "ipip", "weight": 0, "upperThreshold": 9, "lowerThreshold": 3}
      ]
    },
    {"id": "udp://10.1.0.1:53", "scheduler": "rr", "onePacket": true}
  ]
}
`

func TestTableJSON(t *testing.T) {
	got, err := ParseTable([]byte(tableText))
	must(t, err)
	compare(t, "parsed", wantedTable(), got)
	text, err := json.Marshal(got)
	must(t, err)
	const want = `{"version":1,"services":[` +
		`{"id":"tcp://10.1.0.1:80","scheduler":"mh","schedulerFlags":"fallback","persistence":"1m0s/24","realServers":[` +
		`{"addr":"10.2.0.2:80","mode":"dr","weight":1},{"addr":"10.2.0.3:80","mode":"ipip","weight":0,"upperThreshold":9,"lowerThreshold":3}]},` +
		`{"id":"udp://10.1.0.1:53","scheduler":"rr","onePacket":true}]}`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	var back Table
	must(t, json.Unmarshal(text, &back))
	compare(t, "read back", wantedTable(), back)

	empty, err := json.Marshal(Table{})
	if err != nil || string(empty) != `{"version":1,"services":[]}` {
		t.Errorf("%s, %v", empty, err)
	}
	for _, text := range []string{string(empty), `{"version":1}`, `{"services":null,"version":1}`, `{"services":[{"id":"tcp://10.1.0.1:80","realServers":null}],"version":1}`} {
		if _, err := ParseTable([]byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// What is wrong with a table is named by its path, line and column, and nothing of the
// table is used.
func TestTableJSONIsStrict(t *testing.T) {
	for _, tt := range []struct{ old, new, want string }{
		{`"version": 1,`, ``, `table, line 1, column 1: version: is missing, and must be 1`},
		{`"version": 1`, `"version": 2`, `table, line 2, column 14: version: is 2, and this version of the library reads only 1`},
		{`"version": 1`, `"version": "1"`, `table, line 2, column 14: version: is "1", and this version of the library reads only 1`},
		{`"version": 1`, `"new": 0, "version": 2`, `table, line 2, column 24: version: is 2, and this version of the library reads only 1`},
		{`"version": 1`, `"version": 1, "néw": 0, "more": 0`, `table, line 2, column 17: néw: is not a known field`},
		{`"persistence"`, `"ü": 0, "persistence"`, `table, line 5, column 83: services[0].ü: is not a known field`},
		{`{"addr": "10.2.0.2:80"}`, `{"addr": "10.2.0.2:80", "weigth": 5}`, `table, line 7, column 33: services[0].realServers[0].weigth: is not a known field; did you mean weight?`},
		{`"addr": "10.2.0.2:80"`, `"Addr": "10.2.0.2:80"`, `table, line 7, column 10: services[0].realServers[0].Addr: is not a known field; did you mean addr?`},
		{`"onePacket": true`, `"onePacket": true, "id": "udp://10.1.0.1:53"`, `table, line 11, column 71: services[1].id: is there twice`},
		{`"weight": 0`, `"weight": "0"`, `table, line 8, column 59: services[0].realServers[1].weight: is "0", and must be a whole number`},
		{`"weight": 0`, `"weight": 0.5`, `table, line 8, column 59: services[0].realServers[1].weight: is 0.5, and must be a whole number`},
		{`"onePacket": true`, `"onePacket": 1`, `table, line 11, column 65: services[1].onePacket: is 1, and must be true or false`},
		{`"scheduler": "rr"`, `"scheduler": []`, `table, line 11, column 46: services[1].scheduler: is an array, and must be a string`},
		{`"mode": "ipip"`, `"mode": 5`, `table, line 8, column 41: services[0].realServers[1].mode: is 5, and must be a string`},
		{`"mode": "ipip"`, `"mode": "nil"`, `table, line 8, column 41: services[0].realServers[1].mode: "nil": want dr, nat, ipip, gue:PORT or gre`},
		{`"udp://10.1.0.1:53"`, `"udp://10.1.0.1"`, `table, line 11, column 12: services[1].id: "udp://10.1.0.1": "10.1.0.1" is not an address and a port`},
		{`"addr": "10.2.0.2:80"`, `"addr": "10.2.0.2"`, `table, line 7, column 18: services[0].realServers[0].addr: not an ip:port`},
		{`"addr": "10.2.0.2:80"`, `"addr": 80`, `table, line 7, column 18: services[0].realServers[0].addr: is 80, and must be a string`},
		{`{"addr": "10.2.0.2:80"}`, `"10.2.0.2:80"`, `table, line 7, column 9: services[0].realServers[0]: is "10.2.0.2:80", and must be an object`},
		{`{"addr": "10.2.0.2:80"},`, `{"addr": "10.2.0.2:80"}`, `table, line 8, column 9: invalid character '{' after array element`},
		{"  ]\n}\n", "  ]\n", `table, line 12, column 4: unexpected end of JSON input`},
		{"  ]\n}\n", "  ]\n}\n}\n", `table, line 14, column 1: invalid character '}' after top-level value`},
		{tableText, `[]`, `table, line 1, column 1: is an array, and must be an object`},
		{tableText, `{"version":1,"services":{}}`, `table, line 1, column 25: services: is an object, and must be an array`},
		{tableText, ``, `table, line 1, column 1: unexpected end of JSON input`},
		{tableText, `{"version":1,"ser\u0076ices":[{"\u0069d":7}]}`, `table, line 1, column 42: services[0].id: is 7, and must be a string`},
	} {
		text := strings.Replace(tableText, tt.old, tt.new, 1)
		got, err := ParseTable([]byte(text))
		if err == nil || err.Error() != "lvs: parse "+tt.want || !errors.Is(err, ErrInvalid) || got.Services != nil {
			t.Errorf("%s:\ngot  %v\nwant lvs: parse %s", tt.new, err, tt.want)
		}
		was := wantedTable()
		if err := json.Unmarshal([]byte(text), &was); err == nil || !reflect.DeepEqual(was, wantedTable()) {
			t.Errorf("%s: %v, and the table is %v", tt.new, err, was)
		}
		if len(text) == 0 || !json.Valid([]byte(text)) {
			continue
		}
		var parsed, decoded *Error
		errors.As(err, &parsed)
		if err := was.UnmarshalJSON([]byte(text)); !errors.As(err, &decoded) || decoded.Field != parsed.Field || decoded.Object != "table" {
			t.Errorf("%s: decoded with %v, parsed with %v", tt.new, err, parsed)
		}
	}
}

// Each problem of a table has the place of the value, or of what a missing one would be in.
func TestParseTableValidates(t *testing.T) {
	text := `{"version": 1,
  "services": [
    {"realServers": [{"addr": "10.2.0.2:80", "mode": "gue:0"},
      {"weight": -1}]},
    {"onePacket": true, "id": "tcp://10.1.0.1:80", "schedulerFlags": "é"},
    {"persistence": "1m/24", "realServers": [{"addr": "10.2.0.2:80"}], "id": "tcp://10.1.0.1:80"}
  ]
}`
	const bad = "line 5, column 70"
	if _, err := ParseTable([]byte(text)); err == nil || !strings.Contains(err.Error(), bad) {
		t.Errorf("%v, want an error at %s", err, bad)
	}
	table, err := ParseTable([]byte(strings.Replace(text, `"é"`, `"mh-port"`, 1)))
	var all *TableError
	if !errors.As(err, &all) || !errors.Is(err, ErrInvalid) || table.Services != nil {
		t.Fatalf("%v, %v", table, err)
	}
	var got []string
	for _, p := range all.Problems {
		got = append(got, fmt.Sprintf("%d:%d %s", p.Line, p.Column, p.Field))
	}
	compare(t, "problems", []string{
		"3:5 services[0].id",
		"3:54 services[0].realServers[0].mode",
		"4:7 services[0].realServers[1].addr",
		"4:18 services[0].realServers[1].weight",
		"5:19 services[1].onePacket",
		"5:70 services[1].schedulerFlags",
		"6:78 services[2].id",
	}, got)
	if want := "\n\ttcp://10.1.0.1:80, line 6, column 78: services[2].id: is already"; !strings.Contains(err.Error(), want) {
		t.Errorf("%v has no %q", err, want)
	}
}

// An error shows the beginning of what is long.
func TestTableErrorsAreShort(t *testing.T) {
	long := strings.Repeat("é", 1<<20)
	for _, text := range []string{
		`{"version":1,"` + long + `":1}`,
		`{"version":1,"services":[{"id":"` + long + `"}]}`,
		`{"version":1,"services":[{"onePacket":"` + long + `"}]}`,
		`{"version":"` + long + `"}`,
	} {
		if _, err := ParseTable([]byte(text)); err == nil || len(err.Error()) > 1000 || !utf8.ValidString(err.Error()) {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
	}
}

func TestTableEqualAndString(t *testing.T) {
	table := wantedTable()
	const text = `tcp://10.1.0.1:80 mh (mh-fallback) persistent 1m0s/24
  -> 10.2.0.2:80 dr weight 1
  -> 10.2.0.3:80 ipip weight 0 thresholds 9 3
udp://10.1.0.1:53 rr ops`
	if table.String() != text {
		t.Errorf("got\n%s\nwant\n%s", table, text)
	}
	for name, tt := range map[string]struct {
		edit  func(*Table)
		equal bool
	}{
		"nothing":           {func(*Table) {}, true},
		"another order":     {func(t *Table) { t.Services[0], t.Services[1] = t.Services[1], t.Services[0] }, true},
		"the whole address": {func(t *Table) { t.Services[1].Persistence.Mask = PrefixMask(32) }, true},
		"a scheduler":       {func(t *Table) { t.Services[1].Scheduler = "" }, false},
		"a server less":     {func(t *Table) { t.Services[0].RealServers = t.Services[0].RealServers[:1] }, false},
		"a weight":          {func(t *Table) { t.Services[0].RealServers[0].Weight++ }, false},
		"another order of servers": {func(t *Table) {
			s := t.Services[0].RealServers
			s[0], s[1] = s[1], s[0]
		}, false},
		"a service less": {func(t *Table) { t.Services = t.Services[:1] }, false},
	} {
		other := wantedTable()
		if tt.edit(&other); table.Equal(other) != tt.equal || other.Equal(table) != tt.equal {
			t.Errorf("%s: Equal is not %v", name, tt.equal)
		}
	}
}

// A snapshot converts to the table that it was made from, and survives JSON.
func TestSnapshotTable(t *testing.T) {
	sim, err := NewSimulator(SimOptions{})
	must(t, err)
	c := sim.Client()
	table := wantedTable()
	for _, s := range table.Services {
		must(t, c.AddService(t.Context(), s.Service))
		for _, server := range s.RealServers {
			must(t, c.AddRealServer(t.Context(), s.ID, server))
		}
	}
	got, err := c.Snapshot(t.Context())
	must(t, err)
	if !got.Table().Equal(table) {
		t.Errorf("got\n%s\nwant\n%s", got.Table(), table)
	}
	text, err := json.Marshal(got)
	must(t, err)
	var back Snapshot
	must(t, json.Unmarshal(text, &back))
	if !back.Equal(got) || back.String() != got.String() || !strings.HasPrefix(string(text), `{"version":1,"services":[{"id":`) {
		t.Errorf("%s is read back as\n%s", text, back)
	}
	back.Services[0].RealServers[0].ActiveConns++
	if back.Equal(got) {
		t.Error("a connection makes no difference")
	}
}

// Whatever is read as a table is written so that it is read as the same table, and every
// error of ParseTable has a place in the text.
func FuzzTable(f *testing.F) {
	f.Add([]byte(tableText))
	f.Add([]byte(`{"version":1,"services":[{"id":"fwmark6://7","realServers":[{"addr":"[fd00::1]:0","mode":"gue:1+csum"},null]},null]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var table, again Table
		_, bad := ParseTable(text)
		var first *Error
		if bad != nil && (!errors.As(bad, &first) || first.Line < 1 || first.Column < 1 || !errors.Is(bad, ErrInvalid)) {
			t.Fatalf("%v of %s has no place", bad, text)
		}
		if err := table.UnmarshalJSON(text); err != nil {
			if bad == nil || !errors.Is(err, ErrInvalid) {
				t.Fatalf("%v, but parsed with %v", err, bad)
			}
			return
		}
		if valid := table.Validate(); (valid == nil) != (bad == nil) {
			t.Errorf("%v, but parsed with %v", valid, bad)
		}
		written, err := json.Marshal(table)
		must(t, err)
		if err := again.UnmarshalJSON(written); err != nil || !again.Equal(table) {
			t.Errorf("%s is written as %s, which reads as %v, %v", text, written, again, err)
		}
	})
}

func BenchmarkParseTable(b *testing.B) {
	text, err := json.Marshal(largeTable(10_000, 10))
	must(b, err)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseTable(text); err != nil {
			b.Fatal(err)
		}
	}
}
