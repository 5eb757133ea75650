//go:build !unix

package health

import "syscall"

// controlReset does nothing: [Target.Dial] does what it can.
func controlReset(string, string, syscall.RawConn) error { return nil }
