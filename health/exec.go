package health

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
)

// Exec runs a program, without a shell. The server works if the exit status is 0.
//
// The program gets the environment LVS_ADDR and LVS_PORT of the address to ask, LVS_SERVER
// and LVS_SERVICE of the real server and its service, and Env, and nothing else. Its
// standard input is empty. When the check's timeout passes, the program is killed with
// all in its process group, and so is what is left of that when the program ends. On Linux
// it is also killed when this program dies. Of its output the first 4 KiB are looked at.
type Exec struct {
	Path string   `json:"path"` // of the program, which must be absolute
	Args []string `json:"args"` // behind its name
	Env  []string `json:"env"`  // in the form "NAME=value"

	// Share says where the program reports the share of its weight that the server asks
	// for; "" is nowhere.
	Share ExecShare `json:"share"`
}

// ExecShare is where a program reports a share. Its texts are stable.
type ExecShare string

const (
	// ByStatus: the exit status 0 reports nothing, 1 is a failure, and 2 to 255 are the
	// shares (status - 2) / 100, so that 102 is the whole weight, as keepalived's
	// misc_dynamic has it for a server of weight 100.
	ByStatus ExecShare = "status"

	// ByLine: the first line that the program prints is "up", "down", "drain" or a
	// share such as "50%". No line reports nothing, and another one is a failure.
	ByLine ExecShare = "line"
)

// Probe runs the program once.
func (e Exec) Probe(ctx context.Context, t Target) (Answer, error) {
	result, err := program{argv: append([]string{e.Path}, e.Args...), env: append(targetEnv(t), e.Env...)}.run(ctx)
	if err != nil {
		return Answer{}, withOutput(err, result.output)
	}
	if e.Share == ByStatus && result.code >= 2 {
		return Answer{Share: float64(result.code-2) / 100, Reported: true}, nil
	}
	if result.code != 0 {
		return Answer{}, withOutput(fmt.Errorf("%s exited with status %d", e.Path, result.code), result.output)
	}
	if e.Share == ByLine {
		return shareOfLine(firstLine(result.output))
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

func firstLine(output []byte) string {
	line, _, _ := bytes.Cut(output, []byte("\n"))
	return strings.TrimSpace(string(line[:min(len(line), 200)]))
}

// String returns "exec" and the name of the program.
func (e Exec) String() string { return "exec " + filepath.Base(e.Path) }

func (e Exec) validate() error {
	switch {
	case !filepath.IsAbs(e.Path):
		return invalid("Path", "%q is not an absolute path", e.Path)
	case e.Share != "" && e.Share != ByStatus && e.Share != ByLine:
		return invalid("Share", "%q is neither %q nor %q", e.Share, ByStatus, ByLine)
	}
	for i, entry := range e.Env {
		if name, _, ok := strings.Cut(entry, "="); !ok || name == "" {
			return invalid(indexed("Env", i), "%q is not NAME=value", entry)
		}
	}
	for i, arg := range append([]string{e.Path}, append(e.Args, e.Env...)...) {
		if strings.ContainsRune(arg, 0) {
			return invalid("Args", "argument %d has a zero byte", i)
		}
	}
	return nil
}
