package director

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
)

// checkedText is a table with hooks, and with checks of one of two services.
const checkedText = `{
	"version": 1, "hooks": {"a.b": {"path": "/hook", "states": ["down"]}},
	"services": [
		{"id": "tcp://10.168.0.91:80", "scheduler": "wrr", "health": {
			"checks": [{"probe": {"tcp": {}}, "interval": "1s", "fall": 2}],
			"failed": "remove"
		}, "realServers": [{"addr": "10.168.0.94:80", "mode": "nat"}]},
		{"id": "udp://10.168.0.91:53", "scheduler": "rr", "realServers": []}
	]
}`

func TestParseConfig(t *testing.T) {
	web := lvs.MustParseServiceID("tcp://10.168.0.91:80")
	c, err := ParseConfig([]byte(checkedText))
	if err != nil {
		t.Fatal(err)
	}
	p := c.Health[web]
	if len(c.Table.Services) != 2 || len(c.Health) != 1 || len(p.Checks) != 1 || p.Checks[0].Interval != time.Second || p.Failed != health.Remove ||
		len(c.Hooks) != 1 || c.Hooks["a.b"].Path != "/hook" {
		t.Errorf("%+v", c)
	}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var again Config
	if err := json.Unmarshal(text, &again); err != nil || !(Update{c.Table, c.Health, c.Hooks, false}).equal(Update{again.Table, again.Health, again.Hooks, false}) {
		t.Errorf("%v\n%s", err, text)
	}

	plain, err := ParseConfig([]byte(two))
	if err != nil || len(plain.Table.Services) != 2 || len(plain.Health) != 0 {
		t.Errorf("a table alone: %+v, %v", plain, err)
	}
}

// Hooks may stand anywhere in the object.
func TestConfigWithHooksAnywhere(t *testing.T) {
	const hooks = `"hooks": {"a": {"path": "/a"}}`
	for _, text := range []string{
		`{` + hooks + `, "version": 1, "services": []}`, `{"version": 1, ` + hooks + `, "services": []}`,
		`{"version": 1, "services": [] ,` + hooks + ` }`, "{\n" + hooks + "\n,\n\"version\": 1, \"services\": []}",
	} {
		if c, err := ParseConfig([]byte(text)); err != nil || len(c.Hooks) != 1 {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Health may stand anywhere in a service, and hides no place of what is wrong elsewhere.
func TestConfigWithHealthAnywhere(t *testing.T) {
	const policy = `"health": {"checks": [{"probe": {"tcp": {}}}], "failed": "remove"}`
	for _, members := range []string{
		`"id": "tcp://10.168.0.91:80", ` + policy + `, "scheduler": "wrr"`,
		policy + ` , "id": "tcp://10.168.0.91:80", "scheduler": "wrr"`,
		`"id": "tcp://10.168.0.91:80", "scheduler": "wrr" , ` + policy,
		"\n" + policy + "\n,\n" + `"id": "tcp://10.168.0.91:80", "scheduler": "wrr"`,
	} {
		text := `{"version": 1, "services": [{` + members + `}]}`
		if c, err := ParseConfig([]byte(text)); err != nil || len(c.Health) != 1 {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestConfigIsRefusedAsAWhole(t *testing.T) {
	for _, test := range []struct{ name, old, new, want string }{
		{"the table before", `"wrr"`, `5`, "4:47: lvs: parse table: services[0].scheduler"},
		{"the table behind", `"10.168.0.94:80"`, `7`, "7:31: lvs: parse table: services[0].realServers[0].addr"},
		{"the table on the line", `"mode": "nat"`, `"mood": "nat"`, "7:49: lvs: parse table: services[0].realServers[0].mood"},
		{"an unknown field", `"fall"`, `"fal"`, "5:63: services[0].health.checks[0].fal: is not a known field"},
		{"a value of another kind", `"1s"`, `1`, "5:50: services[0].health.checks[0].interval: "},
		{"a value out of range", `"1s"`, `"1ns"`, "5:50: services[0].health.checks[0].interval: "},
		{"an unknown probe", `{"tcp": {}}`, `{"tpc": {}}`, "5:33: services[0].health.checks[0].probe.tpc: "},
		{"a value of a probe", `{"tcp": {}}`, `{"http": {"path": "x"}}`, "5:43: services[0].health.checks[0].probe.http.path: "},
		{"a value deep in a probe", `{"tcp": {}}`, `{"any": [{"tcp": {"tls": {"ca": "x"}}}]}`, "5:57: services[0].health.checks[0].probe.any[0].tcp.tls.ca: "},
		{"an unknown consequence", `"remove"`, `"forget"`, "6:14: services[0].health.failed: "},
		{"twice", `"realServers": [{`, `"health": {}, "realServers": [{`, "7:6: services[0].health: is there twice"},
		{"not an object", `"id": "udp://10.168.0.91:53"`, `"id": "udp://10.168.0.91:53", "health": 3`, "8:44: services[1].health: "},
		{"checks of one server", `"failed": "remove"`, `"servers": {"10.168.0.94:80": [{"probe": {"tcp": {}}, "fall": -1}]}`, "6:66: services[0].health.servers[10.168.0.94:80][0].fall: "},
		{"syntax", `"fall": 2`, `"fall": 2,,`, "5:66: "},
		{"an unknown field of a hook", `"path"`, `"program"`, "2:45: hooks[a.b].program: is not a known field"},
		{"a value of a hook", `"/hook"`, `"hook"`, "2:42: hooks[a.b].path: "},
		{"an element of a hook", `["down"]`, `["up", "Down"]`, "2:68: hooks[a.b].states[1]: "},
		{"a hook of no service", `["down"]`, `[], "services": ["tcp://10.0.0.1:80"]`, "2:78: hooks[a.b].services[0]: "},
		{"hooks twice", `"services": [`, `"hooks": {}, "services": [`, "3:2: hooks: is there twice"},
		{"hooks that are none", `{"a.b": {"path": "/hook", "states": ["down"]}}`, `["/hook"]`, "2:25: hooks: "},
		{"hooks in a service", `"failed"`, `"hooks": {}, "failed"`, "6:13: services[0].health.hooks: is not a known field"},
	} {
		text := strings.Replace(checkedText, test.old, test.new, 1)
		_, err := ParseConfig([]byte(text))
		if err != nil {
			err = inFile("table.json", err)
		}
		if err == nil || !strings.HasPrefix(err.Error(), "table.json:"+test.want) {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
		if !errors.Is(err, lvs.ErrInvalid) {
			t.Errorf("%s: %v is not ErrInvalid", test.name, err)
		}
	}
}

func FuzzConfig(f *testing.F) {
	for _, text := range []string{one, two, checkedText, `{"health":1}`, `[]`, `{"version":1,"services":[{"health":{}}]}`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseConfig([]byte(text))
		if err != nil {
			return
		}
		written, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseConfig(written); err != nil {
			t.Errorf("%v: %s", err, written)
		}
	})
}
