package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/hinshun/vt10x"
	"golang.org/x/sys/unix"
)

// screen is a terminal with a screen, and a program that runs on it.
type screen struct {
	*testing.T
	vt      vt10x.Terminal
	control *os.File // the side of the terminal's user
	tty     *os.File // the side of the program
	command *exec.Cmd
	ended   chan error // of the program
	written atomic.Int64
	cooked  unix.Termios // as the terminal was before the program
}

// patience is how long a test waits for what must come.
const patience = time.Minute

// onScreen starts a command on a terminal of its own, of 80 columns and 24 lines.
func onScreen(t *testing.T, command *exec.Cmd) *screen {
	t.Helper()
	control, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	s := &screen{T: t, vt: vt10x.New(vt10x.WithSize(80, 24)), control: control, tty: tty, command: command, ended: make(chan error, 1)}
	t.Cleanup(func() { control.Close(); tty.Close() })
	s.setSize(80, 24)
	s.cooked = s.termios()
	command.Stdin, command.Stdout, command.Stderr = tty, tty, tty
	command.Env = append(os.Environ(), "TERM=xterm", "LANG=C.UTF-8", "NO_COLOR=")
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.ended <- command.Wait() }()
	t.Cleanup(func() { _ = command.Process.Kill() }) // it has ended, unless the test failed
	go func() {
		for b := make([]byte, 4096); ; {
			n, err := control.Read(b)
			if err != nil {
				return
			}
			_, _ = s.vt.Write(b[:n])
			s.written.Add(int64(n))
		}
	}()
	return s
}

// setSize makes the terminal as large, which the program learns by a signal.
func (s *screen) setSize(columns, lines int) {
	s.Helper()
	s.vt.Resize(columns, lines)
	if err := pty.Setsize(s.control, &pty.Winsize{Cols: uint16(columns), Rows: uint16(lines)}); err != nil {
		s.Fatal(err)
	}
}

func (s *screen) termios() unix.Termios {
	s.Helper()
	t, err := unix.IoctlGetTermios(int(s.tty.Fd()), unix.TCGETS)
	if err != nil {
		s.Fatal(err)
	}
	return *t
}

// lines returns what is on the screen, without spaces at the ends of lines.
func (s *screen) lines() []string {
	lines := strings.Split(strings.TrimSuffix(s.vt.String(), "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \x00")
	}
	return lines
}

func (s *screen) text() string { return strings.Join(s.lines(), "\n") }

// await waits until the screen shows something.
func (s *screen) await(what string, shown func(text string) bool) {
	s.Helper()
	for end := time.Now().Add(patience); !shown(s.text()); time.Sleep(5 * time.Millisecond) {
		select {
		case err := <-s.ended:
			s.ended <- err
			if !shown(s.text()) {
				s.Fatalf("the program has ended (%v) before %s:\n%s", err, what, s.text())
			}
		default:
		}
		if time.Now().After(end) {
			s.Fatalf("no %s on the screen:\n%s", what, s.text())
		}
	}
}

// see waits until the screen shows all of the words.
func (s *screen) see(words ...string) {
	s.Helper()
	s.await(strings.Join(words, ", "), func(text string) bool {
		for _, word := range words {
			if !strings.Contains(text, word) {
				return false
			}
		}
		return true
	})
}

// press types keys.
func (s *screen) press(keys string) {
	s.Helper()
	if _, err := s.control.WriteString(keys); err != nil {
		s.Fatal(err)
	}
}

// signal sends a signal to the program.
func (s *screen) signal(sig os.Signal) {
	s.Helper()
	if err := s.command.Process.Signal(sig); err != nil {
		s.Fatal(err)
	}
}

// status waits for the end of the program, and returns its exit status.
func (s *screen) status() int {
	s.Helper()
	select {
	case err := <-s.ended:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			s.Fatal(err)
		}
		return s.command.ProcessState.ExitCode()
	case <-time.After(patience):
		s.Fatalf("the program does not end:\n%s", s.text())
		return -1
	}
}

// modes returns whether the program has a screen of its own, and whether the cursor is
// seen.
func (s *screen) modes() (own, cursor bool) {
	s.vt.Lock()
	defer s.vt.Unlock()
	return s.vt.Mode()&vt10x.ModeAltScreen != 0, s.vt.CursorVisible()
}

// isRestored reports whether the terminal is as it was before the program.
func (s *screen) isRestored() bool {
	own, cursor := s.modes()
	return s.termios() == s.cooked && !own && cursor
}

// expectEnd checks that the program ends with a status, and leaves the terminal as it was.
func (s *screen) expectEnd(status int) {
	s.Helper()
	if got := s.status(); got != status {
		s.Errorf("status %d, want %d:\n%s", got, status, s.text())
	}
	s.await("terminal as it was", func(string) bool { return s.isRestored() })
}

// hangUp takes the terminal away.
func (s *screen) hangUp() {
	s.Helper()
	for _, side := range []*os.File{s.tty, s.control} {
		if err := side.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
			s.Fatal(err)
		}
	}
}
