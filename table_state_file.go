package lvs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/golvs/lvs/internal/seam"
)

// ReadTableState reads a state from a file. If the file does not exist, it returns the
// zero value: nothing was applied. It fails with [ErrInvalid] if the file is damaged, has
// another version, or is not a regular file, and with [ErrPermission].
func ReadTableState(path string) (TableState, error) {
	s, err := readTableState(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return TableState{}, nil
	case err != nil:
		return TableState{}, stateFileError(OpReadState, path, err)
	}
	return s, nil
}

func readTableState(path string) (s TableState, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return s, err
	}
	if !info.Mode().IsRegular() {
		return s, errNotRegular
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return s, err
	}
	return s, s.UnmarshalJSON(text)
}

// WriteFile writes the state to a file, so that after a crash the file has the old state
// or the new one. It writes a file beside it, named as it with a suffix, makes it
// durable, and renames it. A crash in between can leave that file behind; it is of no
// use.
//
// The file keeps its permissions; a new one can be read and written by its owner alone.
// If path is a symbolic link, the file that it leads to is replaced. A file that is not
// a state that [ReadTableState] reads is never overwritten: the error is then that of
// reading it. Other errors match [ErrPermission], [ErrNotFound] or [ErrBusy].
func (s TableState) WriteFile(path string) error {
	return s.writeFile(context.Background(), path)
}

func (s TableState) writeFile(ctx context.Context, path string) error {
	if _, err := ReadTableState(path); err != nil {
		return err
	}
	text, err := json.MarshalIndent(s, "", "\t")
	if err == nil {
		err = replaceFile(ctx, path, append(text, '\n'))
	}
	if err != nil {
		return stateFileError(OpWriteState, path, err)
	}
	return nil
}

// replaceFile gives a file new content, all of it or nothing.
func replaceFile(ctx context.Context, path string, text []byte) error {
	path, mode, err := fileToReplace(path)
	if err != nil {
		return err
	}
	folder := filepath.Dir(path)
	f, err := os.CreateTemp(folder, filepath.Base(path)+".*.new")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it is renamed
	half := len(text) / 2     // only tests stop here
	_, err = f.Write(text[:half])
	if err == nil {
		seam.Step(ctx, "half of the state is written")
		_, err = f.Write(text[half:])
	}
	if err := errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	seam.Step(ctx, "the state is written")
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	seam.Step(ctx, "the state is renamed")
	return syncFolder(folder)
}

// fileToReplace follows symbolic links, and returns the permissions that the file has
// or will have.
func fileToReplace(path string) (string, fs.FileMode, error) {
	const mode = 0o600
	file, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		if info, lerr := os.Lstat(path); lerr == nil && info.Mode()&fs.ModeSymlink != 0 {
			return "", 0, fmt.Errorf("a symbolic link leads to a file that does not exist: %w", err)
		}
		return path, mode, nil
	}
	if err != nil {
		return "", 0, err
	}
	info, err := os.Stat(file)
	if err == nil && !info.Mode().IsRegular() {
		err = errNotRegular
	}
	if err != nil {
		return "", 0, err
	}
	return file, info.Mode().Perm(), nil
}

// syncFolder makes a rename durable, where the system can do that.
func syncFolder(folder string) error {
	if runtime.GOOS == "windows" || runtime.GOOS == "plan9" {
		return nil // a folder cannot be opened for that
	}
	f, err := os.Open(folder)
	if errors.Is(err, fs.ErrPermission) {
		return nil // it can be written, and not be read
	}
	if err != nil {
		return err
	}
	defer f.Close()
	err = f.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
		return nil // some file systems refuse it
	}
	return err
}

// stateFileError returns the error of a state file with its kind.
func stateFileError(op Op, path string, err error) error {
	const hint = "restore it, or move it away if nothing in the kernel's table is this program's"
	var bad *Error
	if !errors.As(err, &bad) {
		e := &Error{kind: errors.ErrUnsupported, cause: err}
		e.classify(stateFileErrors)
		return e.about(op, path)
	}
	if bad.Object != tableStateObject { // of a value in it
		return (&Error{kind: bad.kind, cause: bad, hint: hint}).about(op, path)
	}
	e := *bad
	e.hint = hint
	return e.about(op, path)
}

var errNotRegular = errors.New("it is not a regular file")

var stateFileErrors = []knownError{
	{[]error{errNotRegular}, ErrInvalid, "name a file"},
	{[]error{fs.ErrPermission, syscall.EROFS}, ErrPermission, ""},
	{[]error{fs.ErrNotExist}, ErrNotFound, "make its folder first"},
	{[]error{syscall.EAGAIN}, ErrBusy, "another plan is being applied with it: try again later, or give each program a file of its own"},
	{[]error{syscall.ENOSPC, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE}, ErrBusy, ""},
}
