package tablefile_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/tablefile"
	"github.com/golvs/lvs/director"
	"github.com/golvs/lvs/ipvsadm"
)

func TestFormats(t *testing.T) {
	file, err := ipvsadm.ParseFile([]byte("-A -t 10.168.0.91:80 -s wrr\n-a -t 10.168.0.91:80 -r 10.168.0.94:80 -g -w 3 -x 20 -y 10\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{tablefile.Commands, tablefile.JSON, tablefile.YAML} {
		text, err := tablefile.Encode(file, format)
		if err != nil {
			t.Fatal(err)
		}
		if got := tablefile.Format(text); got != format {
			t.Errorf("%s is taken for %s:\n%s", format, got, text)
		}
		if got, err := tablefile.Decode(text); err != nil || !got.Table.Equal(file.Table) {
			t.Errorf("%s: %v, %v", format, got, err)
		}
	}
}

func TestDecodeRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "is empty",
		" \n":                       "is empty",
		"{":                         "line 1",
		`{"services": []}`:          "version",
		"version: 1\nservice: []\n": "line 2, column",
		"# none\n-A -t nowhere\n":   "2:7: ",
		"version: 1\nservices:\n- id: tcp://10.0.0.1:80\n  realServers:\n  - addr: 10.0.0.2:80\n    weight: -1\n": "line 6, column 13",
	} {
		if _, err := tablefile.Decode([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestDecodeComments(t *testing.T) {
	f, err := tablefile.Decode([]byte("# no services\n"))
	if err != nil || !f.Table.Equal(lvs.Table{}) {
		t.Errorf("%v, %v", f, err)
	}
}

// Whatever is wrong with a file of YAML, the error says where.
func TestDecodeYAML(t *testing.T) {
	text, err := os.ReadFile("testdata/table.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if f, err := tablefile.Decode(text); err != nil || len(f.Table.Services) != 2 || len(f.Table.Services[0].RealServers) != 2 {
		t.Errorf("%s: %v", f.Table, err)
	}
	for _, test := range []struct {
		old, new     string
		line, column int
	}{
		{"scheduler: wrr", "scheduler: [wrr", 6, 16},
		{"scheduler: wrr", "schedular: wrr", 5, 16},
		{"scheduler: wrr", "scheduler: wrr\n    scheduler: rr", 6, 5},
		{"weight: 2", "weight: 2147483648", 7, 53},
		{`"10.168.0.95:80"`, `"10.168.0.94:80"`, 8, 16},
		{`"10.168.0.95:80"`, "7", 8, 16},
		{"udp://10.168.0.91:53", "tcp://10.168.0.91:80", 9, 9},
		{"version: 1", "version: 2", 2, 10},
		{"  - id", "\t- id", 4, 1},
	} {
		_, err := tablefile.Decode([]byte(strings.Replace(string(text), test.old, test.new, 1)))
		line, column := placeOf(err)
		if line != test.line || column != test.column {
			t.Errorf("%s: want the place %d:%d: %v", test.new, test.line, test.column, err)
		}
	}
	for _, bad := range []string{"services", "[]", "\x00", "version: 1\nservices:\n  x: 1\n", "a: &a [*a]", "--- 1\n--- 2\n"} {
		if f, err := tablefile.Decode([]byte(bad)); err == nil {
			t.Errorf("%q is %s", bad, f.Table)
		}
	}
}

// What would need gigabytes of memory is refused before it is read.
func TestDecodeTooLarge(t *testing.T) {
	for _, test := range []struct {
		begin, again string
		size         int
		want         string
	}{
		{"version: 1\nservices:\n", "- \n", tablefile.MaxYAML, "4 MiB of YAML, which needs much memory to read; use JSON or commands"},
		{`{"version": 1, "services": [`, "null,", 5 * 4 << 20, "millions of values"},
		{"", "-A -f 1\n", 8 << 20, "millions of values"},
		{"", "# no command\n", tablefile.MaxSize, "more than 64 MiB"},
	} {
		text := []byte(test.begin + strings.Repeat(test.again, test.size/len(test.again)+1))
		if _, err := tablefile.Decode(text); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.40q: %v, want %q", text, err, test.want)
		}
	}
}

// Editors of other systems begin files with a byte order mark, and end lines otherwise.
func TestDecodeOtherEditors(t *testing.T) {
	for _, text := range []string{
		"-A -t 10.168.0.91:80 -s wrr\n# none\n", "{\"version\": 1,\n\"services\": [{\"id\": \"tcp://10.168.0.91:80\", \"scheduler\": \"wrr\"}]}\n",
		"version: 1\nservices:\n- id: tcp://10.168.0.91:80\n  scheduler: wrr\n",
	} {
		format := tablefile.Format([]byte(text))
		other := []byte("\ufeff" + strings.ReplaceAll(text, "\n", "\r\n"))
		if f, err := tablefile.Decode(other); err != nil || len(f.Table.Services) != 1 || tablefile.Format(other) != format {
			t.Errorf("%q: %v, %v", other, f, err)
		}
	}
	for text, want := range map[string]string{
		"# é\x1b[31m\n":                        "1:4: control character U+001B",
		"version: 1\nservices: \xff\n":         "2:11: byte 0xff is not UTF-8",
		"\xff\xfe-\x00A\x00":                   "1:1: byte 0xff is not UTF-8; save the text in that encoding",
		"{\"version\": 1, \"x\x00\": 1}":       "1:18: control character U+0000",
		"\ufeff-A -t 10.168.0.91:80 -s wrr -Q": "1:29: ipvsadm: ",
	} {
		if _, err := tablefile.Decode([]byte(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

const checkedYAML = `version: 1
hooks:
  a.b: {path: /hook, states: [down], services: ["tcp://10.168.0.91:80"]}
services:
  - id: tcp://10.168.0.91:80
    scheduler: wrr
    health: &checks
      checks:
        - {probe: {tcp: {}}, interval: 1s}
      failed: remove
    realServers:
      - {addr: "10.168.0.94:80", mode: dr}
  - id: tcp://10.168.0.92:80
    scheduler: wrr
    health: *checks
`

func TestDecodeHealth(t *testing.T) {
	f, err := tablefile.Decode([]byte(checkedYAML))
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Health) != 2 || f.Health[f.Table.Services[1].ID].Checks[0].Interval != time.Second {
		t.Errorf("%+v", f)
	}
	if len(f.Hooks) != 1 || f.Hooks["a.b"].Path != "/hook" || len(f.Hooks["a.b"].Services) != 1 {
		t.Errorf("%+v", f.Hooks)
	}
	text, err := json.Marshal(f.Config())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := tablefile.Decode(text); err != nil || len(again.Health) != 2 || len(again.Hooks) != 1 || !again.Table.Equal(f.Table) {
		t.Errorf("%+v, %v", again, err)
	}
	for _, test := range []struct{ old, new, want string }{
		{"interval: 1s", "interval: 1", "9:40: services[0].health.checks[0].interval: "},
		{"interval: 1s", "interval: 1ms", "9:40: services[0].health.checks[0].interval: "},
		{"tcp: {}", "tpc: {}", "9:25: services[0].health.checks[0].probe.tpc: is not a kind"},
		{"tcp: {}", "http: {status: x}", "9:35: services[0].health.checks[0].probe.http.status: "},
		{"failed: remove", "fallen: remove", "10:15: services[0].health.fallen: is not a known field"},
		{"failed: remove", "failed: away", "10:15: services[0].health.failed"},
		{"scheduler: wrr", "scheduler: 7", "6:16: "},
		{"mode: dr", "mood: dr", "12:40: "},
		{"path: /hook", "path: hook", "3:15: hooks[a.b].path: "},
		{"path: /hook", "program: /hook", "3:18: hooks[a.b].program: is not a known field"},
		{"[down]", "[up, Down]", "3:35: hooks[a.b].states[1]: "},
		{"states: [down]", "path: /hook", "3:15: hooks[a.b].path: is there twice"},
		{`["tcp://10.168.0.91:80"]`, "[fwmark://7]", "3:49: hooks[a.b].services[0]: "},
		{"version: 1", "hooks: {}", "1:1: lvs: parse table, line 1, column 1: version: is missing"},
	} {
		_, err := tablefile.Decode([]byte(strings.Replace(checkedYAML, test.old, test.new, 1)))
		line, column := placeOf(err)
		place := fmt.Sprintf("%d:%d: ", line, column)
		if err == nil || !strings.HasPrefix(place+strings.TrimPrefix(err.Error(), place), test.want) {
			t.Errorf("%s: %s%v, want %s", test.new, place, err, test.want)
		}
	}
}

// The first line that is not a comment shows the format.
func TestFormat(t *testing.T) {
	for text, want := range map[string]string{
		"! c\n!\n\n# c\nvirtual_server 10.0.0.1 80 {": tablefile.Keepalived,
		"global_defs{": tablefile.Keepalived, "vrrp_instance VI {": tablefile.Keepalived, "include x": tablefile.Keepalived,
		"@main a b": tablefile.Keepalived, "$A=1": tablefile.Keepalived, "~SEQ(N, 1, 2) $A": tablefile.Keepalived,
		"# c\nversion: 1": tablefile.YAML, "services: []": tablefile.YAML, "!!map {version: 1}": tablefile.YAML, "virtual_server: 1": tablefile.YAML,
		"# c\n {": tablefile.JSON, "-A -t 10.0.0.1:80": tablefile.Commands, "ipvsadm -C": tablefile.Commands,
	} {
		if got := tablefile.Format([]byte(text)); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

// A file of keepalived says what was left out, and where it is wrong in a file that it
// includes.
func TestKeepalived(t *testing.T) {
	folder := t.TempDir()
	name := folder + "/keepalived.conf"
	if err := os.WriteFile(folder+"/web.conf", []byte("\n  lb_kind X\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const text = "vrrp_instance VI { }\nvirtual_server 10.0.0.1 80 {\nprotocol TCP\nreal_server 10.1.0.1 80 { TCP_CHECK { } }\n"
	f, err := tablefile.DecodeNamed(name, []byte(text+"}"))
	if err != nil || len(f.Table.Services) != 1 || len(f.Health) != 1 || len(f.Notes) != 1 || f.Notes[0].Line != 1 {
		t.Errorf("%+v, %v", f, err)
	}
	f, err = tablefile.DecodeNamed(name, []byte(text+"include *.conf\ninclude *.conf\n}"))
	var bad *director.FileError
	if want := []string{folder + "/web.conf", folder}; !slices.Equal(f.Included, want) {
		t.Errorf("includes %q, want %q", f.Included, want)
	}
	if !errors.As(err, &bad) || bad.Path != folder+"/web.conf" || bad.Line != 2 || bad.Column != 11 {
		t.Errorf("%v", err)
	}
	if f, err := tablefile.Decode([]byte("include /etc/passwd")); err != nil || len(f.Notes) != 1 {
		t.Errorf("%+v, %v", f, err)
	}
}

// The examples of the page on the service can be read, together.
func TestPageHealth(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/daemon.md")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(page), "```")
	checks, _ := strings.CutPrefix(parts[3], "yaml\n")
	hooks, _ := strings.CutPrefix(parts[5], "yaml\nversion: 1\n")
	hooks = strings.TrimSuffix(hooks, "services: []\n")
	if f, err := tablefile.Decode([]byte(checks + hooks)); err != nil || len(f.Health) != 1 || len(f.Hooks) != 2 {
		t.Errorf("%+v, %v", f, err)
	}
}
