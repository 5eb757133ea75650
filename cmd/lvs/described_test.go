package main

import (
	"flag"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/golvs/lvs/cmd/lvs/internal/cli"
)

// eachCommand calls f with each command that is listed, and the names that lead to it.
func eachCommand(all []*cli.Command, path []string, f func(c *cli.Command, path []string)) {
	for _, c := range all {
		if !c.Hidden {
			path := append(path[:len(path):len(path)], c.Name)
			f(c, path)
			eachCommand(c.Commands, path, f)
		}
	}
}

// TestCommandsAreDescribed runs -h of each command, and looks for each flag in the help,
// the man page and the completion.
func TestCommandsAreDescribed(t *testing.T) {
	man := strings.ReplaceAll(run(t, "", "man").out, `\-`, "-")
	eachCommand(program().All(), nil, func(c *cli.Command, path []string) {
		name := strings.Join(path, " ")
		if c.Brief == "" || strings.HasSuffix(c.Brief, ".") {
			t.Errorf("%s: Brief is %q, and should be a line without a full stop", name, c.Brief)
		}
		if c.New == nil == (c.Commands == nil) {
			t.Errorf("%s: needs either New or Commands", name)
		}
		if !strings.Contains(man, `.SS "lvs `+name) {
			t.Errorf("%s is not in the man page", name)
		}
		if c.Raw {
			return
		}
		help, same := run(t, "", append(path, "-h")...), run(t, "", append([]string{"help"}, path...)...)
		if help.status != 0 || help.out != same.out || !strings.HasPrefix(help.out, "lvs "+name+": "+c.Brief+"\n") {
			t.Errorf("%s\n%s", help, same)
		}
		if c.New == nil {
			return
		}
		offered := run(t, "", append([]string{"__complete"}, append(path, "-")...)...).out
		f := flag.NewFlagSet("", flag.ContinueOnError)
		f.SetOutput(io.Discard)
		c.New().Flags(f)
		f.VisitAll(func(f *flag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s: -%s has no usage", name, f.Name)
			}
			for where, text := range map[string]string{"help": help.out, "man page": man, "completion": offered} {
				if !strings.Contains(text, "-"+f.Name) {
					t.Errorf("%s: -%s is not in the %s", name, f.Name, where)
				}
			}
		})
		if c.Host && (!strings.Contains(help.out, "-demo") || !strings.Contains(help.out, "-netns NETNS")) {
			t.Errorf("%s has a host, and not its flags: %s", name, help)
		}
	})
}

// TestManIsClean lets the tools that are there read the man page.
func TestManIsClean(t *testing.T) {
	man := run(t, "", "man").out
	for _, tool := range [][]string{{"mandoc", "-Tlint", "-Wwarning"}, {"groff", "-man", "-ww", "-z", "-Tutf8"}} {
		if _, err := exec.LookPath(tool[0]); err != nil {
			t.Logf("%s is not there", tool[0])
			continue
		}
		cmd := exec.CommandContext(t.Context(), tool[0], tool[1:]...)
		cmd.Stdin = strings.NewReader(man)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", tool[0], err, out)
		}
	}
}
