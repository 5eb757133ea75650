//go:build unix

package health

import (
	"os/exec"
	"syscall"
)

// group gives a command a process group of its own, and makes the end of its context
// kill that group. The command must end before release is called.
func group(cmd *exec.Cmd) (release func()) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return dieWithUs(cmd.SysProcAttr)
}

// end kills what is left of the group of a command that has ended. The number of a group
// is not given to another process as long as the group has members; if it has none, there
// may be another group of that number only if all numbers have been used since.
func end(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
