package top

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs"
)

// fakeTerminal is a terminal in memory.
type fakeTerminal struct {
	keys          chan string // closed: the terminal is gone
	width, height int
	entered, left int
	written       strings.Builder
	failing       error // of Write
	panics        bool  // Size does
}

func (t *fakeTerminal) Read(b []byte) (int, error) {
	keys, ok := <-t.keys
	if !ok {
		return 0, io.EOF
	}
	return copy(b, keys), nil
}

func (t *fakeTerminal) Write(b []byte) (int, error) {
	if t.failing != nil {
		return 0, t.failing
	}
	return t.written.Write(b)
}

func (t *fakeTerminal) Enter() error { t.entered++; return nil }
func (t *fakeTerminal) Leave()       { t.left++ }

func (t *fakeTerminal) Size() (int, int) {
	if t.panics {
		panic("no size")
	}
	return t.width, t.height
}

// view is a live view that runs in a bubble of package synctest, whose time is fake.
type view struct {
	*world
	*Live
	terminal *fakeTerminal
	cancel   context.CancelFunc
	ended    chan error
}

// inView runs a live view of a simulated director, and a test of it, which ends the view.
func inView(t *testing.T, prepare func(*Live), test func(v *view)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		v := &view{world: w, terminal: &fakeTerminal{keys: make(chan string), width: 80, height: 24}, ended: make(chan error, 1)}
		v.Live = &Live{Reader: &Reader{Host: w.host}, Model: NewModel("lvs top", time.Second), Terminal: v.terminal,
			signals: &signals{make(chan os.Signal), make(chan os.Signal), make(chan os.Signal)}}
		if prepare != nil {
			prepare(v.Live)
		}
		var ctx context.Context
		ctx, v.cancel = context.WithCancel(t.Context())
		go func() {
			defer func() {
				if p := recover(); p != nil {
					v.ended <- fmt.Errorf("panic: %v", p)
				}
			}()
			v.ended <- v.Run(ctx)
		}()
		time.Sleep(time.Second / 2) // the test is between the ticks
		synctest.Wait()
		test(v)
		v.cancel()
		close(v.terminal.keys)
		synctest.Wait()
	})
}

// inLoop lets the loop do something, unless it has ended.
func (v *view) inLoop(something func()) {
	select {
	case v.results <- something:
		synctest.Wait()
	case err := <-v.ended:
		v.ended <- err
		something()
	}
}

// shown returns what is on the screen.
func (v *view) shown() (text string) {
	v.inLoop(func() { text = strings.Join(v.screen.lines, "\n") })
	return text
}

// sees checks that words are on the screen, and others, which begin with '-', are not.
func (v *view) sees(words ...string) {
	v.t.Helper()
	synctest.Wait()
	shown := v.shown()
	for _, word := range words {
		absent, isAbsent := strings.CutPrefix(word, "-")
		if strings.Contains(shown, absent) == isAbsent {
			v.t.Errorf("want %q:\n%s", word, shown)
		}
	}
}

func (v *view) presses(keys ...string) {
	for _, k := range keys {
		v.terminal.keys <- k
		synctest.Wait()
	}
}

// ends checks that the view has ended, and left the terminal.
func (v *view) ends(want string) {
	v.t.Helper()
	synctest.Wait()
	select {
	case err := <-v.ended:
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			v.t.Errorf("ends with %v, want %q", err, want)
		}
		if v.terminal.entered == 0 || v.terminal.left == 0 {
			v.t.Error("the terminal was not entered, or not left")
		}
	default:
		v.t.Fatalf("it has not ended:\n%s", v.shown())
	}
}

func TestLive(t *testing.T) {
	inView(t, nil, func(v *view) {
		v.sees("tcp://192.0.2.10:80", "ESTABLISHED 180", "every 1s", "q quit")
		v.setWeight("tcp://192.0.2.10:80", "10.1.0.11:80", 77)
		v.sees("-77")
		time.Sleep(time.Second)
		v.sees(" 77 ")
		v.presses("+")
		v.sees("every 2s")
		time.Sleep(time.Second) // the reading that was due
		v.setWeight("tcp://192.0.2.10:80", "10.1.0.11:80", 88)
		time.Sleep(time.Second)
		v.sees("-88")
		time.Sleep(time.Second)
		v.sees(" 88 ")
		v.presses("p")
		v.setWeight("tcp://192.0.2.10:80", "10.1.0.11:80", 66)
		time.Sleep(time.Minute)
		v.sees("paused", "- 66 ")
		v.presses("p")
		v.sees("-paused", " 66 ")
		v.presses("j", "d", "y")
		v.sees("set to 0", "draining, 112 left")
		v.presses("u", "y")
		v.sees("set to 66", "-draining, 112 left")
		v.presses("e192.0.2.7\r")
		v.sees("Explanation", "192.0.2.7:40000", "Esc close")
		v.presses("\x1b")
		v.sees("Esc close") // it may be the beginning of another key
		time.Sleep(100 * time.Millisecond)
		v.sees("q quit", "-Explanation")
		v.presses("\x1b[", "A")
		v.sees(">-tcp://192.0.2.10:80")
		v.presses("q")
		v.ends("")
	})
}

// The size and the time are those of each frame.
func TestLiveResize(t *testing.T) {
	inView(t, nil, func(v *view) {
		for _, size := range [][2]int{{200, 50}, {20, 5}, {1, 1}, {0, 0}, {80, 24}} {
			v.inLoop(func() { v.terminal.width, v.terminal.height = size[0], size[1] })
			v.signals.resized <- os.Interrupt
			synctest.Wait()
			v.inLoop(func() {
				if got := len(v.screen.lines); got != size[1] {
					t.Errorf("%d lines of %d", got, size[1])
				}
			})
		}
		v.sees(time.Now().Format("15:04:05"))
		time.Sleep(time.Second)
		v.sees(time.Now().Format("15:04:05"))
	})
}

func TestLiveEnds(t *testing.T) {
	for name, end := range map[string]func(*view){
		"key":       func(v *view) { v.presses("q") },
		"interrupt": func(v *view) { v.presses("f\x03") },
		"context":   func(v *view) { v.cancel() },
		"hang up":   func(v *view) { v.signals.hangup <- syscall.SIGHUP },
	} {
		t.Run(name, func(t *testing.T) { inView(t, nil, func(v *view) { end(v); v.ends("") }) })
	}
	t.Run("frames", func(t *testing.T) {
		inView(t, func(l *Live) { l.Frames = 3 }, func(v *view) {
			time.Sleep(1500 * time.Millisecond)
			v.sees("lvs top")
			time.Sleep(time.Second)
			v.ends("")
		})
	})
	t.Run("write", func(t *testing.T) {
		inView(t, nil, func(v *view) {
			v.inLoop(func() { v.terminal.failing = errors.New("gone") })
			time.Sleep(time.Second)
			v.ends("gone")
		})
	})
}

// A panic, wherever it is, ends the view after the terminal was given back.
func TestLivePanic(t *testing.T) {
	t.Run("reading", func(t *testing.T) {
		inView(t, func(l *Live) { l.Reader = nil }, func(v *view) { v.ends("panic: runtime error") })
	})
	t.Run("drawing", func(t *testing.T) {
		inView(t, nil, func(v *view) {
			v.inLoop(func() { v.terminal.panics = true })
			v.ends("panic: no size")
		})
	})
}

// After the terminal was another program's, all of it is drawn.
func TestLiveResumes(t *testing.T) {
	inView(t, nil, func(v *view) {
		for _, again := range []func(){
			func() { v.signals.resumed <- os.Interrupt },
			func() { v.presses("\x0c") },
		} {
			v.inLoop(v.terminal.written.Reset)
			again()
			synctest.Wait()
			var got string
			if v.inLoop(func() { got = v.terminal.written.String() }); !strings.Contains(got, "\x1b[2J") || !strings.Contains(got, "192.0.2.10:110") {
				t.Errorf("written: %q", got)
			}
		}
		if v.terminal.entered != 2 {
			t.Errorf("entered %d times", v.terminal.entered)
		}
	})
}

// While readings fail, the rows stay, with their age and what to do. Then it goes on.
func TestLiveFails(t *testing.T) {
	inView(t, nil, func(v *view) {
		must(t, v.Inject(lvs.SimFault{Op: lvs.OpListServices, Times: 3, Errno: lvs.Errno(syscall.EPERM)}))
		time.Sleep(time.Second)
		v.sees("failing for 0s (shown: 1s old)", "CAP_NET_ADMIN", "tcp://192.0.2.10:80")
		time.Sleep(2 * time.Second)
		v.sees("failing for 2s (shown: 3s old)", "-states:")
		time.Sleep(time.Second)
		v.sees("-failing", "states:")
	})
}

// A call that hangs ends after a time, and keys go on.
func TestLiveHangs(t *testing.T) {
	inView(t, func(l *Live) { l.Model.Interval = 3 * time.Second }, func(v *view) {
		must(t, v.Inject(lvs.SimFault{Op: lvs.OpListServices, LoseReply: true}))
		time.Sleep(3 * time.Second) // the second reading hangs
		v.presses("s")
		v.sees("by active", "-failing")
		time.Sleep(callTimeout)
		v.sees("deadline exceeded")
		time.Sleep(time.Second)
		v.sees("-failing")
	})
}

// Connections are counted each few seconds, or when a key asks for it.
func TestLiveCounts(t *testing.T) {
	inView(t, nil, func(v *view) {
		v.connectMany("192.0.2.10:80", fewConns)
		v.presses("\x0c")
		v.sees("TIME_WAIT 240, ESTABLISHED 180") // too many to count again
		v.presses("c")
		v.sees("ESTABLISHED 20180")
		v.connectMany("192.0.2.10:80", 7)
		time.Sleep(2 * statesEvery)
		v.sees("ESTABLISHED 20187")
		v.presses("c")
		v.sees("states: c counts them")
	})
}
