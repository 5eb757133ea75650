package main

import (
	"flag"
	"io"
	"strings"
	"testing"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
)

// missing are commands that name something that does not exist, by the command and the
// argument or flag that names it, with what they answer. The table is smallSite, and
// MISSING a path without a file.
var missing = map[string]struct{ args, want string }{
	"show SERVICE":     {":81", `":81" is not a service; there are tcp://10.168.0.91:80, udp://10.168.0.91:53`},
	"top -state":       {"-once -state MISSING", "no such file"},
	"plan FILE":        {"MISSING", "no such file"},
	"plan -state":      {"- -state MISSING/x", "make its folder first"},
	"apply FILE":       {"MISSING", "no such file"},
	"apply -state":     {"- -state MISSING/x", "make its folder first"},
	"run FILE":         {"MISSING", "no such file"},
	"run -state":       {"- -state MISSING/x", "make its folder first"},
	"run -overrides":   {"- -overrides MISSING/x", "make its folder first"},
	"run -hook":        {"- -hook MISSING", "no such file"},
	"weight SERVICE":   {":81 10.168.0.94 1", `":81" is not a service`},
	"weight SERVER":    {":80 10.168.0.97 1", "which has 10.168.0.94:80, 10.168.0.96:80"},
	"drain SERVICE":    {":81", `":81" is not a service`},
	"drain SERVER":     {":80 10.168.0.97", `"10.168.0.97" is not a real server of tcp://10.168.0.91:80`},
	"drain -state":     {":80 10.168.0.94 -no-wait -state MISSING/x", "make its folder first"},
	"undrain SERVICE":  {":81 10.168.0.94 1", `":81" is not a service`},
	"undrain SERVER":   {":80 10.168.0.97 1", `"10.168.0.97" is not a real server`},
	"undrain -state":   {":80 -state MISSING", "no such file"},
	"save FILE":        {"MISSING/x", "no such file"},
	"restore FILE":     {"MISSING", "no such file"},
	"check -peer":      {"-peer MISSING", "no such file"},
	"check -setups":    {"-setups MISSING", "no such file"},
	"explain VIP":      {"192.0.2.1 :81", `":81" is not a service`},
	"replay CAPTURE":   {"MISSING", "no such file"},
	"replay -table":    {"- -table MISSING", "no such file"},
	"whatif -table":    {"-table MISSING", "no such file"},
	"whatif -workload": {"-workload MISSING", "no such file"},
	"whatif -html":     {"-service tcp://10.168.0.91:80 -schedulers rr -duration 1s -clients 1 -html MISSING/x", "no such file"},
	"whatif -service":  {"-service tcp://10.168.0.91:81", "tcp://10.168.0.91:81"},
	"whatif -remove":   {"-remove 10.168.0.97:80", "'lvs show' lists them"},
	"whatif -drain":    {"-drain 10.168.0.97:80", "'lvs show' lists them"},
}

func init() {
	for kind, value := range map[string]string{"drain": "", "scale": "0.5", "pin": "3", "clear": ""} {
		name, text := "override "+kind, "MISSING/overrides.json"
		missing[name+" SERVICE"] = struct{ args, want string }{":81 10.168.0.94 " + value + " -overrides MISSING", `":81" is not a service`}
		missing[name+" SERVER"] = struct{ args, want string }{":80 10.168.0.97 " + value + " -overrides MISSING", "is not a real server"}
		missing[name+" -overrides"] = struct{ args, want string }{":80 10.168.0.94 " + value + " -overrides " + text, "no such file"}
	}
	for _, m := range setupModes() {
		flags := map[string]string{"dr-director": "-vip 10.168.0.92 -interface eth9", "dr-server": "-vip 10.168.0.92", "nat-director": "-vip 10.168.0.92 -interface eth9",
			"nat-server": "-director 10.168.0.90", "tun-director": "-vip 10.168.0.92 -interface eth9", "tun-server": "-vip 10.168.0.92"}[m.name]
		missing["setup "+m.name+" -config"] = struct{ args, want string }{"-config MISSING", "no such file"}
		missing["setup "+m.name+" -plan"] = struct{ args, want string }{flags + " -plan MISSING undo", "nothing to undo: there is no "}
		if strings.Contains(flags, "eth9") {
			missing["setup "+m.name+" -interface"] = struct{ args, want string }{flags + " -plan MISSING apply", "eth9"}
		}
		if strings.HasPrefix(m.name, "tun") {
			missing["setup "+m.name+" -ipsec"] = struct{ args, want string }{"-ipsec key=MISSING", "no such file"}
		}
	}
}

// Each command that is given a name fails if nothing has it.
func TestMissing(t *testing.T) {
	for name, test := range missing {
		ctx, _ := small(t, lvs.SimOptions{})
		command, _, _ := strings.Cut(name, " ")
		words := []string{command}
		if command == "setup" || command == "override" {
			words = strings.Fields(name)[:2]
		}
		words = append(words, strings.Fields(strings.ReplaceAll(test.args, "MISSING", t.TempDir()+"/missing"))...)
		runWith(ctx, webSite, append(words, "-netns", "blue")...).want(t, 1, test.want)
		wrong := runWith(ctx, webSite, append(words, "-netns", "green")...)
		wrong.want(t, 1)
	}
}

// Each argument and flag that names something is in the list.
func TestMissingIsComplete(t *testing.T) {
	names := map[string]bool{"FILE": true, "HOOK": true, "STATE": true, "FOLDER": true, "SERVICE": true, "SERVER": true, "VIP": true, "INTERFACE": true, "PLAN": true}
	selects := map[string]bool{ // what there need not be any of
		"metrics -state":           true, // which may begin before the other command has run
		"override list -overrides": true, // a file that is not there has none
		"conns -service":           true, "setup dr-server -incoming": true, "setup nat-director -inside": true, "setup tun-server -interface": true,
		"setup dr-director -checks": true, "setup tun-director -checks": true,
	}
	eachCommand(program().All(), nil, func(c *cli.Command, path []string) {
		want := func(what string) {
			name := strings.Join(append(path, what), " ")
			if _, ok := missing[name]; !ok && !selects[name] {
				t.Errorf("%s has no case", name)
			}
		}
		for _, arg := range strings.FieldsFunc(c.Args, func(r rune) bool { return strings.ContainsRune(" []", r) }) {
			if names[strings.TrimRight(arg, ".")] {
				want(arg)
			}
		}
		if c.New == nil || c.Raw {
			return
		}
		f := flag.NewFlagSet("", flag.ContinueOnError)
		f.SetOutput(io.Discard)
		c.New().Flags(f)
		f.VisitAll(func(f *flag.Flag) {
			if value, _ := flag.UnquoteUsage(f); names[value] {
				want("-" + f.Name)
			}
		})
	})
}
