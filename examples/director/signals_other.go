//go:build !unix

package main

import "os"

// terminate is the signal by which other programs end this one.
var terminate = os.Interrupt

// onSignals does nothing: this system lacks the signals.
func onSignals(func() bool, func()) (stop func()) { return func() {} }
