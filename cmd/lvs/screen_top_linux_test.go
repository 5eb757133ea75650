package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

// topOnScreen starts the live view on a terminal, and waits until it shows the table.
func topOnScreen(t *testing.T) *screen {
	t.Helper()
	s := onScreen(t, exec.Command(linkTo(t, "lvs"), "top", "-demo"))
	s.see("lvs top", "tcp://10.168.0.91:80", "10.168.0.94:80", "q quit")
	return s
}

// The view follows the size of the terminal, and is left as whole as it was.
func TestTopResize(t *testing.T) {
	s := topOnScreen(t)
	if own, cursor := s.modes(); !own || cursor || s.termios() == s.cooked {
		t.Error("the view does not have the terminal for itself")
	}
	fills := func(columns, lines int) {
		t.Helper()
		s.setSize(columns, lines)
		s.await("view of that size", func(text string) bool {
			all := strings.Split(text, "\n")
			widest := 0
			for _, line := range all {
				widest = max(widest, term.Width(line))
			}
			bottom := all[lines-1]
			return strings.Contains(bottom, "q quit") && widest <= columns && widest > columns*3/5
		})
	}
	fills(200, 50)
	s.see("SHARE", "EXP", "bytes/s")
	fills(80, 24)
	fills(20, 5)
	fills(132, 43)
	s.press("q")
	s.expectEnd(0)
}

// Keys ask, answer, and change the table.
func TestTopKeys(t *testing.T) {
	s := topOnScreen(t)
	s.press("s")
	s.see("by active")
	s.press("f")
	s.see("Show only what contains")
	s.press("0.91:443\r")
	s.await("filtered table", func(text string) bool {
		return strings.Contains(text, "only 0.91:443") && !strings.Contains(text, "10.168.0.91:80")
	})
	s.press("\x1b[B") // down, to a real server
	s.press("d")
	s.see("Drain 10.168.0.9", "y/n")
	s.press("n")
	s.see("not done")
	s.press("dy")
	s.see("set to 0", "2 draining")
	s.press("uy")
	s.see("set to 2", "1 draining")
	s.press("e192.0.2.7\r")
	s.see("Explanation", "192.0.2.7", "10.168.0.91:443", "Esc close")
	s.press("\x1b")
	s.see("q quit")
	s.press("?")
	s.see("NEW/s", "Esc close")
	s.press("\x1b[6~")
	s.see("EXP", "expected share")
	s.press("q") // closes the panel alone
	s.see("q quit")
	s.press("q")
	s.expectEnd(0)
}

// However the view ends, the terminal is as it was.
func TestTopEnds(t *testing.T) {
	for name, end := range map[string]func(*screen){
		"interrupt key": func(s *screen) { s.press("\x03") },
		"interrupt":     func(s *screen) { s.signal(os.Interrupt) },
		"terminate":     func(s *screen) { s.signal(syscall.SIGTERM) },
		"hang up":       func(s *screen) { s.signal(syscall.SIGHUP) },
		"in a prompt":   func(s *screen) { s.press("f"); s.see("Show only"); s.press("x\x03") },
	} {
		t.Run(name, func(t *testing.T) {
			s := topOnScreen(t)
			end(s)
			s.expectEnd(0)
		})
	}
	t.Run("terminal gone", func(t *testing.T) {
		s := topOnScreen(t)
		s.hangUp()
		s.status()
	})
}

// A shell suspends and continues the view.
func TestTopSuspend(t *testing.T) {
	link := linkTo(t, "lvs")
	s := onScreen(t, exec.Command("/bin/sh", "-i"))
	s.press("PS1='ready''>'\n")
	s.see("ready>")
	s.press(link + " top -demo\n")
	s.see("lvs top", "10.168.0.94:80", "q quit")
	prompt := func(text string) bool {
		own, cursor := s.modes()
		return !own && cursor && strings.HasSuffix(strings.TrimRight(text, "\n"), "\nready>")
	}
	s.press("\x1a")
	s.await("shell", prompt)
	s.press("fg\n")
	s.await("view again", func(text string) bool {
		own, _ := s.modes()
		return own && strings.Contains(text, "10.168.0.94:80")
	})
	s.press("q")
	s.await("shell", prompt)
	s.press("exit 0\n")
	s.expectEnd(0)
}

// Of a large table, real servers have their details when they come into view.
func TestTopLargeKernel(t *testing.T) {
	ns, _ := kernel(t)
	var table strings.Builder
	for i := range 110 {
		fmt.Fprintf(&table, "-A -t 10.168.1.%d:80 -s wlc\n", i)
		for j := range 5 {
			fmt.Fprintf(&table, "-a -t 10.168.1.%d:80 -r 10.168.2.%d:%d -m -w %d\n", i, j, 1000+i, j+1)
		}
	}
	table.WriteString("-A -f 7 -s rr\n")
	path := filepath.Join(t.TempDir(), "table")
	if err := os.WriteFile(path, []byte(table.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	ns.Run("sh", "-c", "ipvsadm -R < "+path)
	command := exec.Command(linkTo(t, "lvs"), "top", "-sort", "address", "-netns", "/proc/self/fd/3")
	command.ExtraFiles = []*os.File{ns.File}
	s := onScreen(t, command)
	s.see("111 services, 550 servers", "+tcp://10.168.1.0:80", "+tcp://10.168.1.7:80")
	s.press("\r")
	s.await("real servers in detail", func(text string) bool {
		return strings.Contains(text, "10.168.2.4:1000") && !strings.Contains(text, "..")
	})
	s.press("G")
	s.see("fwmark://7", "no servers")
	s.press("q")
	s.expectEnd(0)
}
