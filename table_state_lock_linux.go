package lvs

import (
	"errors"
	"os"
	"syscall"
)

// lockStateFile keeps other calls, also of other processes, from applying a plan with a
// state file. It locks a file beside it, because a state file is replaced when it is
// written, and its lock would go with it. That file stays, because a lock on a file that
// was removed would keep out no other call.
func lockStateFile(path string) (unlock func(), err error) {
	file, mode, err := fileToReplace(path)
	if err != nil {
		return nil, stateFileError(OpReadState, path, err)
	}
	f, err := os.OpenFile(file+".lock", os.O_RDONLY|os.O_CREATE, mode)
	if err != nil {
		return nil, stateFileError(OpWriteState, path, err)
	}
	fd := int(f.Fd())
	err = syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) { // some file systems have no locks
		f.Close()
		return nil, stateFileError(OpWriteState, path, err)
	}
	return func() {
		_ = syscall.Flock(fd, syscall.LOCK_UN) // a program that is being started can have a copy of the descriptor
		f.Close()
	}, nil
}
