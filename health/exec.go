package health

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strings"
)

// Exec runs a program, without a shell. The server works if the exit status is 0.
//
// The program gets the environment LVS_ADDR and LVS_PORT of the address to ask, LVS_SERVER
// and LVS_SERVICE of the real server and its service, and Env, and nothing else: no PATH.
// It runs in the working directory of this program, and its standard input is empty. When
// the check's timeout passes, the program is killed with all in its process group, and so
// is what is left of that when the program ends. On Linux it is also killed when this
// program dies. The first 4 KiB of its output are looked at. At most 1000 programs run at
// a time; others wait for one to end.
type Exec struct {
	Path string   `json:"path"` // program; must be absolute
	Args []string `json:"args"` // its arguments
	Env  []string `json:"env"`  // more of its environment, in the form "NAME=value"

	// Share says where the program reports the share of its weight that the server asks
	// for; "" is nowhere.
	Share ExecShare `json:"share"`

	// Whole is the exit status that asks for all of the weight, for [ByStatus]; 0 is 102.
	// It may be more than 255, the greatest status of a program.
	Whole int `json:"whole"`
}

// ExecShare is where a program reports a share. Its texts are stable.
type ExecShare string

const (
	// ByStatus: the exit status 0 reports nothing, 1 is a failure, and from 2 to 255 it
	// reports the share (status - 2) / (Whole - 2). Where Whole is the server's weight plus
	// 2, the status is the weight to use plus 2, as with misc_dynamic of keepalived.
	ByStatus ExecShare = "status"

	// ByLine: the first line that the program prints is a state or a share, such as "up",
	// "50%" or "down # no database": see [Agent]. No line reports nothing, and another one
	// is a failure.
	ByLine ExecShare = "line"
)

// Probe runs the program once.
func (e Exec) Probe(ctx context.Context, t Target) (Answer, error) {
	result, err := program{argv: append([]string{e.Path}, e.Args...), env: append(targetEnv(t), e.Env...)}.run(ctx)
	if err != nil {
		return Answer{}, withOutput(err, result.output)
	}
	if e.Share == ByStatus && result.code >= 2 {
		return Answer{Share: float64(result.code-2) / float64(cmp.Or(e.Whole, 102)-2), Reported: true}, nil
	}
	if result.code != 0 {
		return Answer{}, withOutput(fmt.Errorf("%s exited with status %d", e.Path, result.code), result.output)
	}
	if e.Share == ByLine {
		return parseState(firstLine(result.output))
	}
	return Answer{}, nil
}

// targetEnv tells a program what to ask.
func targetEnv(t Target) []string {
	return []string{
		"LVS_ADDR=" + t.Addr.Addr().String(),
		fmt.Sprintf("LVS_PORT=%d", t.Addr.Port()),
		"LVS_SERVER=" + t.Server.String(),
		"LVS_SERVICE=" + t.Service.String(),
	}
}

// withOutput puts the first line that a program printed behind an error.
func withOutput(err error, output []byte) error {
	if line := firstLine(output); line != "" {
		return fmt.Errorf("%w: %q", err, line)
	}
	return err
}

// mostLine is how much of a line is looked at, in bytes.
const mostLine = 200

// firstLine returns the first line of what was read, without blanks around it.
func firstLine(output []byte) string {
	if end := bytes.IndexAny(output, "\r\n"); end >= 0 {
		output = output[:end]
	}
	line := bytes.TrimSpace(output)
	return string(line[:min(len(line), mostLine)])
}

// String returns "exec" and the name of the program.
func (e Exec) String() string { return "exec " + filepath.Base(e.Path) }

func (e Exec) validate() error {
	switch {
	case !filepath.IsAbs(e.Path) || hasZero(e.Path):
		return invalid("Path", "%q is not an absolute path", clip(e.Path))
	case e.Share != "" && e.Share != ByStatus && e.Share != ByLine:
		return invalid("Share", "%q is neither %q nor %q", e.Share, ByStatus, ByLine)
	case e.Whole != 0 && e.Share != ByStatus:
		return invalid("Whole", "is only for a Share %q", ByStatus)
	case e.Whole != 0 && e.Whole < 3:
		return invalid("Whole", "%d is not an exit status from 3 on", e.Whole)
	}
	for i, arg := range e.Args {
		if hasZero(arg) {
			return invalid(indexed("Args", i), "%q has a zero byte", clip(arg))
		}
	}
	for i, entry := range e.Env {
		if name, _, ok := strings.Cut(entry, "="); !ok || name == "" || hasZero(entry) {
			return invalid(indexed("Env", i), "%q is not NAME=value", clip(entry))
		}
	}
	return nil
}

// hasZero reports whether a text has a zero byte, which ends it for the kernel.
func hasZero(s string) bool { return strings.IndexByte(s, 0) >= 0 }
