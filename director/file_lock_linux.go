package director

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/golvs/lvs"
)

// lockPatience is how long a file may be locked by another program, which needs it for as
// long as it takes to write a small file.
const lockPatience = time.Second

// lockFile keeps other programs from changing a file. It locks a file beside it, which
// stays, because the file itself is replaced.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path+".lock", os.O_RDONLY|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(lockPatience); ; time.Sleep(lockPatience / 100) {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(end) {
			break
		}
	}
	switch {
	case err == nil, errors.Is(err, errors.ErrUnsupported): // some file systems have no locks
		return func() { f.Close() }, nil
	case errors.Is(err, syscall.EWOULDBLOCK):
		err = fmt.Errorf("%s: another program changes it, try again: %w", path, lvs.ErrBusy)
	}
	f.Close()
	return nil, err
}
