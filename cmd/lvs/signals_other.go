//go:build !unix

package main

import "os"

var terminate = os.Kill

// notify does nothing: this system lacks the signals.
func notify(_, _ func()) (stop func()) { return func() {} }
