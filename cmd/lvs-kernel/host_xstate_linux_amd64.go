package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// stateArea returns how many bytes of processor state the host expects from a
// process that traces another, 0 where the processor has no XSAVE area. It asks
// the host's kernel, by tracing a process. That is what User-Mode Linux does
// with its processes, so where it fails they cannot run either.
func stateArea() (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	runtime.LockOSThread() // The thread that starts the process is its tracer.
	defer runtime.UnlockOSThread()
	cmd := exec.Command(self)
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("it traces its processes, which this machine does not allow: %w", err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	// The process stops before its first instruction.
	var ws unix.WaitStatus
	if _, err := unix.Wait4(cmd.Process.Pid, &ws, 0, nil); err != nil {
		return 0, fmt.Errorf("wait for a traced process: %w", err)
	}
	if !ws.Stopped() {
		return 0, fmt.Errorf("it traces its processes, and one did not stop (status %#x)", uint32(ws))
	}
	return xstateSize(cmd.Process.Pid)
}

// ntX86XState is NT_X86_XSTATE, the XSAVE area as ptrace shows it.
const ntX86XState = 0x202

// xstateSize returns the size of a traced process's XSAVE area.
func xstateSize(pid int) (int, error) {
	buf := make([]byte, 1<<16)
	iov := unix.Iovec{Base: &buf[0], Len: uint64(len(buf))}
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GETREGSET, uintptr(pid), ntX86XState, uintptr(unsafe.Pointer(&iov)), 0, 0)
	switch errno {
	case 0:
		return int(iov.Len), nil
	case unix.ENODEV, unix.EINVAL, unix.EIO:
		return 0, nil
	}
	return 0, fmt.Errorf("read the processor state of a traced process: %w", errno)
}
