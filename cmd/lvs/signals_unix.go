//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// terminate is the signal by which other programs end this one.
const terminate = syscall.SIGTERM

// notify calls functions for signals, until stop is called.
func notify(hangUp, user1 func()) (stop func()) {
	signals, ended := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGHUP)
	go func() {
		defer close(ended)
		for s := range signals {
			if s == syscall.SIGHUP {
				hangUp()
			} else {
				user1()
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
		<-ended
	}
}
