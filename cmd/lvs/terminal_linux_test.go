package main

import (
	"context"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

// onTerminal runs the program on a terminal of so many columns, and returns what it wrote.
func onTerminal(t *testing.T, ctx context.Context, columns uint16, vars map[string]string, args ...string) string {
	t.Helper()
	screen, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	if err := pty.Setsize(tty, &pty.Winsize{Cols: columns, Rows: 24}); err != nil {
		t.Fatal(err)
	}
	written := make(chan string)
	go func() {
		all, _ := io.ReadAll(screen) // ends with an error when the terminal is closed
		written <- string(all)
	}()
	env := &cli.Env{In: tty, Out: tty, Err: tty, Getenv: func(name string) string { return vars[name] }}
	program().Main(ctx, env, append([]string{"lvs"}, args...))
	tty.Close()
	return strings.ReplaceAll(<-written, "\r\n", "\n")
}

var colour = regexp.MustCompile("\x1b\\[[0-9;]*m")

// On a terminal, text has colours, unless they are not wanted, and fits, but for commands.
func TestTerminal(t *testing.T) {
	ctx := balancing(t)
	for _, args := range []string{"show", "check -setups=", "explain 192.168.0.7 10.168.0.91:80", "setup dr-server -vip 10.168.0.91 check"} {
		for _, columns := range []uint16{80, 200} {
			text := onTerminal(t, ctx, columns, map[string]string{"TERM": "xterm", "LANG": "C.UTF-8"}, strings.Fields(args)...)
			if !strings.Contains(text, "\x1b[1m") {
				t.Errorf("%s has no colours:\n%s", args, text)
			}
			for line := range strings.Lines(colour.ReplaceAllString(text, "")) {
				isCommand := strings.HasPrefix(line, "  fix ") || strings.HasPrefix(line, "  run ")
				if width := term.Width(strings.TrimSuffix(line, "\n")); width > int(columns) && !isCommand {
					t.Errorf("%s has %d columns of %d: %q", args, width, columns, line)
				}
			}
		}
		for _, vars := range []map[string]string{{"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}} {
			if text := onTerminal(t, ctx, 80, vars, strings.Fields(args)...); colour.MatchString(text) || text == "" {
				t.Errorf("%s with %v has colours:\n%s", args, vars, text)
			}
		}
	}
}
