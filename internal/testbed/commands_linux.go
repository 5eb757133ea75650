package lvs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/golvs/lvs/internal/testbed"
)

// runBatch lets one ip(8) do many commands.
func runBatch(t testing.TB, ns *testbed.Namespace, commands []string, options ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "batch")
	if err := os.WriteFile(file, []byte(strings.Join(commands, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return ns.Run("ip", append(options, "-batch", file)...)
}

// commandLines are commands as an administrator types them. As few programs as can
// be are started to do them all, in order.
type commandLines struct {
	runs []commandRun
}

// commandRun are commands of one program, with the options before the first word
// that all have.
type commandRun struct {
	program  string
	commands []string
}

// add notes a command, which may be several with && between.
func (c *commandLines) add(line string) {
	for command := range strings.SplitSeq(line, " && ") {
		program, rest := "", command
		for _, p := range []string{"ip -6 ", "ip ", "sysctl -w "} {
			if r, ok := strings.CutPrefix(command, p); ok {
				program, rest = p, r
				break
			}
		}
		if n := len(c.runs); n == 0 || c.runs[n-1].program != program || program == "" {
			c.runs = append(c.runs, commandRun{program: program})
		}
		last := &c.runs[len(c.runs)-1]
		last.commands = append(last.commands, rest)
	}
}

func (c *commandLines) run(t testing.TB, ns *testbed.Namespace) {
	t.Helper()
	for _, r := range c.runs {
		switch r.program {
		case "ip ":
			runBatch(t, ns, r.commands)
		case "ip -6 ":
			runBatch(t, ns, r.commands, "-6")
		case "sysctl -w ":
			ns.Run("sysctl", append([]string{"-w"}, r.commands...)...)
		default:
			ns.Run("sh", "-ec", r.commands[0])
		}
	}
}
