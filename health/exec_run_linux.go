package health

import (
	"runtime"
	"syscall"
)

// dieWithUs makes the kernel kill a child when this program dies. For the kernel, the
// parent is the thread that started the child: release lets it go.
func dieWithUs(attr *syscall.SysProcAttr) (release func()) {
	runtime.LockOSThread()
	attr.Pdeathsig = syscall.SIGKILL
	return runtime.UnlockOSThread
}
