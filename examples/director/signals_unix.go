//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// terminate is the signal by which other programs end this one.
const terminate = syscall.SIGTERM

// onSignals calls allow for SIGUSR1 and show for SIGHUP, until stop is called.
func onSignals(allow func() bool, show func()) (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGHUP)
	go func() {
		for s := range signals {
			if s == syscall.SIGUSR1 {
				allow()
			} else {
				show()
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
	}
}
