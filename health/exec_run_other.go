//go:build !unix

package health

import "os/exec"

// group does nothing: there are no process groups here.
func group(*exec.Cmd) (release func()) { return func() {} }

// end does nothing: what a program started stays.
func end(*exec.Cmd) {}
