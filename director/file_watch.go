package director

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/golvs/lvs"
)

// fileWatch looks at a file now and then.
type fileWatch struct {
	path     string
	optional bool // a file that does not exist is like one without content

	read   os.FileInfo // the file whose content was read last
	latest os.FileInfo // the file as it was at the last look
	good   *[sha256.Size]byte
	broken string // the error that was returned last; "" if the file is in order
}

// look reads the file if it has changed and stayed the same since, and has take decode
// it, but for a content that is the last good one. It returns an error only once, and
// says when the file is in order again.
func (w *fileWatch) look(take func(content []byte) error) (recovered bool, err error) {
	now, err := statRegular(w.path)
	if w.optional && errors.Is(err, fs.ErrNotExist) {
		w.read, w.latest = nil, nil
		return w.use(nil, take)
	}
	if err != nil {
		return false, w.lost(err)
	}
	if sameFile(now, w.read) {
		return false, nil
	}
	if !sameFile(now, w.latest) {
		w.latest = now
		return false, nil
	}
	content, err := os.ReadFile(w.path)
	after, statErr := statRegular(w.path)
	if err != nil || statErr != nil {
		return false, w.lost(errors.Join(err, statErr))
	}
	if w.latest = after; !sameFile(after, now) {
		return false, nil // it changed while it was read
	}
	w.read = now
	return w.use(content, take)
}

// statRegular returns what a file is, through symbolic links, if it can be read.
func statRegular(path string) (os.FileInfo, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &FileError{Path: path, Err: errors.New("it is not a regular file")}
	case info.Size() > maxFileSize:
		return nil, &FileError{Path: path, Err: fmt.Errorf("it has %d bytes, and only a file of up to %d is read", info.Size(), maxFileSize)}
	}
	return info, nil
}

// use has a content decoded that is not the last good one.
func (w *fileWatch) use(content []byte, take func(content []byte) error) (recovered bool, err error) {
	sum := sha256.Sum256(content)
	if w.good != nil && sum == *w.good {
		recovered = w.broken != ""
		w.broken = ""
		return recovered, nil
	}
	if err := take(content); err != nil {
		return false, w.problem(err)
	}
	w.good, w.broken = &sum, ""
	return false, nil
}

// lost returns the error of a file that cannot be read. It is read again even if it comes
// back as it was.
func (w *fileWatch) lost(err error) error {
	w.read, w.latest = nil, nil
	return w.problem(err)
}

// problem returns an error with its place, unless it was returned last.
func (w *fileWatch) problem(err error) error {
	placed := inFile(w.path, err)
	if placed.Error() == w.broken {
		return nil
	}
	w.broken = placed.Error()
	return placed
}

// inFile returns an error with the path of its file, and its place if it has one.
func inFile(file string, err error) error {
	placed := &FileError{Path: file, Err: err}
	var inside *FileError
	var value *lvs.Error
	var path *os.PathError
	switch {
	case errors.As(err, &inside):
		return &FileError{file, inside.Line, inside.Column, inside.Err}
	case errors.As(err, &value):
		placed.Line, placed.Column = value.Line, value.Column
	case errors.As(err, &path):
		placed.Err = path.Err // whose text has the path again
	}
	return placed
}

// sameFile reports whether a file has not changed between two looks.
func sameFile(a, b os.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
