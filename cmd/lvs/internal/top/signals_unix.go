//go:build unix

package top

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

// signals are those that a live view handles.
type signals struct {
	resized, resumed, hangup chan os.Signal
}

func notify() *signals {
	s := &signals{}
	for _, n := range []struct {
		channel *chan os.Signal
		signal  os.Signal
	}{{&s.resized, syscall.SIGWINCH}, {&s.resumed, syscall.SIGCONT}, {&s.hangup, syscall.SIGHUP}} {
		*n.channel = make(chan os.Signal, 1)
		signal.Notify(*n.channel, n.signal)
	}
	return s
}

func (s *signals) stop() {
	for _, channel := range []chan os.Signal{s.resized, s.resumed, s.hangup} {
		signal.Stop(channel)
	}
}

// stopProcess stops the processes of the job, as ^Z does elsewhere, until the shell
// continues them. Without a shell that could, the kernel does not stop them. (The signal
// is not among those above: once package os/signal has handled it, it stops nothing.)
func (s *signals) stopProcess() {
	_ = syscall.Kill(0, syscall.SIGTSTP) // to our own group it cannot fail
	select {
	case <-s.resumed:
	case <-time.After(200 * time.Millisecond):
	}
}
