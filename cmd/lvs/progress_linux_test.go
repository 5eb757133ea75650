package main

import (
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
)

// Work that takes long shows a line on a terminal, and removes it. Elsewhere, and for short
// work, nothing is shown.
func TestProgress(t *testing.T) {
	vars := map[string]string{"TERM": "xterm"}
	ctx, sim := small(t, lvs.SimOptions{})
	args := []string{"apply", "-netns", "blue", file(t, "site", largeSite)}
	screen, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	shown, ended := make(chan struct{}), make(chan string)
	go func() {
		var all strings.Builder
		for buffer := make([]byte, 4096); ; {
			n, err := screen.Read(buffer)
			had := strings.Contains(all.String(), "applying")
			all.Write(buffer[:n])
			if !had && strings.Contains(all.String(), "applying 6 steps: ") {
				close(shown)
			}
			if err != nil {
				ended <- all.String()
				return
			}
		}
	}()
	if err := sim.Inject(lvs.SimFault{Op: lvs.OpUpdateService, Before: func() { <-shown }}); err != nil {
		t.Fatal(err)
	}
	env := &cli.Env{In: tty, Out: tty, Err: tty, Getenv: func(name string) string { return vars[name] }}
	status := program().Main(ctx, env, append([]string{"lvs"}, args...))
	tty.Close()
	text := <-ended
	before, after, _ := strings.Cut(text, "applying 6 steps: ")
	_, after, erased := strings.Cut(after, "\r\x1b[K")
	if status != 2 || !strings.HasSuffix(before, "\r") || !erased || !strings.HasSuffix(after, "6 steps made\r\n") || strings.Contains(after, "applying") {
		t.Errorf("status %d: %q", status, text)
	}
	for _, vars := range []map[string]string{vars, {"TERM": "dumb"}} {
		ctx, _ := small(t, lvs.SimOptions{})
		if text := onTerminal(t, ctx, 80, vars, args...); strings.Contains(text, "applying") || strings.Contains(text, "\r") {
			t.Errorf("%q", text)
		}
	}
}

// A plan has a colour for each kind of line, on a terminal that wants them.
func TestPlanColours(t *testing.T) {
	ctx, _ := small(t, lvs.SimOptions{})
	args := []string{"plan", "-netns", "blue", file(t, "site", largeSite)}
	text := onTerminal(t, ctx, 200, map[string]string{"TERM": "xterm", "LANG": "C.UTF-8"}, args...)
	for line, start := range map[string]string{
		"+ tcp://10.168.0.91:80 -> 10.168.0.95:80 dr weight 1":                  "\x1b[1m",
		"- tcp://10.168.0.91:80 -> 10.168.0.96:80":                              "\x1b[31m",
		"~ tcp://10.168.0.91:80 scheduler rr → wrr":                             "\x1b[35m",
		"It is the only usable server, so new flows are no longer refused.":     "\x1b[2m",
		"Existing connections stay; wrr starts its round at the newest server.": "\x1b[2m",
	} {
		if !strings.Contains(text, start+line+"\x1b[0m") {
			t.Errorf("%q is not %q in\n%q", line, start, text)
		}
	}
	for _, vars := range []map[string]string{{"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}} {
		if text := onTerminal(t, ctx, 80, vars, args...); strings.Contains(text, "\x1b") || text == "" {
			t.Errorf("with %v: %q", vars, text)
		}
	}
	if got := runWith(ctx, "", args...); strings.Contains(got.out, "\x1b") {
		t.Errorf("without a terminal: %q", got.out)
	}
}
