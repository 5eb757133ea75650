package testbed

import (
	"os"
	"path/filepath"
	"strings"
)

// Batch runs many commands of ip(8) in one process.
func (ns *Namespace) Batch(commands []string, options ...string) string {
	ns.t.Helper()
	file := filepath.Join(ns.t.TempDir(), "batch")
	if err := os.WriteFile(file, []byte(strings.Join(commands, "\n")+"\n"), 0o600); err != nil {
		ns.t.Fatal(err)
	}
	return ns.Run("ip", append(options, "-batch", file)...)
}

// Commands runs commands as an administrator types them, in order; each may be several
// with && between them. As few programs as possible are started.
func (ns *Namespace) Commands(lines ...string) {
	ns.t.Helper()
	var c commandLines
	for _, line := range lines {
		c.add(line)
	}
	for _, r := range c.runs {
		switch r.program {
		case "ip ":
			ns.Batch(r.commands)
		case "ip -6 ":
			ns.Batch(r.commands, "-6")
		case "sysctl -w ":
			ns.Run("sysctl", append([]string{"-w"}, r.commands...)...)
		default:
			ns.Run("sh", "-ec", r.commands[0])
		}
	}
}

// commandLines are commands, grouped by the programs that run them.
type commandLines struct {
	runs []commandRun
}

// commandRun is the commands of one program, which all begin with it.
type commandRun struct {
	program  string
	commands []string
}

// add notes a line.
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
