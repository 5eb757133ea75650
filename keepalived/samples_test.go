package keepalived

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/golvs/lvs/internal/testbed"
)

var update = flag.Bool("update", false, "write what configurations of testdata mean")

// samples has for each configuration that Debian's package comes with: the services with
// how many servers and checks each has, and the lines of notes.
var samples = map[string]string{
	"HTTP_GET.port":    "tcp://192.168.200.100:443 1 1, notes 3",
	"IPv6":             "tcp://[ae00::1]:80 1 1, notes 3",
	"PING_CHECK":       "udp://10.10.10.2:1358 1 1, notes 4",
	"SMTP_CHECK":       "tcp://192.168.200.100:25 3 7, notes 15",
	"SSL_GET":          "tcp://192.168.200.100:443 1 2, tcp://192.168.200.100:80 1 2, notes 3 13",
	"UDP_CHECK":        "udp://10.10.10.2:1358 1 1, notes 4",
	"fwmark":           "fwmark://1 2 2, notes 3",
	"inhibit":          "tcp://10.10.10.2:1358 1 1, notes 3",
	"misc_check":       "tcp://10.10.10.2:1358 1 1, notes 4",
	"misc_check_arg":   "tcp://10.10.10.2:1358 1 1, notes 3",
	"quorum":           "tcp://10.0.1.1:80 10 10, notes 30",
	"sample":           "tcp://10.10.10.2:1358 1 1, notes 3 13",
	"status_code":      "tcp://192.168.200.100:443 1 2, notes 4",
	"virtualhost":      "tcp://192.168.200.100:80 1 2, notes 3",
	"conditional_conf": "notes 3 6 15",
	"vrrp.lvs_syncd":   "tcp://192.168.200.19:80 1 1, notes 3 8 26 38",
}

// The samples are not of this project, so that only what they say is here.
func TestSamples(t *testing.T) {
	const folder = "/usr/share/doc/keepalived/samples/"
	names, _ := filepath.Glob(folder + "keepalived.conf.*")
	if len(names) == 0 && !testbed.Inside() {
		t.Skip("Debian's package keepalived is not installed")
	}
	if len(names) < len(samples) {
		t.Errorf("%d samples in %s", len(names), folder)
	}
	for _, name := range names {
		c, err := ReadFile(name, Options{ID: "high"})
		if err != nil {
			t.Error(err)
			continue
		}
		if want, ok := samples[strings.TrimPrefix(name, folder+"keepalived.conf.")]; ok {
			if got := summary(c); got != want {
				t.Errorf("%s:\n got %s\nwant %s", name, got, want)
			}
		} else if len(c.Table.Services) > 0 && !strings.HasSuffix(name, "virtual_server_group") {
			t.Errorf("%s: %s", name, summary(c))
		}
		for _, n := range c.Notes {
			if strings.Contains(n.Text, "unknown") {
				t.Error(n)
			}
		}
	}
}

// summary returns the services of a configuration with the numbers of their servers and
// checks, and the lines of notes.
func summary(c *Config) string {
	var b strings.Builder
	for _, s := range c.Table.Services {
		checks := 0
		for _, all := range c.Policies[s.ID].Servers {
			checks += len(all)
		}
		fmt.Fprintf(&b, "%s %d %d, ", s.ID, len(s.RealServers), checks)
	}
	b.WriteString("notes")
	for _, n := range c.Notes {
		fmt.Fprintf(&b, " %d", n.Line)
	}
	return b.String()
}

// What those samples show is also in configurations of this project, which are read
// wherever the tests run.
func TestOwnSamples(t *testing.T) {
	names, err := filepath.Glob("testdata/*.conf")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		c, err := ReadFile(filepath.Base(name), Options{ID: "high", Root: os.DirFS("testdata")})
		if err != nil {
			t.Error(err)
			continue
		}
		got := c.Table.String() + "\n"
		for _, s := range c.Table.Services {
			p, err := c.Policies[s.ID].MarshalJSON()
			if err != nil {
				t.Error(err)
			}
			got += fmt.Sprintf("%s %s\n", s.ID, p)
		}
		hooks, err := c.Hooks.MarshalJSON()
		if err != nil {
			t.Error(err)
		}
		got += fmt.Sprintf("%s\n", hooks)
		for _, n := range c.Notes {
			got += n.String() + "\n"
		}
		golden := strings.TrimSuffix(name, ".conf") + ".txt"
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(golden); err != nil || got != string(want) {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
}
