package lvs

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// reopen returns a descriptor of our own for one of the caller's.
func reopen(fd uintptr) (*os.File, error) {
	own, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("descriptor %d: %w", fd, os.NewSyscallError("fcntl", err))
	}
	return os.NewFile(uintptr(own), fmt.Sprintf("descriptor %d", fd)), nil
}
